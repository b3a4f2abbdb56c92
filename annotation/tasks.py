"""Celery tasks of annotation: thin shells, safe to run twice. They are sent by name."""

from celery import shared_task
from django.utils import timezone

from annotation.services import ingest, leases, snapshots
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


@shared_task(name="annotation.expire_leases")  # type: ignore[untyped-decorator]
def expire_leases() -> int:
    return leases.expire_overdue(at=timezone.now())
