"""Policies as checkpoints with a complete lineage, and the rounds that make a new one from an old one."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotation.models import Dialogue, DialogueImport, Study, System
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun


class PolicyCheckpoint(models.Model):
    """A policy that can speak: the system under whose name its dialogues stand, its files by hash, where it is from.

    Immutable, and made only with a complete lineage (`policy.services.registry`).
    """

    system = models.OneToOneField(System, on_delete=models.PROTECT, related_name="policy_checkpoint")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    round = models.OneToOneField(
        "Round", null=True, blank=True, on_delete=models.PROTECT, related_name="checkpoint"
    )  # that made it; none made the first one
    content_hash = models.CharField(max_length=64, unique=True)  # of its files
    archive_sha256 = models.CharField(max_length=64)  # they as one .zip
    size_bytes = models.PositiveBigIntegerField()
    lineage = models.JSONField(default=dict)
    code_version = models.CharField(max_length=40)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(parent__isnull=True, round__isnull=True) | Q(parent__isnull=False, round__isnull=False),
                name="policy_is_the_first_or_from_a_round",
            ),
            models.CheckConstraint(
                condition=~Q(content_hash="") & ~Q(archive_sha256="") & ~Q(code_version=""),
                name="policy_has_its_files",
            ),
        ]

    def __str__(self) -> str:
        return self.system.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise ValidationError(f"Policy '{self}' is immutable. Make a new one by a round.")
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("policy:policy", args=[self.pk])


class Round(models.Model):
    """One update of a policy against reward models, up to the study in which people compare new with reference."""

    class Stage(models.TextChoices):
        UPDATE = "update", _("Update the policy")
        REGISTER = "register", _("Register the new policy")
        SPEAK = "speak", _("Speak the held-out scenarios")
        IMPORT = "import", _("Import the dialogues")
        STUDY = "study", _("Open the study")

    name = models.CharField(max_length=200)
    policy = models.ForeignKey(PolicyCheckpoint, on_delete=models.PROTECT, related_name="rounds")  # reference and start
    reward_models = models.ManyToManyField(RewardModelRun, related_name="rounds")
    held_out_reward_model = models.ForeignKey(
        RewardModelRun, null=True, blank=True, on_delete=models.PROTECT, related_name="rounds_held_out"
    )  # gives no reward; it must not fall while the others rise
    parameters = models.JSONField(default=dict)  # RoundPlan.to_json()
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    # What came of it, stage by stage.
    finished_stages = models.JSONField(default=dict)  # {stage: when, in ISO 8601}
    report = models.JSONField(default=dict)  # report.json: the evaluation on held-out scenarios
    study = models.ForeignKey(Study, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("policy:round", args=[self.pk])

    @property
    def new_policy(self) -> PolicyCheckpoint | None:
        return getattr(self, "checkpoint", None)

    @property
    def next_stage(self) -> Stage | None:
        """The first stage that is not finished; None when all are."""
        return next((stage for stage in self.Stage if stage.value not in self.finished_stages), None)

    @property
    def state(self) -> str:
        if self.next_stage is None:
            return "done"
        return self.job.state if self.job is not None else "failed"

    @property
    def state_label(self) -> str:
        if self.next_stage is None:
            return str(_("done"))
        return str(self.job.get_state_display()) if self.job is not None else str(_("its job was removed"))

    @property
    def judges(self) -> list[RewardModelRun]:
        """Its reward models, and last the one that gives no reward: it decides when a run stops."""
        rewarding = sorted(self.reward_models.all(), key=lambda model: model.pk)
        return rewarding if self.held_out_reward_model is None else [*rewarding, self.held_out_reward_model]

    @property
    def is_simulated(self) -> bool:
        """Whether simulated raters gave votes to any of its reward models, the held-out one too."""
        return any(judge.is_simulated for judge in self.judges)


class Speech(models.Model):
    """What one policy was asked to say: for a round, or for itself. Its dialogues are imported as any system's are."""

    policy = models.ForeignKey(PolicyCheckpoint, on_delete=models.PROTECT, related_name="speeches")
    round = models.ForeignKey(Round, null=True, blank=True, on_delete=models.PROTECT, related_name="speeches")
    parameters = models.JSONField(default=dict)  # SpeechPlan.to_json()
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    dialogue_import = models.ForeignKey(
        DialogueImport, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    dialogue_ids = models.JSONField(default=list)  # in the manifest's order
    study = models.ForeignKey(Study, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "speeches"
        constraints = [
            models.UniqueConstraint(fields=["round", "policy"], name="one_speech_per_round_and_policy"),
        ]

    def __str__(self) -> str:
        return f"{self.policy}, speech {self.pk}"

    @property
    def dialogues(self) -> "models.QuerySet[Dialogue]":
        """Those of them that are imported."""
        return Dialogue.objects.filter(dialogue_id__in=self.dialogue_ids)
