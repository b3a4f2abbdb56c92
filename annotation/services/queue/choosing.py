"""Which regular pair is lent next, and with which probability it was picked.

Two ways to the same end. Up to LISTED open pairs are listed, so every probability is exact. Of more, two systems are
drawn first, from a table that a job keeps fresh, and then one of their pairs, listed: what is stored is the chance of
the systems in the table times one over the number of their pairs that were open at that moment.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.core.cache import cache
from django.db.models import Count
from numpy.typing import NDArray

from annotation.models import Pair, Study
from annotation.queries.lending import OpenPair, open_pairs
from annotation.services.queue import posterior
from earshot.accounts.models import User

LISTED = 1000  # pairs; listing so many takes a millisecond
TABLE_SECONDS = 120  # how old a table may be before a request makes it anew; the job does so every 20 s
DRAWS = 20  # of two systems in a row that have nothing for this rater; then everything is listed


@dataclass(frozen=True)
class Choice:
    pair: int  # primary key
    probability: float  # with which it was picked among the regular pairs open to this rater


@dataclass(frozen=True)
class Table:
    """Which systems can be drawn, "12:57 12:58 …", and the running sum of their chances, which ends at 1."""

    systems: str  # one string, and an array: a cache hands over tuples of 5,000 entries slowly
    running: NDArray[np.float64]
    n_open: int


def choose_pair(annotator: User, study: Study, *, last_scenario: int | None) -> Choice | None:
    """A pair open to the annotator, of another scenario than the last unless nothing else is open; None if none is."""
    table = cache.get(_key(study))
    if table is not None and table.n_open > LISTED:
        choice = _draw(table, annotator, study, last_scenario)
        if choice is not None:
            return choice
    rows = open_pairs(annotator, study, most=LISTED + 1)
    if len(rows) > LISTED and table is None:
        return _draw(keep_table(study), annotator, study, last_scenario) or _pick(rows, study, last_scenario)
    return _pick(rows, study, last_scenario)


def _pick(rows: Sequence[OpenPair], study: Study, last_scenario: int | None) -> Choice | None:
    candidates = [row for row in rows if row.scenario != last_scenario] or rows
    if not candidates:
        return None
    if study.selection == Study.Selection.UNIFORM:
        return Choice(random.choice(candidates).pk, 1 / len(candidates))
    by_systems = defaultdict(list)
    for row in candidates:
        by_systems[row.systems].append(row.pk)
    chances = posterior.chances(study, {systems: len(pairs) for systems, pairs in by_systems.items()})
    (systems,) = random.choices(list(chances), weights=list(chances.values()))
    pairs = by_systems[systems]
    return Choice(random.choice(pairs), chances[systems] / len(pairs))


# --- More pairs than can be listed ------------------------------------------------------------------------------------
def _draw(table: Table, annotator: User, study: Study, last_scenario: int | None) -> Choice | None:
    """Two systems by the table, then one of their pairs. Systems without one are set aside, and the others' chances
    grow by as much; None after DRAWS of those."""
    names, set_aside = table.systems.split(), dict[str, float]()
    for _attempt in range(DRAWS):
        place = min(int(np.searchsorted(table.running, random.random(), side="right")), len(names) - 1)
        systems = names[place]
        if systems in set_aside:
            continue
        chance = float(table.running[place] - (table.running[place - 1] if place else 0.0))
        pairs = open_pairs(annotator, study, systems=systems, most=LISTED)
        rows = [row for row in pairs if row.scenario != last_scenario]
        if rows:
            return Choice(random.choice(rows).pk, chance / (1 - sum(set_aside.values())) / len(rows))
        set_aside[systems] = chance
    return None


def keep_table(study: Study) -> Table:
    """Count the open pairs by their systems, and keep the chances for the requests to come."""
    by_systems = Pair.objects.lendable(study).order_by().values_list("systems")
    counts = dict(by_systems.annotate(Count("pk")))  # one index is read
    if study.selection == Study.Selection.ADAPTIVE and counts:
        chances = posterior.chances(study, counts)
    else:
        chances = {systems: count / sum(counts.values()) for systems, count in counts.items()}
    table = Table(" ".join(chances), np.cumsum(list(chances.values())), sum(counts.values()))
    cache.set(_key(study), table, TABLE_SECONDS)
    return table


def keep_fresh() -> int:
    """For the job: what the votes say in all running adaptive studies, and the tables of those that are too large to
    be listed. Returns how many tables there are."""
    kept = 0
    for study in Study.objects.filter(state=Study.State.RUNNING):
        if study.selection == Study.Selection.ADAPTIVE:
            posterior.keep_fresh(study)
        if Pair.objects.lendable(study).order_by()[LISTED : LISTED + 1].exists():
            keep_table(study)
            kept += 1
        else:
            cache.delete(_key(study))
    return kept


def _key(study: Study) -> str:
    return f"queue:{study.pk}:{study.created_at:%Y%m%d%H%M%S%f}:{study.selection}:{study.uniform_floor}"
