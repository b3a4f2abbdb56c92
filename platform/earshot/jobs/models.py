"""One row per long job. The row is the truth; a broker's message is only a nudge to look at it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from earshot.accounts.models import User


class JobQuerySet(models.QuerySet["Job"]):
    def move(self, to: str, **fields: Any) -> int:
        """Change the state of those that may go there (`MOVES`) and return how many did. One conditional UPDATE."""
        return self.filter(state__in=[state for state, followers in MOVES.items() if to in followers]).update(
            state=to, **fields
        )

    def held(self, job_id: Any, fence: int) -> Self:
        """The job while it runs under this fencing number, else nothing."""
        return self.filter(pk=job_id, fence=fence, state=Job.State.RUNNING)

    def silent_since(self, moment: datetime) -> Self:
        """Running, but not heard from since `moment`."""
        return self.filter(state=Job.State.RUNNING, heartbeat_at__lt=moment)

    def forgotten(self, at: datetime) -> Self:
        """Queued, but no worker took them in good time: their message may be lost. The longest due first."""
        return self.filter(state=Job.State.QUEUED, send_again_at__lte=at).order_by("send_again_at")

    def visible_to(self, user: User) -> Self:
        """Admins see every job, researchers those they started, annotators none."""
        if user.is_admin:
            return self
        return self.filter(created_by=user) if user.is_researcher else self.none()


class Job(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    class Queue(models.TextChoices):
        CPU = "cpu"
        GPU = "gpu"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=80)  # the Celery task's name
    title = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict)
    queue = models.CharField(max_length=8, choices=Queue.choices, default=Queue.CPU)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    fence = models.PositiveIntegerField(default=1)  # grows with each new start; only its newest holder may write
    attempts = models.PositiveSmallIntegerField(default=0)  # starts so far
    max_attempts = models.PositiveSmallIntegerField(default=5)
    cancel_requested = models.BooleanField(default=False)
    progress = models.FloatField(default=0.0)  # 0…1
    message = models.CharField(max_length=300, blank=True)  # what it is doing now
    error = models.TextField(blank=True)  # for people: what went wrong and what to do
    result = models.JSONField(default=dict)
    worker = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(default=timezone.now)  # when its message was last given to the broker
    sends = models.PositiveSmallIntegerField(default=0)  # messages the broker took for this fencing number
    send_again_at = models.DateTimeField(default=timezone.now)  # if no worker has taken it by then
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "heartbeat_at"], name="job_silent"),
            models.Index(fields=["state", "send_again_at"], name="job_forgotten"),
            models.Index(fields=["-created_at"], name="job_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(progress__gte=0, progress__lte=1), name="job_progress_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("jobs:detail", args=[self.pk])

    @property
    def percent(self) -> int:
        """Whole percent; 100 only when nothing is left to do."""
        return int(self.progress * 100)

    @property
    def may_be_started_again(self) -> bool:
        return self.state in {self.State.FAILED, self.State.CANCELLED}

    @property
    def is_finished(self) -> bool:
        return self.state in {self.State.SUCCEEDED, self.State.FAILED, self.State.CANCELLED}

    @property
    def elapsed(self) -> timedelta | None:
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at


# Every change of state goes through `JobQuerySet.move`, so that nothing that is finished can ever run again by itself.
MOVES: dict[str, set[str]] = {
    Job.State.QUEUED: {Job.State.RUNNING, Job.State.CANCELLED, Job.State.FAILED},
    Job.State.RUNNING: {Job.State.QUEUED, Job.State.SUCCEEDED, Job.State.FAILED, Job.State.CANCELLED},
    Job.State.FAILED: {Job.State.QUEUED},  # a person starts it again
    Job.State.CANCELLED: {Job.State.QUEUED},
    Job.State.SUCCEEDED: set(),
}


class JobLogLine(models.Model):
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log_lines")
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, default="info")
    text = models.TextField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text


class JobMetric(models.Model):
    """One point of a live curve, such as the loss at a step."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=60)
    step = models.PositiveIntegerField()
    value = models.FloatField()

    class Meta:
        ordering = ["name", "step"]
        # A job that resumes writes a step again; it replaces the point, it never doubles it.
        constraints = [models.UniqueConstraint(fields=["job", "name", "step"], name="one_point_per_job_name_and_step")]

    def __str__(self) -> str:
        return f"{self.name}[{self.step}] = {self.value}"


class JobArtefact(models.Model):
    """A file that a job made, kept by the hash of its bytes."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="artefacts")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["job", "name"], name="one_artefact_per_job_and_name")]

    def __str__(self) -> str:
        return self.name
