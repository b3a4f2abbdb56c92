"""What happens to a job from inside: a task's body holds it, reports, writes as its holder, and is told to stop."""

import logging
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.utils import timezone

from earshot.jobs import artefacts
from earshot.jobs.models import Job, JobArtefact, JobLogLine, JobMetric
from earshot.jobs.services import lifecycle

log = logging.getLogger(__name__)
REPORT_SECONDS = 0.25  # at most four reports a second reach the database
DATABASE_AWAY = (OperationalError, InterfaceError)  # locked, or its connection was lost: worth another try
FINISH_TRIES = 5


class Superseded(Exception):
    """The job was given to another worker, or is finished: stop at once and write nothing more."""


class Cancelled(Exception):
    """Somebody asked for the job to be cancelled."""


class RunningJob:
    """What a task's body holds while it runs: it reports, logs, keeps files, and learns that it must stop."""

    def __init__(self, job: Job, within: "RunningJob | None" = None) -> None:
        self.job = job
        self.within = within  # the job that this one is a part of, held by the same process
        self.id = job.pk
        self.arguments: dict[str, Any] = job.arguments
        self.fence = job.fence
        self.result: dict[str, Any] = {}
        self.was_superseded = threading.Event()  # set by the heartbeat, which learns it even between two reports
        self._latest: dict[str, Any] = {}  # the newest report, written or not
        self._written_at = float("-inf")
        self._stretch = (0.0, 1.0)  # of the progress bar, in which reports fall now

    def _mine(self) -> Any:
        return Job.objects.held(self.id, self.fence)

    def report(self, progress: float, message: str = "") -> None:
        """Say how far it is (0…1) and what is being done. As cheap as wanted: four a second are stored, and the last.

        Raises:
            Superseded: if another worker has the job by now.
            Cancelled: if somebody asked for it.
        """
        if self.within is not None:
            self.within.report(progress, message)
        begin, end = self._stretch
        share = begin + (end - begin) * min(max(progress, 0.0), 1.0)
        self._latest = {"progress": share, "message": _storable(message)[:300]}
        if self.was_superseded.is_set():
            raise self._superseded()
        if time.monotonic() - self._written_at >= REPORT_SECONDS:
            self.flush()

    @contextmanager
    def stretch(self, begin: float, end: float) -> Iterator[None]:
        """For a job of several steps: what is reported in here as 0…1 is shown as `begin`…`end`. May be nested."""
        before = low, high = self._stretch
        self._stretch = low + (high - low) * begin, low + (high - low) * end
        try:
            yield
        finally:
            self._stretch = before

    def flush(self) -> None:
        """Store the latest report now. Raises as `report`; if the database is away, a later report stores it."""
        self._written_at = time.monotonic()
        try:
            self.beat()
            self.check()
        except DATABASE_AWAY as error:
            if connection.in_atomic_block:
                raise
            log.warning("Job %s could not report: %s. It goes on and tries again.", self.id, error)
            connection.close()

    def beat(self) -> None:
        """Store the heartbeat and the latest report. Raises `Superseded`."""
        if not self._mine().update(heartbeat_at=timezone.now(), **self._latest):
            self.was_superseded.set()
            raise self._superseded()

    def check(self) -> None:
        """Ask the database before anything that must not happen twice: raises as `report` does."""
        requested = self._mine().values_list("cancel_requested", flat=True).first()
        if requested is None:
            raise self._superseded()
        if requested:
            raise Cancelled(f"Job {self.id} was cancelled.")

    def lock(self) -> None:
        """Inside a transaction: hold the job's row until the commit, so that its holder alone writes what follows.

        Raises: Superseded.
        """
        if not connection.in_atomic_block:
            raise RuntimeError(
                "RunningJob.lock() holds nothing outside a transaction. Call it in transaction.atomic()."
            )
        self.beat()

    def write_log(self, text: str, level: str = "info") -> None:
        """Add one entry to the job's log. Raises `Superseded`."""
        self.write_logs([(text, level)])

    def write_logs(self, lines: Iterable[tuple[str, str]]) -> None:
        """Add entries (text, level) to the job's log in one go. Raises `Superseded`."""
        rows = [JobLogLine(job_id=self.id, text=_storable(text), level=level[:8]) for text, level in lines]
        with transaction.atomic():
            self.lock()
            JobLogLine.objects.bulk_create(rows)

    def write_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Points of the live curves at one step. As `write_points`."""
        self.write_points({(name, step): value for name, value in values.items()})

    def write_points(self, points: Mapping[tuple[str, int], float]) -> None:
        """Points of the live curves by (name, step); writing a step again replaces it. Raises `Superseded`.

        A value that is not a finite number cannot be drawn: it goes to the log instead.
        """
        finite = {(name[:60], step): value for (name, step), value in points.items() if isfinite(value)}
        lost = [f"{name} is {value} at step {step}." for (name, step), value in points.items() if not isfinite(value)]
        with transaction.atomic():
            self.lock()
            JobMetric.objects.bulk_create(
                [
                    JobMetric(job_id=self.id, name=name, step=step, value=value)
                    for (name, step), value in finite.items()
                ],
                update_conflicts=True,
                unique_fields=["job", "name", "step"],
                update_fields=["value"],
            )
            JobLogLine.objects.bulk_create([JobLogLine(job_id=self.id, text=text, level="warning") for text in lost])

    def keep_file(self, path: Path, name: str | None = None) -> str:
        """Keep a file that the job made and return its SHA-256. Raises `Superseded`."""
        self.check()
        sha256 = artefacts.put_file(path)  # by content: bytes that a superseded worker leaves there harm nobody
        with transaction.atomic():
            self.lock()
            JobArtefact.objects.update_or_create(
                job_id=self.id,
                name=(name or path.name)[:200],
                defaults={"sha256": sha256, "size_bytes": path.stat().st_size},
            )
        return sha256

    def _superseded(self) -> Superseded:
        return Superseded(f"Job {self.id} is no longer held with fencing number {self.fence}.")

    def finish(self, state: str, *, trace: str = "", **fields: Any) -> bool:
        """Store how it ended; False if it was given to another. Tried again for a while if the database is away."""
        fields = self._latest | {"result": self.result, "finished_at": timezone.now()} | fields
        for attempt in range(1, FINISH_TRIES + 1):
            try:
                with transaction.atomic():
                    if not self._mine().move(state, **fields):
                        return False
                    if trace:
                        JobLogLine.objects.create(job_id=self.id, text=_storable(trace), level="error")
                    return True
            except DATABASE_AWAY:
                if attempt == FINISH_TRIES or connection.in_atomic_block:
                    raise
                connection.close()
                time.sleep(0.2 * 2**attempt)
        raise AssertionError("The loop returns or raises.")


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL keeps no NUL


@contextmanager
def running(job_id: Any, fence: int, *, within: RunningJob | None = None) -> Iterator[RunningJob | None]:
    """Run a task's body as the holder of the job; None when another has it or it is finished.

    While the body runs, a thread keeps the heartbeat. What the body raises becomes the job's state: a ValidationError
    or ValueError is shown to people as it is, anything else with its last line, the traceback in the log.

    Args:
        within: a job held by this process that runs this one as a part of itself: reports reach both, and when the
            outer one must stop, so must this one.
    """
    job = lifecycle.claim(job_id, fence, at=timezone.now())
    if job is None:
        yield None
        return
    held = RunningJob(job, within)
    with _heartbeat(held):
        try:
            if job.cancel_requested:
                raise Cancelled(f"Job {job_id} was cancelled.")
            yield held
        except Superseded as stop:
            log.warning("%s", stop)
        except Cancelled:
            held.finish(Job.State.CANCELLED, message="Cancelled.")
        except (ValidationError, ValueError) as error:
            lines = error.messages if isinstance(error, ValidationError) else [str(error)]
            held.finish(Job.State.FAILED, error=_storable("\n".join(lines)), trace=traceback.format_exc())
        except Exception as error:
            reason = _storable(f"{type(error).__name__}: {error}")
            held.finish(Job.State.FAILED, error=reason, trace=traceback.format_exc())
            raise
        else:
            held.finish(Job.State.SUCCEEDED, progress=1.0, message="")  # what it was doing last is over


@contextmanager
def _heartbeat(held: RunningJob) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(held, stop), name=f"heartbeat-{held.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat_until(held: RunningJob, stop: threading.Event) -> None:
    """Keep the heartbeat until told to stop or superseded; a database that is away for a while does not end it.

    It also reaps: if every worker is busy for hours, the reaper's own task would wait behind their jobs.
    """
    reaped_at = time.monotonic()
    while not stop.wait(settings.JOB_HEARTBEAT_SECONDS):
        try:
            close_old_connections()
            held.beat()
            if time.monotonic() - reaped_at >= settings.REAPER_SECONDS:
                reaped_at = time.monotonic()
                lifecycle.reap(at=timezone.now())
        except Superseded:
            break
        except DATABASE_AWAY as error:
            log.warning("The heartbeat of job %s failed: %s. It is tried again.", held.id, error)
        finally:
            connection.close()
