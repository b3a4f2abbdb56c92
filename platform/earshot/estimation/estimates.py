"""A number with its interval, and how the numbers of many raters are shrunk towards each other (empirical Bayes)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize
from scipy.special import betaln
from scipy.stats import beta, norm
from scipy.stats import t as student_t

from earshot.estimation.clusters import MIN_CLUSTERS
from earshot.estimation.votes import Column, Floats

MOST_PRIOR_ANSWERS = 20.0  # shares then differ between raters by 0.1 or more (standard deviation, about a half)


ALL_ALIKE = "all parts of the votes give the same figure, so nothing tells how far it may be off"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; None where `reason` says why it cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    n: int  # judgments, repeats or checks that it rests on
    reason: str = ""

    def is_above(self, limit: float) -> bool:
        """Whether the whole interval lies above: nobody is judged on a wide one."""
        return self.low is not None and self.low > limit

    def is_below(self, limit: float) -> bool:
        return self.high is not None and self.high < limit


@dataclass(frozen=True)
class Shrunk:
    """The numbers of many raters after shrinking; arrays are (raters,)."""

    value: Floats
    sd: Floats
    centre: float  # what raters have in common
    spread: float  # standard deviation between raters


def estimate_of(band: Floats, n: int) -> Estimate:
    """From value, low and high, (3,)."""
    value, low, high = band.tolist()
    return Estimate(value, low, high, n)


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """A share with Wilson's interval. Source: Wilson (1927), J. American Statistical Association 22, 209."""
    if n == 0:
        return Estimate(None, None, None, 0, "none yet")
    z = float(norm.ppf(0.5 + confidence / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return Estimate(share, max(middle - reach, 0.0), min(middle + reach, 1.0), n)


def ratio_by_rater(
    sums: Floats,
    n: int,
    *,
    least: float,
    most: float,
    if_empty: str,
    is_share: bool = False,
    confidence: float = 0.95,
) -> Estimate:
    """Σ numerator / Σ denominator, with an interval that leaves out one rater at a time.

    Args:
        sums: each rater's numerator and denominator, (raters, 2); those of denominator 0 do not count as raters.
        n: what it rests on, for the report.
        least, most: where the ratio can lie at all.
        is_share: both are counts: where all raters are alike the interval is Wilson's. Else there is none then.
    """
    seen = sums[sums[:, 1] > 0]
    if not len(seen):
        return Estimate(None, None, None, n, if_empty)
    whole = seen.sum(axis=0)
    value = float(whole[0] / whole[1])
    if len(seen) < MIN_CLUSTERS:
        return Estimate(value, None, None, n, f"from {len(seen)} raters; an interval needs {MIN_CLUSTERS} or more")
    rest = whole - seen
    left_out = rest[:, 0] / rest[:, 1]
    if is_one_number(left_out):
        alike = Estimate(value, None, None, n, ALL_ALIKE)
        return wilson(round(whole[0]), round(whole[1]), confidence=confidence) if is_share else alike
    variance = (len(seen) - 1) / len(seen) * float(((left_out - left_out.mean()) ** 2).sum())
    reach = float(student_t.ppf(0.5 + confidence / 2, len(seen) - 1)) * variance**0.5
    return Estimate(value, max(value - reach, least), min(value + reach, most), n)


def is_one_number(values: Floats) -> bool:
    """Whether they are all the same: then they do not tell how far apart they could be."""
    return float(np.ptp(values)) < 1e-12


def shrink_normal(value: Floats, variance: Floats, *, least_spread: float, centre: float | None = None) -> Shrunk:
    """Shrink estimates with known error variances towards their centre, by how far they really differ.

    The spread between raters solves Σ (value − centre)² / (variance + spread²) = n − 1 (n with a given centre). It is
    never taken to be under `least_spread`: that few raters look alike does not show that they are. Of a rater without
    votes (infinite variance) the centre and the spread are all that is known.

    Source: Paule and Mandel (1982), J. Research of the National Bureau of Standards 87, 377.
    """
    known = np.isfinite(variance) & np.isfinite(value)
    seen, error = value[known], np.maximum(variance[known], 1e-12)
    spread = max(_spread(seen, error, centre), least_spread**2)
    middle = centre
    if middle is None:
        middle = _weighted_mean(seen, error + spread) if len(seen) else 0.0
    precision = np.zeros(len(value))
    precision[known] = 1 / error
    total = precision + 1 / spread
    shrunk = (precision * np.where(known, value, 0.0) + middle / spread) / total
    return Shrunk(shrunk, np.sqrt(1 / total), middle, spread**0.5)


def _spread(value: Floats, error: Floats, centre: float | None) -> float:
    """The variance between raters: the excess falls as it grows."""

    def excess(spread: float) -> float:
        middle = _weighted_mean(value, error + spread) if centre is None else centre
        return float(((value - middle) ** 2 / (error + spread)).sum()) - (len(value) - (centre is None))

    if len(value) < 2 or excess(0.0) <= 0:
        return 0.0
    high = float(((value - value.mean()) ** 2).sum() + (value.mean() - (centre or 0.0)) ** 2 + error.max())
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-9))


def _weighted_mean(value: Floats, variance: Floats) -> float:
    return float((value / variance).sum() / (1 / variance).sum())


def shrink_shares(successes: Column, n: Column, *, confidence: float = 0.95) -> tuple[Estimate, ...]:
    """Shares of many raters as Beta posteriors; the prior is fitted to all of them by maximum likelihood.

    The prior weighs as much as 1 … 20 answers: that few raters look alike does not show that they are.
    """
    hits, totals = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    first, second = _fit_beta(hits, totals)
    tail = (1 - confidence) / 2
    a, b = first + hits, second + totals - hits
    bands = np.column_stack([a / (a + b), beta.ppf(tail, a, b), beta.ppf(1 - tail, a, b)])
    return tuple(
        estimate_of(band, int(count)) if count else Estimate(None, None, None, 0, "none yet")
        for band, count in zip(bands, totals, strict=True)
    )


def _fit_beta(hits: Floats, totals: Floats) -> tuple[float, float]:
    def cost(unknown: npt.NDArray[np.float64]) -> float:
        mean, weight = 1 / (1 + np.exp(-unknown[0])), np.exp(unknown[1])
        a, b = mean * weight, (1 - mean) * weight
        return float(np.sum(betaln(a, b) - betaln(a + hits, b + totals - hits)))

    bounds = [(-6.0, 6.0), (0.0, np.log(MOST_PRIOR_ANSWERS))]
    best = minimize(cost, np.array([0.0, 1.0]), bounds=bounds, method="L-BFGS-B").x
    mean, weight = 1 / (1 + np.exp(-best[0])), np.exp(best[1])
    return float(mean * weight), float((1 - mean) * weight)
