"""The life of a job: enqueue, claim, report, finish, cancel, reap.

    queued ──claim──► running ──finish──► succeeded | failed | cancelled
      ▲                  │ silent for JOB_SILENCE_SECONDS
      └──── reap ────────┘  with the next fencing number

Whoever runs a job holds a fencing number. Every write is a conditional UPDATE on it, so a worker that was only
asleep, and whose job was given to another, changes nothing any more and is told so by `Superseded`.
"""

import logging
import os
import socket
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import close_old_connections, connection, transaction
from django.db.models import F
from django.utils import timezone

from earshot.accounts.models import User
from earshot.jobs import artefacts
from earshot.jobs.models import Job, JobArtefact, JobLogLine, JobMetric

log = logging.getLogger(__name__)


class Superseded(Exception):
    """The job was given to another worker, or is finished: stop at once and write nothing more."""


class Cancelled(Exception):
    """Somebody asked for the job to be cancelled."""


def enqueue(
    kind: str,
    arguments: Mapping[str, Any],
    *,
    title: str = "",
    queue: str = Job.Queue.CPU,
    created_by: User | None = None,
    max_attempts: int = 5,
) -> Job:
    """Store a job and, when the transaction commits, send its Celery task by name.

    Args:
        kind: the task's name, such as `annotation.import_dialogues`.
        arguments: what the task needs, in JSON: ids and hashes, never paths.
    """
    job = Job.objects.create(
        kind=kind,
        arguments=dict(arguments),
        title=title or kind,
        queue=queue,
        created_by=created_by,
        max_attempts=max_attempts,
    )
    transaction.on_commit(lambda: send(job.pk, job.fence, kind, queue))
    return job


def send(job_id: Any, fence: int, kind: str, queue: str) -> None:
    """Nudge the workers. If the broker is away the row stays queued and the reaper sends again."""
    try:
        current_app.send_task(kind, args=[str(job_id), fence], queue=queue, retry=False)
    except current_app.connection_for_write().connection_errors + (OSError,) as error:
        log.warning(
            "Job %s was stored, but the broker did not take it (%s). The reaper will send it again.", job_id, error
        )


class RunningJob:
    """What a task's body holds while it runs: it reports, logs, keeps files, and learns that it must stop."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.id = job.pk
        self.arguments: dict[str, Any] = job.arguments
        self.fence = job.fence
        self.result: dict[str, Any] = {}

    def _mine(self) -> Any:
        return Job.objects.filter(pk=self.id, fence=self.fence, state=Job.State.RUNNING)

    def report(self, progress: float, message: str = "") -> None:
        """Store progress (0…1) and what is being done.

        Raises:
            Superseded: if another worker has the job by now.
            Cancelled: if somebody asked for it.
        """
        changed = self._mine().update(
            progress=min(max(progress, 0.0), 1.0), message=message[:300], heartbeat_at=timezone.now()
        )
        if not changed:
            raise Superseded(f"Job {self.id} is no longer held with fencing number {self.fence}.")
        if Job.objects.filter(pk=self.id, cancel_requested=True).exists():
            raise Cancelled(f"Job {self.id} was cancelled.")

    def check(self) -> None:
        """Before a write that must not happen twice: raises as `report` does."""
        state = Job.objects.filter(pk=self.id).values_list("fence", "state", "cancel_requested").first()
        if state is None or state[0] != self.fence or state[1] != Job.State.RUNNING:
            raise Superseded(f"Job {self.id} is no longer held with fencing number {self.fence}.")
        if state[2]:
            raise Cancelled(f"Job {self.id} was cancelled.")

    def lock(self) -> None:
        """Inside a transaction: hold the job's row until the commit, so that what is written now is written by its holder.

        Raises: as `report`.
        """
        changed = self._mine().update(heartbeat_at=timezone.now())
        if not changed:
            raise Superseded(f"Job {self.id} is no longer held with fencing number {self.fence}.")

    def write_log(self, text: str, level: str = "info") -> None:
        JobLogLine.objects.create(job_id=self.id, text=text, level=level)

    def write_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Points of the live curves; writing a step again replaces it."""
        JobMetric.objects.bulk_create(
            [JobMetric(job_id=self.id, name=name, step=step, value=value) for name, value in values.items()],
            update_conflicts=True,
            unique_fields=["job", "name", "step"],
            update_fields=["value"],
        )

    def keep_file(self, path: Path, name: str | None = None) -> str:
        """Keep a file that the job made and return its SHA-256."""
        sha256 = artefacts.put_file(path)
        JobArtefact.objects.update_or_create(
            job_id=self.id, name=name or path.name, defaults={"sha256": sha256, "size_bytes": path.stat().st_size}
        )
        return sha256


