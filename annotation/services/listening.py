"""Proof of listening: what a heartbeat is worth, computed here and never in the page.

A stretch counts when it was played at a rate of at most 1.0, audible and in a visible tab, when no more is claimed than
the wall time since the heartbeats before allows, and when the server had sent its bytes to this lease.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from annotation.models import Heartbeat, Lease, ListeningLog
from annotation.services import leases

Stretch = Sequence[float]  # [from, to] in media seconds
MAX_BALANCE_SECONDS = 15.0  # three heartbeats: a late one loses nothing, a long silence cannot be claimed at once
TOLERANCE_SECONDS = 0.5  # clocks and timers of a browser
SIDES = ("left", "right")


@dataclass(frozen=True)
class Beat:
    """One heartbeat as the page sent it, already validated for type and range."""

    sequence: int
    side: str
    played: list[list[float]]
    media_time: float
    rate: float = 1.0
    volume: float = 1.0
    muted: bool = False
    visible: bool = True
    stalls: int = 0
    stalled_seconds: float = 0.0


def union(stretches: Iterable[Stretch]) -> list[list[float]]:
    """Ascending, disjoint stretches covering the same seconds."""
    merged: list[list[float]] = []
    for start, end in sorted((float(start), float(end)) for start, end in stretches if end > start):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


def intersect(one: Iterable[Stretch], other: Iterable[Stretch]) -> list[list[float]]:
    """The seconds in both, as ascending, disjoint stretches."""
    left, right = union(one), union(other)
    common, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            common.append([start, end])
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def length(stretches: Iterable[Stretch]) -> float:
    return sum(end - start for start, end in stretches)


def coverage(heard: Iterable[Stretch], speech: Sequence[Stretch]) -> float:
    """Share of the speech that was heard, 0…1; 1 where there is none."""
    wanted = length(union(speech))
    return min(1.0, length(intersect(heard, speech)) / wanted) if wanted else 1.0


def refusal_of(beat: Beat, *, balance: float) -> str:
    """Why nothing is credited for this heartbeat; empty if it counts."""
    if beat.rate > 1.0:
        return "rate"
    if beat.muted or beat.volume <= 0:
        return "muted"
    if not beat.visible:
        return "hidden"
    # What the tolerance lent before (a balance below 0) is owed in full: it is given once, not per heartbeat.
    if length(beat.played) > min(balance, balance * beat.rate) + TOLERANCE_SECONDS:
        return "faster than time"
    return ""


@transaction.atomic
def record_heartbeat(lease: Lease, beat: Beat, *, at: datetime) -> Heartbeat | None:
    """Store a heartbeat, credit what it is worth, renew the lease.

    Returns: the stored heartbeat, or None for a replayed or reordered one, or for a lease that is not live.
    """
    fresh = Lease.objects.filter(
        pk=lease.pk, state=Lease.State.LIVE, expires_at__gt=at, last_sequence__lt=beat.sequence
    )
    if not fresh.update(last_sequence=beat.sequence):  # holds the row: heartbeats of one lease come one by one
        return None
    lease.refresh_from_db()
    elapsed = (at - (lease.last_heartbeat_at or lease.opened_at or at)).total_seconds()
    balance = min(lease.credit_balance + max(elapsed, 0.0), MAX_BALANCE_SECONDS)
    refusal = refusal_of(beat, balance=balance)
    credited = 0.0
    if beat.played or beat.stalls:
        credited = _credit(lease, beat, counts=not refusal, at=at)
    left = balance - length(beat.played)
    lease.credit_balance = min(balance, max(0.0, left)) if refusal else left  # a refusal pays off no debt
    lease.last_heartbeat_at = at
    lease.save(update_fields=["credit_balance", "last_heartbeat_at"])
    leases.renew(lease, at=at)
    return Heartbeat.objects.create(
        lease=lease,
        sequence=beat.sequence,
        side=beat.side,
        played=beat.played,
        media_time=beat.media_time,
        rate=beat.rate,
        volume=beat.volume,
        muted=beat.muted,
        visible=beat.visible,
        stalls=beat.stalls,
        stalled_seconds=beat.stalled_seconds,
        received_at=at,
        credited_seconds=credited,
        refusal=refusal if beat.played else "",
    )


def _credit(lease: Lease, beat: Beat, *, counts: bool, at: datetime) -> float:
    log = _locked_log(lease, beat.side)
    seconds = 0.0
    if counts:
        credited = intersect(beat.played, log.delivered)
        seconds = length(credited)
        log.heard = union([*log.heard, *credited])
        log.coverage = coverage(log.heard, lease.dialogue(beat.side).speech)
        log.seconds_played += seconds
    log.stalls += beat.stalls
    log.stalled_seconds += beat.stalled_seconds
    log.updated_at = at
    log.save()
    return seconds


@transaction.atomic
def record_delivery(lease: Lease, side: str, *, start: float, end: float, at: datetime) -> None:
    """The server sent the bytes of these media seconds to the lease."""
    log = _locked_log(lease, side)
    delivered = union([*log.delivered, [start, end]])
    if delivered != log.delivered:
        log.delivered = delivered
        log.updated_at = at
        log.save(update_fields=["delivered", "updated_at"])


def _locked_log(lease: Lease, side: str) -> ListeningLog:
    log, _is_new = ListeningLog.objects.get_or_create(lease=lease, side=side)
    return ListeningLog.objects.select_for_update().get(pk=log.pk)


@dataclass(frozen=True)
class SideHeard:
    side: str
    coverage: float
    heard: list[list[float]]
    missing: list[list[float]]  # speech not heard yet
    seconds_played: float


def heard_so_far(lease: Lease) -> dict[str, SideHeard]:
    """Per side what was heard and what speech is still missing."""
    logs = {log.side: log for log in lease.listening_logs.all()}
    result = {}
    for side in SIDES:
        log = logs.get(side)
        heard = log.heard if log else []
        speech = union(lease.dialogue(side).speech)
        result[side] = SideHeard(
            side=side,
            coverage=coverage(heard, speech),
            heard=heard,
            missing=_without(speech, heard),
            seconds_played=log.seconds_played if log else 0.0,
        )
    return result


def _without(stretches: list[list[float]], taken: list[list[float]]) -> list[list[float]]:
    left = []
    for start, end in stretches:
        at = start
        for taken_start, taken_end in taken:
            if taken_end <= at or taken_start >= end:
                continue
            if taken_start > at:
                left.append([at, taken_start])
            at = max(at, taken_end)
        if at < end:
            left.append([at, end])
    return left


def gate_is_open(lease: Lease) -> bool:
    """Whether enough was heard to judge. Always, unless the study enforces listening."""
    study = lease.pair.study
    if study.listening_policy != study.ListeningPolicy.ENFORCED or lease.annotator.is_simulated:
        return True
    return all(side.coverage >= study.coverage_wanted for side in heard_so_far(lease).values())
