"""What is derived from the scores of each pair and dimension. It stands beside the canonical rows, outside the id.

Model, per pair and dimension: a random rater prefers a with probability θ. Prior: Jeffreys, Beta(½, ½). A score above
0 is a win of a, below 0 of b, and a tie is half a win of each, so the posterior is Beta(½ + wins_a + ties/2,
½ + wins_b + ties/2). "Both bad" and "cannot tell" are counted and decide nothing.
- soft_label: the posterior mean of θ; interval_low, interval_high: its central 95 %
- posterior_a_wins: the posterior probability that θ > ½
- margin: log-odds of soft_label, clipped to ±3
- cmos: mean score −3 … +3, with the strength of the preference; None where nothing was scored
Raters are taken as independent here. Boards and tests of systems need the clustered intervals of `estimation`.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import special

from earshot.formats.canonical import canonical_float

JEFFREYS = 0.5
INTERVAL = (0.025, 0.975)
LARGEST_MARGIN = 3.0

AGGREGATES_SCHEMA = pa.schema(
    [pa.field("pair_id", pa.string(), False), pa.field("dimension", pa.string(), False)]
    + [
        pa.field(column, pa.int64(), False)
        for column in ("n_raters", "n_scored", "n_both_bad", "n_cannot_tell", "wins_a", "ties", "wins_b")
    ]
    + [pa.field("cmos", pa.float64(), True)]
    + [
        pa.field(column, pa.float64(), False)
        for column in ("posterior_a_wins", "soft_label", "interval_low", "interval_high", "margin")
    ]
)


@dataclass(slots=True)
class _Tally:
    raters: set[str] = field(default_factory=set)
    both_bad: int = 0
    cannot_tell: int = 0
    wins_a: int = 0
    ties: int = 0
    wins_b: int = 0
    total: int = 0

    def add(self, rater: str, kind: str, value: int | None) -> None:
        self.raters.add(rater)
        if kind == "both_bad":
            self.both_bad += 1
        elif kind == "cannot_tell" or value is None:
            self.cannot_tell += 1
        else:
            self.wins_a += value > 0
            self.ties += value == 0
            self.wins_b += value < 0
            self.total += value

    @property
    def scored(self) -> int:
        return self.wins_a + self.ties + self.wins_b


def aggregate(judgments: pa.Table, scores: pa.Table) -> pa.Table:
    """One row for each pair and dimension that has a score, sorted by both."""
    tallies = _tallies(judgments, scores)
    keys = sorted(tallies)
    rows = [tallies[key] for key in keys]
    ties = np.array([row.ties for row in rows], np.float64)
    wins_a = JEFFREYS + np.array([row.wins_a for row in rows], np.float64) + ties / 2
    wins_b = JEFFREYS + np.array([row.wins_b for row in rows], np.float64) + ties / 2
    soft_label = wins_a / (wins_a + wins_b)
    columns: list[object] = [
        [pair for pair, _ in keys],
        [dimension for _, dimension in keys],
        [len(row.raters) for row in rows],
        [row.scored for row in rows],
        [row.both_bad for row in rows],
        [row.cannot_tell for row in rows],
        [row.wins_a for row in rows],
        [row.ties for row in rows],
        [row.wins_b for row in rows],
        [canonical_float(row.total / row.scored) if row.scored else None for row in rows],
        _rounded(1 - special.betainc(wins_a, wins_b, 0.5)),
        _rounded(soft_label),
        _rounded(special.betaincinv(wins_a, wins_b, INTERVAL[0])),
        _rounded(special.betaincinv(wins_a, wins_b, INTERVAL[1])),
        _rounded(np.clip(np.log(wins_a / wins_b), -LARGEST_MARGIN, LARGEST_MARGIN)),
    ]
    arrays = [pa.array(column, each.type) for column, each in zip(columns, AGGREGATES_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=AGGREGATES_SCHEMA)


def _tallies(judgments: pa.Table, scores: pa.Table) -> dict[tuple[str, str], _Tally]:
    names = (judgments[column].to_pylist() for column in ("judgment_id", "pair_id", "rater"))
    judged = {judgment: (pair, rater) for judgment, pair, rater in zip(*names, strict=True)}
    tallies: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
    for batch in scores.to_batches(max_chunksize=4_096):
        for row in batch.to_pylist():
            pair, rater = judged[row["judgment_id"]]
            tallies[pair, row["dimension"]].add(rater, row["kind"], row["value"])
    return tallies


def _rounded(values: NDArray[np.floating]) -> list[float]:
    return [canonical_float(float(value)) for value in values]
