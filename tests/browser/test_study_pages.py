"""A researcher makes a study in a real Chromium: settings, rubric, pairs with their cost, people, start, ranking."""

import pytest
from django.urls import reverse

from annotation.models import Dialogue, Study, System
from annotation.services import ingest, judgments, simulation, studies
from earshot.accounts.models import Role
from earshot.jobs import services as jobs
from tests.annotation.manifests import dialogue, scenario, write_folder
from tests.browser.axe import violations
from tests.factories import NOW, answer, join, make_lease, make_study, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG_NAME = "a-cascade-with-a-very-long-name-of-2026-11"


def bring_in(folder, *, n_scenarios: int = 1, names=("base", LONG_NAME)) -> None:
    """One dialogue of each system in each scenario, with sound."""
    scenarios = [scenario(f"s{number}", topic=f"Good news {number}") for number in range(n_scenarios)]
    rows = [
        dialogue(f"d{number}-{name}", scenario_id=f"s{number}", system=name, audio=f"audio/{name}.wav")
        for number in range(n_scenarios)
        for name in names
    ]
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(folder, rows, scenarios)))
    with jobs.running(dialogue_import.job_id, 1) as held:
        ingest.run_import(held)


def sound(page, width: int = 1440) -> None:
    """Nothing scrolls sideways, at most one filled button calls, and axe finds nothing."""
    filled = page.locator("main :is(button, a[role=button]):visible:not(.secondary, .quiet, .danger)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert filled.count() <= 1, f"{page.url}: {filled.all_text_contents()}"
    assert violations(page) == [], page.url


def press(page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name).click()


def test_a_researcher_makes_fills_and_starts_a_study(page_of, tmp_path):
    bring_in(tmp_path, n_scenarios=2)
    annotator = make_user(email="ana@lab.example")
    page = page_of(make_user(Role.RESEARCHER))

    page.goto(reverse("annotation:studies"))
    sound(page)
    press(page, "New study")
    sound(page)
    page.get_by_label("Title").fill("Warm or cold")
    page.get_by_label("recorded: what was heard").check()
    press(page, "Make the study")
    page.get_by_role("heading", name="Warm or cold").wait_for()
    study = Study.objects.get()
    sound(page)
    press(page, "Add pairs")
    page.get_by_label("base", exact=True).check()
    page.get_by_label(LONG_NAME).check()
    plan = page.locator("#plan")
    page.get_by_label("Scenarios at most").fill("1")
    plan.get_by_text("1 new pair", exact=True).wait_for()
    assert page.locator("#plan-told").inner_text().startswith("1 new pair on 1 scenario: 3 votes")
    page.get_by_label("Scenarios at most").fill("")
    plan.get_by_text("2 new pairs", exact=True).wait_for()
    assert "2 new pairs on 2 scenarios: 6 votes, about 1 minute of listening" in " ".join(plan.inner_text().split())
    assert study.pairs.count() == 0
    sound(page)
    press(page, "Make 2 pairs")
    page.get_by_role("heading", name="Pairs").wait_for()
    sound(page)
    page.goto(reverse("annotation:members", args=[study.pk]))
    page.get_by_label("E-mail address").fill("ana@lab.example")
    press(page, "Add to the study")
    page.get_by_role("button", name="Remove ana@lab.example").wait_for()
    sound(page)
    page.goto(reverse("annotation:study", args=[study.pk]))
    press(page, "Start")
    page.locator("main").get_by_role("button", name="Pause").wait_for()
    sound(page)

    study.refresh_from_db()
    assert (study.state, study.listening_policy, study.pairs.count()) == ("running", "recorded", 2)
    assert list(study.memberships.filter(role="annotator").values_list("user", flat=True)) == [annotator.pk]


def test_a_rubric_is_changed_by_keyboard_and_its_errors_stand_at_their_fields(page_of):
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher, running=False)
    page = page_of(researcher)

    page.goto(reverse("annotation:edit_rubric", args=[study.pk]))
    sound(page)
    page.locator("#id_rubric-0-DELETE").focus()
    page.keyboard.press("Space")
    page.locator("#id_rubric-1-name").fill("")
    page.keyboard.press("Enter")
    error = page.locator("#id_rubric-1-name_error")
    error.wait_for()
    assert error.inner_text() == "This field is required."
    page.complaints[:] = [line for line in page.complaints if "422" not in line]
    sound(page)
    page.locator("#id_rubric-1-name").fill("Feeling")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{reverse('annotation:study', args=[study.pk])}")

    assert list(study.dimensions.values_list("name", flat=True)) == ["Feeling", "Immersion", "Overall"]


