"""The life of a lease, as docs/leases.md draws it. Every change of state is one conditional UPDATE, seats included.

claim ──► reserved ──open──► live ──submit──► submitted ──undo within 10 min──► live
             │                │ └──skip──► skipped                       (seat kept)
           release          expire ──► expired ──submit──► late        (outside the overlap)
         (row removed)                   └──revive, if a seat is free──► live
"""

import random
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from annotation.models import Judgment, Lease, Pair, Study
from annotation.queries.wording import title_for_reader
from annotation.services.qualification import standing
from earshot.accounts.models import User

State = Lease.State
MAX_RACES_LOST = 100  # claims in a row that another annotator wins; far beyond what was ever seen


def next_lease(annotator: User, study: Study, *, at: datetime) -> Lease | None:
    """The pair this annotator has open in the study, else one newly reserved, else None when no pair is open to them.

    Raises:
        ValidationError: if the study does not run, the annotator does not belong to it, or, unless a pair is open
            already, has not consented and qualified as the study asks.
    """
    check_may_judge(annotator, study)
    expire_overdue(at=at, study=study)
    held = Lease.objects.held_by(annotator).select_related("pair__study")
    current = held.filter(state=State.LIVE, pair__study=study).first()
    if current is None:  # what was passed never ends inside a pair
        standing.check_entry(annotator, study, at=at)
        current = held.filter(state=State.RESERVED, pair__study=study).first()
    return current or claim(annotator, study, at=at)


def reserve_ahead(lease: Lease, *, at: datetime) -> Lease | None:
    """Reserve the pair that comes after `lease`, while that is being judged. One that is reserved already stays.

    Returns: the reserved lease; None when no pair is open, or nothing is being judged any more.
    Raises:
        ValidationError: as for `next_lease`.
    """
    if lease.state != State.LIVE:
        return None
    annotator, study = lease.annotator, lease.pair.study
    check_may_judge(annotator, study)
    standing.check_entry(annotator, study, at=at)
    expire_overdue(at=at, study=study)
    reserved = Lease.objects.held_by(annotator).filter(state=State.RESERVED, pair__study=study).first()
    return reserved or claim(annotator, study, at=at)


def check_may_judge(annotator: User, study: Study) -> None:
    if study.state != Study.State.RUNNING:
        raise ValidationError(
            _("Study '%(study)s' is %(state)s and lends no pairs. Ask its researcher to start it.")
            % {"study": title_for_reader(study), "state": study.get_state_display()}
        )
    check_belongs(annotator, study)
    if annotator.is_simulated and not study.is_simulated:
        raise ValidationError(
            _("Study '%(study)s' is for people. Simulated raters judge only in studies marked simulated.")
            % {"study": study}
        )


def check_belongs(annotator: User, study: Study) -> None:
    if not Study.objects.judged_by(annotator).filter(pk=study.pk).exists():
        raise ValidationError(
            _("You are not an annotator of study '%(study)s'. Ask its researcher.") % {"study": title_for_reader(study)}
        )
    if not annotator.is_simulated and annotator.pk in standing.withdrawn_from(study):
        raise ValidationError(
            _("You withdrew your consent to study '%(study)s', so it takes no judgment of yours.")
            % {"study": title_for_reader(study)}
        )


def claim(annotator: User, study: Study, *, at: datetime) -> Lease | None:
    """Take a seat of an open pair, picked uniformly; a race lost on one pair goes on to the next."""
    for _attempt in range(MAX_RACES_LOST):
        pair, probability = pick_pair(annotator, study)
        if pair is None:
            return None
        lease = take(pair, annotator, probability=probability, at=at)
        if lease is not None:
            return lease
    return None


def pick_pair(annotator: User, study: Study) -> tuple[Pair | None, float]:
    """An open pair and the probability it was picked with; not the last scenario again unless nothing else is open."""
    open_pairs = Pair.objects.open_to(annotator, study).order_by("pk")
    last = Lease.objects.held_by(annotator).filter(pair__study=study).order_by("-created_at", "-pk")
    last_scenario = last.values_list("pair__scenario_id", flat=True).first() or 0
    for candidates in (open_pairs.exclude(scenario_id=last_scenario), open_pairs):
        # One query for all ids: between a count and an offset another annotator may take the last pair.
        ids = candidates.values_list("pk", flat=True)
        if ids:
            chosen = Pair.objects.select_related("dialogue_a", "dialogue_b", "study").get(pk=random.choice(ids))
            return chosen, 1 / len(ids)
    return None, 0.0


