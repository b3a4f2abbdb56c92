"""Real workers on this run's broker and database: jobs are done, and survive `kill -9` of whatever runs them."""

import os
import signal
import time
from pathlib import Path

import pytest
from django.utils import timezone

from earshot.embedded.processes import is_alive
from earshot.jobs import services
from earshot.jobs.guardian import descendants_of
from earshot.jobs.models import Job
from tests.jobs.jobs_by_hand import make_job
from tests.servers import wait_until

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
State = Job.State


@pytest.fixture(autouse=True)
def short_times(settings):
    settings.JOB_SILENCE_SECONDS = 1.5


def wait_for(job, state, seconds=40, *, reap=False):
    def is_so():
        if reap:  # in the place of beat
            services.reap(at=timezone.now())
        job.refresh_from_db()
        return job.state == state

    try:
        wait_until(is_so, f"the job being {state}", seconds)
    except TimeoutError:
        pytest.fail(f"it is {job.state}: {job.error}\n" + "\n".join(map(str, job.log_lines.all())))


def steps_job(tmp_path, *, steps=12, seconds=0.15):
    arguments = {"steps": steps, "seconds": seconds, "ledger": str(tmp_path / "ledger")}
    return services.enqueue("tests.steps", arguments)


def begin(job, points=2):
    wait_until(lambda: job.metrics.count() >= points, "the job being in the middle")


def test_a_worker_does_a_job(start_worker, tmp_path):
    start_worker()

    job = steps_job(tmp_path, steps=3, seconds=0)
    wait_for(job, State.SUCCEEDED)

    assert (job.result, job.attempts, job.fence) == ({"steps": 3}, 1, 1)


def test_kill_9_of_a_worker_in_the_middle_and_the_next_one_ends_the_job(start_worker, tmp_path):
    first = start_worker()
    job = steps_job(tmp_path)
    begin(job)
    processes = descendants_of(first.pid)

    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wait_until(lambda: not any(map(is_alive, processes)), "the worker's processes dying with it", 5)
    start_worker()
    wait_for(job, State.SUCCEEDED, reap=True)

    assert (job.fence, job.attempts, job.result) == (2, 2, {"steps": 12})
    assert list(job.metrics.values_list("step", flat=True)) == list(range(12))
    ledger = [int(line) for line in Path(job.arguments["ledger"]).read_text().split()]
    assert sorted(set(ledger)) == list(range(12))
    assert len(ledger) <= 13  # only a step whose point was not stored yet may be done again


def test_kill_9_of_a_workers_process_and_the_job_resumes(start_worker, tmp_path):
    worker = start_worker()
    job = steps_job(tmp_path)
    begin(job)

    for process in descendants_of(worker.pid):
        os.kill(process, signal.SIGKILL)
    wait_for(job, State.SUCCEEDED, reap=True)

    assert (job.fence, job.result) == (2, {"steps": 12})


def test_a_worker_that_only_slept_writes_nothing_when_it_wakes(start_worker, tmp_path):
    sleeper = start_worker()
    job = steps_job(tmp_path)
    begin(job)
    stopped = [sleeper.pid, *descendants_of(sleeper.pid)]

    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    start_worker()
    wait_for(job, State.SUCCEEDED, reap=True)
    end = list(job.metrics.values_list("step", "value")), job.finished_at, job.log_lines.count()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    time.sleep(1.5)

    job.refresh_from_db()
    assert (list(job.metrics.values_list("step", "value")), job.finished_at, job.log_lines.count()) == end
    assert (job.state, job.fence) == (State.SUCCEEDED, 2)


def test_kill_9_of_a_worker_takes_its_child_and_grandchildren_along(start_worker, tmp_path):
    worker, file = start_worker(), tmp_path / "pids"
    services.enqueue("tests.child", {"command": ["family", str(file)]})
    wait_until(lambda: file.exists() and len(file.read_text().split()) == 4, "the child's family")
    family = [int(pid) for pid in file.read_text().split()]

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()

    wait_until(lambda: not any(map(is_alive, family)), "no orphan being left", 10)
    assert [pid for pid in family if is_alive(pid)] == []


def test_a_killed_childs_job_goes_on_from_its_last_checkpoint(start_worker, tmp_path):
    worker, folder = start_worker(), tmp_path / "checkpoints"
    folder.mkdir()
    job = services.enqueue("tests.child", {"command": ["checkpoints", str(folder), "8", "0.2"]})
    wait_until(lambda: len(list(folder.iterdir())) >= 2, "two checkpoints")

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    start_worker()
    wait_for(job, State.SUCCEEDED, reap=True)

    written = sorted(file.name.split(".") for file in folder.iterdir())
    assert [number for number, _ in written] == [str(number) for number in range(8)]
    assert {fence for _, fence in written} == {"1", "2"}


def test_cancel_from_a_page_ends_the_child_of_a_worker(start_worker, tmp_path):
    start_worker()
    file = tmp_path / "pids"
    job = services.enqueue("tests.child", {"command": ["family", str(file)]})
    wait_until(lambda: file.exists() and len(file.read_text().split()) == 4, "the child's family")

    services.cancel(job, by=None, at=timezone.now())
    wait_for(job, State.CANCELLED)

    assert [pid for pid in map(int, file.read_text().split()) if is_alive(pid)] == []


def test_a_task_no_worker_knows_fails_its_job_at_once(start_worker):
    start_worker()

    job = services.enqueue("tests.unheard_of", {})
    wait_for(job, State.FAILED)

    assert job.error.startswith("No worker knows the task 'tests.unheard_of'.")


def test_a_job_whose_message_was_lost_is_sent_again(start_worker, tmp_path):
    start_worker()
    arguments = {"steps": 1, "seconds": 0, "ledger": str(tmp_path / "ledger")}
    job = make_job(kind="tests.steps", arguments=arguments)

    wait_for(job, State.SUCCEEDED, reap=True)

    assert (job.fence, job.attempts) == (1, 1)
