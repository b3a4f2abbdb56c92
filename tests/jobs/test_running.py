"""What a task's body can do while it holds a job, and what it cannot once another holds it."""

import time
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, transaction
from django.utils import timezone

from earshot.jobs import services
from earshot.jobs.models import Job, JobArtefact, JobLogLine, JobMetric
from earshot.jobs.services import RunningJob, running
from tests.jobs.jobs_by_hand import make_job

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
State = Job.State


def take_away(job):
    """Another worker gets the job."""
    Job.objects.filter(pk=job.pk).update(fence=job.fence + 1)


def count_writes(monkeypatch):
    writes = []
    original = RunningJob.beat
    monkeypatch.setattr(RunningJob, "beat", lambda self: (writes.append(1), original(self))[1])
    return writes


def test_a_body_that_ends_makes_its_job_done():
    job = make_job()

    with running(job.pk, 1) as held:
        held.result["rows"] = 3

    job.refresh_from_db()
    assert (job.state, job.progress, job.result, job.attempts) == (State.SUCCEEDED, 1.0, {"rows": 3}, 1)


def test_a_stale_message_gets_nothing():
    job = make_job(State.SUCCEEDED)

    with running(job.pk, 1) as held:
        assert held is None

    assert Job.objects.get(pk=job.pk).state == State.SUCCEEDED


@pytest.mark.parametrize("error", [ValueError("Three rows are bad. Mend them."), ValidationError(["One.", "Two."])])
def test_an_error_for_people_is_shown_as_it_is(error):
    job = make_job()

    with running(job.pk, 1):
        raise error

    job.refresh_from_db()
    expected = "One.\nTwo." if isinstance(error, ValidationError) else "Three rows are bad. Mend them."
    assert (job.state, job.error) == (State.FAILED, expected)
    assert "Traceback" in job.log_lines.get().text


def test_a_fault_of_ours_fails_the_job_and_is_raised():
    job = make_job()

    with pytest.raises(ZeroDivisionError), running(job.pk, 1):
        1 / 0  # noqa: B018

    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "ZeroDivisionError: division by zero")


def test_cancel_stops_the_body_at_its_next_report():
    job = make_job()

    with running(job.pk, 1) as held:
        services.cancel(job, by=None, at=timezone.now())
        held.report(0.5)
        pytest.fail("the body went on")

    assert Job.objects.get(pk=job.pk).state == State.CANCELLED


def test_a_superseded_holder_writes_nothing(tmp_path):
    job = make_job()
    file = tmp_path / "made"
    file.write_bytes(b"made")

    with running(job.pk, 1) as held:
        take_away(job)
        for write in (
            lambda: held.flush(),
            lambda: held.check(),
            lambda: held.write_log("late"),
            lambda: held.write_metrics(1, {"loss": 1.0}),
            lambda: held.keep_file(file),
        ):
            with pytest.raises(services.Superseded):
                write()
        with pytest.raises(services.Superseded), transaction.atomic():
            held.lock()

    job.refresh_from_db()
    assert (job.state, job.fence, job.progress, job.message) == (State.RUNNING, 2, 0.0, "")
    counts = [model.objects.filter(job=job).count() for model in (JobLogLine, JobMetric, JobArtefact)]
    assert counts == [0, 0, 0]


def test_a_superseded_holder_that_fails_does_not_fail_the_job_of_the_next():
    job = make_job()

    with running(job.pk, 1):
        take_away(job)
        raise ValueError("too late")

    job.refresh_from_db()
    assert (job.state, job.error, job.log_lines.count()) == (State.RUNNING, "", 0)


def test_a_thousand_reports_cost_few_writes_and_the_last_is_kept(monkeypatch):
    job = make_job()
    writes = count_writes(monkeypatch)
    began = time.monotonic()

    with running(job.pk, 1) as held:
        for number in range(1000):
            held.report(number / 2000, f"item {number}")
        seconds = time.monotonic() - began
        raise ValueError("It breaks after the last item.")

    job.refresh_from_db()
    assert len(writes) <= 1 + seconds * 4 + 1
    assert (job.state, job.message) == (State.FAILED, "item 999")


def test_the_first_report_is_stored_at_once():
    job = make_job()

    with running(job.pk, 1) as held:
        held.report(0.1, "begins")
        assert Job.objects.values_list("progress", "message").get(pk=job.pk) == (0.1, "begins")


def test_lock_outside_a_transaction_is_a_mistake_and_says_so():
    job = make_job()

    with pytest.raises(RuntimeError, match="holds nothing outside a transaction"), running(job.pk, 1) as held:
        held.lock()


def test_the_heartbeat_survives_a_locked_database(monkeypatch, settings):
    settings.JOB_HEARTBEAT_SECONDS = 0.05
    job = make_job()
    original, failures = RunningJob.beat, iter([OperationalError("database is locked")] * 3)

    def beat(self):
        if (failure := next(failures, None)) is not None:
            raise failure
        original(self)

    monkeypatch.setattr(RunningJob, "beat", beat)
    with running(job.pk, 1):
        claimed_at = Job.objects.get(pk=job.pk).heartbeat_at
        time.sleep(0.6)
        heard_at = Job.objects.get(pk=job.pk).heartbeat_at

    assert next(failures, None) is None
    assert heard_at - claimed_at > timedelta(seconds=0.2)


def test_a_report_survives_a_locked_database(monkeypatch):
    job = make_job()
    failures = iter([OperationalError("database is locked")])
    original = RunningJob.beat

    def beat(self):
        if (failure := next(failures, None)) is not None:
            raise failure
        original(self)

    monkeypatch.setattr(RunningJob, "beat", beat)
    with running(job.pk, 1) as held:
        held.report(0.5, "half way")

    job.refresh_from_db()
    assert (job.state, job.message) == (State.SUCCEEDED, "")


def test_a_busy_workers_heartbeat_brings_back_the_lost_job_of_another(settings):
    settings.JOB_HEARTBEAT_SECONDS, settings.REAPER_SECONDS = 0.05, 0.1
    lost = make_job(State.RUNNING, heartbeat_at=timezone.now() - timedelta(hours=1))
    busy = make_job()

    with running(busy.pk, 1):
        time.sleep(1)

    lost.refresh_from_db()
    assert (lost.state, lost.fence) == (State.QUEUED, 2)


def test_metrics_written_again_replace_the_point_and_nan_goes_to_the_log():
    job = make_job()

    with running(job.pk, 1) as held:
        held.write_metrics(1, {"loss": 0.9})
        held.write_metrics(1, {"loss": 0.8, "grad": float("inf")})

    assert list(job.metrics.values_list("name", "step", "value")) == [("loss", 1, 0.8)]
    assert [str(line) for line in job.log_lines.all()] == ["grad is inf at step 1."]


def test_a_nul_in_the_log_is_stored_as_a_replacement():
    job = make_job()

    with running(job.pk, 1) as held:
        held.write_log("a\0b")

    assert job.log_lines.get().text == "a\N{REPLACEMENT CHARACTER}b"
