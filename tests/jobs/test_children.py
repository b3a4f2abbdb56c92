"""Real child processes: what they say arrives, and none of them outlives its job."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone

from earshot.embedded.processes import is_alive
from earshot.jobs import artefacts, services
from earshot.jobs.child_lines import ChildLines, LineReader
from earshot.jobs.children import run_child
from earshot.jobs.models import Job
from earshot.jobs.services import running
from tests.jobs.jobs_by_hand import make_job
from tests.servers import wait_until

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]
PROGRAM = str(Path(__file__).with_name("child_program.py"))
State = Job.State


def run(job, *arguments, **options):
    """Run the child as the job's body would, and return the job as it is afterwards."""
    with running(job.pk, job.fence) as held:
        run_child(held, [sys.executable, PROGRAM, *map(str, arguments)], **options)
    job.refresh_from_db()
    return job


def family(file):
    wait_until(lambda: file.exists() and len(file.read_text().split()) == 4, "the child's family", 20)
    return [int(pid) for pid in file.read_text().split()]


def in_background(act):
    def call():
        act()
        connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_what_a_child_says_becomes_progress_curves_files_log_and_result(tmp_path):
    job = run(make_job(), "speak", folder=tmp_path)

    assert (job.state, job.message, job.result) == (State.SUCCEEDED, "", {"answer": 42})
    assert list(job.metrics.values_list("name", "step", "value")) == [("loss", 3, 0.25)]
    kept = job.artefacts.get()
    assert (kept.name, artefacts.open_artefact(kept.sha256).read()) == ("made", b"made")
    assert sorted(job.log_lines.values_list("level", "text")) == [
        ("error", "oh dear"),
        ("info", "a line"),
        ("info", "hello"),
        ("warning", "loss is nan at step 4."),
    ]


def test_a_child_that_fails_fails_the_job_with_its_last_words():
    job = run(make_job(), "fail")

    assert job.state == State.FAILED
    assert "ended with status 3. Its last words: Cannot read the data. The log has more" in job.error


def test_a_program_that_is_not_there_fails_the_job_with_the_remedy():
    job = make_job()

    with running(job.pk, 1) as held:
        run_child(held, ["no-such-program"])

    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "Cannot start 'no-such-program': No such file or directory. Is it installed on this worker?" in job.error


def test_a_long_log_keeps_its_beginning_and_its_end(monkeypatch):
    monkeypatch.setattr("earshot.jobs.child_lines.MOST_LOG_LINES", 100)

    job = run(make_job(), "shout", 1000)

    lines = [str(line) for line in job.log_lines.all()]
    assert len(lines) == 100 + 1 + 200
    assert (lines[0], lines[99], lines[-1]) == ("line 0", "line 99", "line 999")
    assert lines[100] == "… 700 lines left out: a job's log keeps 100."


def test_ten_thousand_points_do_not_slow_a_child_down():
    began = time.monotonic()

    job = run(make_job(), "report", 10_000)

    assert (job.state, job.metrics.count()) == (State.SUCCEEDED, 10_000)
    assert time.monotonic() - began < 20


def test_cancel_ends_the_child_and_all_it_started(tmp_path):
    job, file = make_job(), tmp_path / "pids"
    began = in_background(
        lambda: (family(file), services.cancel(Job.objects.get(pk=job.pk), by=None, at=timezone.now()))
    )

    run(job, "family", file, grace_seconds=0.5)
    began.join()

    assert job.state == State.CANCELLED
    assert [pid for pid in family(file) if is_alive(pid)] == []


def test_a_superseded_runner_ends_its_child_and_changes_nothing(tmp_path):
    job, file = make_job(), tmp_path / "pids"
    taken = in_background(lambda: (family(file), Job.objects.filter(pk=job.pk).update(fence=2)))

    run(job, "family", file, grace_seconds=0.5)
    taken.join()

    assert (job.state, job.fence, job.log_lines.count()) == (State.RUNNING, 2, 0)
    assert [pid for pid in family(file) if is_alive(pid)] == []


def test_what_a_child_leaves_running_ends_with_it(tmp_path):
    file = tmp_path / "pids"

    job = run(make_job(), "family", file, "leave")

    assert job.state == State.SUCCEEDED
    assert [pid for pid in family(file) if is_alive(pid)] == []


@pytest.mark.parametrize("member", [0, 1], ids=["guardian", "child"])
def test_a_killed_child_or_guardian_fails_the_job_clearly_and_leaves_no_process_of_its_session(tmp_path, member):
    job, file = make_job(), tmp_path / "pids"
    killed = in_background(lambda: os.kill(family(file)[member], signal.SIGKILL))

    run(job, "family", file, grace_seconds=0.5)
    killed.join()

    assert job.state == State.FAILED
    assert "was killed by signal 9" in job.error
    # The daemon left the session: only the guardian, which adopts it, could end it.
    left = [pid for pid in family(file)[: 3 if member == 0 else 4] if is_alive(pid)]
    for pid in family(file):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    assert left == []


def test_a_child_asks_before_each_checkpoint_and_is_told_yes_while_the_job_is_its_own(tmp_path):
    job = run(make_job(fence=7), "checkpoints", tmp_path, 3, 0)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["0.7", "1.7", "2.7"]
    assert job.result == {"checkpoints": 3}


def test_a_child_that_asks_after_another_took_the_job_is_told_no(tmp_path, monkeypatch):
    job, file = make_job(), tmp_path / "answer"
    original = services.RunningJob.check

    def lose_then_check(self):
        Job.objects.filter(pk=job.pk).update(fence=2)
        original(self)

    monkeypatch.setattr(services.RunningJob, "check", lose_then_check)
    run(job, "wait for the answer", file, grace_seconds=2)

    assert (job.fence, job.state) == (2, State.RUNNING)
    assert not file.exists() or file.read_text() == "False"


def test_lines_are_cut_where_they_end_however_the_bytes_arrive():
    lines = []
    reader = LineReader(lines.append)

    for byte in "ä\r\nb\n\nlast".encode():
        reader.take(bytes([byte]))
    reader.take(b"")

    assert lines == ["ä", "b", "", "last"]


def test_a_line_without_end_is_cut(monkeypatch):
    monkeypatch.setattr("earshot.jobs.child_lines.LONGEST_LINE", 10)
    lines = []

    LineReader(lines.append).take(b"x" * 50)

    assert lines == ["x" * 10]


@pytest.mark.parametrize(
    "line",
    [
        '{"progress": "much"}',
        '{"metrics": {"loss": 1}}',
        '{"result": {"x": NaN}}',
        '{"result": {"x": "\\u0000"}}',
        '{"x": 1}',
    ],
)
def test_what_is_not_understood_goes_to_the_log(line):
    job = make_job()

    with running(job.pk, 1) as held:
        said = ChildLines(held, Path())
        said.hear(line)
        said.store()

    assert job.log_lines.get().text.startswith("Not understood: ")


@pytest.mark.parametrize("line", ["{", "[1]", "{]", '"text"', '{"a":' * 5000])
def test_what_is_no_object_is_a_line_of_the_log(line):
    job = make_job()

    with running(job.pk, 1) as held:
        said = ChildLines(held, Path())
        said.hear(line)
        said.store()

    assert job.log_lines.get().text.startswith(line[:4000])
