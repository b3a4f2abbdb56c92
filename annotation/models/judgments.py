"""Judgments: one annotator's verdict on one pair, by dimension, with marks on turns and what quality control says."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotation.models.dialogues import Turn
from annotation.models.pairs import Lease
from annotation.models.studies import Dimension


class JudgmentQuerySet(models.QuerySet["Judgment"]):
    def submitted(self) -> Self:
        return self.filter(submitted_at__isnull=False)

    def counted(self) -> Self:
        """Towards a pair's overlap: submitted in time, and not to adjudicate."""
        return self.submitted().filter(is_late=False, lease__purpose=Lease.Purpose.JUDGING)


class Judgment(models.Model):
    """A draft until `submitted_at` is set. Values are stored so that positive favours dialogue_a."""

    lease = models.OneToOneField(Lease, on_delete=models.PROTECT, related_name="judgment")
    confidence = models.PositiveSmallIntegerField(null=True, blank=True)  # 1 guess … 5 certain
    reason = models.TextField(blank=True, max_length=4000)
    is_simulated = models.BooleanField(default=False)
    is_late = models.BooleanField(default=False)  # an extra judgment: outside the overlap
    coverage_a = models.FloatField(null=True, blank=True)  # null where the study records no listening
    coverage_b = models.FloatField(null=True, blank=True)
    seconds_a = models.FloatField(null=True, blank=True)
    seconds_b = models.FloatField(null=True, blank=True)
    judging_seconds = models.FloatField(null=True, blank=True)  # from opening to submitting
    stalls = models.PositiveIntegerField(default=0)
    transcript_condition = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True, blank=True, db_index=True)
    objects = JudgmentQuerySet.as_manager()

    class Meta:
        ordering = ["-submitted_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(confidence__isnull=True) | Q(confidence__gte=1, confidence__lte=5),
                name="confidence_from_1_to_5",
            )
        ]

    def __str__(self) -> str:
        return f"judgment {self.pk}"

    @property
    def is_draft(self) -> bool:
        return self.submitted_at is None


class Score(models.Model):
    class Kind(models.TextChoices):
        SCORED = "scored", _("scored")
        BOTH_BAD = "both_bad", _("both bad")
        CANNOT_TELL = "cannot_tell", _("cannot tell")

    judgment = models.ForeignKey(Judgment, on_delete=models.CASCADE, related_name="scores")
    dimension = models.ForeignKey(Dimension, on_delete=models.PROTECT, related_name="scores")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SCORED)
    value = models.SmallIntegerField(null=True, blank=True)  # −3…+3, positive favours dialogue_a

    class Meta:
        ordering = ["judgment", "dimension__position"]
        constraints = [
            models.UniqueConstraint(fields=["judgment", "dimension"], name="one_score_per_judgment_and_dimension"),
            models.CheckConstraint(
                # A null value makes a comparison unknown, which a CHECK lets pass: say that it is not null.
                condition=Q(kind="scored", value__isnull=False, value__gte=-3, value__lte=3)
                | (Q(kind__in=["both_bad", "cannot_tell"]) & Q(value__isnull=True)),
                name="score_value_fits_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dimension}: {self.value if self.kind == self.Kind.SCORED else self.get_kind_display()}"


class TurnMark(models.Model):
    class Polarity(models.TextChoices):
        GOOD = "good", _("good")
        BAD = "bad", _("bad")

    judgment = models.ForeignKey(Judgment, on_delete=models.CASCADE, related_name="marks")
    turn = models.ForeignKey(Turn, on_delete=models.PROTECT, related_name="marks")
    side = models.CharField(max_length=1, choices=[("a", "a"), ("b", "b")])
    seconds = models.FloatField()
    dimension = models.ForeignKey(Dimension, null=True, blank=True, on_delete=models.PROTECT, related_name="marks")
    polarity = models.CharField(max_length=4, choices=Polarity.choices)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["judgment", "side", "seconds"]

    def __str__(self) -> str:
        return f"{self.polarity} at {self.seconds:.1f} s"


class FlagManager(models.Manager["Flag"]):
    def get_queryset(self) -> models.QuerySet["Flag"]:
        """With is_open as a column, so that lists can begin with what is open."""
        is_open = models.ExpressionWrapper(Q(resolved_at__isnull=True), output_field=models.BooleanField())
        return super().get_queryset().annotate(is_open=is_open)


class Flag(models.Model):
    """Something is wrong with a pair, says its annotator to the adjudicator. The pair goes on as it was."""

    class Kind(models.TextChoices):
        SOUND = "sound", _("the sound is broken")
        CONTENT = "content", _("the content should not be heard")
        QUESTION = "question", _("a question does not fit")
        OTHER = "other", _("something else")

    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="flags")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    note = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    resolution = models.CharField(max_length=1000, blank=True)
    objects = FlagManager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["lease", "kind"], name="one_flag_per_lease_and_kind")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.lease.pair}"


class QualityVerdict(models.Model):
    """What quality control says of a judgment. It never deletes one, and can be reversed."""

    class Verdict(models.TextChoices):
        PASS = "pass", _("pass")
        FAIL = "fail", _("fail")
        UNKNOWN = "unknown", _("unknown")

    judgment = models.OneToOneField(Judgment, on_delete=models.CASCADE, related_name="quality")
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.UNKNOWN)
    checks = models.JSONField(default=dict)  # {check: [verdict, reason]}
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["judgment"]

    def __str__(self) -> str:
        return self.verdict
