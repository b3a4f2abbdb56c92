"""Rankings with style held equal: what the systems are worth where both dialogues are as long, as loud, as fast."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from earshot.estimation.boards import Board
from earshot.estimation.cells import count_cells
from earshot.estimation.ranking import SAME_AS_SYSTEMS, indistinct_slope, rank
from earshot.estimation.votes import Column, Floats, Votes, code_votes

NEVER_DIFFERS = "the two sides never differ in it"
UNKNOWN = "it is unknown on every pair"


@dataclass(frozen=True)
class StyleBoards:
    """The same votes ranked without and with style as covariates."""

    raw: Board
    controlled: Board  # its coefficients are logits per unit below
    units: dict[str, float]  # the usual difference between two sides (root mean square), in the covariate's own unit
    left_out: dict[str, str]  # covariates that could not be used, and why
    n_votes_left_out: int  # votes on pairs with an unknown covariate


def fit_style_controlled(
    system_a: Column,
    system_b: Column,
    value: Column,
    rater: Column,
    scenario: Column,
    side: Column | None = None,
    *,
    covariates: Mapping[str, Column],
    systems: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> StyleBoards:
    """Ordinal Bradley-Terry with and without covariates, on the votes that have them all, or all that any vote has.

    A covariate that systems differ in is taken from their strength: the controlled board answers what would be
    preferred at equal style, not what is preferred.

    Args: as `fit_ordinal_bradley_terry`.
        covariates: by name, dialogue a's figure less dialogue b's for each vote, (n,); NaN where unknown.
    """
    names = tuple(covariates)
    table = _tabulate(covariates, len(value))
    is_unknown = ~np.isfinite(table).any(axis=0)
    known = np.isfinite(table[:, ~is_unknown]).all(axis=1)
    table = np.where(is_unknown, 0.0, table)[known]
    first, second, values, raters, scenarios = (
        np.asarray(column)[known] for column in (system_a, system_b, value, rater, scenario)
    )
    sides = None if side is None else np.asarray(side)[known]
    votes = code_votes(first, second, values, raters, scenarios, sides, systems=systems)
    units = np.sqrt(np.mean(table**2, axis=0)) if known.any() else np.zeros(len(names))
    used, left_out = _usable(votes, table / np.where(units > 0, units, 1.0), units, names)
    left_out |= {names[i]: UNKNOWN for i in np.flatnonzero(is_unknown)}
    controlled = replace(votes, covariates=table[:, used] / units[used])
    return StyleBoards(
        raw=rank(votes, confidence=confidence).board,
        controlled=rank(controlled, covariate_names=[names[i] for i in used], confidence=confidence).board,
        units={names[i]: float(units[i]) for i in used},
        left_out=left_out,
        n_votes_left_out=int(np.sum(~known)),
    )


def _tabulate(covariates: Mapping[str, Column], n_votes: int) -> Floats:
    """One column per covariate, (n, k)."""
    table = np.zeros((n_votes, len(covariates)))
    for index, (name, column) in enumerate(covariates.items()):
        if len(column) != n_votes:
            raise ValueError(f"{name} has {len(column)} entries for {n_votes} votes. Give one entry per vote.")
        table[:, index] = column
    return table


def _usable(
    votes: Votes, table: Floats, units: Floats, names: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], dict[str, str]]:
    """Which covariates can have a coefficient, and why the others cannot."""
    left_out = {names[i]: NEVER_DIFFERS for i in np.flatnonzero(units == 0)}
    used = np.flatnonzero(units > 0)
    if len(votes) == 0:
        return used, left_out
    cells = count_cells(replace(votes, covariates=table))
    first = int(votes.side is not None)
    while len(used):
        slopes = cells.slopes(has_side=votes.side is not None)
        kept = [*range(first), *(first + used)]
        index = indistinct_slope(cells, len(votes.systems), slopes[:, kept])
        if index is None or index < first:
            break
        left_out[names[used[index - first]]] = SAME_AS_SYSTEMS
        used = np.delete(used, index - first)
    return used, left_out
