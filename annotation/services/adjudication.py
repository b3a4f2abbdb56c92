"""Adjudication: somebody who saw neither votes nor systems decides a disputed pair, in the listening room.

Their judgment has a lease of its own purpose: it takes no seat, counts towards no overlap and stands on no board.
"""

import random
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from annotation.models import Adjudication, Consent, Exclusion, Judgment, Lease, Membership, Pair
from annotation.services import leases
from earshot.accounts.models import User
from earshot.accounts.services import record_action

LONGEST_REASON = 1000  # characters
OPEN = Q(adjudicator__isnull=True) | Q(lease__state=Lease.State.SKIPPED)  # nobody has it, or who had it gave it back


@transaction.atomic
def request(pair: Pair, *, reason: str, by: User, at: datetime) -> Adjudication:
    """Ask for an adjudication of a regular pair.

    Raises:
        ValidationError: without a reason, with too long a one, for a check, or if it was asked for already.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise ValidationError(
            _("Say in at most %(most)d characters why the pair is to be adjudicated.") % {"most": LONGEST_REASON}
        )
    if pair.kind != Pair.Kind.REGULAR:
        raise ValidationError(_("A check has its right answer already. Only regular pairs are adjudicated."))
    adjudication, is_new = Adjudication.objects.get_or_create(
        pair=pair, defaults={"reason": reason, "requested_by": by, "requested_at": at}
    )
    if not is_new:
        raise ValidationError(_("This pair was given to adjudication already."))
    record_action(by, "study.adjudication_requested", pair.study, pair=pair.pk, reason=reason)
    return adjudication


def open_to(user: User) -> "QuerySet[Adjudication]":
    """What this person may adjudicate: of their studies, never asked for by them, of pairs they were never lent.

    And what they have begun and not submitted.
    """
    mine = Membership.objects.filter(user=user, study=OuterRef("pair__study"))
    excluded = Exclusion.objects.filter(rater=user, study=OuterRef("pair__study"), lifted_at__isnull=True)
    consents = Consent.objects.filter(user=user, study=OuterRef("pair__study"))
    withdrew = Q(Exists(consents)) & ~Q(Exists(consents.filter(withdrawn_at__isnull=True)))
    lent = Lease.objects.filter(annotator=user, pair=OuterRef("pair"))
    free = OPEN & ~Q(Exists(lent)) & ~Q(requested_by=user)
    begun = Q(adjudicator=user, lease__state__in=[*Lease.HELD, Lease.State.EXPIRED])
    whole = Adjudication.objects.select_related("pair__study", "pair__scenario", "lease")
    return whole.filter(free | begun).filter(Exists(mine)).exclude(Exists(excluded)).exclude(withdrew)


@transaction.atomic
def begin(adjudication: Adjudication, adjudicator: User, *, at: datetime) -> Lease:
    """The lease under which the pair is heard and judged. Beginning twice is the same as once.

    Raises:
        ValidationError: if the person may not adjudicate it, or somebody else has begun.
    """
    # Held first, and asked then: of two who begin at once, the second sees what the first did.
    held = Adjudication.objects.select_for_update().filter(pk=adjudication.pk).first()
    if held is not None and held.adjudicator_id == adjudicator.pk and held.lease is not None:
        return held.lease
    if held is None or not open_to(adjudicator).filter(pk=adjudication.pk).exists():
        raise ValidationError(
            _("You cannot adjudicate this pair: somebody else does, or you have heard it, asked for it, or left.")
        )
    if not Adjudication.objects.filter(OPEN, pk=adjudication.pk).exists():
        raise ValidationError(_("Somebody else adjudicates this pair by now."))
    pair = adjudication.pair
    lease = Lease(
        pair=pair,
        annotator=adjudicator,
        purpose=Lease.Purpose.ADJUDICATION,
        state=Lease.State.LIVE,
        side_left=random.choice("ab"),
        heard_first=random.choice(["left", "right"]),
        created_at=at,
        opened_at=at,
        expires_at=at,
    )
    lease.expires_at = at + leases.duration_of(lease)
    lease.save()
    # A draft from the beginning: a lease that ran out without one would be lent again, to judge.
    Judgment.objects.create(lease=lease, created_at=at, updated_at=at)
    Adjudication.objects.filter(pk=adjudication.pk).update(adjudicator=adjudicator, lease=lease)
    adjudication.refresh_from_db()
    record_action(adjudicator, "study.adjudication_begun", pair.study, pair=pair.pk)
    return lease


@transaction.atomic
def take_back(adjudication: Adjudication, *, by: User) -> None:
    """Undo an adjudication, asked for or done: the pair stands as if it had never been asked for.

    What was judged stays in the database, outside of everything, and the audit log says who took it back.
    """
    lease = adjudication.lease
    was_done = lease is not None and lease.state == Lease.State.SUBMITTED
    if lease is not None:
        held = Lease.objects.filter(pk=lease.pk, state__in=[*Lease.HELD, Lease.State.EXPIRED])
        held.update(state=Lease.State.SKIPPED, skip_reason="the adjudication was taken back")
    record_action(
        by, "study.adjudication_taken_back", adjudication.pair.study, pair=adjudication.pair_id, was_done=was_done
    )
    adjudication.delete()


def is_blind_for(user: User, pair: Pair) -> bool:
    """Whether votes and systems of this pair are to be kept from the person: they adjudicate it and are not done."""
    mine = Adjudication.objects.filter(pair=pair, adjudicator=user, lease__submitted_at__isnull=True)
    return mine.exclude(lease__state=Lease.State.SKIPPED).exists()
