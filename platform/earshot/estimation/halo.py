"""Halo: one impression answers every question, so that the dimensions tell no more than the overall does."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from earshot.estimation.estimates import ALL_ALIKE, Estimate, estimate_of, ratio_by_rater, shrink_normal, shrink_shares
from earshot.estimation.judged import Judged, total_by
from earshot.estimation.votes import Floats, Ints

TOO_MUCH = 0.6  # correlation beyond the pairs' own: above it, ask one dimension per pass
LEAST_SPREAD = 0.15  # between raters, of Fisher's z
MIN_JUDGMENTS = 4  # of a rater on pairs that others judged: Fisher's z needs more than three


@dataclass(frozen=True)
class RaterHalo:
    """One rater's; the correlation is shrunk towards the study's."""

    alike: Estimate  # share of judgments with the same answer in all dimensions
    correlation: Estimate  # between dimensions, beyond what the pairs themselves have in common


@dataclass(frozen=True)
class Halo:
    """A study's, and each rater's in the order of `Judged.raters`."""

    alike: Estimate
    correlation: Estimate
    raters: tuple[RaterHalo, ...]
    advises_one_dimension_per_pass: bool  # the correlation's whole interval is above 0.6


def measure_halo(judged: Judged, *, confidence: float = 0.95) -> Halo:
    """Share of judgments alike in all dimensions, and the correlation of dimensions within pairs.

    A pair that is better in one dimension is often better in others too. So each vote is taken as its difference from
    the mean vote on the same pair and dimension: what is left is this rater's own, and if it still goes together
    between dimensions, it is halo. Pairs with one vote in a dimension tell nothing of it.

    The study's intervals leave out one rater at a time; a rater's correlation has Fisher's interval, shrunk.
    """
    answered = ~np.isnan(judged.values)
    asked = answered.sum(axis=1) >= 2
    n_raters = len(judged.raters)
    alike = total_by(judged.rater, asked & _is_alike(judged.values), n_raters)
    n_asked = total_by(judged.rater, asked, n_raters)
    parts, n_shared = _products(judged, answered)
    shares = shrink_shares(alike, n_asked, confidence=confidence)
    share, correlation = (
        ratio_by_rater(
            sums, int(n.sum()), least=-1.0, most=1.0, if_empty=if_empty, is_share=is_share, confidence=confidence
        )
        for sums, n, if_empty, is_share in (
            (np.column_stack([alike, n_asked]), n_asked, "no judgment has answers in two dimensions", True),
            (parts, n_shared, "no two votes on one pair differ in two dimensions", False),
        )
    )
    raters = tuple(map(RaterHalo, shares, _per_rater(parts, n_shared, confidence)))
    # Where everybody always answers alike the correlation has no interval, but the share of such judgments has one.
    is_too_much = (share if correlation.reason == ALL_ALIKE else correlation).is_above(TOO_MUCH)
    return Halo(share, correlation, raters, is_too_much)


def _is_alike(values: Floats) -> np.ndarray:
    least = np.where(np.isnan(values), np.inf, values).min(axis=1, initial=np.inf)
    most = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    return np.asarray(least == most)


def _products(judged: Judged, answered: np.ndarray) -> tuple[Floats, Ints]:
    """Summed products of residuals per rater, (raters, 2): between dimensions and within one; and judgments, (raters,).

    Each product of two dimensions stands beside the mean of their squares, so that a dimension that is missing, or in
    which votes lie farther apart, weighs on both alike.
    """
    n_raters, d = len(judged.raters), judged.values.shape[1]
    residual, shared = np.zeros(judged.values.shape), np.zeros(judged.values.shape, dtype=bool)
    for k in range(d):
        rows = answered[:, k]
        pair, value = judged.pair[rows], judged.values[rows, k]
        n = np.bincount(pair)
        residual[rows, k] = value - (np.bincount(pair, value) / np.maximum(n, 1))[pair]
        shared[rows, k] = n[pair] > 1
    sums = np.zeros((n_raters, 2))
    for one in range(d):
        for other in range(one + 1, d):
            rows = shared[:, one] & shared[:, other]
            first, second, rater = residual[rows, one], residual[rows, other], judged.rater[rows]
            sums[:, 0] += total_by(rater, first * second, n_raters)
            sums[:, 1] += total_by(rater, (first**2 + second**2) / 2, n_raters)
    counts = np.bincount(judged.rater[shared.sum(axis=1) >= 2], minlength=n_raters)
    return sums, counts.astype(np.int64)


def _per_rater(parts: Floats, n: Ints, confidence: float) -> list[Estimate]:
    """Each rater's correlation, shrunk on Fisher's z; a judgment counts once, however many dimensions it has."""
    known = (n >= MIN_JUDGMENTS) & (parts[:, 1] > 0)
    raw = np.where(known, parts[:, 0] / np.where(known, parts[:, 1], 1.0), 0.0)
    variance = np.where(known, 1 / np.maximum(n - 3, 1), np.inf)
    shrunk = shrink_normal(np.arctanh(np.clip(raw, -0.99, 0.99)), variance, least_spread=LEAST_SPREAD)
    reach = float(norm.ppf(0.5 + confidence / 2)) * shrunk.sd
    bands = np.tanh(np.column_stack([shrunk.value, shrunk.value - reach, shrunk.value + reach]))
    reason = f"fewer than {MIN_JUDGMENTS} judgments on pairs that others judged too"
    return [
        estimate_of(bands[i], int(n[i])) if known[i] else Estimate(None, None, None, int(n[i]), reason)
        for i in range(len(n))
    ]
