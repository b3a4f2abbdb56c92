"""For management commands: wait for a job and show how far it is, or run it in the command's own process."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from earshot.accounts.models import User
from earshot.embedded.progress import ProgressLine
from earshot.jobs import services
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 20.0  # then we say that no worker seems to be there
BAR = 20  # characters


def add_arguments(parser: ArgumentParser) -> None:
    """How a command's job is run, and in whose name."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--wait", action="store_true", help="hand the job to a worker and wait for its end")
    how.add_argument("--here", action="store_true", help="run it in this process: no worker is needed")
    parser.add_argument("--by", metavar="E-MAIL", help="the person who asks for it")


def find_person(email: str | None, *, admin: bool = False) -> User | None:
    """Whom `--by` names. Raises: CommandError, if nobody with the role has the address."""
    if email is None:
        return None
    user = User.objects.filter(email__iexact=email).first()
    if user is None or not (user.is_admin if admin else user.is_researcher):
        role = "admin" if admin else "researcher or admin"
        raise CommandError(f"No {role} has the address {email!r}. Correct it, or leave --by out.")
    return user


def run_here(job: Job, body: Callable[[RunningJob], object]) -> None:
    """The job's body in this process. Raises: CommandError, unless it succeeded."""
    with services.running(job.pk, job.fence) as held:
        if held is not None:
            body(held)
    job.refresh_from_db()
    check(job)


def carry_out(
    command: BaseCommand, job: Job, body: Callable[[RunningJob], object], options: Mapping[str, Any], waits: str
) -> bool:
    """Run the job as --here or --wait ask, else say that it waits: `waits`, "The snapshot", "Round 3".

    Returns: whether it has succeeded; False if it was left to a worker.
    Raises: CommandError, if it failed.
    """
    if options["here"]:
        run_here(job, body)
    elif options["wait"]:
        follow(command, job)
    else:
        command.stdout.write(f"{waits} waits for a worker (job {job.pk}).")
    return bool(options["here"] or options["wait"])


def follow(command: BaseCommand, job: Job) -> None:
    """Show the job's progress until it ends. Raises: CommandError, unless it succeeded."""
    watch(command, job)
    check(job)


def watch(command: BaseCommand, job: Job) -> None:
    """Show the job's progress until it ends, well or not."""
    began, told_to_wait, line = time.monotonic(), False, ProgressLine(sys.stderr)
    try:
        while not job.is_finished:
            line.show(job.title, f"{bar(job.progress)} {job.progress:4.0%}  {job.message or job.get_state_display()}")
            if job.started_at is None and not told_to_wait and time.monotonic() - began > PATIENCE_SECONDS:
                command.stderr.write("No worker has taken the job yet. Start one (make run), or use --here.")
                told_to_wait = True
            time.sleep(LOOK_SECONDS)
            job.refresh_from_db()
    except KeyboardInterrupt:
        raise CommandError(f"The job {job.pk} goes on without you; its page shows how far it is.") from None
    line.clear()


def bar(share: float) -> str:
    """0.3 → ━━━━━━··············"""
    done = round(share * BAR)
    return "━" * done + "·" * (BAR - done)


def check(job: Job) -> None:
    """Raises: CommandError, unless the job succeeded."""
    if job.state != Job.State.SUCCEEDED:
        raise CommandError(f"The job {job.get_state_display()}: {job.error or job.message} (job {job.pk})")