def test_a_dimension_is_moved_by_keyboard_and_the_preview_follows(page_of):
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher, running=False)
    page = page_of(researcher)

    page.goto(reverse("annotation:edit_rubric", args=[study.pk]))
    button = page.get_by_role("button", name="Move down Prosody")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Prosody is number 2 now.").wait_for()
    assert button.evaluate("button => button === document.activeElement")
    first = page.locator("#rubric-preview fieldset").first
    first.filter(has_text="Emotional continuity").wait_for()
    page.locator("#id_rubric-1-question").fill("Which feels more alive?")
    first.filter(has_text="Which feels more alive?").wait_for()
    for language, words in (("ja", "同じくらい"), ("zh-hans", "差不多"), ("en", "About the same")):
        page.get_by_label("Language of their pages").select_option(language)
        first.filter(has_text=words).wait_for()
    sound(page)
    press(page, "Save the rubric")
    page.wait_for_url(f"**{reverse('annotation:study', args=[study.pk])}")

    assert list(study.dimensions.values_list("key", flat=True)) == [
        "emotional_continuity",
        "prosody",
        "immersion",
        "overall",
    ]


def test_enter_in_a_field_of_the_design_counts_and_makes_nothing(page_of, tmp_path):
    bring_in(tmp_path)
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher, running=False)
    page = page_of(researcher)

    page.goto(reverse("annotation:add_pairs", args=[study.pk]))
    page.get_by_label("Raters who share the work").fill("7")
    page.keyboard.press("Enter")
    page.locator("#plan").get_by_text("For each of 7 raters").wait_for()

    assert study.pairs.count() == 0


def test_a_pilot_is_made_finished_and_reopened(page_of, tmp_path):
    bring_in(tmp_path, n_scenarios=2)
    researcher = make_user(Role.RESEARCHER)
    study = make_study(title="Warm or cold", researcher=researcher, running=False)
    studies.add_pairs(study, studies.plan_pairs(study, System.objects.all()), by=researcher)
    page = page_of(researcher)

    page.goto(reverse("annotation:study", args=[study.pk]))
    press(page, "Pilot")
    sound(page)
    press(page, "Make the pilot")
    page.get_by_role("heading", name="Warm or cold (pilot)").wait_for()
    press(page, "Finish")
    page.get_by_role("dialog").get_by_role("button", name="Finish").click()
    press(page, "Reopen")
    page.get_by_role("dialog").get_by_role("button", name="Reopen").click()
    page.locator("main").get_by_role("button", name="Resume").wait_for()
    sound(page)

    assert Study.objects.get(is_pilot=True).state == "paused"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_pages_of_a_judged_study_fit_and_pass_axe(page_of, tmp_path, width, scheme):
    bring_in(tmp_path, n_scenarios=6, names=("base", "policy-r1", LONG_NAME))
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher, running=False, is_simulated=True)
    studies.add_pairs(study, studies.plan_pairs(study, System.objects.all()), by=researcher)
    studies.change_state(study, Study.State.RUNNING, by=researcher)
    simulation.simulate_judgments(study, n_raters=6, n_judgments=48, seed=1)
    page = page_of(researcher, width=width, color_scheme=scheme)

    for name, *more in (
        ("studies",),
        ("new_study",),
        ("study", study.pk),
        ("edit_study", study.pk),
        ("edit_rubric", study.pk),
        ("edit_examples", study.pk, "prosody"),
        ("new_pilot", study.pk),
        ("members", study.pk),
        ("study_pairs", study.pk),
        ("add_pairs", study.pk),
        ("pair", study.pk, study.pairs.first().pk),
    ):
        page.goto(reverse(f"annotation:{name}", args=more))
        if name == "study":
            page.locator("#statistics svg:visible").first.wait_for()
        sound(page, width)

    assert Dialogue.objects.count() == 18


@pytest.mark.parametrize("width", [1440, 360])
def test_a_long_reason_of_a_person_fits_the_page_of_its_pair(page_of, tmp_path, width):
    bring_in(tmp_path)
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher)
    (pair,) = studies.add_pairs(study, studies.plan_pairs(study, System.objects.all()), by=researcher)
    lease = make_lease(pair, join(study))
    answer(lease)
    judgments.save_draft(lease, reason="The second one laughed at the right moment, " * 8, at=NOW)
    judgments.submit(lease, at=NOW)
    page = page_of(researcher, width=width)

    page.goto(reverse("annotation:pair", args=[study.pk, pair.pk]))
    box = page.locator("q").bounding_box()

    assert box["x"] + box["width"] <= width
    sound(page, width)
