"""How a lease lives on, ends, and comes back. Every change of state is one conditional UPDATE, seats included."""

import math
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotation.models import Judgment, Lease, Pair, QualityVerdict, Study
from annotation.queries.lending import Belonging, belonging_of, held_now
from annotation.queries.wording import title_for_reader
from annotation.services.queue import agreeing, limits
from annotation.services.renditions import seconds_played
from earshot.accounts.models import User

State = Lease.State


def check_may_judge(annotator: User, study: Study) -> Belonging:
    if study.state != Study.State.RUNNING:
        if study.stopped_because:
            raise ValidationError(limits.all_judged(study))
        raise ValidationError(
            _("Study '%(study)s' is %(state)s and lends no pairs. Ask its researcher to start it.")
            % {"study": title_for_reader(study), "state": study.get_state_display()}
        )
    belonging = check_belongs(annotator, study)
    _check_not_excluded(belonging, study)
    if annotator.is_simulated and not study.is_simulated:
        raise ValidationError(
            _("Study '%(study)s' is for people. Simulated raters judge only in studies marked simulated.")
            % {"study": study}
        )
    return belonging


def _check_not_excluded(belonging: Belonging, study: Study) -> None:
    if belonging.is_excluded:
        raise ValidationError(
            _("The researchers of '%(study)s' look at your judgments, and lend you no pairs meanwhile. Ask them why.")
            % {"study": title_for_reader(study)}
        )


def check_takes_of(lease: Lease) -> None:
    """Raises: ValidationError, unless the study still takes a judgment of whoever holds the lease.

    An adjudicator may be its annotator or its researcher, and decides nothing while excluded. A judgment of an
    excluded annotator is kept.
    """
    study = lease.pair.study
    belonging = check_belongs(lease.annotator, study, in_any_role=not lease.has_seat)
    if not lease.has_seat:
        _check_not_excluded(belonging, study)


def check_belongs(annotator: User, study: Study, *, in_any_role: bool = False) -> Belonging:
    """Raises: ValidationError, unless the study takes judgments of this person: an annotator who did not withdraw."""
    names = {"study": title_for_reader(study)}
    belonging = belonging_of(annotator, study, in_any_role=in_any_role)
    if belonging is None:
        raise ValidationError(_("You are not an annotator of study '%(study)s'. Ask its researcher.") % names)
    if belonging.has_withdrawn:
        raise ValidationError(
            _("You withdrew your consent to study '%(study)s', so it takes no judgment of yours.") % names
        )
    return belonging


def duration_of(lease: Lease) -> timedelta:
    """How long it lasts from its last sign of life, in whole seconds.

    From nothing but what the page shows: a length that was not the one played would tell a check.
    """
    study = lease.pair.study
    wanted = max(seconds_played(lease.pair) * study.lease_factor, study.lease_minimum_seconds)
    return timedelta(seconds=math.ceil(wanted))


def open_lease(lease: Lease, *, at: datetime) -> Lease:
    """The page opens: reserved → live; an expired one is revived if a seat is free; any other state stays as it is."""
    expire_if_overdue(lease, at=at)
    if lease.state == State.RESERVED:
        _make_live(lease, at=at)
    elif lease.state == State.EXPIRED:
        _revive(lease, at=at)
    return lease


def _make_live(lease: Lease, *, at: datetime) -> bool:
    """The lease as the database has it, live if it was still in the state it was known in."""
    live = {"state": State.LIVE, "opened_at": lease.opened_at or at, "expires_at": at + duration_of(lease)}
    if not Lease.objects.filter(pk=lease.pk, state=lease.state).update(**live):
        lease.refresh_from_db(fields=["state", "opened_at", "expires_at", "submitted_at"])
        return False
    for name, value in live.items():
        setattr(lease, name, value)
    return True


@transaction.atomic
def _revive(lease: Lease, *, at: datetime) -> None:
    if not _is_lent_to(lease):
        return
    if lease.has_seat and not lease.pair.take_seat():
        return
    if not _make_live(lease, at=at):
        transaction.set_rollback(True)  # another tab changed it first: our seat goes back


def _is_lent_to(lease: Lease) -> bool:
    """A study that rests lends nothing, and nobody lends to whoever was removed, excluded, or withdrew."""
    try:
        if lease.has_seat:
            check_may_judge(lease.annotator, Study.objects.get(pk=lease.study_id))
        else:
            check_takes_of(lease)
    except ValidationError:
        return False
    return True


