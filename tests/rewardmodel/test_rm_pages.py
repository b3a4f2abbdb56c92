"""Pages of reward models: the cost before, the job while, the report after; and who may not see them."""

import io
import zipfile

import pytest
from django.urls import reverse

from annotation.models import Membership
from earshot.accounts.models import AuditEntry
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun
from tests.annotation.judged import make_judged_study, make_snapshot
from tests.factories import join, make_study, make_user
from tests.rewardmodel.fake_learning import make_reward_model, make_small_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_study(title="Pilot")


@pytest.fixture
def researcher(client, study):
    """Signed in, and a researcher of the study."""
    user = join(study, make_user("researcher"), Membership.Role.RESEARCHER)
    client.force_login(user)
    return user


def words(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_cost_is_shown_first_and_the_training_starts_on_the_second_press(client):
    study = make_judged_study(title="Pilot")
    researcher = join(study, make_user("researcher"), Membership.Role.RESEARCHER)
    client.force_login(researcher)
    snapshot = make_snapshot(study)
    address, form = reverse("rewardmodel:run_new"), {"snapshot": snapshot.pk, "seed": 3, "probes": "on"}

    from_its_page = words(client.get(address, {"snapshot": snapshot.pk}))
    asked = words(client.post(address, form))
    assert "For 4 judgments of 2 pairs, 4 dialogues, 1 minute of sound" in from_its_page
    assert "For 4 judgments of 2 pairs" in asked
    assert "Start the training" in asked
    assert RewardModelRun.objects.count() == 0
    answer = client.post(address, {**form, "start": "1"})

    run = RewardModelRun.objects.get()
    assert (answer.status_code, answer.url) == (302, reverse("rewardmodel:run", args=[run.pk]))
    assert (run.parameters, run.created_by, run.job.queue) == ({"seed": 3}, researcher, "gpu")
    page = words(client.get(answer.url))
    assert "Waiting for a free worker of the queue gpu" in page
    assert "Cancel the job" in page


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"snapshot": ""}, "This field is required"),
        ({"seed": "-1"}, "greater than or equal to 0"),
        ({"epochs": "0"}, "greater than or equal to 1"),
        ({"snapshot": "999"}, "Select a valid choice"),
    ],
)
def test_a_wrong_form_comes_back_with_the_reason(client, study, researcher, answers, message):
    snapshot = make_small_snapshot(study)

    answer = client.post(reverse("rewardmodel:run_new"), {"snapshot": snapshot.pk, "seed": 1, "start": "1", **answers})

    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert RewardModelRun.objects.count() == 0


def test_a_model_is_not_measured_on_its_own_snapshot(client, study, researcher):
    snapshot = make_small_snapshot(study)

    answer = client.post(
        reverse("rewardmodel:run_new"), {"snapshot": snapshot.pk, "seed": 1, "evaluate_on": snapshot.pk, "start": "1"}
    )

    assert (answer.status_code, RewardModelRun.objects.count()) == (422, 0)
    assert b"The model is trained on this one." in answer.content


def test_the_report_shows_accuracy_beside_its_ceiling_with_intervals(client, study, researcher):
    run = make_reward_model(make_small_snapshot(study))

    response = client.get(reverse("rewardmodel:run", args=[run.pk]))

    page = words(response)
    assert "It predicts 79 % of the decided votes on overall; the best possible judge would predict 85 %." in page
    assert "95 % from 0.74 to 0.84, 120 votes" in page
    rows = response.context["report"].picture["rows"]
    assert [(row["label"], row["estimate"]) for row in rows] == [
        ("Overall", 0.79),
        ("ceiling", 0.85),
        ("Prosody", 0.72),
        ("ceiling", 0.85),
    ]
    assert response.context["report"].calibration["series"][0]["values"] == [0.5, 0.8, 0.9]
    assert run.content_hash in page
    assert "simulated" not in page.lower()


def test_a_report_without_ceiling_says_why_and_draws_none(client, study, researcher):
    reason = "no pair has two decided votes"
    head = {"accuracy": {"value": 0.6, "low": None, "high": None, "n": 7}, "ceiling": {"value": None, "reason": reason}}
    run = make_reward_model(make_small_snapshot(study), report={"heads": {"overall": head}})

    response = client.get(reverse("rewardmodel:run", args=[run.pk]))

    assert f"the ceiling cannot be said: {reason}." in words(response)
    assert [row["label"] for row in response.context["report"].picture["rows"]] == ["Overall"]


