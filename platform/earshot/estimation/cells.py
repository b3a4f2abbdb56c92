"""Votes counted by what a likelihood can tell apart: a million votes on 100 systems are a few ten thousand cells."""

from dataclasses import dataclass

import numpy as np

from earshot.estimation.votes import MAX_VALUE, Floats, Ints, Votes, distinct, number


@dataclass(frozen=True)
class Cells:
    """Votes of equal systems, level, side and covariates; turned so that `winner` won, or tied at level 0."""

    winner: Ints  # (cells,)
    loser: Ints
    level: Ints  # 0: tie … 3
    side: Ints  # +1 where the winner was on the left, −1 right, 0 not modelled
    count: Floats
    of_vote: Ints  # (n,): the cell each vote fell into
    covariates: Floats | None = None  # (cells, k): winner − loser

    def slopes(self, *, has_side: bool) -> Floats:
        """What the advantage depends on beside the two systems, side first, (cells, has_side + k)."""
        side = self.side[:, None].astype(np.float64)[:, : int(has_side)]
        return side if self.covariates is None else np.hstack([side, self.covariates])


def count_cells(votes: Votes) -> Cells:
    """Count votes. With covariates all votes on one pair that agree still share a cell."""
    turned = votes.value < 0
    winner = np.where(turned, votes.system_b, votes.system_a)
    loser = np.where(turned, votes.system_a, votes.system_b)
    side = np.zeros_like(winner) if votes.side is None else np.where(turned, -votes.side, votes.side)
    level = np.abs(votes.value)
    covariates = None if votes.covariates is None else np.where(turned[:, None], -votes.covariates, votes.covariates)
    key = ((winner * len(votes.systems) + loser) * (MAX_VALUE + 1) + level) * 3 + side + 1
    for column in () if covariates is None else covariates.T:
        values, place = distinct(column)
        key = number(key) * len(values) + place  # numbered anew each time, so that it never overflows
    of_vote = number(key)
    count = np.bincount(of_vote).astype(np.float64)
    example = np.zeros(len(count), dtype=np.int64)
    example[of_vote] = np.arange(len(of_vote))  # any one vote of the cell
    return Cells(
        winner=winner[example],
        loser=loser[example],
        level=level[example],
        side=side[example],
        count=count,
        of_vote=of_vote,
        covariates=None if covariates is None else covariates[example],
    )
