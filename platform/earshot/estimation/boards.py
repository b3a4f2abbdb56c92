"""What a ranking says: standings with intervals and ranks, differences between systems, and "cannot say yet"."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from earshot.estimation.clusters import TwoWay
from earshot.estimation.newton import Fit
from earshot.estimation.votes import Floats, Votes

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
    rank_low: int | None = None  # the best and the worst place that this system may really have, see `rank_bounds`
    rank_high: int | None = None


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
class Coefficient:
    """How many logits one more unit of a covariate is worth to a side."""

    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """How many logits the first system is ahead of the second; no interval where the board cannot say."""

    first: Hashable
    second: Hashable
    value: float
    standard_error: float | None
    low: float | None
    high: float | None

    @property
    def is_separated(self) -> bool:
        """Whether this interval leaves 0 out. Of many differences some will by chance."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


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
    tie_parameter: float | None = None  # ν of Davidson's model; 0 without ties
    coefficients: tuple[Coefficient, ...] = ()  # of covariates
    difference_errors: Floats | None = None  # standard error of each difference, (systems, systems), same order
    freedom: int | None = None  # degrees of freedom of Student's t

    @property
    def can_say(self) -> bool:
        """Whether every system has a strength with an interval."""
        return not self.reason

    def difference(self, first: Hashable, second: Hashable) -> Difference | None:
        """The first system's lead over the second with its own interval; None where there are no strengths."""
        place = {name: index for index, name in enumerate(self.covariance_of)}
        strength = {standing.system: standing.strength for standing in self.standings}
        if unknown := [name for name in (first, second) if name not in place]:
            raise ValueError(f"{unknown[0]!r} is not on this board. It has {', '.join(map(str, place))}.")
        ahead, behind = strength[first], strength[second]
        if ahead is None or behind is None:
            return None
        value = ahead - behind
        if self.difference_errors is None or self.freedom is None:
            return Difference(first, second, value, None, None, None)
        error = float(self.difference_errors[place[first], place[second]])
        reach = quantile(self.confidence, self.freedom) * error
        return Difference(first, second, value, error, value - reach, value + reach)


def make_board(
    votes: Votes,
    fit: Fit | None,
    errors: TwoWay | None,
    *,
    confidence: float,
    reason: str,
    covariate_names: tuple[str, ...] = (),
    thresholds: tuple[float, ...] | None = None,
    tie_parameter: float | None = None,
) -> Board:
    """A board from a fit, or from None where there are no strengths, and its errors, or None."""
    n_systems, has_side = len(votes.systems), votes.side is not None
    freedom = min(votes.n_raters, votes.n_scenarios) - 1
    covariance = reach = difference_errors = None
    if errors is not None:
        covariance = errors.covariance()
        reach = quantile(confidence, freedom) * np.sqrt(np.diag(covariance))
        difference_errors = np.sqrt(errors.variance_of_differences(n_systems))
    slopes = [] if fit is None else _slopes(fit, reach, has_side, covariate_names)
    side = slopes.pop(0) if has_side and slopes else None
    return Board(
        standings=_standings(votes, fit, reach, difference_errors, confidence),
        thresholds=thresholds,
        side_intercept=None if side is None else SideIntercept(side.value, side.low, side.high),
        n_votes=len(votes),
        n_raters=votes.n_raters,
        n_scenarios=votes.n_scenarios,
        confidence=confidence,
        reason=reason,
        covariance=None if covariance is None else covariance[:n_systems, :n_systems],
        covariance_of=votes.systems,
        tie_parameter=tie_parameter,
        coefficients=tuple(slopes),
        difference_errors=difference_errors,
        freedom=None if errors is None else freedom,
    )


def quantile(confidence: float, freedom: int) -> float:
    """How many standard errors a two-sided interval reaches."""
    return float(student_t.ppf(0.5 + confidence / 2, freedom))


def rank_bounds(strengths: Floats, difference_errors: Floats, confidence: float, freedom: int) -> tuple[Floats, Floats]:
    """The best and worst place that each system may really have, (systems,) each.

    A system's n − 1 differences from the others get intervals that hold all together (Bonferroni); whoever is surely
    above it by them costs it a place at the top, whoever is surely below it a place at the bottom. So each system's
    range holds its true place with at least the confidence given, that system looked at alone.

    Source: Mogstad, Romano, Shaikh and Wilhelm (2024), Review of Economic Studies 91, 476.
    """
    n_systems = len(strengths)
    reach = quantile(1 - (1 - confidence) / max(n_systems - 1, 1), freedom) * difference_errors
    lead = strengths[:, None] - strengths[None, :]
    surely_above = lead > np.where(np.eye(n_systems, dtype=np.bool_), np.inf, reach)  # [i, j]: i is above j
    return 1 + surely_above.sum(axis=0), n_systems - surely_above.sum(axis=1)


def _slopes(fit: Fit, reach: Floats | None, has_side: bool, covariate_names: tuple[str, ...]) -> list[Coefficient]:
    found = []
    for index, name in enumerate(("side",) * has_side + covariate_names, start=fit.n_systems):
        value = float(fit.parameters[index])
        if reach is None:
            found.append(Coefficient(name, value, None, None))
        else:
            found.append(Coefficient(name, value, value - float(reach[index]), value + float(reach[index])))
    return found


def _standings(
    votes: Votes, fit: Fit | None, reach: Floats | None, difference_errors: Floats | None, confidence: float
) -> tuple[Standing, ...]:
    n_systems = len(votes.systems)
    n_votes = np.bincount(np.concatenate([votes.system_a, votes.system_b]), minlength=n_systems)
    counted = list(zip(votes.systems, n_votes.tolist(), strict=True))
    if fit is None:
        return tuple(Standing(name, None, None, None, None, n) for name, n in counted)
    strengths = fit.strengths
    order = np.argsort(-strengths, kind="stable").tolist()
    if reach is None or difference_errors is None:
        return tuple(Standing(counted[i][0], float(strengths[i]), None, None, None, counted[i][1]) for i in order)
    low, high = strengths - reach[:n_systems], strengths + reach[:n_systems]
    rank = 1 + np.sum(low[None, :] > high[:, None], axis=1)
    freedom = min(votes.n_raters, votes.n_scenarios) - 1
    best, worst = rank_bounds(strengths, difference_errors, confidence, freedom)
    return tuple(
        Standing(
            system=counted[i][0],
            strength=float(strengths[i]),
            low=float(low[i]),
            high=float(high[i]),
            rank=int(rank[i]),
            n_votes=counted[i][1],
            rank_low=int(min(best[i], rank[i])),  # the headline rank never lies outside its own range
            rank_high=int(max(worst[i], rank[i])),
        )
        for i in order
    )
