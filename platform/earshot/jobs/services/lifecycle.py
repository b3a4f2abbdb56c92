"""What happens to a job from outside: it is stored and sent, claimed, cancelled, started again, brought back."""

import logging
import os
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import KombuError

from earshot.accounts.models import User
from earshot.jobs.models import Job, JobLogLine

log = logging.getLogger(__name__)
LONGEST_WAIT_BEFORE_SENDING_AGAIN = timedelta(hours=1)
MOST_SENT_AGAIN_AT_ONCE = 200  # a long queue is nudged in parts, the longest due first
NO_BROKER = "Stored, but the broker does not answer. The job starts by itself once it does."


def enqueue(
    kind: str,
    arguments: Mapping[str, Any],
    *,
    title: str = "",
    queue: str = Job.Queue.CPU,
    created_by: User | None = None,
    max_attempts: int = 5,
    tell_worker: bool = True,
) -> Job:
    """Store a job and, when the transaction commits, send its Celery task by name.

    Args:
        kind: the task's name, such as `annotation.import_dialogues`.
        arguments: what the task needs, in JSON: ids and hashes, never paths.
        tell_worker: False where the caller runs the job itself; if it dies before, the reaper sends the task.
    """
    job = Job.objects.create(
        kind=kind,
        arguments=dict(arguments),
        title=(title or kind)[:200],
        queue=queue,
        created_by=created_by,
        max_attempts=max_attempts,
        send_again_at=timezone.now() + _patience(sends=1),
    )
    if tell_worker:
        transaction.on_commit(lambda: send(job.pk, job.fence, kind, queue))
    return job


def send(job_id: Any, fence: int, kind: str, queue: str) -> bool:
    """Nudge the workers; False if the broker is away: the row stays queued, says so, and the reaper sends again."""
    waiting = Job.objects.filter(pk=job_id, fence=fence, state=Job.State.QUEUED)
    try:
        current_app.send_task(kind, args=[str(job_id), fence], queue=queue, retry=False)
    except (*current_app.connection_for_write().connection_errors, KombuError, OSError) as error:
        log.warning("Job %s is stored, but the broker did not take its message: %s", job_id, error)
        waiting.update(message=NO_BROKER, send_again_at=timezone.now())
        return False
    waiting.update(sends=F("sends") + 1)
    waiting.filter(message=NO_BROKER).update(message="")
    return True


def _patience(*, sends: int) -> timedelta:
    """How long a queued job waits for a worker before its message is sent again: twice as long each time.

    So a job that only waits its turn behind others costs the broker a few messages, not one every minute.
    """
    first = timedelta(seconds=2 * settings.JOB_SILENCE_SECONDS)
    doublings = min(max(sends, 1) - 1, 16)
    return min(first * (1 << doublings), max(first, LONGEST_WAIT_BEFORE_SENDING_AGAIN))


def claim(job_id: Any, fence: int, *, at: datetime) -> Job | None:
    """Take a queued job, or return None if this message is stale: one conditional UPDATE settles every race."""
    taken = Job.objects.filter(pk=job_id, fence=fence, state=Job.State.QUEUED).move(
        Job.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=at,
        heartbeat_at=at,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        error="",
        message="",
    )
    return Job.objects.get(pk=job_id) if taken else None


@transaction.atomic
def cancel(job: Job, *, by: User | None, at: datetime) -> bool:
    """A queued job is cancelled at once, a running one stops at its next report; False if it is finished already."""
    waiting = Job.objects.filter(pk=job.pk, state=Job.State.QUEUED)
    changed = waiting.move(Job.State.CANCELLED, cancel_requested=True, finished_at=at, message="Cancelled.")
    if not changed:
        changed = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(cancel_requested=True)
    if changed:
        JobLogLine.objects.create(job=job, text=f"{by or 'Somebody'} asked to cancel.")
    return bool(changed)


