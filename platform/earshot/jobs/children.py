"""Run a program as a job's child: its JSON lines become progress, curves, artefacts and log; it never outlives the job.

A line of standard output is an object with any of `progress`, `message`, `metrics`, `artefact`, `log`, `result` (see
`earshot.jobs.child`, which writes them); any other line is a line of the log, and so is each line of standard error.
"""

import logging
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.db import connection

from earshot.embedded.processes import end_sessions
from earshot.jobs.child import FENCE_VARIABLE, JOB_VARIABLE
from earshot.jobs.child_lines import ChildLines, LineReader
from earshot.jobs.services.running import DATABASE_AWAY, Cancelled, RunningJob, Superseded

log = logging.getLogger(__name__)
STORE_SECONDS = 0.25  # how often what the child said is stored
CHECK_SECONDS = 1.0  # how often a child that says nothing is asked for: cancelled, or given to another?
GUARDIAN_SECONDS = 5.0  # what the guardian gets beyond the grace before it is killed itself


class ChildFailed(ValueError):
    """The child ended badly; the message is for people: its status and its last words."""


def run_child(
    job: RunningJob,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    grace_seconds: float = 10.0,
) -> dict[str, Any]:
    """Run `command` until it ends and return the last `result` it gave (also kept as the job's result).

    Args:
        environment: variables on top of the worker's own.
        folder: where it runs; relative paths of artefacts start here.
        grace_seconds: how long it may tidy up after a cancel before it is killed.
    Raises:
        ChildFailed: if it could not start or ended with another status than 0.
        Cancelled, Superseded: when the job was; no process of the child is left by then.
    """
    said = ChildLines(job, folder or Path.cwd())
    with _started(job, command, environment or {}, folder, grace_seconds) as child:
        _listen(job, child, said)
    said.store()
    said.store_the_rest_of_the_log()
    if child.returncode:
        raise ChildFailed(_describe(command, child.returncode, said.last_error))
    job.result = job.result | said.result
    return said.result


@contextmanager
def _started(
    job: RunningJob, command: Sequence[str], environment: Mapping[str, str], folder: Path | None, grace_seconds: float
) -> Iterator[subprocess.Popen[bytes]]:
    """The guardian with the command below it; whatever happens in the block, none of them is left after it."""
    own = {JOB_VARIABLE: str(job.id), FENCE_VARIABLE: str(job.fence), "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "earshot.jobs.guardian", str(grace_seconds), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **environment, **own},
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if not _has_ended(child):  # the block was left early: cancelled, superseded, or an error of ours
            end_sessions([child.pid], grace_seconds=grace_seconds + GUARDIAN_SECONDS)
        end_sessions([child.pid], grace_seconds=0)  # if the guardian was killed, others of its session may live
        child.wait()  # only now: until then nobody else can get its number
        for stream in (child.stdin, child.stdout, child.stderr):
            _close(stream)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _close(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except BrokenPipeError:
        pass  # an answer that nobody reads any more


def _listen(job: RunningJob, child: subprocess.Popen[bytes], said: ChildLines) -> None:
    """Take in what the child says until it ends or the job must stop."""
    assert child.stdout is not None
    assert child.stderr is not None
    with selectors.DefaultSelector() as streams:
        streams.register(child.stdout, selectors.EVENT_READ, LineReader(said.hear))
        streams.register(child.stderr, selectors.EVENT_READ, LineReader(said.hear_error))
        stored_at = checked_at = time.monotonic()
        while streams.get_map():
            for key, _ in streams.select(timeout=STORE_SECONDS):
                chunk = os.read(key.fd, 65536)
                key.data.take(chunk)
                if not chunk:
                    streams.unregister(key.fileobj)
            now = time.monotonic()
            if said.is_asking:
                _answer(job, child, said)
            if now - stored_at >= STORE_SECONDS:
                stored_at = now
                _unless_database_is_away(said.store)
            if now - checked_at >= CHECK_SECONDS:
                checked_at = now
                _unless_database_is_away(job.check)
            if _has_ended(child) and not streams.select(timeout=0):
                return  # a stray that holds its output open must not hold the job


def _answer(job: RunningJob, child: subprocess.Popen[bytes], said: ChildLines) -> None:
    """Answer `still_mine()` from the database; what the child said before is stored first."""
    said.is_asking = False
    try:
        said.store()
        job.check()
    except (Cancelled, Superseded):
        _reply(child, b"n")
        raise
    except DATABASE_AWAY as error:
        log.warning("Job %s cannot know whether it is still held: %s. Its child must not write.", job.id, error)
        connection.close()
        _reply(child, b"n")
    else:
        _reply(child, b"y")


def _reply(child: subprocess.Popen[bytes], answer: bytes) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(answer)
        child.stdin.flush()
    except BrokenPipeError:
        pass  # it ended meanwhile


def _unless_database_is_away(act: Any) -> None:
    try:
        act()
    except DATABASE_AWAY as error:
        if connection.in_atomic_block:
            raise
        log.warning("What a child said could not be stored: %s. It is kept and tried again.", error)
        connection.close()


def _describe(command: Sequence[str], status: int, last_error: str) -> str:
    number = status - 128 if status > 128 else -status if status < 0 else 0
    ended = f"was killed by signal {number}" if number else f"ended with status {status}"
    if number == 9:
        ended += " (often: the machine ran out of memory)"
    last = f" Its last words: {last_error}" if last_error else " It said nothing on standard error."
    name = " ".join(command[:4])
    return f"{name} {ended}.{last} The log has more; mend that, then start the job again."
