"""A ranking of systems from votes on −3 … +3, with intervals that know how votes cluster, and "cannot say yet"."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.stats import t as student_t

from earshot.estimation import ordinal
from earshot.estimation.clusters import too_few_clusters, two_way_covariance, two_way_meat
from earshot.estimation.votes import MAX_VALUE, Column, Floats, Ints, Votes, code_votes

LARGEST_ADVANTAGE = 15.0  # logits between two systems; beyond it the fit has run away, not found a maximum
SIDE_ALARM = 0.2  # logits


@dataclass(frozen=True)
class Standing:
    """One system on a board. Strengths are logits with mean 0; None is "cannot say yet"."""

    system: Hashable
    strength: float | None
    low: float | None
    high: float | None
    rank: int | None  # 1 + the number of systems whose lower bound lies above this one's upper bound
    n_votes: int


@dataclass(frozen=True)
class SideIntercept:
    """How many logits the left side is favoured by."""

    value: float
    low: float | None
    high: float | None

    @property
    def is_alarming(self) -> bool:
        return abs(self.value) > SIDE_ALARM


@dataclass(frozen=True)
class Board:
    standings: tuple[Standing, ...]  # strongest first where strengths are known
    thresholds: tuple[float, ...] | None  # logits at which |vote| reaches 1, 2, 3; inf where nobody went so far
    side_intercept: SideIntercept | None
    n_votes: int
    n_raters: int
    n_scenarios: int
    confidence: float
    reason: str  # why intervals, or strengths too, are missing; empty if nothing is
    covariance: Floats | None  # of the strengths, in the order of `covariance_of`
    covariance_of: tuple[Hashable, ...]

    @property
    def can_say(self) -> bool:
        """Whether every system has a strength with an interval."""
        return not self.reason


def fit_ordinal_bradley_terry(
    system_a: Column,
    system_b: Column,
    value: Column,
    rater: Column,
    scenario: Column,
    side: Column | None = None,
    *,
    systems: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Board:
    """Rank systems by cumulative-link Bradley-Terry with symmetric thresholds.

    Args: as `code_votes`; `side` adds an intercept for the left side.
    Returns:
        Strengths in logits, Σ = 0, with two-way cluster-robust intervals (rater and scenario, t with the smaller
        number of clusters less one). Where a strength or an interval cannot be known yet it is None, and `reason`
        says why: votes that do not connect all systems (no strengths), a system that never lost or never won (strengths
        from a weak prior, no intervals), fewer raters or scenarios than `clusters.MIN_CLUSTERS` (no intervals).
    Source: docs/ranking.md.
    """
    votes = code_votes(system_a, system_b, value, rater, scenario, side, systems=systems)
    if reason := _cannot_fit(votes):
        return _board(votes, None, None, None, confidence=confidence, reason=reason)
    cells = ordinal.count_cells(votes)
    design = ordinal.build_design(cells, len(votes.systems), has_side=side is not None)
    reason = _one_sided(votes)
    fit = None if reason else ordinal.maximise(design, cells.count, ridge=False)
    if fit is None or _ran_away(design, fit):
        reason = reason or "the votes that there are fit one way too well: some distance has no upper bound yet"
        fit = ordinal.maximise(design, cells.count, ridge=True)
    reason = reason or too_few_clusters(votes.n_raters, votes.n_scenarios)
    covariance = None
    if not reason:
        meats = two_way_meat(fit.scores, cells.of_vote, votes.rater, votes.scenario)
        covariance = two_way_covariance(ordinal.bread(design, fit), meats)
    return _board(votes, design, fit, covariance, confidence=confidence, reason=reason)


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
    return sparse.csr_array((np.ones(len(source)), (source, target)), shape=(n_systems, n_systems))


def _ran_away(design: ordinal.Design, fit: ordinal.Fit) -> bool:
    strengths = fit.parameters[: design.n_systems]
    side = fit.parameters[design.n_systems : design.first_threshold]
    return not fit.converged or bool(np.ptp(strengths) > LARGEST_ADVANTAGE or np.any(np.abs(side) > LARGEST_ADVANTAGE))


def _board(
    votes: Votes,
    design: ordinal.Design | None,
    fit: ordinal.Fit | None,
    covariance: Floats | None,
    *,
    confidence: float,
    reason: str,
) -> Board:
    n_systems = len(votes.systems)
    reach = None
    if covariance is not None:
        freedom = min(votes.n_raters, votes.n_scenarios) - 1
        reach = student_t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(np.diag(covariance))
    strengths = None if fit is None else fit.parameters[:n_systems]
    return Board(
        standings=_standings(votes, strengths, reach),
        thresholds=None if design is None or fit is None else _thresholds(design, fit),
        side_intercept=None if design is None or fit is None else _side_intercept(design, fit, reach),
        n_votes=len(votes),
        n_raters=votes.n_raters,
        n_scenarios=votes.n_scenarios,
        confidence=confidence,
        reason=reason,
        covariance=None if covariance is None else covariance[:n_systems, :n_systems],
        covariance_of=votes.systems,
    )


def _standings(votes: Votes, strengths: Floats | None, reach: Floats | None) -> tuple[Standing, ...]:
    n_systems = len(votes.systems)
    n_votes = np.bincount(np.concatenate([votes.system_a, votes.system_b]), minlength=n_systems)
    if strengths is None:
        return tuple(
            Standing(name, None, None, None, None, int(n)) for name, n in zip(votes.systems, n_votes, strict=True)
        )
    order = np.argsort(-strengths, kind="stable")
    low = high = None
    if reach is not None:
        low, high = strengths - reach[:n_systems], strengths + reach[:n_systems]
    return tuple(
        Standing(
            system=votes.systems[index],
            strength=float(strengths[index]),
            low=None if low is None else float(low[index]),
            high=None if high is None else float(high[index]),
            rank=None if low is None or high is None else 1 + int(np.sum(low > high[index])),
            n_votes=int(n_votes[index]),
        )
        for index in order
    )


def _thresholds(design: ordinal.Design, fit: ordinal.Fit) -> tuple[float, ...]:
    """Where |vote| reaches 1, 2, 3. A level that nobody used begins where the next used one does, the last at inf."""
    cuts = fit.parameters[design.first_threshold :]
    starts = {level: float(cut) for level, cut in zip(design.levels[1:], cuts, strict=True)}
    if design.levels[0] > 0:
        starts[design.levels[0]] = 0.0
    return tuple(
        next((starts[used] for used in range(level, MAX_VALUE + 1) if used in starts), float("inf"))
        for level in range(1, MAX_VALUE + 1)
    )


def _side_intercept(design: ordinal.Design, fit: ordinal.Fit, reach: Floats | None) -> SideIntercept | None:
    if not design.has_side:
        return None
    value = float(fit.parameters[design.n_systems])
    if reach is None:
        return SideIntercept(value, None, None)
    return SideIntercept(value, value - float(reach[design.n_systems]), value + float(reach[design.n_systems]))
