"""Agreement between raters: Krippendorff's α for votes on an ordered scale."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from earshot.estimation.clusters import MIN_CLUSTERS
from earshot.estimation.votes import MAX_VALUE, Column, Floats, number

N_LEVELS = 2 * MAX_VALUE + 1


@dataclass(frozen=True)
class Agreement:
    """α is 1 for full agreement, 0 for chance; None where `reason` says why it is undefined."""

    alpha: float | None
    low: float | None
    high: float | None
    n_units: int  # pairs with at least two votes
    n_votes: int  # on those pairs
    reason: str


def krippendorff_alpha(
    unit: Column, value: Column, cluster: Column | None = None, *, confidence: float = 0.95
) -> Agreement:
    """Ordinal α of votes on −3 … +3, with missing votes allowed and a jackknife interval.

    Which dialogue of a pair is called a is arbitrary, so each unit counts in both signs: exchanging a and b in some
    pairs changes nothing.

    Args:
        unit: the pair each vote is about, (n,).
        value: −3 … +3, (n,).
        cluster: what is left out at a time for the interval, such as the pair's scenario; by default the unit.
    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability; ordinal metric of section E.
    """
    units, values = number(unit), np.asarray(value, dtype=np.int64)
    clusters = units if cluster is None else number(cluster)
    if len({len(units), len(values), len(clusters)}) != 1:
        raise ValueError("unit, value and cluster differ in length. Give every column one entry per vote.")
    if values.size and np.abs(values).max() > MAX_VALUE:
        raise ValueError(f"There is a vote of {values[np.abs(values).argmax()]}; votes are −3 … +3.")
    counts, unit_cluster = _counts_per_unit(units, values, clusters)
    kept = counts.sum(axis=1) >= 2  # one vote alone agrees with nobody
    counts, unit_cluster = counts[kept], unit_cluster[kept]
    n_units, n_votes = len(counts), int(counts.sum())
    if n_units == 0:
        return Agreement(None, None, None, 0, 0, "no pair has two votes")
    coincidences = _coincidences(counts)
    alpha = _alpha(coincidences.sum(axis=0))
    if alpha is None:
        return Agreement(None, None, None, n_units, n_votes, "undefined: everyone agreed that all pairs are alike")
    low, high, reason = _jackknife(coincidences, number(unit_cluster), alpha, confidence)
    return Agreement(alpha, low, high, n_units, n_votes, reason)


def _counts_per_unit(units: np.ndarray, values: np.ndarray, clusters: np.ndarray) -> tuple[Floats, np.ndarray]:
    """How often each unit got each level, (units, 7), and each unit's cluster."""
    n_units = int(units.max()) + 1 if units.size else 0
    counts = np.bincount(units * N_LEVELS + values + MAX_VALUE, minlength=n_units * N_LEVELS)
    unit_cluster = np.zeros(n_units, dtype=np.int64)
    unit_cluster[units] = clusters
    return counts.reshape(n_units, N_LEVELS).astype(np.float64), unit_cluster


def _coincidences(counts: Floats) -> Floats:
    """Pairable values within each unit, in both signs, (units, 7, 7)."""
    pairs = counts[:, :, None] * counts[:, None, :]
    levels = np.arange(N_LEVELS)
    pairs[:, levels, levels] -= counts
    pairs /= (counts.sum(axis=1) - 1)[:, None, None]
    both_signs: Floats = pairs + pairs[:, ::-1, ::-1]
    return both_signs


def _alpha(coincidences: Floats) -> float | None:
    """α of one table of coincidences (7, 7), or of many (…, 7, 7)."""
    marginal = coincidences.sum(axis=-1)
    total = marginal.sum()
    below = np.cumsum(marginal) - marginal / 2  # votes below a level, its own counted half
    distance = (below[:, None] - below[None, :]) ** 2
    expected = float((np.outer(marginal, marginal) * distance).sum() / (total - 1))
    if expected == 0:
        return None
    return 1 - float((coincidences * distance).sum()) / expected


def _jackknife(
    coincidences: Floats, clusters: np.ndarray, alpha: float, confidence: float
) -> tuple[float | None, float | None, str]:
    n_clusters = int(clusters.max()) + 1
    if n_clusters < MIN_CLUSTERS:
        return None, None, f"votes on {n_clusters} groups of pairs; an interval needs {MIN_CLUSTERS} or more"
    per_cluster = np.zeros((n_clusters, N_LEVELS, N_LEVELS))
    np.add.at(per_cluster, clusters, coincidences)
    whole = per_cluster.sum(axis=0)
    left_out = [_alpha(whole - part) for part in per_cluster]
    known = np.array([value for value in left_out if value is not None])
    if len(known) < n_clusters:
        return None, None, "all disagreement is in one group of pairs"
    variance = (n_clusters - 1) / n_clusters * float(((known - known.mean()) ** 2).sum())
    reach = float(student_t.ppf(0.5 + confidence / 2, n_clusters - 1)) * variance**0.5
    return alpha - reach, min(alpha + reach, 1.0), ""
