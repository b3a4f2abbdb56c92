"""Pairs, the leases by which they are lent, and what was heard during a lease."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotation.models.dialogues import Dialogue, Scenario
from annotation.models.studies import Study
from earshot.accounts.models import User


class PairQuerySet(models.QuerySet["Pair"]):
    def lendable(self, study: Study) -> Self:
        """Regular pairs of the study that still want a rater. Checks come between them, and have rules of their own."""
        return self.filter(study=study, kind=Pair.Kind.REGULAR, seats_left__gt=0, is_open=True)

    def open_to(self, annotator: User, study: Study) -> Self:
        """Those that this annotator neither holds, judged, skipped nor has a draft for, nor for their copy as gold."""
        had = Lease.objects.keeping_away(annotator, study).values("pair")
        as_gold = Pair.objects.filter(pk__in=had, kind=Pair.Kind.GOLD, treatment__kind="agreed", check_of__isnull=False)
        return self.lendable(study).exclude(pk__in=had).exclude(pk__in=as_gold.values("check_of"))

    def bulk_create(self, objs: Iterable["Pair"], *args: Any, **options: Any) -> list["Pair"]:
        pairs = list(objs)
        for pair in pairs:
            pair.name_systems()
        return super().bulk_create(pairs, *args, **options)


class Pair(models.Model):
    class Kind(models.TextChoices):
        REGULAR = "regular", _("regular")
        GOLD = "gold", _("gold")
        IDENTICAL = "identical", _("identical")
        REPEAT = "repeat", _("repeat")
        SPOKEN_CHECK = "spoken_check", _("spoken check")

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="pairs")
    scenario = models.ForeignKey(Scenario, on_delete=models.PROTECT, related_name="pairs")
    dialogue_a = models.ForeignKey(Dialogue, on_delete=models.PROTECT, related_name="pairs_as_a")
    dialogue_b = models.ForeignKey(Dialogue, on_delete=models.PROTECT, related_name="pairs_as_b")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.REGULAR)
    check_of = models.ForeignKey(  # a repeat: the pair it repeats
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="checks"
    )
    expected_value = models.SmallIntegerField(null=True, blank=True)  # of a check on overall; positive favours a
    treatment = models.JSONField(default=dict, blank=True)  # what was done to a side of a check: {"letter", "kind", …}
    level_lufs = models.FloatField()  # both sides are played at this level
    seats_left = models.IntegerField()  # how many more distinct raters it may have
    is_open = models.BooleanField(default=True)
    closed_because = models.CharField(max_length=200, blank=True)  # why it is lent to nobody any more
    # The systems of its dialogues, "12:57", the smaller primary key first: adaptive lending picks two systems first.
    systems = models.CharField(max_length=41, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    objects = PairQuerySet.as_manager()

    class Meta:
        ordering = ["study", "id"]
        indexes = [
            models.Index(fields=["study", "seats_left"], name="pair_open_in_study"),
            models.Index(fields=["study", "kind", "seats_left"], name="pair_kind_in_study"),
            models.Index(fields=["study", "systems", "seats_left"], name="pair_systems_in_study"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(seats_left__gte=0), name="pair_seats_never_below_0"),
            models.CheckConstraint(
                condition=Q(kind="identical") | ~Q(dialogue_a=F("dialogue_b")), name="pair_has_two_dialogues"
            ),
            # In either order: nobody gets both orders of a pair, except as a declared repeat.
            models.UniqueConstraint(
                F("study"),
                Least("dialogue_a", "dialogue_b"),
                Greatest("dialogue_a", "dialogue_b"),
                condition=Q(kind="regular"),
                name="one_regular_pair",
            ),
            models.UniqueConstraint(fields=["check_of"], condition=Q(kind="repeat"), name="one_repeat_of_a_pair"),
            models.CheckConstraint(
                condition=~Q(kind__in=["gold", "spoken_check"]) | Q(expected_value__isnull=False),
                name="check_has_expected_value",
            ),
            models.CheckConstraint(
                condition=Q(expected_value__isnull=True) | Q(expected_value__gte=-3, expected_value__lte=3),
                name="expected_value_on_the_scale",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scenario} #{self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_systems()
        super().save(*args, **kwargs)

    def name_systems(self) -> None:
        if not self.systems:
            one, other = sorted((self.dialogue_a.system_id, self.dialogue_b.system_id))
            self.systems = f"{one}:{other}"

    def take_seat(self) -> bool:
        # One conditional UPDATE settles the race: two annotators cannot both get the last seat.
        open_pair = Pair.objects.filter(pk=self.pk, seats_left__gt=0, is_open=True)
        return open_pair.update(seats_left=F("seats_left") - 1) == 1

    def give_seat_back(self) -> None:
        Pair.objects.filter(pk=self.pk).update(seats_left=F("seats_left") + 1)

    @property
    def seconds(self) -> float:
        return self.dialogue_a.seconds + self.dialogue_b.seconds

    def dialogue(self, letter: str) -> Dialogue:
        return self.dialogue_a if letter == "a" else self.dialogue_b


class LeaseQuerySet(models.QuerySet["Lease"]):
    def held_by(self, user: User) -> Self:
        return self.filter(annotator=user)

    def keeping_away(self, user: User, study: Study) -> Self:
        """Leases whose pairs are not lent to the user again: all but those that ran out without a draft."""
        lendable_again = Q(state=Lease.State.EXPIRED, judgment__isnull=True)
        return self.filter(annotator=user, study=study).exclude(lendable_again)

    def overdue(self, at: datetime) -> Self:
        return self.filter(state__in=[Lease.State.RESERVED, Lease.State.LIVE], expires_at__lte=at)


def new_lease_key() -> str:
    return secrets.token_urlsafe(16)


class Lease(models.Model):
    """The time-limited right of one annotator to judge one pair, and which dialogue is on which side.

    There is one lease per annotator and pair, ever. An expired one that is opened again is revived, so that nobody
    can hold, or judge, a pair twice.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", _("reserved")
        LIVE = "live", _("live")
        SUBMITTED = "submitted", _("submitted")
        EXPIRED = "expired", _("expired")
        LATE = "late", _("late")
        SKIPPED = "skipped", _("skipped")

    class Purpose(models.TextChoices):
        JUDGING = "judging", _("judging")
        ADJUDICATION = "adjudication", _("adjudication")  # outside the overlap, and on no board

    HELD = (State.RESERVED, State.LIVE)  # states in which it is lent
    SEATED = (*HELD, State.SUBMITTED)  # states that hold a seat of the pair

    key = models.CharField(max_length=32, unique=True, default=new_lease_key)  # opaque; in every address
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="leases")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="leases")  # the pair's: counted without it
    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.JUDGING)
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="leases")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RESERVED)
    side_left = models.CharField(max_length=1, choices=[("a", "a"), ("b", "b")])  # which dialogue is shown left
    heard_first = models.CharField(max_length=5, choices=[("left", _("left")), ("right", _("right"))])
    selection_probability = models.FloatField(default=1.0)
    created_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=300, blank=True)
    last_sequence = models.PositiveIntegerField(default=0)  # of the last accepted heartbeat
    last_heartbeat_at = models.DateTimeField(null=True, blank=True)
    objects = LeaseQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="lease_overdue"),
            models.Index(fields=["annotator", "state"], name="lease_of_annotator"),
            models.Index(fields=["study", "state"], name="lease_state_in_study"),
            models.Index(fields=["annotator", "study", "created_at"], name="lease_of_annotator_in_study"),
            models.Index(fields=["study", "submitted_at"], name="lease_newest_in_study"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["pair", "annotator"], name="one_lease_per_pair_and_annotator"),
            models.UniqueConstraint(
                fields=["annotator"], condition=Q(state="reserved"), name="one_reserved_lease_per_annotator"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} on {self.pair}: {self.state}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.study_id is None:
            self.study_id = self.pair.study_id
        super().save(*args, **kwargs)

    @property
    def side_right(self) -> str:
        return "b" if self.side_left == "a" else "a"

    def letter(self, side: str) -> str:
        """Which dialogue of the pair, a or b, is on the `left` or `right` side."""
        return self.side_left if side == "left" else self.side_right

    def dialogue(self, side: str) -> Dialogue:
        return self.pair.dialogue(self.letter(side))

    def stored_value(self, shown: int) -> int:
        """From the scale on the screen (+3: right much better) to the stored one (positive favours dialogue_a)."""
        return shown if self.side_left == "b" else -shown

    def shown_value(self, stored: int) -> int:
        return stored if self.side_left == "b" else -stored

    @property
    def has_seat(self) -> bool:
        """Whether the pair's seats know of it at all: an adjudicator takes none."""
        return self.purpose == self.Purpose.JUDGING

    def can_undo(self, at: datetime) -> bool:
        recent = self.submitted_at is not None and at - self.submitted_at <= UNDO_TIME
        return self.state == self.State.SUBMITTED and recent


