"""What is listened to: scenarios, the systems that spoke, their dialogues with turns, and the imports they came by."""

from pathlib import PurePath

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from earshot.jobs.models import Job


class System(models.Model):
    """Who made a dialogue: an outside system or a policy checkpoint. Annotators can never learn it."""

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("annotation:edit_system", args=[self.pk])


class Scenario(models.Model):
    """What the dialogues of a pair both answer: topic, roles, the user's turns."""

    scenario_id = models.CharField(max_length=200, unique=True)  # the manifest's
    topic = models.CharField(max_length=300)
    language = models.CharField(max_length=16)
    roles = models.JSONField(default=dict)
    turns = models.JSONField(default=list)  # [{scenario_turn, role, text}]
    check_question = models.JSONField(null=True, blank=True)  # {question, answer}
    arc = models.JSONField(null=True, blank=True)  # the intended emotion per turn
    tags = models.JSONField(default=list)
    content_hash = models.CharField(
        max_length=64
    )  # of the manifest's row: another content under the same id is refused
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["scenario_id"]

    def __str__(self) -> str:
        return self.topic


class DialogueImport(models.Model):
    """One upload of a dialogue manifest: the archive by hash, what was wrong with it, what came of it."""

    name = models.CharField(max_length=200)
    archive_sha256 = models.CharField(max_length=64)  # a .zip of the manifest folder
    size_bytes = models.PositiveBigIntegerField(default=0)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    problems = models.JSONField(default=list)  # [{file, line, field, message, remedy}]
    dialogues_new = models.PositiveIntegerField(default=0)
    dialogues_known = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return PurePath(self.name).name

    def get_absolute_url(self) -> str:
        return reverse("annotation:import", args=[self.pk])


class Dialogue(models.Model):
    """One spoken dialogue of a scenario; made whole, with turns and audio, in one transaction, or not at all."""

    dialogue_id = models.CharField(max_length=200, unique=True)  # the manifest's
    scenario = models.ForeignKey(Scenario, on_delete=models.PROTECT, related_name="dialogues")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="dialogues")
    source = models.ForeignKey(DialogueImport, null=True, on_delete=models.SET_NULL, related_name="dialogues")
    content_hash = models.CharField(max_length=64)  # of the manifest's row and the originals' hashes
    originals = models.JSONField(default=list)  # [{name, sha256}], untouched
    master_sha256 = models.CharField(max_length=64)  # FLAC, mono, one constant gain
    peaks_sha256 = models.CharField(max_length=64)
    seconds = models.FloatField()
    sample_rate = models.PositiveIntegerField()  # Hz, of the master
    lufs = models.FloatField()  # integrated, of the original (BS.1770)
    true_peak_dbtp = models.FloatField()  # of the original
    gain_db = models.FloatField()  # the one constant gain from original to master
    clipped_runs = models.PositiveIntegerField(default=0)
    speech = models.JSONField(default=list)  # [[start, end]] in seconds
    silence_share = models.FloatField(default=0.0)
    # [median in Hz, range in semitones] of each turn by position, null where nothing is voiced; null: not yet measured
    pitch = models.JSONField(null=True, blank=True)
    meta = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["dialogue_id"]
        constraints = [models.CheckConstraint(condition=Q(seconds__gt=0), name="dialogue_has_sound")]

    def __str__(self) -> str:
        return self.dialogue_id

    @property
    def level_lufs(self) -> float:
        """Integrated loudness of the master."""
        return self.lufs + self.gain_db

    @property
    def speech_seconds(self) -> float:
        return float(sum(end - start for start, end in self.speech))


class Turn(models.Model):
    class Role(models.TextChoices):
        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")

    dialogue = models.ForeignKey(Dialogue, on_delete=models.CASCADE, related_name="turns")
    position = models.PositiveSmallIntegerField()  # 0, 1, … in the dialogue
    scenario_turn = models.PositiveSmallIntegerField()  # by which two dialogues are compared turn by turn
    role = models.CharField(max_length=10, choices=Role.choices)
    speaker = models.CharField(max_length=200)
    start = models.FloatField()  # seconds
    end = models.FloatField()
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)  # annotators never see it
    times_estimated = models.BooleanField(default=False)

    class Meta:
        ordering = ["dialogue", "position"]
        constraints = [
            models.UniqueConstraint(fields=["dialogue", "position"], name="one_turn_per_dialogue_and_position"),
            models.CheckConstraint(condition=Q(start__gte=0) & Q(end__gt=F("start")), name="turn_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.dialogue} turn {self.position + 1}"


class Rendition(models.Model):
    """The bytes that a browser plays: mono PCM at one rate for all, at one level."""

    dialogue = models.ForeignKey(Dialogue, on_delete=models.CASCADE, related_name="renditions")
    level_lufs = models.FloatField()  # rounded to 0.1; lower than the master's where a pair's other side needs it
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    sample_rate = models.PositiveIntegerField()  # Hz

    class Meta:
        ordering = ["dialogue", "-level_lufs"]
        constraints = [
            models.UniqueConstraint(fields=["dialogue", "level_lufs", "sample_rate"], name="one_rendition_per_level")
        ]

    def __str__(self) -> str:
        return f"{self.dialogue} at {self.level_lufs:.1f} LUFS"