def test_a_model_that_could_not_be_measured_says_why_in_its_report_and_before_it_is_trained(client, study, researcher):
    snapshot = make_small_snapshot(study, scenarios={"a": "train"})
    run = make_reward_model(snapshot, report={"heads": {}, "not_measured": "Nothing can be measured: for a reason."})

    page = words(client.get(reverse("rewardmodel:run", args=[run.pk])))
    asked = words(client.post(reverse("rewardmodel:run_new"), {"snapshot": snapshot.pk, "seed": 1}))

    assert "Nothing can be measured: for a reason." in page
    assert "Nothing can be measured: no judgment that counts falls on a held-out scenario of this snapshot." in asked
    assert "Start the training" in asked


def test_a_snapshot_of_the_same_scenarios_is_refused_at_the_field_that_chose_it(client, study, researcher):
    snapshot = make_small_snapshot(study, scenarios={"a": "train", "b": "test"})
    same = make_small_snapshot(study, scenarios={"a": "train"}, name="second")

    answer = client.post(
        reverse("rewardmodel:run_new"), {"snapshot": snapshot.pk, "seed": 1, "evaluate_on": same.pk, "start": "1"}
    )

    assert (answer.status_code, RewardModelRun.objects.count()) == (422, 0)
    assert answer.context["form"].errors == {
        "evaluate_on": [
            "Every scenario of snapshot 'second' is one that the model learns from, so nothing of it can be measured. "
            "Choose a snapshot of other scenarios, or none: then held-out scenarios of 'first' are kept apart."
        ]
    }


def test_the_snapshot_it_was_measured_on_is_named_to_those_who_may_read_it(client, study, researcher):
    others = make_study(title="A secret pilot")
    apart = make_small_snapshot(others, name="secret votes")
    run = make_reward_model(make_small_snapshot(study), evaluation_snapshot=apart)
    address = reverse("rewardmodel:run", args=[run.pk])

    strange = words(client.get(address))
    join(others, researcher, Membership.Role.RESEARCHER)
    own = words(client.get(address))

    assert "<dt>Measured on</dt><dd>a snapshot of others</dd>" in strange
    assert ("secret" in strange, apart.content_id[:12] in strange) == (False, False)
    assert f'<dt>Measured on</dt><dd><a href="{apart.get_absolute_url()}">secret votes</a>' in own


def test_probes_stand_with_how_far_they_moved_the_scores(client, study, researcher):
    shift = {"overall": {"mean": -0.012, "largest": 0.21, "n": 48}}
    probes = {"shifts": {"louder_by_6_db": shift}, "size_of_change": {"overall": 0.03}}
    run = make_reward_model(make_small_snapshot(study), report={"heads": {}, "probes": probes})

    page = words(client.get(reverse("rewardmodel:run", args=[run.pk])))

    assert "6 dB louder" in page
    assert "−0.01" in page
    assert "correlates with its score by +0.03" in page
    assert "no held-out scenario with decided votes" in page


def test_the_word_simulated_stands_wherever_raters_were(client):
    client.force_login(make_user("admin"))
    run = make_reward_model(make_small_snapshot(is_simulated=True))

    assert "Simulated raters gave the votes." in words(client.get(reverse("rewardmodel:run", args=[run.pk])))
    assert '<span class="tag">simulated</span>' in words(client.get(reverse("rewardmodel:runs")))


def test_a_failed_training_says_why_and_can_be_started_again_from_its_page(client, study, researcher):
    job = Job.objects.create(
        kind="rewardmodel.train", title="t", state="failed", error="No torch. Install it.", created_by=researcher
    )
    fields = {"registered_at": None, "content_hash": "", "archive_sha256": "", "report": {}}
    run = make_reward_model(make_small_snapshot(study), job=job, **fields)
    address = reverse("rewardmodel:run", args=[run.pk])

    page = words(client.get(address))
    assert "No torch. Install it." in page
    assert "Start again" in page
    answer = client.post(reverse("jobs:retry", args=[job.pk]), {"next": address})

    job.refresh_from_db()
    assert (answer.url, job.state) == (address, "queued")


