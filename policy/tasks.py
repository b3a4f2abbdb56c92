"""Celery tasks of policies: thin shells, safe to run twice. They are sent by name."""

from celery import shared_task

from earshot.jobs import services as jobs
from policy.services import first, rounds, speeches


@shared_task(name="policy.make_policy")  # type: ignore[untyped-decorator]
def make_policy(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            first.run_policy(held)


@shared_task(name="policy.speak")  # type: ignore[untyped-decorator]
def speak(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            speeches.run_speech(held)


@shared_task(name="policy.run_round")  # type: ignore[untyped-decorator]
def run_round(job_id: str, fence: int) -> None:
    with jobs.running(job_id, fence) as held:
        if held is not None:
            rounds.run_round(held)
