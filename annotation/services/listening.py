"""Proof of listening: what a heartbeat is worth, computed here and never in the page.

A stretch counts when it was played at a rate of at most 1.0, audible and in a visible tab, when no more is claimed than
the wall time since this person's heartbeats before allows, when it comes in its order on an enforced first listen, and
when the server had sent its bytes to this lease.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Min

from annotation.models import Heartbeat, Lease, ListeningClock, ListeningLog
from annotation.services import leases
from annotation.services.renditions import side_of

Stretch = Sequence[float]  # [from, to] in media seconds
MAX_BALANCE_SECONDS = 15.0  # three heartbeats: a late one loses nothing, a long silence cannot be claimed at once
TOLERANCE_SECONDS = 0.5  # clocks and timers of a browser
ORDER_TOLERANCE_SECONDS = 1.0  # a browser hears of a start or a seek late: such seams are no skips
SIDES = ("left", "right")


@dataclass(frozen=True)
class Beat:
    """One heartbeat as the page sent it, already validated for type and range.

    Raises:
        ValueError: for a number that is not finite, or a stretch that ends before it starts: one alone would leave the
            person's clock without a value, or richer.
    """

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

    def __post_init__(self) -> None:
        numbers = [self.media_time, self.rate, self.volume, self.stalled_seconds]
        if not all(map(math.isfinite, numbers)) or any(not 0 <= start <= end < math.inf for start, end in self.played):
            raise ValueError(f"Heartbeat {self.sequence} has times that are none: {self}. Refuse it with status 400.")


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


def order_refusal_of(lease: Lease, beat: Beat, logs: Mapping[str, ListeningLog]) -> str:
    """Why nothing is credited on an enforced first listen: the other side comes first, or something was left out."""
    study = lease.pair.study
    if study.listening_policy != study.ListeningPolicy.ENFORCED:
        return ""
    speech = {side: union(side_of(lease, side).speech) for side in SIDES}
    heard = {side: logs[side].heard if side in logs else [] for side in SIDES}
    is_enough = {side: coverage(heard[side], speech[side]) >= study.coverage_wanted for side in SIDES}
    if beat.side != lease.heard_first and beat.played and not is_enough[lease.heard_first]:
        return "out of order"
    if is_enough[beat.side] or is_in_order(beat.played, heard[beat.side], speech[beat.side]):
        return ""
    return "out of order"


def is_in_order(played: Iterable[Stretch], heard: Iterable[Stretch], speech: Sequence[Stretch]) -> bool:
    """Whether stretches, in the order in which they were played, leave out no speech. Going back is free."""
    known = list(heard)
    for stretch in played:
        if stretch[0] > frontier(known, speech) + ORDER_TOLERANCE_SECONDS:
            return False
        known.append(stretch)
    return True


def frontier(heard: Iterable[Stretch], speech: Sequence[Stretch]) -> float:
    """How far a first listen has come, in seconds: where the first speech begins that was left out; inf without any."""
    left_out = (start for start, end in without(union(speech), union(heard)) if end - start > ORDER_TOLERANCE_SECONDS)
    return next(left_out, math.inf)


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
    lease.refresh_from_db(fields=["state", "opened_at", "expires_at", "last_sequence"])
    clock = _locked_clock(lease, at=at)
    logs = _locked_logs(lease)
    elapsed = max((at - clock.told_at).total_seconds(), 0.0)
    saved = min(clock.balance + elapsed, MAX_BALANCE_SECONDS)
    # What was saved up before this pair was opened cannot have been heard in it.
    open_for = max((at - (lease.opened_at or at)).total_seconds(), 0.0)
    balance = min(saved, open_for - sum(log.seconds_played for log in logs.values()))
    refusal = refusal_of(beat, balance=balance) or order_refusal_of(lease, beat, logs)
    credited = 0.0
    if beat.played or beat.stalls or beat.stalled_seconds:
        credited = _credit(lease, beat, counts=not refusal, at=at)
    left = saved - length(beat.played)
    clock.balance = min(saved, max(0.0, left)) if refusal else left  # a refusal pays off no debt
    clock.told_at = max(at, clock.told_at)
    clock.save(update_fields=["balance", "told_at"])
    lease.last_heartbeat_at = at
    lease.save(update_fields=["last_heartbeat_at"])
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


def _locked_clock(lease: Lease, *, at: datetime) -> ListeningClock:
    """The person's one clock, held until the commit: their tabs come one by one."""
    clocks = ListeningClock.objects.select_for_update()
    mine = clocks.filter(annotator_id=lease.annotator_id).first()
    if mine is None:
        # From the first pair opened, which need not be this one: its tab has not told yet what it played.
        live = Lease.objects.filter(annotator_id=lease.annotator_id, state=Lease.State.LIVE)
        opened_at = live.aggregate(first=Min("opened_at"))["first"]
        mine, _is_new = clocks.get_or_create(annotator_id=lease.annotator_id, defaults={"told_at": opened_at or at})
    return mine


def _credit(lease: Lease, beat: Beat, *, counts: bool, at: datetime) -> float:
    log = _locked_log(lease, beat.side)
    seconds = 0.0
    if counts:
        credited = intersect(beat.played, log.delivered)
        seconds = length(credited)
        log.heard = union([*log.heard, *credited])
        log.coverage = coverage(log.heard, side_of(lease, beat.side).speech)
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


def _locked_logs(lease: Lease) -> dict[str, ListeningLog]:
    mine = ListeningLog.objects.select_for_update().filter(lease=lease).order_by("side")
    return {log.side: log for log in mine}


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
        speech = union(side_of(lease, side).speech)
        result[side] = SideHeard(
            side=side,
            coverage=coverage(heard, speech),
            heard=heard,
            missing=without(speech, heard),
            seconds_played=log.seconds_played if log else 0.0,
        )
    return result


def without(stretches: list[list[float]], taken: list[list[float]]) -> list[list[float]]:
    """The seconds of the one that are not in the other; both ascending and disjoint."""
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
