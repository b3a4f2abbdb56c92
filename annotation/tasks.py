"""Celery tasks of annotation: thin shells, safe to run twice. They are sent by name."""

from celery import shared_task
from django.utils import timezone

from annotation.services import checks, ingest, leases, snapshots
from annotation.services.queue import choosing
from annotation.services.statistics import keeping
from earshot.jobs import services as jobs


@shared_task(name="annotation.import_dialogues")  # type: ignore[untyped-decorator]
def import_dialogues(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            ingest.run_import(held)


@shared_task(name="annotation.make_snapshot")  # type: ignore[untyped-decorator]
def make_snapshot(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            snapshots.run_snapshot(held)


@shared_task(name="annotation.make_checks")  # type: ignore[untyped-decorator]
def make_checks(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            checks.run_checks(held)


@shared_task(name="annotation.update_statistics")  # type: ignore[untyped-decorator]
def update_statistics(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            keeping.run_update(held, at=timezone.now())


@shared_task(name="annotation.update_due_statistics")  # type: ignore[untyped-decorator]
def update_due_statistics() -> int:
    return keeping.update_due_studies(at=timezone.now())


@shared_task(name="annotation.keep_queues_fresh")  # type: ignore[untyped-decorator]
def keep_queues_fresh() -> int:
    return choosing.keep_fresh()


@shared_task(name="annotation.expire_leases")  # type: ignore[untyped-decorator]
def expire_leases() -> int:
    return leases.expire_overdue(at=timezone.now())