def take(pair: Pair, annotator: User, *, probability: float, at: datetime) -> Lease | None:
    """Reserve `pair` for the annotator, or return None if the race for it was lost."""
    # Before the seat is taken, not with it: two annotators who each swap for the other's pair would wait for each
    # other's rows (PostgreSQL ends that as a deadlock).
    release_reserved(annotator)
    try:
        with transaction.atomic():
            if not pair.take_seat():
                return None
            expired = Lease.objects.filter(pair=pair, annotator=annotator).first()
            if expired is not None:  # lent before, left without a draft: the same lease lives again
                return _reserve_again(expired, probability=probability, at=at)
            side_left, heard_first = balanced_sides(pair, annotator)
            lease = Lease(
                pair=pair,
                annotator=annotator,
                side_left=side_left,
                heard_first=heard_first,
                selection_probability=probability,
                created_at=at,
                expires_at=at,
            )
            lease.expires_at = at + lease.duration()
            lease.save()
            return lease
    except IntegrityError:  # another tab of this annotator took this pair, or reserved another; its seat is rolled back
        return Lease.objects.held_by(annotator).filter(state=State.RESERVED, pair__study=pair.study).first()


def _reserve_again(expired: Lease, *, probability: float, at: datetime) -> Lease | None:
    same = Lease.objects.filter(pk=expired.pk, state=State.EXPIRED)
    expires_at = at + expired.duration()
    if not same.update(state=State.RESERVED, selection_probability=probability, expires_at=expires_at):
        raise IntegrityError("The expired lease was revived in another tab.")
    expired.refresh_from_db()
    return expired


def balanced_sides(pair: Pair, annotator: User) -> tuple[str, str]:
    """Which dialogue goes left and which side is heard first, so that pair and rater stay balanced; ties by chance.

    The caller holds the pair's row (its seat was just taken), so that leases of one pair are balanced one by one.
    """
    a_left, b_left = Q(side_left="a"), Q(side_left="b")
    a_first = Q(side_left="a", heard_first="left") | Q(side_left="b", heard_first="right")
    left_first = Q(heard_first="left")
    kept = Lease.objects.exclude(state__in=[State.EXPIRED, State.SKIPPED])
    of_pair = kept.filter(pair=pair).aggregate(
        left=Count("pk", filter=a_left) - Count("pk", filter=b_left),
        first=Count("pk", filter=a_first) - Count("pk", filter=~a_first),
    )
    of_rater = kept.filter(annotator=annotator, pair__study=pair.study).aggregate(
        left=Count("pk", filter=a_left) - Count("pk", filter=b_left),
        first=Count("pk", filter=left_first) - Count("pk", filter=~left_first),
    )
    side_left = _lighter("a", "b", of_pair["left"], of_rater["left"])
    # A side heard first stands for a dialogue once the sides are set: balance the pair by dialogue, the rater by side.
    first_excess = of_pair["first"] if side_left == "a" else -of_pair["first"]
    return side_left, _lighter("left", "right", first_excess, of_rater["first"])


def _lighter(one: str, other: str, *excesses: int) -> str:
    """`one` where it was used less so far than `other`; the first excess that is not 0 decides."""
    for excess in excesses:
        if excess:
            return other if excess > 0 else one
    return random.choice([one, other])


def open_lease(lease: Lease, *, at: datetime) -> Lease:
    """The page opens: reserved → live; an expired one is revived if a seat is free; any other state stays as it is."""
    expire_if_overdue(lease, at=at)
    lease.refresh_from_db()
    if lease.state == State.RESERVED:
        _make_live(lease, at=at)
    elif lease.state == State.EXPIRED:
        _revive(lease, at=at)
    lease.refresh_from_db()
    return lease


def _make_live(lease: Lease, *, at: datetime) -> bool:
    same = Lease.objects.filter(pk=lease.pk, state=lease.state)
    return same.update(state=State.LIVE, opened_at=lease.opened_at or at, expires_at=at + lease.duration()) == 1


