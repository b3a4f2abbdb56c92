"""Self-agreement: what raters say when the same pair comes again with its sides exchanged."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from earshot.estimation.estimates import Estimate, estimate_of, ratio_by_rater, shrink_normal, shrink_shares
from earshot.estimation.judged import total_by
from earshot.estimation.votes import MAX_VALUE, Column, Floats, Ints, number

LEAST_SPREAD = 0.2  # between raters, of the mean difference in points


@dataclass(frozen=True)
class RaterSelfAgreement:
    """One rater's, shrunk towards the others'."""

    rater: Hashable
    same_sign: Estimate
    mean_difference: Estimate  # of the two votes, in points, 0 … 6


@dataclass(frozen=True)
class SelfAgreement:
    """All raters'; intervals leave out one rater at a time."""

    same_sign: Estimate  # share of repeats that prefer the same dialogue again, or none again
    mean_difference: Estimate  # in points of the scale, 0 … 6
    correlation: Estimate  # of the two votes about 0
    raters: tuple[RaterSelfAgreement, ...]  # sorted


def self_agreement(rater: Column, first: Column, repeat: Column, *, confidence: float = 0.95) -> SelfAgreement:
    """How far raters agree with themselves, over repeats with sides exchanged.

    Which dialogue is called a is arbitrary, so the correlation is about 0, Σ 2xy / Σ (x² + y²): exchanging a and b
    changes nothing.

    Args:
        rater: who repeated, (n,).
        first, repeat: both votes as stored (positive favours a), −3 … +3, (n,): whoever is consistent gives equal ones.
    Raises:
        ValueError: for columns of unequal length, or a value off the scale.
    """
    x, y = (np.asarray(each, dtype=np.int64) for each in (first, repeat))
    if len({len(rater), len(x), len(y)}) != 1:
        raise ValueError(f"There are {len(rater)} raters, {len(x)} first votes and {len(y)} repeats. Give one of each.")
    for value in (x, y):
        if value.size and np.abs(value).max() > MAX_VALUE:
            raise ValueError(f"There is a vote of {value[np.abs(value).argmax()]}; votes are −3 … +3.")
    who, names = number(rater), tuple(np.unique(np.asarray(rater)).tolist())
    same, difference = np.sign(x) == np.sign(y), np.abs(x - y)
    ones = np.ones(len(x))

    def ratio(
        above: Floats | Ints, below: Floats | Ints, least: float, most: float, if_empty: str, *, is_share: bool = False
    ) -> Estimate:
        sums = np.column_stack([total_by(who, column, len(names)) for column in (above, below)])
        return ratio_by_rater(
            sums, len(x), least=least, most=most, if_empty=if_empty, is_share=is_share, confidence=confidence
        )

    return SelfAgreement(
        same_sign=ratio(same.astype(np.float64), ones, 0.0, 1.0, "no repeats", is_share=True),
        mean_difference=ratio(difference, ones, 0.0, 2.0 * MAX_VALUE, "no repeats"),
        correlation=ratio(2 * x * y, x**2 + y**2, -1.0, 1.0, "no repeats, or all votes were 0"),
        raters=_per_rater(names, who, same, difference, confidence),
    )


def _per_rater(
    names: tuple[Hashable, ...], who: Ints, same: np.ndarray, difference: Ints, confidence: float
) -> tuple[RaterSelfAgreement, ...]:
    if not names:
        return ()
    n = np.bincount(who)
    shares = shrink_shares(np.bincount(who, same), n, confidence=confidence)
    mean = np.bincount(who, difference) / n
    # Votes within a rater scatter as those of all raters do: few repeats do not tell anybody's own scatter.
    within = float(((difference - mean[who]) ** 2).sum()) / max(len(who) - len(names), 1)
    shrunk = shrink_normal(mean, max(within, 0.1) / n, least_spread=LEAST_SPREAD)
    reach = float(norm.ppf(0.5 + confidence / 2)) * shrunk.sd
    bands = np.column_stack([shrunk.value, np.maximum(shrunk.value - reach, 0.0), shrunk.value + reach])
    return tuple(RaterSelfAgreement(name, shares[i], estimate_of(bands[i], int(n[i]))) for i, name in enumerate(names))