def test_a_job_s_form_never_leads_to_another_host(client, study, researcher):
    job = Job.objects.create(kind="rewardmodel.train", title="t", state="failed", created_by=researcher)

    answer = client.post(reverse("jobs:retry", args=[job.pk]), {"next": "https://elsewhere.example/"})

    assert answer.url == reverse("jobs:detail", args=[job.pk])


def test_a_colleague_sees_how_far_it_is_but_not_the_log(client, study, researcher):
    starter = make_user("admin")
    job = Job.objects.create(kind="rewardmodel.train", title="t", state="running", progress=0.4, created_by=starter)
    fields = {"registered_at": None, "content_hash": "", "archive_sha256": "", "report": {}}
    run = make_reward_model(make_small_snapshot(study), job=job, **fields)

    page = words(client.get(reverse("rewardmodel:run", args=[run.pk])))

    assert "Who started it, and admins, see its log." in page
    assert "Cancel the job" not in page


def test_the_archive_is_downloaded_whole_and_written_down(client, study, researcher):
    run = make_reward_model(make_small_snapshot(study), name="Model: warm")

    answer = client.get(reverse("rewardmodel:run_download", args=[run.pk]))

    content = answer.getvalue()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["config.json", "model.safetensors"]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="model-warm-{run.content_hash[:12]}.zip"'
    assert AuditEntry.objects.get(action="reward_model.downloaded").user == researcher


def test_a_model_that_is_not_ready_cannot_be_downloaded(client, study, researcher):
    run = make_reward_model(
        make_small_snapshot(study), registered_at=None, content_hash="", archive_sha256="", report={}
    )

    assert client.get(reverse("rewardmodel:run_download", args=[run.pk])).status_code == 404


def test_the_list_shows_only_models_of_ones_own_studies(client, study, researcher):
    mine = make_reward_model(make_small_snapshot(study), name="mine")
    make_reward_model(name="of others")

    response = client.get(reverse("rewardmodel:runs"))

    assert response.context["page"].rows == [mine]
    assert "0.79 [0.74, 0.84]" in words(response)
    assert b"of others" not in response.content


def test_the_list_costs_the_same_queries_for_1_and_3_models(client, study, researcher, django_assert_num_queries):
    snapshot = make_small_snapshot(study)
    make_reward_model(snapshot)
    client.get(reverse("rewardmodel:runs"))
    with django_assert_num_queries(3) as one:
        client.get(reverse("rewardmodel:runs"))
    for _ in range(2):
        make_reward_model(snapshot)
    with django_assert_num_queries(len(one)):
        client.get(reverse("rewardmodel:runs"))


def test_the_empty_pages_say_what_will_stand_here(client, researcher):
    assert "No reward models yet" in words(client.get(reverse("rewardmodel:runs")))
    assert "No snapshots yet" in words(client.get(reverse("rewardmodel:run_new")))


def test_a_snapshot_s_page_leads_to_a_training_of_it(client):
    study = make_judged_study()
    client.force_login(join(study, make_user("researcher"), Membership.Role.RESEARCHER))
    snapshot = make_snapshot(study)

    page = words(client.get(reverse("annotation:snapshot", args=[snapshot.pk])))

    assert f'href="{reverse("rewardmodel:run_new")}?snapshot={snapshot.pk}"' in page


def test_strangers_get_in_nowhere(client, study):
    run = make_reward_model(make_small_snapshot(study))
    pages = [reverse("rewardmodel:run", args=[run.pk]), reverse("rewardmodel:run_download", args=[run.pk])]
    lists = [reverse("rewardmodel:runs"), reverse("rewardmodel:run_new")]
    form = {"snapshot": run.snapshot_id, "seed": 1, "start": "1"}

    assert {client.get(page).status_code for page in [*pages, *lists]} == {302}  # to the sign-in
    client.force_login(join(study, make_user("researcher"), Membership.Role.ANNOTATOR))
    assert [client.get(page).status_code for page in pages] == [404, 404]  # a researcher, but not of this study
    assert client.post(lists[1], form).status_code == 422  # the snapshot is not there for them
    client.force_login(join(study))
    assert [client.get(page).status_code for page in [*pages, *lists]] == [403] * 4  # one of its annotators
    assert client.post(lists[1], form).status_code == 403
    assert RewardModelRun.objects.count() == 1
