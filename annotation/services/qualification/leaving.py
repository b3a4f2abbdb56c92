"""When a crowd worker has done all there is to do, and whether the study's completion code is theirs."""

from collections.abc import Mapping

from django.db.models import Count, Q

from annotation.models import Lease, Pair, Study
from annotation.queries.home import participant_studies
from annotation.services.qualification.standing import JUDGED, Standing
from earshot.accounts.models import User

State = Lease.State


def leaving_of(user: User, standings: Mapping[int, Standing]) -> dict[int, bool]:
    """The studies, by primary key, in which nothing is left for this crowd worker; True where the code is given.

    The code is given for the agreed number of judgments, or for at least one where nothing is left that the person
    could still judge, or a quota, a budget or the study's own rule ended it, unless they skipped more than half of
    what they were offered.
    """
    arrived = participant_studies(user) & set(standings)
    if not arrived:
        return {}
    ended = {key for key in arrived if standings[key].limit or standings[key].study.stopped_because}
    counts = _counts(user, arrived)
    unfinished = _with_pairs_left(user, arrived - ended) | _held(user, ended)
    found = {}
    for study in arrived:
        judged, skipped, offered = counts.get(study, (0, 0, 0))
        if standings[study].is_done:
            found[study] = True
        elif judged and study not in unfinished:
            found[study] = 2 * skipped <= offered
    return found


def _counts(user: User, studies: set[int]) -> dict[int, tuple[int, int, int]]:
    """How many pairs of each study the person judged, skipped, and was offered: opened, or skipped unopened."""
    skipped = Q(state=State.SKIPPED)
    leases = Lease.objects.held_by(user).filter(pair__study__in=studies).order_by()
    rows = leases.values_list("pair__study").annotate(
        judged=Count("pk", filter=Q(state__in=JUDGED)),
        skipped=Count("pk", filter=skipped),
        offered=Count("pk", filter=skipped | Q(opened_at__isnull=False)),
    )
    return {study: (n_judged, n_skipped, n_offered) for study, n_judged, n_skipped, n_offered in rows}


def _held(user: User, studies: set[int]) -> set[int]:
    """Studies of which the person holds a pair, that can be judged to its end."""
    held = Lease.objects.held_by(user).filter(study__in=studies, state__in=Lease.HELD, purpose=Lease.Purpose.JUDGING)
    return set(held.order_by().values_list("study", flat=True))


def _with_pairs_left(user: User, studies: set[int]) -> set[int]:
    """Studies with a pair that the person has open, may still be lent, or that its present holder may hand back."""
    held = Lease.objects.filter(pair__study__in=studies, state__in=[State.RESERVED, State.LIVE])
    settled = Lease.objects.held_by(user).filter(state__in=[*JUDGED, State.SKIPPED])
    may_come = Q(is_open=True) & (Q(seats_left__gt=0) | Q(pk__in=held.values("pair")))
    mine = Q(pk__in=held.filter(annotator=user, state=State.LIVE).values("pair"))
    regular = Pair.objects.filter(study__in=studies, kind=Pair.Kind.REGULAR)
    pairs = regular.filter(may_come | mine).exclude(pk__in=settled.values("pair"))
    return set(pairs.exclude(study__state=Study.State.FINISHED).order_by().values_list("study", flat=True).distinct())
