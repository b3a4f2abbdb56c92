"""Celery tasks of reward models: thin shells, safe to run twice. They are sent by name."""

from celery import shared_task

from earshot.jobs import services as jobs
from rewardmodel.services import training


@shared_task(name="rewardmodel.train")  # type: ignore[untyped-decorator]
def train(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            training.run_training(held)
