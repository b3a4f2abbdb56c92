"""Lending: the pair that an annotator has open, or one newly reserved. Which one, annotation.services.queue decides."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from annotation.models import Lease, Pair, Study
from annotation.queries.lending import Before, Shown, held_now, lent_before, pair_with_dialogues, shown_before
from annotation.services.checks import sides_of_repeat
from annotation.services.leases.life import (
    check_may_judge,
    duration_of,
    expire_if_overdue,
    expire_overdue,
    release_reserved,
)
from annotation.services.qualification import standing
from annotation.services.queue import choosing, interleaving, limits, sides
from annotation.services.queue.choosing import Choice
from earshot.accounts.models import User

State = Lease.State
MAX_RACES_LOST = 100  # claims in a row that another annotator wins; far beyond what was ever seen


def next_lease(annotator: User, study: Study, *, at: datetime) -> Lease | None:
    """The pair this annotator has open in the study, else one newly reserved, else None when no pair is open to them.

    Raises:
        ValidationError: if the study does not run, the annotator does not belong to it, or, unless a pair is open
            already, has not consented and qualified as the study asks, or a quota or a budget is used up.
    """
    belonging = check_may_judge(annotator, study)
    held = _held_now(annotator, at=at)
    current = next((lease for lease in held if lease.study_id == study.pk and lease.state == State.LIVE), None)
    if current is not None:  # what was passed never ends inside a pair
        return current
    standing.check_entry(annotator, study, at=at)
    return _reserved(held, study) or _claim(annotator, study, held, group=belonging.group, at=at)


def reserve_ahead(lease: Lease, *, at: datetime) -> Lease | None:
    """Reserve the pair that comes after `lease`, while that is being judged. One that is reserved already stays.

    Returns: the reserved lease; None when no pair is open, or nothing is being judged any more.
    Raises:
        ValidationError: as for `next_lease`.
    """
    if lease.state != State.LIVE or not lease.has_seat:
        return None
    annotator, study = lease.annotator, lease.pair.study
    belonging = check_may_judge(annotator, study)
    standing.check_entry(annotator, study, at=at)
    held = _held_now(annotator, at=at)
    return _reserved(held, study) or _claim(annotator, study, held, group=belonging.group, at=at)


def _held_now(annotator: User, *, at: datetime) -> list[Lease]:
    """What the annotator holds, in any study; what ran out is given back first."""
    keys = [lease for lease, _state in held_now(annotator)]
    held = Lease.objects.filter(pk__in=keys).select_related("pair__study") if keys else ()
    return [lease for lease in held if not expire_if_overdue(lease, at=at)]


def _reserved(held: list[Lease], study: Study) -> Lease | None:
    return next((lease for lease in held if lease.study_id == study.pk and lease.state == State.RESERVED), None)


def _claim(annotator: User, study: Study, held: list[Lease], *, group: str, at: datetime) -> Lease | None:
    """Take a seat of an open pair; a race lost on one pair goes on to the next. When nothing is open, what others
    let run out is given back, and looked at."""
    if limits.has_shared_limit(study):
        limits.pause_if_spent(study)
    _refuse_beyond_limits(annotator, study, group)
    before = lent_before(annotator, study)
    for _attempt in range(MAX_RACES_LOST):
        choice = None
        if interleaving.is_turn_of_a_check(study, before):
            choice = interleaving.choose_check(annotator, study)
        choice = choice or choosing.choose_pair(annotator, study, last_scenario=before.scenario)
        if choice is None and not expire_overdue(at=at, study=study):
            return None
        if choice is not None:
            lease = _take_within_limits(choice, annotator, study, held, before, group=group, at=at)
            if lease is not None:
                return lease
    return None


def _take_within_limits(
    choice: Choice, annotator: User, study: Study, held: list[Lease], before: Before, *, group: str, at: datetime
) -> Lease | None:
    pair = pair_with_dialogues(choice.pair, study)
    if any(lease.state == State.RESERVED for lease in held):
        release_reserved(annotator)
    if not limits.has_shared_limit(study):
        return _take_seat(pair, annotator, before, probability=choice.probability, at=at)
    with transaction.atomic():  # one after the other: two must not both take the last of a budget
        Study.objects.select_for_update().only("pk").get(pk=study.pk)
        _refuse_beyond_limits(annotator, study, group)
        return _take_seat(pair, annotator, before, probability=choice.probability, at=at)


def _refuse_beyond_limits(annotator: User, study: Study, group: str) -> None:
    problem = limits.refusal(annotator, study, group=group) if limits.has_limit(study) else ""
    if problem:
        raise ValidationError(problem)


def take(pair: Pair, annotator: User, *, probability: float, at: datetime) -> Lease | None:
    """Reserve `pair` for the annotator, or return None if the race for it was lost."""
    # Before the seat is taken, not with it: two annotators who each swap for the other's pair would wait for each
    # other's rows (PostgreSQL ends that as a deadlock).
    release_reserved(annotator)
    before = lent_before(annotator, pair.study)
    return _take_seat(pair, annotator, before, probability=probability, at=at)


def _take_seat(pair: Pair, annotator: User, before: Before, *, probability: float, at: datetime) -> Lease | None:
    try:
        with transaction.atomic():
            if not pair.take_seat():
                return None
            known = shown_before(pair)
            mine = next((each for each in known if each.annotator == annotator.pk), None)
            if mine is not None:  # lent before, left without a draft: the same lease lives again
                return _reserve_again(mine.lease, pair, annotator, probability=probability, at=at)
            return _lend(pair, annotator, known, before, probability=probability, at=at)
    except IntegrityError:  # another tab of this annotator took this pair, or reserved another; its seat is rolled back
        return Lease.objects.held_by(annotator).filter(state=State.RESERVED, study=pair.study).first()


def _lend(
    pair: Pair, annotator: User, known: list[Shown], before: Before, *, probability: float, at: datetime
) -> Lease:
    if pair.kind == Pair.Kind.REPEAT:
        side_left, heard_first = sides_of_repeat(pair, annotator)
    else:
        side_left, heard_first = sides.balanced_sides(known, before)
    lease = Lease(
        pair=pair,
        study=pair.study,
        annotator=annotator,
        side_left=side_left,
        heard_first=heard_first,
        selection_probability=probability,
        created_at=at,
        expires_at=at,
    )
    lease.expires_at = at + duration_of(lease)
    lease.save(force_insert=True)
    return lease


def _reserve_again(lease: int, pair: Pair, annotator: User, *, probability: float, at: datetime) -> Lease:
    expired = Lease.objects.get(pk=lease)
    expired.pair, expired.annotator = pair, annotator
    same = Lease.objects.filter(pk=lease, state=State.EXPIRED)
    again = {"state": State.RESERVED, "selection_probability": probability, "created_at": at}
    again["expires_at"] = at + duration_of(expired)
    if not same.update(**again):
        raise IntegrityError("The expired lease was revived in another tab.")
    for name, value in again.items():
        setattr(expired, name, value)
    return expired
