"""Figures of how well scores foretell votes, each with an interval clustered by scenario. Pure numpy and scipy."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from scipy.stats import t as student_t

from earshot.estimation.clusters import MIN_CLUSTERS
from earshot.estimation.votes import number

CONFIDENCE = 0.95
RELIABILITY_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Figure:
    """An estimate; no interval where `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    n: int  # votes or pairs
    n_scenarios: int
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}


def mean_by_scenario(values: Floats, scenario: npt.NDArray[Any]) -> Figure:
    """The mean of `values` (n,), with an interval that takes votes of one scenario to hang together.

    Source: cluster-robust variance of a mean with the factor G/(G − 1) and Student's t with G − 1 degrees of freedom.
    """
    clusters = number(scenario)
    n_clusters = int(clusters.max()) + 1 if len(clusters) else 0
    if not n_clusters:
        return Figure(None, None, None, 0, 0, "no votes")
    mean = float(values.mean())
    if n_clusters < MIN_CLUSTERS:
        return Figure(mean, None, None, len(values), n_clusters, _too_few(n_clusters))
    sums = np.bincount(clusters, weights=values - mean)
    error = np.sqrt(n_clusters / (n_clusters - 1) * float((sums**2).sum())) / len(values)
    reach = float(student_t.ppf(0.5 + CONFIDENCE / 2, n_clusters - 1)) * error
    return Figure(mean, mean - reach, mean + reach, len(values), n_clusters)


def jackknife_by_scenario(statistic: Callable[[Ints], float], scenario: npt.NDArray[Any]) -> Figure:
    """`statistic` of all rows, with an interval from leaving out one scenario at a time.

    Args:
        statistic: takes the places of the rows to use.
    """
    clusters, rows = number(scenario), np.arange(len(scenario))
    n_clusters = int(clusters.max()) + 1 if len(clusters) else 0
    if not n_clusters:
        return Figure(None, None, None, 0, 0, "no votes")
    whole = statistic(rows)
    if not np.isfinite(whole):
        return Figure(None, None, None, len(rows), n_clusters, "all values are alike")
    if n_clusters < MIN_CLUSTERS:
        return Figure(whole, None, None, len(rows), n_clusters, _too_few(n_clusters))
    left_out = np.array([statistic(rows[clusters != each]) for each in range(n_clusters)])
    variance = (n_clusters - 1) / n_clusters * float(((left_out - left_out.mean()) ** 2).sum())
    reach = float(student_t.ppf(0.5 + CONFIDENCE / 2, n_clusters - 1)) * variance**0.5
    if not np.isfinite(reach):
        return Figure(whole, None, None, len(rows), n_clusters, "without one scenario all values are alike")
    return Figure(whole, whole - reach, whole + reach, len(rows), n_clusters)


def _too_few(n_clusters: int) -> str:
    return f"votes on {n_clusters} scenarios; an interval needs {MIN_CLUSTERS} or more"


def accuracy(margin: Floats, votes: Ints, scenario: npt.NDArray[Any]) -> Figure:
    """Share of decided votes (ties left out) whose side has the higher score; equal scores count half."""
    decided = votes != 0
    right = 0.5 + 0.5 * np.sign(margin[decided]) * np.sign(votes[decided])
    found = mean_by_scenario(right, scenario[decided])
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def rank_correlation(margin: Floats, cmos: Floats, scenario: npt.NDArray[Any]) -> Figure:
    """Spearman's ρ between margins and mean votes of pairs, each pair in both orders: which side is a is arbitrary."""

    def rho(rows: Ints) -> float:
        both = [rankdata(np.concatenate([column[rows], -column[rows]])) for column in (margin, cmos)]
        if any(np.ptp(ranks) == 0 for ranks in both):
            return float("nan")
        return float(np.corrcoef(both[0], both[1])[0, 1])

    return jackknife_by_scenario(rho, scenario)


@dataclass(frozen=True)
class Reliability:
    """Of the decided votes: how sure the model was, and how often its side won."""

    table: tuple[dict[str, float | int], ...]
    expected_calibration_error: float | None


def reliability(wins_a: Floats, votes: Ints) -> Reliability:
    """Calibration of P(a wins | decided), (n,). Turned to the model's side first, so that a and b cannot matter."""
    decided = votes != 0
    sure = np.maximum(wins_a, 1 - wins_a)[decided]
    right = (wins_a[decided] > 0.5) == (votes[decided] > 0)
    place = np.clip(np.searchsorted(RELIABILITY_EDGES, sure, side="right") - 1, 0, len(RELIABILITY_EDGES) - 2)
    rows: list[dict[str, float | int]] = []
    error = 0.0
    for bin in range(len(RELIABILITY_EDGES) - 1):
        inside = place == bin
        if inside.any():
            said, was = float(sure[inside].mean()), float(right[inside].mean())
            rows.append({"said": round(said, 4), "was": round(was, 4), "n": int(inside.sum())})
            error += inside.mean() * abs(said - was)
    return Reliability(tuple(rows), round(float(error), 4) if decided.any() else None)