def retry(job: Job, *, by: User | None, at: datetime) -> bool:
    """Start a failed or cancelled job again, with the next fencing number and all its attempts; False if it may not."""
    stopped = Job.objects.filter(pk=job.pk, state__in=[Job.State.FAILED, Job.State.CANCELLED])
    return _put_back(
        stopped, job, at=at, reason=f"{by or 'Somebody'} started it again.", attempts=0, progress=0.0, result={}
    )


def requeue(job: Job, *, at: datetime, reason: str) -> bool:
    """Put a silent job back with the next fencing number; False if it moved on, or was heard from, meanwhile."""
    return _put_back(_unchanged(job), job, at=at, reason=reason)


def _unchanged(job: Job) -> Any:
    # The heartbeat too: a job that had to wait for the database, and was heard from since we looked, is not silent.
    return Job.objects.filter(pk=job.pk, fence=job.fence, state=job.state, heartbeat_at=job.heartbeat_at)


def _put_back(jobs: Any, job: Job, *, at: datetime, reason: str, **fields: Any) -> bool:
    with transaction.atomic():
        moved = jobs.move(
            Job.State.QUEUED,
            fence=F("fence") + 1,
            sends=0,
            sent_at=at,
            send_again_at=at + _patience(sends=1),
            heartbeat_at=None,
            finished_at=None,
            cancel_requested=False,
            message="",
            error="",
            **fields,
        )
        if not moved:
            return False
        JobLogLine.objects.create(job=job, text=reason, level="warning")
        fence = Job.objects.values_list("fence", flat=True).get(pk=job.pk)
        transaction.on_commit(lambda: send(job.pk, fence, job.kind, job.queue))
    return True


def refuse(job_id: Any, fence: int, *, kind: str, at: datetime) -> bool:
    """Fail a job whose task no worker knows; False if it moved on."""
    error = (
        f"No worker knows the task {kind!r}. Web side and workers run different versions, or the app is not installed: "
        "start the workers again with the same version, then start this job again."
    )
    waiting = Job.objects.filter(pk=job_id, fence=fence, state=Job.State.QUEUED)
    return bool(waiting.move(Job.State.FAILED, fence=F("fence") + 1, finished_at=at, error=error))


def reap(*, at: datetime) -> int:
    """Bring back what was lost: silent running jobs, and queued ones whose message no worker took.

    Returns: how many were put back. A job that died max_attempts times fails with that reason.
    """
    silent = Job.objects.silent_since(at - timedelta(seconds=settings.JOB_SILENCE_SECONDS))
    return sum(_bring_back(job, at=at) for job in silent) + _send_forgotten(at=at)


def _bring_back(job: Job, *, at: datetime) -> bool:
    if job.cancel_requested:
        _unchanged(job).move(Job.State.CANCELLED, finished_at=at, fence=F("fence") + 1, message="Cancelled.")
        return False
    if job.attempts >= job.max_attempts:
        error = (
            f"Its worker died {job.attempts} times. "
            "Look at the end of the log and at the workers' memory, then start it again."
        )
        _unchanged(job).move(Job.State.FAILED, finished_at=at, fence=F("fence") + 1, error=error)
        return False
    return requeue(job, at=at, reason=f"No heartbeat since {job.heartbeat_at:%H:%M:%S} UTC: put back in the queue.")


def _send_forgotten(*, at: datetime) -> int:
    sent = 0
    for job in Job.objects.forgotten(at)[:MOST_SENT_AGAIN_AT_ONCE]:
        same = Job.objects.filter(pk=job.pk, fence=job.fence, state=job.state, send_again_at=job.send_again_at)
        if not same.update(sent_at=at, send_again_at=at + _patience(sends=job.sends + 1)):
            continue
        # The same fencing number: if the first message is only late, whichever comes second finds the job taken.
        if not send(job.pk, job.fence, job.kind, job.queue):
            break  # the broker is away: each further try would only wait for it, too
        sent += 1
    return sent
