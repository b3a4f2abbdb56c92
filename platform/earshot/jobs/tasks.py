from celery import shared_task
from django.utils import timezone

from earshot.jobs import services


@shared_task(name="jobs.reap")
def reap() -> int:
    return services.reap(at=timezone.now())
