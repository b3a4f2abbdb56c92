"""Agreement between raters on an ordered scale: Krippendorff's α, and Gwet's AC2, which skew does not break."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from earshot.estimation.clusters import MIN_CLUSTERS
from earshot.estimation.estimates import ALL_ALIKE, is_one_number
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


@dataclass(frozen=True)
class GwetAgreement:
    """AC2 is 1 for full agreement, 0 for chance; None where `reason` says why there is none."""

    ac2: float | None
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
    counts, unit_cluster = _counts_per_unit(unit, value, cluster)
    kept = counts.sum(axis=1) >= 2  # one vote alone agrees with nobody
    counts, unit_cluster = counts[kept], unit_cluster[kept]
    n_units, n_votes = len(counts), int(counts.sum())
    if n_units == 0:
        return Agreement(None, None, None, 0, 0, "no pair has two votes")
    per_cluster = _sum_per_cluster(_coincidences(counts), unit_cluster)
    whole = per_cluster.sum(axis=0)
    alpha = _alpha(whole)
    if alpha is None:
        return Agreement(None, None, None, n_units, n_votes, "undefined: everyone agreed that all pairs are alike")
    left_out = [_alpha(whole - part) for part in per_cluster]
    low, high, reason = _jackknife(left_out, alpha, confidence, "all disagreement is in one group of pairs")
    return Agreement(alpha, low, high, n_units, n_votes, reason)


def gwet_ac2(unit: Column, value: Column, cluster: Column | None = None, *, confidence: float = 0.95) -> GwetAgreement:
    """Ordinal AC2 of votes on −3 … +3, with missing votes allowed and a jackknife interval.

    Where nearly all votes are alike α falls to 0 and below although raters agree: it then says that there was nothing
    to tell apart. AC2 takes chance to be less there. Pairs with one vote count in the shares of the levels only, and
    each pair in both signs, as for α. Args: as `krippendorff_alpha`.

    Source: Gwet (2014), Handbook of Inter-Rater Reliability, 4th ed., sections 3.5 and 5.5; ordinal weights.
    """
    counts, unit_cluster = _counts_per_unit(unit, value, cluster)
    kept = counts.sum(axis=1) >= 2
    n_units, n_votes = int(kept.sum()), int(counts[kept].sum())
    if n_units == 0:
        return GwetAgreement(None, None, None, 0, 0, "no pair has two votes")
    per_cluster = _sum_per_cluster(_agreement_parts(counts), unit_cluster)
    whole = per_cluster.sum(axis=0)
    ac2 = _ac2(whole)
    left_out = [_ac2(whole - part) for part in per_cluster]
    low, high, reason = _jackknife(left_out, ac2, confidence, "all pairs with two votes are in one group of pairs")
    return GwetAgreement(ac2, low, high, n_units, n_votes, reason)


def _counts_per_unit(unit: Column, value: Column, cluster: Column | None) -> tuple[Floats, np.ndarray]:
    """How often each unit got each level, (units, 7), and each unit's cluster."""
    units, values = number(unit), np.asarray(value, dtype=np.int64)
    clusters = units if cluster is None else number(cluster)
    if len({len(units), len(values), len(clusters)}) != 1:
        raise ValueError("unit, value and cluster differ in length. Give every column one entry per vote.")
    if values.size and np.abs(values).max() > MAX_VALUE:
        raise ValueError(f"There is a vote of {values[np.abs(values).argmax()]}; votes are −3 … +3.")
    n_units = int(units.max()) + 1 if units.size else 0
    counts = np.bincount(units * N_LEVELS + values + MAX_VALUE, minlength=n_units * N_LEVELS)
    unit_cluster = np.zeros(n_units, dtype=np.int64)
    unit_cluster[units] = clusters
    return counts.reshape(n_units, N_LEVELS).astype(np.float64), unit_cluster


def _sum_per_cluster(parts: Floats, unit_cluster: np.ndarray) -> Floats:
    """Each unit's part, (units, …), summed over the units of a cluster, (clusters, …)."""
    clusters = number(unit_cluster)
    sums = np.zeros((int(clusters.max()) + 1, *parts.shape[1:]))
    np.add.at(sums, clusters, parts)
    return sums


def _coincidences(counts: Floats) -> Floats:
    """Pairable values within each unit, in both signs, (units, 7, 7)."""
    pairs = counts[:, :, None] * counts[:, None, :]
    levels = np.arange(N_LEVELS)
    pairs[:, levels, levels] -= counts
    pairs /= (counts.sum(axis=1) - 1)[:, None, None]
    both_signs: Floats = pairs + pairs[:, ::-1, ::-1]
    return both_signs


def _alpha(coincidences: Floats) -> float | None:
    """α of one table of coincidences, (7, 7)."""
    marginal = coincidences.sum(axis=-1)
    total = marginal.sum()
    below = np.cumsum(marginal) - marginal / 2  # votes below a level, its own counted half
    distance = (below[:, None] - below[None, :]) ** 2
    expected = float((np.outer(marginal, marginal) * distance).sum() / (total - 1))
    if expected == 0:
        return None
    return 1 - float((coincidences * distance).sum()) / expected


def _ordinal_weights() -> Floats:
    """1 on the diagonal, 0 between the ends: 1 − M/M_max, M the number of pairs of levels from one to the other."""
    levels = np.arange(N_LEVELS)
    distance = np.abs(levels[:, None] - levels[None, :])
    between = distance * (distance + 1) / 2
    weights: Floats = 1 - between / between.max()
    return weights


def _agreement_parts(counts: Floats) -> Floats:
    """What AC2 sums over units, (units, 10): weighted agreement, has two votes, has one, shares of the levels."""
    total = counts.sum(axis=1)
    agreeing = (counts * (counts @ _ordinal_weights() - 1)).sum(axis=1) / np.maximum(total * (total - 1), 1)
    shares = counts / total[:, None]
    both_signs = (shares + shares[:, ::-1]) / 2
    return np.column_stack([np.where(total >= 2, agreeing, 0), total >= 2, total >= 1, both_signs])


def _ac2(sums: Floats) -> float | None:
    """AC2 of summed parts; None where no unit with two votes is left."""
    agreeing, n_units, n_rated = sums[:3]
    if n_units < 0.5:
        return None
    share = sums[3:] / n_rated
    by_chance = _ordinal_weights().sum() * (share * (1 - share)).sum() / (N_LEVELS * (N_LEVELS - 1))
    return float((agreeing / n_units - by_chance) / (1 - by_chance))


def _jackknife(
    left_out: list[float | None], estimate: float | None, confidence: float, if_undefined: str
) -> tuple[float | None, float | None, str]:
    """The interval from the estimates with one cluster left out at a time."""
    n_clusters = len(left_out)
    if n_clusters < MIN_CLUSTERS:
        return None, None, f"votes on {n_clusters} groups of pairs; an interval needs {MIN_CLUSTERS} or more"
    known = np.array([value for value in left_out if value is not None])
    if estimate is None or len(known) < n_clusters:
        return None, None, if_undefined
    if is_one_number(known):
        return None, None, ALL_ALIKE
    variance = (n_clusters - 1) / n_clusters * float(((known - known.mean()) ** 2).sum())
    reach = float(student_t.ppf(0.5 + confidence / 2, n_clusters - 1)) * variance**0.5
    return estimate - reach, min(estimate + reach, 1.0), ""
