from celery import shared_task
from django.utils import timezone

from earshot.jobs import services, worker  # noqa: F401  the worker's signals are connected where its tasks are found


@shared_task(name="jobs.reap")  # type: ignore[untyped-decorator]
def reap() -> int:
    return services.reap(at=timezone.now())


@shared_task(name="jobs.refuse")  # type: ignore[untyped-decorator]
def refuse(job_id: str, fence: int, kind: str) -> bool:
    return services.refuse(job_id, fence, kind=kind, at=timezone.now())
