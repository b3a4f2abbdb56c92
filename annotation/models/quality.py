"""What quality control does about raters and pairs, beside the verdict on each judgment. All can be taken back."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation.models.pairs import Lease, Pair
from annotation.models.studies import Study


class Exclusion(models.Model):
    """A rater whose judgments in a study count nowhere while it stands. The judgments themselves stay."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="exclusions")
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="exclusions")
    reason = models.CharField(max_length=1000)
    excluded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    excluded_at = models.DateTimeField(default=timezone.now)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-excluded_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "rater"], condition=Q(lifted_at__isnull=True), name="one_standing_exclusion"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rater} in {self.study}: {self.reason}"


class Adjudication(models.Model):
    """A pair on which somebody decides who has seen neither its votes nor who spoke."""

    pair = models.OneToOneField(Pair, on_delete=models.CASCADE, related_name="adjudication")
    reason = models.CharField(max_length=1000)  # why it was asked for
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    adjudicator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="adjudications"
    )
    lease = models.OneToOneField(
        Lease, null=True, blank=True, on_delete=models.SET_NULL, related_name="adjudication"
    )  # under which it is heard and judged, outside the overlap

    class Meta:
        ordering = ["-requested_at", "-id"]

    def __str__(self) -> str:
        return f"adjudication of {self.pair}"


class StudyStatistics(models.Model):
    """What was computed from a study's judgments, to be read at once: the newest result per study and stratum."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="statistics")
    stratum = models.CharField(max_length=200, blank=True)  # empty: all; else such as "group:native"
    payload = models.JSONField(default=dict)
    made_from = models.CharField(max_length=64)  # hash of what it was made from; another one means it is outdated
    n_judgments = models.PositiveIntegerField(default=0)  # that counted
    newest_at = models.DateTimeField(null=True, blank=True)  # when the newest of them was submitted
    made_at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(default=0.0)  # how long it took to compute

    class Meta:
        ordering = ["study", "stratum"]
        verbose_name_plural = "study statistics"
        constraints = [models.UniqueConstraint(fields=["study", "stratum"], name="one_result_per_study_and_stratum")]

    def __str__(self) -> str:
        return f"statistics of {self.study}"
