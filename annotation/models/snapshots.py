import secrets
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils import timezone

from annotation.models.studies import Study
from earshot.jobs.models import Job


def new_family_secret() -> str:
    return secrets.token_hex(32)


class SnapshotFamily(models.Model):
    """The snapshots of a study and its copies. Its secret makes pseudonyms: stable in here, unlinkable outside."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="snapshot_family")  # the oldest version
    secret = models.CharField(max_length=64, default=new_family_secret)

    class Meta:
        verbose_name_plural = "snapshot families"

    def __str__(self) -> str:
        return f"snapshots of {self.study}"


class Snapshot(models.Model):
    """An immutable preference dataset. The row is made when the files stand, by the job that made them."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    name = models.CharField(max_length=200)
    content_id = models.CharField(max_length=64)  # hash of the canonical rows and the filter, nothing else
    filter = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)  # in, and out by reason
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    archive_sha256 = models.CharField(max_length=64)  # the folder as one .zip
    size_bytes = models.PositiveBigIntegerField()
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["study", "content_id"], name="one_snapshot_per_study_and_content")
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise ValidationError(f"Snapshot '{self.name}' is immutable. Make a new one instead.")
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("annotation:snapshot", args=[self.pk])
