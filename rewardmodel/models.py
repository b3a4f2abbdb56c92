"""Reward-model runs: what was trained on which snapshot, by which code, and with which result."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation.models import Snapshot, Study
from earshot.accounts.models import User
from earshot.jobs.models import Job

READY = "ready"  # the state of a run whose model is registered


class RewardModelRunQuerySet(models.QuerySet["RewardModelRun"]):
    def readable_by(self, user: User) -> Self:
        """Runs on snapshots of studies that the user may read."""
        return self.filter(snapshot__study__in=Study.objects.readable_by(user))

    def registered(self) -> Self:
        """Those whose model stands: only they can score."""
        return self.filter(registered_at__isnull=False)


class RewardModelRun(models.Model):
    """One training on one snapshot. Its state is its job's until the model is registered: then it is ready for good."""

    name = models.CharField(max_length=200)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="reward_model_runs")
    evaluation_snapshot = models.ForeignKey(
        Snapshot, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )  # measured on this one and trained on every scenario of the other; None: on scenarios of the same, held out
    parameters = models.JSONField(default=dict)  # {"seed": 1, "epochs": 40}; what is absent is the program's own choice
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    # What came of it: written once, when the model is registered.
    content_hash = models.CharField(max_length=64, blank=True)  # of the model's files
    archive_sha256 = models.CharField(max_length=64, blank=True)  # they as one .zip
    size_bytes = models.PositiveBigIntegerField(default=0)
    code_version = models.CharField(max_length=40, blank=True)
    config = models.JSONField(default=dict)  # config.json: dimensions, thresholds, training figures
    report = models.JSONField(default=dict)  # report.json: the evaluation on held-out scenarios
    registered_at = models.DateTimeField(null=True, blank=True)
    objects = RewardModelRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(registered_at__isnull=True, content_hash="", archive_sha256="")
                | (Q(registered_at__isnull=False) & ~Q(content_hash="") & ~Q(archive_sha256="")),
                name="registered_reward_model_has_its_files",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None and RewardModelRun.objects.registered().filter(pk=self.pk).exists():
            raise ValueError(f"Reward model '{self.name}' is registered and does not change. Train a new one.")
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("rewardmodel:run", args=[self.pk])

    @property
    def is_registered(self) -> bool:
        return self.registered_at is not None

    @property
    def state(self) -> str:
        if self.is_registered:
            return READY
        return self.job.state if self.job is not None else "failed"

    @property
    def state_label(self) -> str:
        if self.is_registered:
            return READY
        return str(self.job.get_state_display()) if self.job is not None else _("its job was removed")

    def is_same_as(self, other: "RewardModelRun") -> bool:
        """Whether both are the same model, bit by bit: the same snapshot, seed and epochs give it again."""
        return self.is_registered and self.content_hash == other.content_hash

    @property
    def is_simulated(self) -> bool:
        """Whether simulated raters gave its votes."""
        return bool(self.snapshot.filter.get("include_simulated")) and self.snapshot.study.is_simulated
