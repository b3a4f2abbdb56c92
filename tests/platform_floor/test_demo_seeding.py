"""The demo comes in through the same commands that people use, and coming twice changes nothing."""

import json

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Dialogue, Judgment, Pair, Snapshot, Study
from earshot.accounts.models import User
from earshot.demo import content, seeding
from earshot.jobs import services as jobs
from earshot.jobs.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ACCOUNTS = {
    role: {"email": f"{role}@earshot.demo", "password": f"password-of-{role}"}
    for role in ("annotator", "researcher", "admin")
}
QUICK = ["dailytalk-home-made-lunch", "emodb-anger-13"]
RENDERED = ["english-burnt-dinner"]


@pytest.fixture
def accounts_file(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    seeding.accounts_file().write_text(json.dumps(ACCOUNTS))


@pytest.fixture
def small_demo(accounts_file, monkeypatch):
    monkeypatch.setattr(content, "quick_scenario_ids", lambda: QUICK)
    monkeypatch.setattr(content, "rendered_scenario_ids", lambda: RENDERED)


def counts():
    return [model.objects.count() for model in (User, Dialogue, Pair, Study, Job)]


def test_without_accounts_the_command_says_what_is_missing(settings, tmp_path):
    settings.DATA_DIR = tmp_path

    with pytest.raises(CommandError, match=r"demo_accounts\.json is missing"):
        call_command("seed_demo")


def test_the_quick_part_brings_people_dialogues_and_running_studies(small_demo, capsys):
    call_command("seed_demo", "--quick")

    assert {user.role: user.email for user in User.objects.all()} == {
        role: account["email"] for role, account in ACCOUNTS.items()
    }
    assert User.objects.get(role="annotator").check_password("password-of-annotator")
    assert {study.language: study.pairs.count() for study in Study.objects.all()} == {"en": 1, "de": 3}
    assert set(Study.objects.values_list("state", flat=True)) == {"running"}
    assert Job.objects.get(kind="demo.seed").state == "queued"


def test_seeding_twice_changes_nothing_and_keeps_a_changed_password(small_demo, capsys):
    call_command("seed_demo", "--quick")
    annotator = User.objects.get(role="annotator")
    annotator.set_password("a new password")
    annotator.save()
    before = counts()

    call_command("seed_demo", "--quick")

    assert counts() == before
    annotator.refresh_from_db()
    assert annotator.check_password("a new password")


def run_job() -> Job:
    job = Job.objects.get(kind="demo.seed")
    with jobs.running(job.pk, job.fence) as held:
        seeding.seed_rendered(held)
    job.refresh_from_db()
    return job


def test_the_job_speaks_the_rest_and_its_simulated_study_is_marked_everywhere(small_demo, capsys):
    call_command("seed_demo", "--quick")

    job = run_job()

    assert (job.state, job.error) == ("succeeded", "")
    simulated = Study.objects.get(is_simulated=True)
    assert simulated.pairs.count() == 6
    assert Judgment.objects.counted().filter(lease__pair__study=simulated).count() == 18
    assert not Judgment.objects.filter(is_simulated=False).exists()
    assert Snapshot.objects.get().study == simulated
    assert not seeding.scratch_folder().exists()


def test_a_job_that_died_half_way_ends_with_the_same_rows(small_demo, monkeypatch, capsys):
    call_command("seed_demo", "--quick")
    real, calls = seeding.make_study, []

    def die_once(*arguments, **fields):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **fields)

    monkeypatch.setattr(seeding, "make_study", die_once)
    with pytest.raises(KeyboardInterrupt):
        run_job()
    job = Job.objects.get(kind="demo.seed")
    Job.objects.filter(pk=job.pk).update(state="queued")

    assert run_job().state == "succeeded"
    assert Study.objects.count() == 4
    assert Judgment.objects.counted().count() == 18
    assert Snapshot.objects.count() == 1
