"""What happens to a job from outside, on SQLite and on PostgreSQL."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from earshot.jobs import services
from earshot.jobs.models import MOVES, Job
from earshot.jobs.services import lifecycle
from tests.jobs.jobs_by_hand import make_job, make_user

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
State = Job.State


@pytest.fixture
def sent(monkeypatch):
    """The messages given to a broker that takes them all."""
    messages = []
    monkeypatch.setattr(
        lifecycle.current_app, "send_task", lambda kind, args, queue, retry: messages.append((kind, *args, queue))
    )
    return messages


@pytest.fixture
def no_broker(monkeypatch):
    """A broker that refuses each message; the list counts the tries."""
    tries = []

    def refuse(kind, **_):
        tries.append(kind)
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr(lifecycle.current_app, "send_task", refuse)
    return tries


def test_enqueue_stores_the_job_and_sends_its_id_and_fence(sent):
    person = make_user()

    job = services.enqueue("tests.sleep", {"seconds": 1}, title="Sleep", queue="gpu", created_by=person)

    job.refresh_from_db()
    assert (job.state, job.fence, job.sends, job.arguments) == (State.QUEUED, 1, 1, {"seconds": 1})
    assert sent == [("tests.sleep", str(job.pk), 1, "gpu")]


def test_enqueue_without_a_broker_keeps_the_job_queued_and_says_so(no_broker):
    job = services.enqueue("tests.sleep", {})

    job.refresh_from_db()
    assert (job.state, job.sends) == (State.QUEUED, 0)
    assert job.message == "Stored, but the broker does not answer. The job starts by itself once it does."


def test_reaper_sends_what_the_broker_did_not_take_and_clears_the_message(no_broker, sent):
    job = make_job(message=lifecycle.NO_BROKER)

    returned = services.reap(at=timezone.now())

    job.refresh_from_db()
    assert (returned, job.sends, job.message) == (1, 1, "")
    assert sent == [("tests.sleep", str(job.pk), 1, "cpu")]


def test_reaper_tries_an_absent_broker_once_and_not_for_each_job(no_broker):
    for _ in range(3):
        make_job()

    assert services.reap(at=timezone.now()) == 0
    assert len(no_broker) == 1


@pytest.mark.parametrize("state", State.values)
@pytest.mark.parametrize("wanted", State.values)
def test_no_move_outside_the_table_changes_a_job(state, wanted):
    job = make_job(state)

    changed = Job.objects.filter(pk=job.pk).move(wanted)

    job.refresh_from_db()
    assert (changed, job.state) == ((1, wanted) if wanted in MOVES[state] else (0, state))


def test_a_job_that_succeeded_goes_nowhere():
    assert MOVES[State.SUCCEEDED] == set()


@pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_only_a_queued_job_is_claimed(state):
    job = make_job(state)

    assert services.claim(job.pk, job.fence, at=timezone.now()) is None
    job.refresh_from_db()
    assert (job.state, job.attempts) == (state, 1)


def test_claim_with_an_old_fence_is_stale():
    job = make_job(fence=3)

    assert services.claim(job.pk, 2, at=timezone.now()) is None
    assert Job.objects.get(pk=job.pk).state == State.QUEUED


def test_of_eight_claimers_at_once_exactly_one_gets_the_job():
    job = make_job()
    start = threading.Barrier(8)
    claims = []

    def claim():
        start.wait()
        claims.append(services.claim(job.pk, 1, at=timezone.now()))
        connections.close_all()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claimed is not None for claimed in claims) == [False] * 7 + [True]
    assert Job.objects.get(pk=job.pk).attempts == 1


def test_cancel_ends_a_queued_job_at_once():
    job, person = make_job(), make_user(name="Ada")

    assert services.cancel(job, by=person, at=timezone.now())

    job.refresh_from_db()
    assert (job.state, job.message) == (State.CANCELLED, "Cancelled.")
    assert [str(line) for line in job.log_lines.all()] == ["Ada asked to cancel."]


def test_cancel_asks_a_running_job_to_stop():
    job = make_job(State.RUNNING)

    assert services.cancel(job, by=None, at=timezone.now())

    job.refresh_from_db()
    assert (job.state, job.cancel_requested) == (State.RUNNING, True)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_cancel_leaves_a_finished_job_as_it_is(state):
    job = make_job(state)

    assert not services.cancel(job, by=None, at=timezone.now())

    job.refresh_from_db()
    assert (job.state, job.cancel_requested, job.log_lines.count()) == (state, False, 0)


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_retry_starts_a_stopped_job_with_the_next_fence_and_all_its_attempts(state, sent):
    job = make_job(state, fence=4, attempts=5, error="It broke.", cancel_requested=True, progress=0.7)

    assert services.retry(job, by=make_user(name="Ada"), at=timezone.now())

    job.refresh_from_db()
    assert (job.state, job.fence, job.attempts, job.error) == (State.QUEUED, 5, 0, "")
    assert (job.cancel_requested, job.progress, job.finished_at) == (False, 0.0, None)
    assert sent == [("tests.sleep", str(job.pk), 5, "cpu")]
    assert [str(line) for line in job.log_lines.all()] == ["Ada started it again."]


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
def test_retry_refuses_a_job_that_is_under_way_or_done(state, sent):
    job = make_job(state)

    assert not services.retry(job, by=None, at=timezone.now())
    assert (Job.objects.get(pk=job.pk).state, sent) == (state, [])


def test_reaper_puts_a_silent_job_back_with_the_next_fence(sent, settings):
    settings.JOB_SILENCE_SECONDS = 30
    now = timezone.now()
    job = make_job(State.RUNNING, heartbeat_at=now - timedelta(seconds=31))

    assert services.reap(at=now) == 1

    job.refresh_from_db()
    assert (job.state, job.fence) == (State.QUEUED, 2)
    assert sent == [("tests.sleep", str(job.pk), 2, "cpu")]


def test_reaper_leaves_a_job_that_is_heard_of(sent, settings):
    settings.JOB_SILENCE_SECONDS = 30
    now = timezone.now()
    make_job(State.RUNNING, heartbeat_at=now - timedelta(seconds=29))

    assert (services.reap(at=now), sent) == (0, [])


def test_requeue_leaves_a_job_that_was_heard_of_meanwhile(sent):
    job = make_job(State.RUNNING, heartbeat_at=timezone.now() - timedelta(hours=1))
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now())

    assert not services.requeue(job, at=timezone.now(), reason="silent")
    assert (Job.objects.get(pk=job.pk).state, sent) == (State.RUNNING, [])


def test_reaper_fails_a_job_whose_worker_died_too_often(sent, settings):
    now = timezone.now()
    silent = now - timedelta(seconds=settings.JOB_SILENCE_SECONDS + 1)
    job = make_job(State.RUNNING, heartbeat_at=silent, attempts=5, max_attempts=5)

    assert services.reap(at=now) == 0

    job.refresh_from_db()
    assert (job.state, job.fence, sent) == (State.FAILED, 2, [])
    assert job.error == (
        "Its worker died 5 times. Look at the end of the log and at the workers' memory, then start it again."
    )


def test_reaper_cancels_a_silent_job_that_was_to_be_cancelled(settings):
    now = timezone.now()
    silent = now - timedelta(seconds=settings.JOB_SILENCE_SECONDS + 1)
    job = make_job(State.RUNNING, heartbeat_at=silent, cancel_requested=True)

    services.reap(at=now)

    assert Job.objects.get(pk=job.pk).state == State.CANCELLED


def test_a_job_that_only_waits_costs_the_broker_ever_fewer_messages(sent, settings):
    settings.JOB_SILENCE_SECONDS = 30
    start = timezone.now()
    services.enqueue("tests.sleep", {})

    for minute in range(24 * 60):
        services.reap(at=start + timedelta(minutes=minute, seconds=1))

    # 1 when enqueued; then after 1, 3, 7, 15, 31, 63 minutes; then one an hour
    assert len(sent) == 7 + 22


def test_a_task_that_no_worker_knows_fails_its_job_with_the_remedy():
    job = make_job(kind="tests.unheard_of")

    assert services.refuse(job.pk, 1, kind="tests.unheard_of", at=timezone.now())

    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.error == (
        "No worker knows the task 'tests.unheard_of'. Web side and workers run different versions, or the app is not "
        "installed: start the workers again with the same version, then start this job again."
    )
