"""Rankings from votes on −3 … +3, with intervals that know how votes cluster, and "cannot say yet"."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from earshot.estimation import davidson, ordinal
from earshot.estimation.boards import Board, make_board
from earshot.estimation.cells import Cells, count_cells
from earshot.estimation.clusters import TwoWay, too_few_clusters, two_way
from earshot.estimation.newton import Fit
from earshot.estimation.votes import MAX_VALUE, Column, Floats, Ints, Votes, code_votes

LARGEST_ADVANTAGE = 15.0  # logits between two systems; beyond it the fit has run away, not found a maximum
SMALLEST_INFORMATION = 1e-9  # of the largest; below it a slope and the systems say the same
SAME_AS_SYSTEMS = "cannot be told apart from which systems were compared"


@dataclass(frozen=True)
class Ranking:
    """A fit with all that its board was made from."""

    board: Board
    votes: Votes
    cells: Cells | None
    design: ordinal.Design | davidson.Design | None
    fit: Fit | None
    errors: TwoWay | None


def fit_ordinal_bradley_terry(
    system_a: Column,
    system_b: Column,
    value: Column,
    rater: Column,
    scenario: Column,
    side: Column | None = None,
    *,
    covariates: Column | None = None,
    covariate_names: Sequence[str] = (),
    systems: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Board:
    """Rank systems by cumulative-link Bradley-Terry with symmetric thresholds.

    Args: as `code_votes`; `side` adds an intercept for the left side, `covariates` a coefficient for each column.
    Returns:
        Strengths in logits, Σ = 0, with two-way cluster-robust intervals (rater and scenario, t with the smaller
        number of clusters less one). Where a strength or an interval cannot be known yet it is None, and `reason`
        says why: votes that do not connect all systems (no strengths), a system that never lost or never won (strengths
        from a weak prior, no intervals), fewer raters or scenarios than `clusters.MIN_CLUSTERS` (no intervals).
    Source: docs/ranking.md.
    """
    votes = code_votes(system_a, system_b, value, rater, scenario, side, covariates=covariates, systems=systems)
    return rank(votes, covariate_names=covariate_names, confidence=confidence).board


def fit_davidson(
    system_a: Column,
    system_b: Column,
    value: Column,
    rater: Column,
    scenario: Column,
    side: Column | None = None,
    *,
    covariates: Column | None = None,
    covariate_names: Sequence[str] = (),
    systems: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Board:
    """Rank systems by Davidson's model of win, tie and loss: only the sign of a vote counts.

    Another model than the ordinal one: strengths and intervals are on its own scale. Args, returns and reasons as
    `fit_ordinal_bradley_terry`; the board has a tie parameter in the place of thresholds.
    """
    votes = code_votes(system_a, system_b, value, rater, scenario, side, covariates=covariates, systems=systems)
    return rank(votes, model="davidson", covariate_names=covariate_names, confidence=confidence).board


def rank(
    votes: Votes, *, model: str = "ordinal", covariate_names: Sequence[str] = (), confidence: float = 0.95
) -> Ranking:
    """Fit `model`, "ordinal" or "davidson", and keep what lies behind its board."""
    names = _name_covariates(votes, covariate_names)
    if model not in ("ordinal", "davidson"):
        raise ValueError(f"There is no model {model!r}. Choose ordinal or davidson.")
    if reason := _cannot_fit(votes):
        board = make_board(votes, None, None, confidence=confidence, reason=reason)
        return Ranking(board, votes, None, None, None, None)
    if model == "davidson":
        votes = replace(votes, value=np.sign(votes.value))
    cells, has_side = count_cells(votes), votes.side is not None
    build = davidson.build_design if model == "davidson" else ordinal.build_design
    design = build(cells, len(votes.systems), has_side=has_side)
    fit, reason = _fit(design, cells, _one_sided(votes) or _same_as_systems(cells, len(votes.systems), has_side, names))
    reason = reason or too_few_clusters(votes.n_raters, votes.n_scenarios, len(names))
    errors = None if reason else two_way(fit.bread, fit.scores, cells.of_vote, votes.rater, votes.scenario)
    board = make_board(
        votes,
        fit,
        errors,
        confidence=confidence,
        reason=reason,
        covariate_names=names,
        thresholds=_thresholds(design, fit) if isinstance(design, ordinal.Design) else None,
        tie_parameter=_tie_parameter(design, fit) if isinstance(design, davidson.Design) else None,
    )
    return Ranking(board, votes, cells, design, fit, errors)


def _fit(design: ordinal.Design | davidson.Design, cells: Cells, reason: str) -> tuple[Fit, str]:
    """The most likely parameters; with a weak prior where `reason`, or what the fit does, says they have no bound."""
    if not reason:
        fit = maximise(design, cells.count, ridge=False)
        if not ran_away(fit, design.n_slopes):
            return fit, ""
        reason = "the votes that there are fit one way too well: some distance has no upper bound yet"
    return maximise(design, cells.count, ridge=True), reason


def maximise(
    design: ordinal.Design | davidson.Design, count: Floats, *, ridge: bool, start: Floats | None = None
) -> Fit:
    if isinstance(design, davidson.Design):
        return davidson.maximise(design, count, ridge=ridge, start=start)
    return ordinal.maximise(design, count, ridge=ridge, start=start)


def ran_away(fit: Fit, n_slopes: int) -> bool:
    slopes = fit.parameters[fit.n_systems : fit.n_systems + n_slopes]
    too_far = np.ptp(fit.strengths) > LARGEST_ADVANTAGE or np.any(np.abs(slopes) > LARGEST_ADVANTAGE)
    return not fit.converged or bool(too_far)


def _name_covariates(votes: Votes, names: Sequence[str]) -> tuple[str, ...]:
    n_covariates = 0 if votes.covariates is None else votes.covariates.shape[1]
    if len(names) != n_covariates:
        raise ValueError(f"There are {n_covariates} covariates but {len(names)} names for them. Name each column.")
    return tuple(names)


def _cannot_fit(votes: Votes) -> str:
    """Why there can be no strengths at all, or nothing."""
    if len(votes) == 0:
        return "no votes"
    if len(votes.systems) < 2:
        return "one system only"
    if not votes.value.any():
        return "every vote is a tie"
    n_groups, group = connected_components(_links(votes.system_a, votes.system_b, len(votes.systems)), directed=False)
    if n_groups > 1:
        apart = votes.systems[int(np.flatnonzero(group != group[0])[0])]
        return f"no chain of votes connects {votes.systems[0]} with {apart}"
    return ""


def _one_sided(votes: Votes) -> str:
    """Name a system that was never preferred to, or never beaten by, the others it met; else nothing.

    If wins lead from every system to every other one, the likelihood has a finite maximum (Ford 1957, for win and loss;
    ties and thresholds only add terms that hold it).
    """
    won = np.where(votes.value > 0, votes.system_a, votes.system_b)[votes.value != 0]
    lost = np.where(votes.value > 0, votes.system_b, votes.system_a)[votes.value != 0]
    n_systems = len(votes.systems)
    n_groups, group = connected_components(_links(won, lost, n_systems), directed=True, connection="strong")
    if n_groups == 1:
        return ""
    beaten = set(group[lost[group[won] != group[lost]]].tolist())
    top = next(index for index in range(n_systems) if group[index] not in beaten)
    names = ", ".join(str(votes.systems[index]) for index in np.flatnonzero(group == group[top])[:3])
    return f"{names} never lost to another system, so how far ahead it is cannot be known yet"


def _links(source: Ints, target: Ints, n_systems: int) -> sparse.csr_array:
    met = np.bincount(source * n_systems + target, minlength=n_systems**2) > 0
    return sparse.csr_array(met.reshape(n_systems, n_systems).astype(np.float64))


def _same_as_systems(cells: Cells, n_systems: int, has_side: bool, names: tuple[str, ...]) -> str:
    index = indistinct_slope(cells, n_systems, cells.slopes(has_side=has_side))
    if index is None:
        return ""
    return f"{(('side',) * has_side + names)[index]} {SAME_AS_SYSTEMS}"


def indistinct_slope(cells: Cells, n_systems: int, slopes: Floats) -> int | None:
    """A column of `slopes` (cells, k) that systems and other slopes explain wholly, so that it has no coefficient."""
    n_slopes = slopes.shape[1]
    if not n_slopes:
        return None
    size = np.sqrt(np.average(slopes**2, axis=0, weights=cells.count))
    form = ordinal.build_advantage(cells, n_systems, slopes / np.where(size > 0, size, 1.0), n_systems + n_slopes)
    information = (form.T @ form.multiply(cells.count[:, None])).toarray()
    information[:n_systems, :n_systems] += 1.0  # Σθ = 0
    values, vectors = np.linalg.eigh(information)
    if values[0] > SMALLEST_INFORMATION * values[-1]:
        return None
    return int(np.argmax(np.abs(vectors[n_systems:, 0])))


def _thresholds(design: ordinal.Design, fit: Fit) -> tuple[float, ...]:
    """Where |vote| reaches 1, 2, 3. A level that nobody used begins where the next used one does, the last at inf."""
    cuts = fit.parameters[design.first_threshold :]
    starts = {level: float(cut) for level, cut in zip(design.levels[1:], cuts, strict=True)}
    if design.levels[0] > 0:
        starts[design.levels[0]] = 0.0
    return tuple(
        next((starts[used] for used in range(level, MAX_VALUE + 1) if used in starts), float("inf"))
        for level in range(1, MAX_VALUE + 1)
    )


def _tie_parameter(design: davidson.Design, fit: Fit) -> float:
    return float(np.exp(fit.parameters[-1])) if design.has_ties else 0.0
