"""The ceiling of any reward model against single votes: E[max(p, 1 − p)], p being the chance that a rater prefers a."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betaln
from scipy.stats import t as student_t

from earshot.estimation.clusters import MIN_CLUSTERS
from earshot.estimation.estimates import ALL_ALIKE
from earshot.estimation.votes import Column, Ints, number

LOG_SHAPE_BOUNDS = (-6.0, 8.0)  # of Beta(s, s): raters always agree … every pair is a coin toss


@dataclass(frozen=True)
class Ceiling:
    """Share of single decided votes that the best possible judge would predict; None where `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    n_pairs: int  # pairs with at least two decided votes: only they tell how raters differ
    n_votes: int
    reason: str


def ceiling_from_probabilities(probability: Column) -> float:
    """Exact ceiling for known p per pair, as for simulated raters.

    Raises:
        ValueError: for no pairs, or a probability outside 0 … 1.
    """
    p = np.asarray(probability, dtype=np.float64)
    if p.size == 0 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"The ceiling needs probabilities from 0 to 1, at least one; got {p.size} values.")
    return float(np.maximum(p, 1 - p).mean())


def ceiling_from_votes(unit: Column, value: Column, cluster: Column, *, confidence: float = 0.95) -> Ceiling:
    """Ceiling from real votes; ties are left out.

    A pair's own share of wins would flatter the ceiling (with three votes it is never below 2/3). So p is taken to
    follow Beta(s, s) over pairs (symmetric, since which dialogue is called a is arbitrary), s is fitted by maximum
    likelihood, and the interval comes from leaving out one cluster at a time.

    Args:
        unit, value: the pair of each vote and its value; only the sign counts.
        cluster: what is left out at a time, such as the pair's scenario.
    """
    signs = np.sign(np.asarray(value, dtype=np.int64))
    decided = signs != 0
    units, clusters = number(np.asarray(unit)[decided]), number(np.asarray(cluster)[decided])
    signs = signs[decided]
    n_units = int(units.max()) + 1 if units.size else 0
    wins = np.bincount(units[signs > 0], minlength=n_units)
    losses = np.bincount(units[signs < 0], minlength=n_units)
    unit_cluster = np.zeros(n_units, dtype=np.int64)
    unit_cluster[units] = clusters
    kept = wins + losses >= 2
    wins, losses, unit_cluster = wins[kept], losses[kept], unit_cluster[kept]
    if not kept.any():
        return Ceiling(None, None, None, 0, 0, "no pair has two decided votes")
    splits, per_cluster = _count_splits(wins, losses, number(unit_cluster))
    estimate = _fit_ceiling(splits, per_cluster.sum(axis=0))
    low, high, reason = _jackknife(splits, per_cluster, estimate, confidence)
    return Ceiling(estimate, low, high, int(kept.sum()), int(wins.sum() + losses.sum()), reason)


def expected_ceiling(shape: float) -> float:
    """E[max(p, 1 − p)] of p ~ Beta(s, s): a half plus its mean distance from a half."""
    return 0.5 + float(np.exp(-betaln(shape, shape) - 2 * shape * np.log(2.0))) / shape


def _count_splits(wins: Ints, losses: Ints, cluster: Ints) -> tuple[Ints, Ints]:
    """The distinct splits of votes, (2, k), and how many pairs of each cluster have each, (clusters, k).

    There are few of them however many pairs there are, so that leaving out one cluster after another stays cheap.
    """
    splits, place = np.unique(np.stack([wins, losses]), axis=1, return_inverse=True)
    n_clusters, n_splits = int(cluster.max()) + 1, splits.shape[1]
    counts = np.bincount(cluster * n_splits + place.ravel(), minlength=n_clusters * n_splits)
    return splits.astype(np.int64), counts.reshape(n_clusters, n_splits).astype(np.int64)


def _fit_ceiling(splits: Ints, count: Ints) -> float:
    """Beta-binomial maximum likelihood in one unknown."""
    wins, losses = splits

    def cost(log_shape: float) -> float:
        shape = np.exp(log_shape)
        return float(count @ (betaln(shape, shape) - betaln(shape + wins, shape + losses)))

    best = minimize_scalar(cost, bounds=LOG_SHAPE_BOUNDS, method="bounded", options={"xatol": 1e-6})
    return expected_ceiling(float(np.exp(best.x)))


def _jackknife(
    splits: Ints, per_cluster: Ints, estimate: float, confidence: float
) -> tuple[float | None, float | None, str]:
    n_clusters = len(per_cluster)
    if n_clusters < MIN_CLUSTERS:
        return None, None, f"decided votes on {n_clusters} groups of pairs; an interval needs {MIN_CLUSTERS} or more"
    if not splits.min(axis=0).any():  # no pair divides its raters
        return None, None, ALL_ALIKE
    whole = per_cluster.sum(axis=0)
    left_out = np.array([_fit_ceiling(splits, whole - own) for own in per_cluster])
    variance = (n_clusters - 1) / n_clusters * float(((left_out - left_out.mean()) ** 2).sum())
    reach = float(student_t.ppf(0.5 + confidence / 2, n_clusters - 1)) * variance**0.5
    return max(estimate - reach, 0.5), min(estimate + reach, 1.0), ""