UNDO_TIME = timedelta(minutes=10)


class ListeningClock(models.Model):
    """How much listening a person may still be credited with: one has one pair of ears, however many tabs are open."""

    annotator = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="listening_clock"
    )
    told_at = models.DateTimeField()  # up to here wall time is counted
    balance = models.FloatField(default=0.0)  # seconds of wall time not yet used up by credited listening

    def __str__(self) -> str:
        return f"{self.annotator}: {self.balance:.1f} s"


class Heartbeat(models.Model):
    """What the page said, as it said it; what it was worth is in the listening log."""

    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="heartbeats")
    sequence = models.PositiveIntegerField()
    side = models.CharField(max_length=5)
    played = models.JSONField(default=list)  # [[from, to]] in media seconds since the heartbeat before
    media_time = models.FloatField()
    rate = models.FloatField(default=1.0)
    volume = models.FloatField(default=1.0)
    muted = models.BooleanField(default=False)
    visible = models.BooleanField(default=True)
    stalls = models.PositiveSmallIntegerField(default=0)
    stalled_seconds = models.FloatField(default=0.0)
    received_at = models.DateTimeField()
    credited_seconds = models.FloatField(default=0.0)
    refusal = models.CharField(max_length=40, blank=True)  # why nothing was credited

    class Meta:
        ordering = ["lease", "sequence"]
        constraints = [models.UniqueConstraint(fields=["lease", "sequence"], name="one_heartbeat_per_sequence")]

    def __str__(self) -> str:
        return f"{self.lease.key} #{self.sequence}"


class ListeningLog(models.Model):
    """What was really played of one side; written only by the server, from accepted heartbeats and bytes it sent."""

    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="listening_logs")
    side = models.CharField(max_length=5, choices=[("left", _("left")), ("right", _("right"))])
    heard = models.JSONField(default=list)  # union of credited stretches, [[from, to]] in seconds, ascending
    delivered = models.JSONField(default=list)  # union of stretches whose bytes were sent, likewise
    seconds_played = models.FloatField(default=0.0)  # credited, repeats counted
    coverage = models.FloatField(default=0.0)  # share of the side's speech that was heard
    stalls = models.PositiveIntegerField(default=0)
    stalled_seconds = models.FloatField(default=0.0)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["lease", "side"]
        constraints = [
            models.UniqueConstraint(fields=["lease", "side"], name="one_listening_log_per_side"),
            models.CheckConstraint(condition=Q(coverage__gte=0, coverage__lte=1), name="coverage_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.lease.key} {self.side}: {self.coverage:.0%}"
