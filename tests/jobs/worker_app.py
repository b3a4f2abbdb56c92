"""Earshot's Celery app with a few tasks that only tests want. Started as `celery -A tests.jobs.worker_app worker`."""

import sys
import time
from pathlib import Path

from earshot.celery import app

PROGRAM = Path(__file__).with_name("child_program.py")


@app.task(name="tests.steps")
def steps(job_id: str, fence: int) -> None:
    """Writes step after step, the number of this start as its value, and goes on where an earlier start ended."""
    from earshot.jobs import services

    with services.running(job_id, fence) as job:
        if job is None:
            return
        for step in range(job.arguments["steps"]):
            if job.job.metrics.filter(name="step", step=step).exists():
                continue
            time.sleep(job.arguments["seconds"])
            job.report(step / job.arguments["steps"], f"step {step}")
            job.write_metrics(step, {"step": fence})
            with open(job.arguments["ledger"], "a") as ledger:
                ledger.write(f"{step}\n")
        job.result["steps"] = job.arguments["steps"]


@app.task(name="tests.child")
def child(job_id: str, fence: int) -> None:
    from earshot.jobs import services
    from earshot.jobs.children import run_child

    with services.running(job_id, fence) as job:
        if job is not None:
            run_child(job, [sys.executable, str(PROGRAM), *job.arguments["command"]], grace_seconds=0.5)