def renew(lease: Lease, *, at: datetime) -> bool:
    """A sign of life: a live lease lasts on. False if it is not live any more."""
    live = Lease.objects.filter(pk=lease.pk, state=State.LIVE, expires_at__gt=at)
    return live.update(expires_at=at + duration_of(lease)) == 1


def expire_overdue(*, at: datetime, study: Study | None = None) -> int:
    """Give back the seats of leases without a sign of life until their end. Returns how many expired."""
    overdue = Lease.objects.overdue(at)
    if study is not None:
        overdue = overdue.filter(study=study)
    return sum(expire_if_overdue(lease, at=at) for lease in overdue.select_related("pair"))


def expire_if_overdue(lease: Lease, *, at: datetime) -> bool:
    """True if it ran out, and that was found now; the lease knows its state then."""
    if lease.state not in Lease.HELD or lease.expires_at > at:
        return False
    with transaction.atomic():
        still = Lease.objects.filter(pk=lease.pk, expires_at__lte=at, state__in=Lease.HELD)
        if still.update(state=State.EXPIRED):
            _give_back(lease)
            lease.state = State.EXPIRED
            return True
    lease.refresh_from_db(fields=["state", "opened_at", "expires_at", "submitted_at"])  # renewed or ended meanwhile
    return False


def release_reserved(annotator: User) -> None:
    """Free what was reserved ahead: at sign-out, at a break, or before another is reserved."""
    reserved = [lease for lease, state in held_now(annotator) if state == State.RESERVED]
    if reserved:
        _end(Lease.objects.filter(pk__in=reserved, state=State.RESERVED))


def release_all(annotator: User, study: Study) -> None:
    """Free what a removed annotator holds in the study; what was submitted stays."""
    _end(Lease.objects.held_by(annotator).filter(study=study, state__in=Lease.HELD))


@transaction.atomic
def _end(held: QuerySet[Lease]) -> None:
    for lease in held.select_related("pair").order_by("pair"):  # pairs' rows always in the same order: no deadlock
        if Lease.objects.filter(pk=lease.pk, state=lease.state).update(state=State.EXPIRED):
            _give_back(lease)


def _give_back(lease: Lease) -> None:
    if lease.has_seat:
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
        _give_back(lease)
        return
    lease.refresh_from_db()
    if lease.state == State.EXPIRED:  # its seat is back already
        Lease.objects.filter(pk=lease.pk, state=State.EXPIRED).update(state=State.SKIPPED, skip_reason=reason[:300])
    elif lease.state != State.SKIPPED:
        raise ValidationError(
            _("This pair is %(state)s, so it cannot be skipped.") % {"state": lease.get_state_display()}
        )


def undo(lease: Lease, *, at: datetime) -> None:
    """Take a submitted judgment back to a draft, within ten minutes. The seat is kept. A pair that this vote helped
    to close opens again.

    Raises:
        ValidationError: if it is too late, nothing was submitted, the draft could not be submitted again, as its
            annotator was removed from the study or withdrew the consent, or the seat is another rater's by now, as
            the judgment did not count.
    """
    lease.refresh_from_db()
    if not lease.can_undo(at):
        raise ValidationError(
            _("This judgment can no longer be undone: ten minutes have passed, or it was never submitted.")
        )
    check_takes_of(lease)
    with transaction.atomic():
        _take_seat_again(lease)
        submitted = Lease.objects.filter(pk=lease.pk, state=State.SUBMITTED)
        if submitted.update(state=State.LIVE, submitted_at=None, expires_at=at + duration_of(lease)):
            Judgment.objects.filter(lease=lease).update(submitted_at=None, updated_at=at)
    agreeing.after_undo(lease.pair)


def _take_seat_again(lease: Lease) -> None:
    """The seat of a judgment that does not count was given back, and may be another's by now."""
    pair = Pair.objects.select_for_update().get(pk=lease.pair_id)  # no recount comes between
    if pair.kind != Pair.Kind.REGULAR or not lease.has_seat:
        return
    _check_not_excluded(check_belongs(lease.annotator, lease.pair.study), lease.pair.study)
    is_failed = QualityVerdict.objects.filter(judgment__lease=lease, verdict=QualityVerdict.Verdict.FAIL).exists()
    still_submitted = Lease.objects.filter(pk=lease.pk, state=State.SUBMITTED).exists()
    if is_failed and still_submitted and not pair.take_seat():
        raise ValidationError(_("This judgment can no longer be undone: the pair went to others meanwhile."))
