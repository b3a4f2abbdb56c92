from typing import Any

from celery import shared_task

from earshot.demo import seeding
from earshot.jobs import services as jobs


@shared_task(name=seeding.KIND)  # type: ignore[untyped-decorator]
def seed(job_id: Any, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            seeding.seed_rendered(held)
