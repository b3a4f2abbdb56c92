"""Which regular pair is lent next, and with which probability it was picked.

Two ways to the same end. Up to LISTED open pairs are listed, so every probability is exact. Of more, two systems are
drawn first, from a table that a job keeps fresh, and then one of their pairs, listed: what is stored is the chance of
the systems in the table, among those that have a pair for this rater, times one over the number of their pairs that
were open at that moment.
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
from annotation.queries.lending import OpenPair, open_pairs, settled_pairs
from annotation.services.queue import posterior
from earshot.accounts.models import User

LISTED = 1000  # pairs; listing so many takes a millisecond
TABLE_SECONDS = 120  # how old a table may be before a request makes it anew; the job does so every 20 s


@dataclass(frozen=True)
class Choice:
    pair: int  # primary key
    probability: float  # with which it was picked among the regular pairs open to this rater


@dataclass(frozen=True)
class Table:
    """Which systems can be drawn, "12:57 12:58 …", each with its chance (they sum to 1) and its number of pairs."""

    systems: str  # one string, and arrays: a cache hands over tuples of 5,000 entries slowly
    chances: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def n_open(self) -> int:
        return int(self.counts.sum())


def choose_pair(annotator: User, study: Study, *, last_scenario: int | None) -> Choice | None:
    """A pair open to the annotator, of another scenario than the last unless nothing else is open; None if none is."""
    table = cache.get(_key(study))
    if table is None or table.n_open <= LISTED:
        rows = open_pairs(annotator, study, most=LISTED + 1)
        if len(rows) <= LISTED:
            return _pick(rows, study, last_scenario)
        table = keep_table(study)
    drawn = _draw(table, annotator, study, last_scenario)
    return drawn or _pick(open_pairs(annotator, study), study, last_scenario)  # all: a part would never come otherwise


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
    """Two systems by the table, then one of their pairs, all of which are listed.

    Systems that have nothing for this rater are left out before, and the chances of the others grow by as much: found
    out by drawing them, each pair would be stored with a smaller chance than it had. None where the table was wrong,
    as the last pair of the two went since it was made.
    """
    names, chances = table.systems.split(), table.chances.copy()
    settled = settled_pairs(annotator, study, scenario=last_scenario)
    if settled:
        place_of = {systems: place for place, systems in enumerate(names)}
        for place, n_settled in ((place_of.get(systems), count) for systems, count in settled.items()):
            if place is not None and n_settled >= table.counts[place]:
                chances[place] = 0.0
    running = np.cumsum(chances)
    if not running.size or running[-1] <= 0:
        return None
    place = min(int(np.searchsorted(running, random.random() * running[-1], side="right")), len(names) - 1)
    rows = [row for row in open_pairs(annotator, study, systems=names[place]) if row.scenario != last_scenario]
    return Choice(random.choice(rows).pk, float(chances[place] / running[-1]) / len(rows)) if rows else None


def keep_table(study: Study) -> Table:
    """Count the open pairs by their systems, and keep the chances for the requests to come."""
    by_systems = Pair.objects.lendable(study).order_by().values_list("systems")
    counts = dict(by_systems.annotate(Count("pk")))  # one index is read
    if study.selection == Study.Selection.ADAPTIVE and counts:
        chances = posterior.chances(study, counts)
    else:
        chances = {systems: count / sum(counts.values()) for systems, count in counts.items()}
    table = Table(
        " ".join(chances), np.array(list(chances.values()), float), np.array([counts[key] for key in chances])
    )
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