def claim(job_id: Any, fence: int, *, at: datetime) -> Job | None:
    """Take a queued job, or return None if this message is stale: one conditional UPDATE settles every race."""
    taken = Job.objects.filter(pk=job_id, fence=fence, state=Job.State.QUEUED).update(
        state=Job.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=at,
        heartbeat_at=at,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        error="",
    )
    return Job.objects.get(pk=job_id) if taken else None


@contextmanager
def running(job_id: Any, fence: int) -> Iterator[RunningJob | None]:
    """Run a task's body as the holder of the job; None when another has it or it is finished.

    While the body runs, a thread keeps the heartbeat. What the body raises becomes the job's state: a ValidationError
    or ValueError is shown to people as it is, anything else with its last line, the traceback in the log.
    """
    job = claim(job_id, fence, at=timezone.now())
    if job is None:
        yield None
        return
    held = RunningJob(job)
    with _heartbeat(held):
        try:
            if job.cancel_requested:
                raise Cancelled(f"Job {job_id} was cancelled.")
            yield held
        except Superseded as stop:
            log.warning("%s", stop)
        except Cancelled:
            _finish(held, Job.State.CANCELLED, message="Cancelled.")
        except (ValidationError, ValueError) as error:
            lines = error.messages if isinstance(error, ValidationError) else [str(error)]
            held.write_log(traceback.format_exc(), level="error")
            _finish(held, Job.State.FAILED, error="\n".join(lines))
        except Exception as error:
            held.write_log(traceback.format_exc(), level="error")
            _finish(held, Job.State.FAILED, error=f"{type(error).__name__}: {error}")
            raise
        else:
            _finish(held, Job.State.SUCCEEDED, progress=1.0)


def _finish(held: RunningJob, state: str, **fields: Any) -> None:
    held._mine().update(state=state, finished_at=timezone.now(), result=held.result, **fields)


@contextmanager
def _heartbeat(held: RunningJob) -> Iterator[None]:
    stop = threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(settings.JOB_HEARTBEAT_SECONDS):
                close_old_connections()
                if not held._mine().update(heartbeat_at=timezone.now()):
                    return
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{held.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@transaction.atomic
def cancel(job: Job, *, by: User | None, at: datetime) -> None:
    """A queued job is cancelled at once; a running one stops at its next report."""
    waiting = Job.objects.filter(pk=job.pk, state=Job.State.QUEUED)
    if waiting.update(state=Job.State.CANCELLED, cancel_requested=True, finished_at=at, message="Cancelled."):
        return
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(cancel_requested=True)
    JobLogLine.objects.create(job=job, text=f"{by or 'Somebody'} asked to cancel.")


def requeue(job: Job, *, at: datetime, reason: str) -> bool:
    """Put a silent, forgotten or failed job back with the next fencing number; False if it moved on meanwhile."""
    same = Job.objects.filter(pk=job.pk, fence=job.fence, state=job.state)
    with transaction.atomic():
        if not same.update(
            state=Job.State.QUEUED, fence=F("fence") + 1, sent_at=at, finished_at=None, cancel_requested=False
        ):
            return False
        JobLogLine.objects.create(job=job, text=reason, level="warning")
        transaction.on_commit(lambda: send(job.pk, job.fence + 1, job.kind, job.queue))
    return True


def reap(*, at: datetime) -> int:
    """Bring back what was lost: silent running jobs, and queued ones whose message no worker took.

    Returns: how many were put back. A job that died max_attempts times fails with that reason.
    """
    returned = 0
    silence = timedelta(seconds=settings.JOB_SILENCE_SECONDS)
    for job in Job.objects.silent_since(at - silence):
        if job.cancel_requested:
            Job.objects.filter(pk=job.pk, fence=job.fence, state=Job.State.RUNNING).update(
                state=Job.State.CANCELLED, finished_at=at, fence=F("fence") + 1, message="Cancelled."
            )
        elif job.attempts >= job.max_attempts:
            Job.objects.filter(pk=job.pk, fence=job.fence, state=Job.State.RUNNING).update(
                state=Job.State.FAILED,
                finished_at=at,
                fence=F("fence") + 1,
                error=f"Its worker died {job.attempts} times. Look at the log and the workers' memory, then start it again.",
            )
        else:
            returned += requeue(
                job, at=at, reason=f"No heartbeat since {job.heartbeat_at:%H:%M:%S}: put back in the queue."
            )
    for job in Job.objects.forgotten_since(at - 2 * silence):
        returned += _send_again(job, at=at)
    return returned


def _send_again(job: Job, *, at: datetime) -> bool:
    # The same fencing number: if the first message is only late, whichever comes second finds the job taken.
    if not Job.objects.filter(pk=job.pk, fence=job.fence, state=Job.State.QUEUED, sent_at=job.sent_at).update(
        sent_at=at
    ):
        return False
    send(job.pk, job.fence, job.kind, job.queue)
    return True
