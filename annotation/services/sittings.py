"""Sittings: how long somebody has worked without a break, from the signs of life that are stored anyway.

P.808 and BS.1534 keep a session of listening under 45 and 30 minutes: ears and attention tire, and ratings drift.
"""

from datetime import datetime, timedelta

from django.db.models import Min, Q

from annotation.models import Heartbeat, Lease
from earshot.accounts.models import User

SITTING = timedelta(minutes=45)
BREAK = timedelta(minutes=10)
LONGEST_LOOK_BACK = timedelta(hours=6)


def sitting_began(annotator: User, *, at: datetime) -> datetime:
    """When this annotator's sitting began: no pause since then was as long as a break. `at` if there is none."""
    began = at
    for sign in sorted(_signs_of_life(annotator, since=at - LONGEST_LOOK_BACK), reverse=True):
        if sign > at:
            continue
        if began - sign >= BREAK:
            break
        began = sign
    return began


def break_is_due(lease: Lease, *, at: datetime) -> bool:
    """Whether a break is offered after this pair: a multiple of 45 minutes of the sitting was passed during it.

    So it is never offered inside a pair, and who goes on without one is asked again 45 minutes later.
    """
    if _came_lately(lease.annotator, at=at):
        return False
    began = sitting_began(lease.annotator, at=at)
    opened = max(lease.opened_at or at, began)
    return (at - began) // SITTING > (opened - began) // SITTING


def _came_lately(annotator: User, *, at: datetime) -> bool:
    """Whether all that happened since LONGEST_LOOK_BACK happened within one sitting's time: seen at one look."""
    since = at - LONGEST_LOOK_BACK
    recent = Q(opened_at__gte=since) | Q(submitted_at__gte=since) | Q(last_heartbeat_at__gte=since)
    first = Lease.objects.held_by(annotator).filter(recent).aggregate(first=Min("opened_at"))["first"]
    return first is None or at - first < SITTING


def _signs_of_life(annotator: User, *, since: datetime) -> list[datetime]:
    """Pairs opened and submitted, and heartbeats: every few seconds where the study records listening."""
    beats = Heartbeat.objects.filter(
        lease__annotator=annotator, lease__last_heartbeat_at__gte=since, received_at__gte=since
    )
    signs = list(beats.order_by().values_list("received_at", flat=True))
    held = Lease.objects.held_by(annotator)
    for field in ("opened_at", "submitted_at", "last_heartbeat_at"):
        signs += held.filter(**{f"{field}__gte": since}).order_by().values_list(field, flat=True)
    return signs
