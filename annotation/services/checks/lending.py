"""Which checks a rater may have; the queue decides when."""

import random
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from annotation.models import Lease, Pair, Study
from annotation.services.checks.making import CHECK_SEATS, MADE
from earshot.accounts.models import User

REPEAT_AFTER = 5  # items of the rater between a pair and its repeat


def open_checks(annotator: User, study: Study) -> "QuerySet[Pair]":
    """Gold, identical and spoken checks that this annotator neither had nor skipped.

    A regular pair that was declared gold is not for those who had that pair itself.
    """
    lendable_again = Q(state=Lease.State.EXPIRED, judgment__isnull=True)
    had = Lease.objects.filter(annotator=annotator, study=study).exclude(lendable_again).values("pair")
    checks = Pair.objects.filter(study=study, kind__in=MADE, is_open=True, seats_left__gt=0).exclude(pk__in=had)
    heard_already = Pair.objects.filter(study=study, treatment__kind="agreed", check_of__in=had)
    return checks.exclude(pk__in=heard_already.values("pk"))


def repeat_for(annotator: User, study: Study) -> Pair | None:
    """The repeat of a regular pair that this annotator judged at least 5 items ago and not yet a second time.

    The pair's row is made when somebody first needs it; `sides_of_repeat` says which side is which.
    """
    mine = Lease.objects.filter(annotator=annotator, study=study, purpose=Lease.Purpose.JUDGING)
    judged = mine.filter(state=Lease.State.SUBMITTED).order_by("-submitted_at", "-pk")
    fifth = judged.values_list("submitted_at", flat=True)[REPEAT_AFTER - 1 : REPEAT_AFTER]
    since = next(iter(fifth), None)
    return None if since is None else _draw(annotator, judged, since)


def _draw(annotator: User, judged: "QuerySet[Lease]", since: datetime) -> Pair | None:
    repeated = Lease.objects.filter(annotator=annotator, pair__kind=Pair.Kind.REPEAT).values("pair__check_of")
    old = judged.filter(submitted_at__lt=since, pair__kind=Pair.Kind.REGULAR).exclude(pair__in=repeated)
    candidates = list(old.values_list("pair", flat=True))
    return _repeat_of(Pair.objects.get(pk=random.choice(candidates))) if candidates else None


def _repeat_of(pair: Pair) -> Pair:
    try:
        with transaction.atomic():
            repeat, _is_new = Pair.objects.get_or_create(
                kind=Pair.Kind.REPEAT,
                check_of=pair,
                defaults={
                    "study_id": pair.study_id,
                    "scenario_id": pair.scenario_id,
                    "dialogue_a_id": pair.dialogue_a_id,
                    "dialogue_b_id": pair.dialogue_b_id,
                    "level_lufs": pair.level_lufs,
                    "seats_left": CHECK_SEATS,
                },
            )
            return repeat
    except IntegrityError:  # another rater needed it at the same moment
        return Pair.objects.get(kind=Pair.Kind.REPEAT, check_of=pair)


def sides_of_repeat(repeat: Pair, annotator: User) -> tuple[str, str]:
    """(side_left, heard_first) of a repeat: what was left is right, and what was heard first is heard second.

    Raises:
        ValueError: if this annotator never had the pair that it repeats.
    """
    first = Lease.objects.filter(annotator=annotator, pair=repeat.check_of_id).first()
    if first is None:
        raise ValueError(
            f"Annotator {annotator.pk} never had pair {repeat.check_of_id}, so there is nothing to repeat."
        )
    return first.side_right, first.heard_first
