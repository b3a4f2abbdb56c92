"""Reward models, policies and rounds in a real Chromium: on any screen, live while a job runs, to be heard and read."""

import pytest
from django.urls import reverse

from earshot.accounts.models import Role
from earshot.jobs.models import Job, JobMetric
from tests.annotation.test_empty_lists import filled_buttons
from tests.browser.axe import violations
from tests.browser.test_study_pages import sound
from tests.factories import make_study, make_user
from tests.policy.fake_round import make_round, run_round
from tests.rewardmodel.fake_learning import make_reward_model, make_small_snapshot
from tests.servers import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "A name that goes on and on " * 4


@pytest.fixture
def admin():
    return make_user(Role.ADMIN)


@pytest.fixture
def finished(fake_learning):
    """A round that ran here from the update to the study, on simulated votes."""
    study = make_study(title="Warm or cold", is_simulated=True)
    models = [make_reward_model(make_small_snapshot(study), name=name) for name in ("model 1", LONG)]
    round = make_round(models=models, samples=2)
    assert run_round(round).error == ""
    return round


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_pages_of_a_finished_round_fit_and_pass_axe(page_of, admin, finished, width, scheme):
    new, model = finished.new_policy, finished.reward_models.last()
    page = page_of(admin, width=width, color_scheme=scheme)

    for address, drawn in (
        (reverse("rewardmodel:runs"), ""),
        (reverse("rewardmodel:run_new"), ""),
        (model.get_absolute_url(), "#accuracy svg"),
        (reverse("policy:policies"), ""),
        (reverse("policy:policy_new"), ""),
        (new.get_absolute_url(), "canvas[data-drawn]"),
        (reverse("policy:speak", args=[new.pk]), ""),
        (reverse("policy:rounds"), ""),
        (reverse("policy:round_new"), ""),
        (finished.get_absolute_url(), "#gains svg"),
    ):
        page.goto(address)
        if drawn:
            page.locator(drawn).first.wait_for()
        sound(page, width)


OVERLAPPING = """() => {
    const boxes = [...document.querySelectorAll("#accuracy svg text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    const meet = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
    return boxes.flatMap(([name, one], place) =>
        boxes.slice(place + 1).filter(([, other]) => meet(one, other)).map(([other]) => `${name} / ${other}`));
}"""  # noqa: E501


@pytest.mark.parametrize("width", [1440, 900])
def test_words_and_numbers_of_an_interval_plot_do_not_overlap(page_of, admin, width):
    model = make_reward_model()
    page = page_of(admin, width=width)

    page.goto(model.get_absolute_url())
    page.locator("#accuracy svg").wait_for()

    assert "best possible" in page.locator("#accuracy svg").text_content()
    assert page.evaluate(OVERLAPPING) == []


def test_a_single_curve_is_named_at_its_axis_and_has_a_phones_width_to_itself(page_of, admin):
    job = Job.objects.create(kind="policy.round", title="t", state="running", created_by=admin)
    JobMetric.objects.bulk_create(
        [JobMetric(job=job, name="held_out_accuracy", step=step, value=step / 9) for step in (1, 2, 3)]
    )
    page = page_of(admin, width=360)

    page.goto(job.get_absolute_url())
    page.locator(".u-over").first.wait_for()

    plot, curve = (page.locator(part).first.bounding_box() for part in (".uplot", ".u-over"))
    right = plot["x"] + plot["width"] - (curve["x"] + curve["width"])
    assert 0 < right <= 16  # pixels: a label there would take up to a third of the plot


def test_new_and_reference_are_heard_side_by_side_one_at_a_time(page_of, admin, finished):
    page = page_of(admin)
    page.goto(finished.get_absolute_url())
    new, reference = (page.get_by_label(f"Sound of {role}") for role in ("new", "reference"))

    new.evaluate("audio => audio.play()")
    wait_until(lambda: new.evaluate("audio => audio.currentTime") > 0, "the new policy being heard", 15)
    reference.evaluate("audio => audio.play()")
    wait_until(lambda: reference.evaluate("audio => audio.currentTime") > 0, "the reference being heard", 15)

    assert new.evaluate("audio => audio.paused")
    page.keyboard.press("]")
    page.get_by_text("2 of 4").wait_for()


def test_a_running_training_draws_its_curves_and_the_page_turns_into_the_report_when_it_ends(page_of, admin):
    snapshot = make_small_snapshot()
    job = Job.objects.create(kind="rewardmodel.train", title="t", state="running", progress=0.3, created_by=admin)
    fields = {"registered_at": None, "content_hash": "", "archive_sha256": ""}
    run = make_reward_model(snapshot, job=job)
    ready = {name: getattr(run, name) for name in fields}
    type(run).objects.filter(pk=run.pk).update(**fields)
    JobMetric.objects.bulk_create([JobMetric(job=job, name="loss", step=step, value=1 / step) for step in (1, 2, 3)])
    page = page_of(admin)

    page.goto(run.get_absolute_url())
    page.locator("#job-curves canvas").wait_for()
    assert violations(page) == []
    type(run).objects.filter(pk=run.pk).update(**ready)
    Job.objects.filter(pk=job.pk).update(state="succeeded", progress=1.0)

    page.get_by_role("heading", name="Accuracy", exact=True).wait_for()
    page.locator("#accuracy svg").wait_for()
    assert page.locator("#main").count() == 1


def test_the_empty_pages_call_for_one_thing_each(page_of, admin):
    page = page_of(admin, width=360)
    for name in ("rewardmodel:runs", "rewardmodel:run_new", "policy:policies", "policy:rounds", "policy:round_new"):
        page.goto(reverse(name))
        sound(page, 360)
        assert len(filled_buttons(page.content())) == 1, name


@pytest.mark.parametrize("width", [1000, 1200, 1279, 1280])
def test_the_navigation_of_an_admin_never_leaves_the_screen(page_of, width):
    page = page_of(make_user(Role.ADMIN, name="Wolfeschlegelsteinhausen Bergerdorff"), width=width)

    page.goto(reverse("policy:rounds"))

    assert page.evaluate("document.documentElement.scrollWidth") == width