@transaction.atomic
def _revive(lease: Lease, *, at: datetime) -> None:
    lending = Study.objects.judged_by(lease.annotator).filter(pk=lease.pair.study_id, state=Study.State.RUNNING)
    if not lending.exists():  # a study that rests lends nothing, and nobody lends to whoever was removed
        return
    if lease.annotator_id in standing.withdrawn_from(lease.pair.study):
        return
    if lease.pair.take_seat() and not _make_live(lease, at=at):
        transaction.set_rollback(True)  # another tab changed it first: our seat goes back


def renew(lease: Lease, *, at: datetime) -> bool:
    """A sign of life: a live lease lasts on. False if it is not live any more."""
    live = Lease.objects.filter(pk=lease.pk, state=State.LIVE, expires_at__gt=at)
    return live.update(expires_at=at + lease.duration()) == 1


def expire_overdue(*, at: datetime, study: Study | None = None) -> int:
    """Give back the seats of leases without a sign of life until their end. Returns how many expired."""
    overdue = Lease.objects.overdue(at)
    if study is not None:
        overdue = overdue.filter(pair__study=study)
    return sum(expire_if_overdue(lease, at=at) for lease in overdue.select_related("pair"))


@transaction.atomic
def expire_if_overdue(lease: Lease, *, at: datetime) -> bool:
    still = Lease.objects.filter(pk=lease.pk, expires_at__lte=at)
    if not still.filter(state__in=[State.RESERVED, State.LIVE]).update(state=State.EXPIRED):
        return False
    lease.pair.give_seat_back()
    return True


@transaction.atomic
def release_reserved(annotator: User) -> None:
    """Free what was reserved ahead: at sign-out, at a break, or before another is reserved."""
    _end(Lease.objects.held_by(annotator).filter(state=State.RESERVED))


@transaction.atomic
def release_all(annotator: User, study: Study) -> None:
    """Free what a removed annotator holds in the study; what was submitted stays."""
    _end(Lease.objects.held_by(annotator).filter(pair__study=study, state__in=[State.RESERVED, State.LIVE]))


def _end(held: QuerySet[Lease]) -> None:
    for lease in held.select_related("pair"):
        if Lease.objects.filter(pk=lease.pk, state=lease.state).update(state=State.EXPIRED):
            lease.pair.give_seat_back()


@transaction.atomic
def skip(lease: Lease, *, reason: str, at: datetime) -> None:
    """Hand the pair back; it is not offered to this annotator again.

    Raises:
        ValidationError: without a reason, or if the lease is not live.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError(_("Say why you skip this pair: your reason helps to mend it."))
    live = Lease.objects.filter(pk=lease.pk, state=State.LIVE)
    if live.update(state=State.SKIPPED, skip_reason=reason[:300]):
        lease.pair.give_seat_back()
        return
    lease.refresh_from_db()
    if lease.state == State.EXPIRED:  # its seat is back already
        Lease.objects.filter(pk=lease.pk, state=State.EXPIRED).update(state=State.SKIPPED, skip_reason=reason[:300])
    elif lease.state != State.SKIPPED:
        raise ValidationError(
            _("This pair is %(state)s, so it cannot be skipped.") % {"state": lease.get_state_display()}
        )


@transaction.atomic
def undo(lease: Lease, *, at: datetime) -> None:
    """Take a submitted judgment back to a draft, within ten minutes. The seat is kept.

    Raises:
        ValidationError: if it is too late, nothing was submitted, or the draft could not be submitted again, as its
            annotator was removed from the study or withdrew the consent.
    """
    lease.refresh_from_db()
    if not lease.can_undo(at):
        raise ValidationError(
            _("This judgment can no longer be undone: ten minutes have passed, or it was never submitted.")
        )
    check_belongs(lease.annotator, lease.pair.study)
    submitted = Lease.objects.filter(pk=lease.pk, state=State.SUBMITTED)
    if submitted.update(state=State.LIVE, submitted_at=None, expires_at=at + lease.duration()):
        Judgment.objects.filter(lease=lease).update(submitted_at=None, updated_at=at)
