"""Dull, valid jobs and people for the tests of this folder."""

import itertools
from typing import Any

from django.utils import timezone

from earshot.accounts.models import User
from earshot.jobs.models import Job

_numbers = itertools.count(1)
NOW = timezone.now()


def make_user(role: str = "researcher", **fields: Any) -> User:
    return User.objects.create_user(email=f"{role}{next(_numbers)}@example.org", role=role, **fields)


def make_job(state: str = Job.State.QUEUED, **fields: Any) -> Job:
    """A job in any state, with the times that state has."""
    fields = {"kind": "tests.sleep", "title": "A job", "send_again_at": timezone.now()} | fields
    if state != Job.State.QUEUED:
        fields = {"started_at": timezone.now(), "heartbeat_at": timezone.now(), "attempts": 1} | fields
    if state not in {Job.State.QUEUED, Job.State.RUNNING}:
        fields = {"finished_at": timezone.now()} | fields
    return Job.objects.create(state=state, **fields)
