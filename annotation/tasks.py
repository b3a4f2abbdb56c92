"""Celery tasks of annotation: thin shells, safe to run twice. They are sent by name."""

from celery import shared_task

from annotation.services import ingest
from earshot.jobs import services as jobs


@shared_task(name="annotation.import_dialogues")
def import_dialogues(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            ingest.run_import(held)
