"""Becoming an annotator of a study: invited, consenting, and tested with the ears and the device at hand."""

import secrets
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotation.models.studies import Study


def new_key() -> str:
    return secrets.token_urlsafe(16)


def new_seed() -> int:
    return secrets.randbelow(2**31)


class Invitation(models.Model):
    """A link that makes whoever opens it an annotator of the study."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    token = models.CharField(max_length=32, unique=True, default=new_key)
    note = models.CharField(_("note"), max_length=200, blank=True)
    max_uses = models.PositiveIntegerField(_("how many people"), default=1)
    uses = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(_("until"))
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(max_uses__gte=1), name="invitation_for_somebody"),
            models.CheckConstraint(condition=Q(uses__lte=F("max_uses")), name="invitation_not_used_more_than_allowed"),
        ]

    def __str__(self) -> str:
        return self.note or f"#{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("annotation:join", args=[self.token])

    def closed_because(self, at: datetime) -> str:
        """withdrawn, expired, used up, finished; nothing while it is open."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        if self.study.state == Study.State.FINISHED:
            return "finished"
        if self.expires_at <= at:
            return "expired"
        return "used up" if self.uses >= self.max_uses else ""

    def take_place(self, at: datetime) -> bool:
        # One conditional UPDATE settles the race for the last place.
        open_link = Invitation.objects.filter(
            pk=self.pk, withdrawn_at__isnull=True, expires_at__gt=at, uses__lt=F("max_uses")
        )
        return open_link.update(uses=F("uses") + 1) == 1


class Enrolment(models.Model):
    """That somebody came to the study by an invitation; crowd workers under the id of their site."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="enrolments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="enrolments")
    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="enrolments")
    participant = models.CharField(max_length=100, blank=True)
    joined_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-joined_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["study", "user"], name="one_enrolment_per_study_and_user"),
            models.UniqueConstraint(
                fields=["study", "participant"], condition=~Q(participant=""), name="one_enrolment_per_participant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.study}"


class Consent(models.Model):
    """What somebody agreed to, word for word, and whether they took it back."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="consents")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="consents")
    version = models.CharField(max_length=64)  # SHA-256 of the original text, the same in every language
    text = models.TextField()  # as it was shown
    given_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-given_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "user", "version"],
                condition=Q(withdrawn_at__isnull=True),
                name="one_standing_consent_per_version",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} to {self.study}"


class Step(models.TextChoices):
    """In the order in which they are taken."""

    CHANNELS = "channels", _("Left and right")
    HEADPHONES = "headphones", _("Headphones")
    LEVEL = "level", _("Volume")
    DIGITS = "digits", _("Digits in noise")
    DIFFERENCES = "differences", _("Fine differences")
    TRAINING = "training", _("Training")
    GOLD = "gold", _("Test pairs")


class Attempt(models.Model):
    """One go at a step. Its trials follow from the seed, so they need not be stored; the right answers never are."""

    key = models.CharField(max_length=32, unique=True, default=new_key)  # opaque; in every address
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attempts")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="attempts")  # on the way into which
    step = models.CharField(max_length=12, choices=Step.choices)
    language = models.CharField(max_length=16)  # of the material
    seed = models.PositiveIntegerField(default=new_seed)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    n_right = models.PositiveSmallIntegerField(default=0)
    n_trials = models.PositiveSmallIntegerField()
    passed = models.BooleanField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["user", "step", "ended_at"], name="attempts_of_a_step")]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "step", "language"],
                condition=Q(ended_at__isnull=True),
                name="one_open_attempt",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_step_display()} of {self.user}"


class TrialAnswer(models.Model):
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="answers")
    number = models.PositiveSmallIntegerField()  # of the trial, from 0
    answer = models.CharField(max_length=20)
    is_right = models.BooleanField()
    answered_at = models.DateTimeField()

    class Meta:
        ordering = ["attempt", "number"]
        constraints = [models.UniqueConstraint(fields=["attempt", "number"], name="one_answer_per_trial")]

    def __str__(self) -> str:
        return f"{self.attempt} #{self.number}: {self.answer}"
