"""Beside the ordinal board: Davidson's, the style-controlled one, and by how much systems differ from each other."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from annotation.services.statistics.reading import Columns, Floats, PairFacts
from annotation.services.statistics.sounds import COVARIATES, SoundFacts
from earshot import estimation
from earshot.estimation.boards import quantile
from earshot.estimation.forecasts import forecast_separation
from earshot.estimation.ranking import SAME_AS_SYSTEMS
from earshot.estimation.style import fit_style_controlled

FEW_SYSTEMS = 12  # up to here every difference is shown, beyond it those of neighbours
KNOWN_SHARE = 0.95  # of the votes on pairs where a covariate is known; below it the covariate is left out


def rows_of(board: estimation.Board) -> list[dict[str, Any]]:
    return [
        {
            "system": str(each.system),
            "strength": each.strength,
            "low": each.low,
            "high": each.high,
            "rank": each.rank,
            "n_votes": each.n_votes,
        }
        for each in board.standings
    ]


def davidson_payload(votes: Columns, systems: Sequence[Hashable]) -> dict[str, Any]:
    board = estimation.fit_davidson(*votes.for_ranking(), systems=systems)
    return {"rows": rows_of(board), "reason": board.reason, "tie_parameter": board.tie_parameter}


def style_payload(votes: Columns, pairs: PairFacts, sounds: SoundFacts, systems: Sequence[Hashable]) -> dict[str, Any]:
    """The ordinal board with and without covariates, from the same votes: those on pairs where all of them are known.

    Returns:
        left_out: covariates that are not used, and why: "unknown", "alike" (on both sides of every pair), or
            "as_systems" (they cannot be told apart from the systems and the other covariates).
    """
    if not len(votes):
        return {"rows": [], "raw": [], "reason": "no votes", "coefficients": [], "units": {}, "left_out": {}} | {
            "n_votes": 0,
            "n_without": 0,
        }
    difference = sounds.differences(pairs, votes.row)
    known = {name: _known_share(difference[:, place]) >= KNOWN_SHARE for place, name in enumerate(COVARIATES)}
    covariates = {name: difference[:, place] for place, name in enumerate(COVARIATES) if known[name]}
    boards = fit_style_controlled(*votes.for_ranking(), covariates=covariates, systems=systems)
    return {
        "rows": rows_of(boards.controlled),
        "raw": rows_of(boards.raw),
        "reason": boards.controlled.reason,
        "coefficients": list(boards.controlled.coefficients),
        "units": boards.units,
        "left_out": {name: "unknown" for name in COVARIATES if not known[name]}
        | {name: "as_systems" if why == SAME_AS_SYSTEMS else "alike" for name, why in boards.left_out.items()},
        "n_votes": boards.controlled.n_votes,
        "n_without": boards.n_votes_left_out,
    }


def _known_share(column: Floats) -> float:
    return float(np.isfinite(column).mean()) if len(column) else 0.0


def differences_payload(board: estimation.Board, votes: Columns) -> list[dict[str, Any]]:
    """Leads of the stronger over the weaker system, with intervals; of neighbours also how many votes are needed."""
    between = _votes_between(votes)
    neighbours = set(pairwise(each.system for each in board.standings))
    found = []
    for first, second in pairs_shown(board):
        difference = board.difference(first, second)
        if difference is not None:
            found.append(
                {
                    "first": str(first),
                    "second": str(second),
                    "value": difference.value,
                    "standard_error": difference.standard_error,
                    "low": difference.low,
                    "high": difference.high,
                    "is_separated": difference.is_separated,
                    "n_between": between.get(frozenset((first, second)), 0),
                    "forecast": _forecast(board, difference) if (first, second) in neighbours else None,
                }
            )
    return found


def _forecast(board: estimation.Board, difference: estimation.Difference) -> dict[str, Any] | None:
    """How many more votes of the whole study until the two are separated; None where there is no interval."""
    if not difference.standard_error or board.freedom is None:
        return None
    critical = quantile(board.confidence, board.freedom)
    found = forecast_separation(difference.value, difference.standard_error, board.n_votes, critical=critical)
    return {"n": found.votes, "low": found.low, "high": found.high, "error": found.half_width, "reason": found.reason}


def pairs_shown(board: estimation.Board) -> Iterator[tuple[Hashable, Hashable]]:
    """All pairs of a few systems, the neighbours among many; the stronger one first."""
    order = [each.system for each in board.standings]
    return combinations(order, 2) if len(order) <= FEW_SYSTEMS else pairwise(order)


def _votes_between(votes: Columns) -> dict[frozenset[Hashable], int]:
    low, high = np.minimum(votes.system_a, votes.system_b), np.maximum(votes.system_a, votes.system_b)
    found, counts = np.unique(np.stack([low, high]), axis=1, return_counts=True)
    return {frozenset(pair): n for pair, n in zip(found.T.tolist(), counts.tolist(), strict=True)}
