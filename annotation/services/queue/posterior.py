"""What the votes say so far of the systems, as adaptive lending needs it: kept, and made anew now and then."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from django.core.cache import cache
from django.db import transaction
from django.db.models import Count

from annotation.models import Lease, Pair, Score, Study
from annotation.models.studies import OVERALL
from annotation.queries.counting import counting_judgments
from earshot.estimation.posterior import Posterior, class_of, count_votes, posterior_from_counts
from earshot.estimation.selection import Preferences, class_probabilities, preferences_of
from earshot.estimation.votes import Ints

FRESH_SHARE = 0.05  # new judgments, of those there were, after which it is made anew …
FRESH_LEAST = 5  # … and at least so many
MOST_IN_A_REQUEST = 20_000  # judgments; of more only the job makes it anew


@dataclass(frozen=True)
class Belief:
    systems: tuple[int, ...]  # primary keys, ascending; the estimation numbers them from 0
    posterior: Posterior
    preferences: Preferences
    n_judgments: int
    is_stale: bool = False  # who counts has changed since


def chances(study: Study, n_open: Mapping[str, int]) -> dict[str, float]:
    """With which chance the next pair is of which two systems, "12:57"; they sum to 1.

    Two dialogues of one system tell nothing about the order: such pairs have their share of the uniform floor alone.

    Args:
        n_open: how many pairs are open, by their systems; at least one in all.
    """
    total = sum(n_open.values())
    uniform = {systems: count / total for systems, count in n_open.items()}
    two = {systems: place for systems in n_open if (place := _two_of(systems))}
    if not two:
        return uniform
    belief = believed(study, {system for place in two.values() for system in place})
    number = {system: place for place, system in enumerate(belief.systems)}
    first, second = np.array([(number[a], number[b]) for a, b in two.values()]).T
    places = class_of(first, second, len(number))
    counts = np.zeros(len(belief.posterior.n_votes), np.int64)
    counts[places] = [n_open[systems] for systems in two]
    found = class_probabilities(belief.preferences, counts, study.uniform_floor)[places]
    alone = {systems: study.uniform_floor * uniform[systems] for systems in n_open if systems not in two}
    left = 1 - sum(alone.values())
    return alone | {systems: left * float(chance) for systems, chance in zip(two, found, strict=True)}


def _two_of(systems: str) -> tuple[int, int] | None:
    one, other = map(int, systems.split(":"))
    return None if one == other else (one, other)


def believed(study: Study, systems: set[int]) -> Belief:
    """As it was kept, unless too many judgments came since, or it does not know all of these systems."""
    belief: Belief | None = cache.get(_key(study))
    if belief is None or not systems <= set(belief.systems):
        return renew(study, None)
    if belief.n_judgments > MOST_IN_A_REQUEST or not is_outdated(belief, study):
        return belief
    return renew(study, belief)


def keep_fresh(study: Study) -> None:
    """For the job: also of studies that are too large for a request."""
    belief: Belief | None = cache.get(_key(study))
    if (belief is None or is_outdated(belief, study)) and _systems_of(study):
        renew(study, belief)


def follow_change(study: Study) -> None:
    """Who counts has changed: after the commit it is made anew by the next request, of a large study by the job."""
    transaction.on_commit(lambda: _disbelieve(study))


def _disbelieve(study: Study) -> None:
    belief: Belief | None = cache.get(_key(study))
    if belief is not None and belief.n_judgments > MOST_IN_A_REQUEST:
        cache.set(_key(study), replace(belief, is_stale=True), None)
    else:
        cache.delete(_key(study))


def is_outdated(belief: Belief, study: Study) -> bool:
    since = _submitted(study) - belief.n_judgments
    return belief.is_stale or since < 0 or since >= max(FRESH_LEAST, FRESH_SHARE * belief.n_judgments)


def renew(study: Study, before: Belief | None) -> Belief:
    """Make it from all votes on overall that count, and keep it."""
    n_judgments, systems = _submitted(study), _systems_of(study)
    start = before.posterior if before is not None and before.systems == systems else None
    posterior = posterior_from_counts(_counts(study, systems), start)
    belief = Belief(systems, posterior, preferences_of(posterior), n_judgments)
    cache.set(_key(study), belief, None)
    return belief


def _systems_of(study: Study) -> tuple[int, ...]:
    """Those that some pair compares with another one."""
    regular = Pair.objects.filter(study=study, kind=Pair.Kind.REGULAR).order_by()
    names = regular.values_list("systems", flat=True).distinct()
    return tuple(sorted({system for two in map(_two_of, names) if two for system in two}))


def _counts(study: Study, systems: tuple[int, ...]) -> Ints:
    """How often each two systems got each value, (classes, 7)."""
    scores = Score.objects.filter(
        judgment__in=counting_judgments(study), dimension__key=OVERALL, kind=Score.Kind.SCORED
    ).order_by()
    sides = ("judgment__lease__pair__dialogue_a__system", "judgment__lease__pair__dialogue_b__system")
    rows = scores.values_list(*sides, "value").annotate(n=Count("pk"))
    number = {system: place for place, system in enumerate(systems)}
    known = [(number[a], number[b], value, n) for a, b, value, n in rows if a != b]
    if not known:
        return count_votes([], [], [], len(systems))
    a, b, value, n = np.array(known).T
    return count_votes(np.repeat(a, n), np.repeat(b, n), np.repeat(value, n), len(systems))


def _submitted(study: Study) -> int:
    """Judgments submitted in time: an index answers, whether they count is not asked."""
    return Lease.objects.filter(study=study, state=Lease.State.SUBMITTED).order_by().count()


def _key(study: Study) -> str:
    return f"belief:{study.pk}:{study.created_at:%Y%m%d%H%M%S%f}"
