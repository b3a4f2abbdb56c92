"""How many more votes until two systems are separated, with an interval: "42 ± 9 more votes", or not foreseeable.

Separated means that the interval of their difference leaves out 0. What is known of the true difference is its estimate
± its error; the estimates to come wander around the truth as votes come in. So whole futures are drawn: a true
difference, then the path of its estimate at ever more votes, up to the first look at which the interval leaves out 0.
The forecast is the middle of these futures, its interval their middle 80 %.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from earshot.estimation.boards import Board, Difference, quantile
from earshot.estimation.posterior import Posterior, class_of, classes
from earshot.estimation.votes import Floats

FUTURES = 2000
GROWTH = 1.02  # of the information, from one look to the next
HORIZON = 50.0  # times the present information: nobody plans further ahead
SHARE = 0.8  # of the futures lie inside the interval


@dataclass(frozen=True)
class Forecast:
    """Votes still needed in the whole study. All None, and a reason, where that cannot be foreseen."""

    votes: int | None
    low: int | None
    high: int | None
    is_separated: bool
    reason: str

    @property
    def half_width(self) -> int | None:
        """For "42 ± 9": the interval is wider to the right, so that is the larger of both sides."""
        if self.votes is None or self.low is None or self.high is None:
            return None
        return max(self.high - self.votes, self.votes - self.low)


def forecast_separation(
    difference: float, standard_error: float, n_votes: int, *, critical: float = 1.96, rate: float = 1.0
) -> Forecast:
    """Votes until the interval of this difference leaves out 0.

    Args:
        difference, standard_error: of two strengths, logits, as they are now.
        n_votes: votes that counted so far in the study.
        critical: half the interval's width in standard errors (1.96, or Student's t for few clusters).
        rate: how fast this difference gains information, against its mean so far; `present_rate` tells. 1 means that
            votes go on as they did, with raters and scenarios in the same proportions.
    Raises:
        ValueError: where an argument that must be positive is not.
    """
    for name, value in (("standard_error", standard_error), ("n_votes", n_votes), ("critical", critical)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be above 0. Forecast once there is an interval.")
    if not rate > 0:
        return Forecast(None, None, None, False, "not foreseeable: no votes go to these two at present")
    z = abs(difference) / standard_error
    if z > critical:
        return Forecast(0, 0, 0, True, "")
    middle, low, high = (growth - 1.0 for growth in _needed_growth(round(z, 3), round(critical, 3)))
    if not np.isfinite(high):
        return Forecast(None, None, None, False, "not foreseeable: the difference is within the noise")
    votes, fewest, most = (int(np.ceil(part * n_votes / rate - 1e-6)) for part in (middle, low, high))
    return Forecast(votes, fewest, most, False, "")


@lru_cache(maxsize=4096)
def _needed_growth(z: float, critical: float) -> tuple[float, float, float]:
    """The middle of the futures and the two ends of their interval, in present information; infinite past the horizon.

    In units of the present error the estimate is z and its information 1. The truth is then normal around z. At an
    information of g the estimate has gained g − 1 units, each with the truth as its mean and variance 1.
    """
    rng = np.random.default_rng(0)  # the same futures for everybody: close figures stay in their order
    looks = GROWTH ** np.arange(1, int(np.ceil(np.log(HORIZON) / np.log(GROWTH))) + 1)  # (looks,)
    gains = np.diff(looks, prepend=1.0)
    truth = z + rng.standard_normal((FUTURES, 1))
    steps = truth * gains + rng.standard_normal((FUTURES, len(looks))) * np.sqrt(gains)
    evidence = np.abs(z + np.cumsum(steps, axis=1)) / np.sqrt(looks)  # |estimate| in errors of that moment
    is_apart = evidence > critical
    first = np.where(is_apart.any(axis=1), looks[is_apart.argmax(axis=1)], np.inf)
    ends = [0.5, 0.5 - SHARE / 2, 0.5 + SHARE / 2]
    middle, low, high = np.quantile(first, ends, method="inverted_cdf")
    return float(middle), float(low), float(high)


def forecast_neighbours(board: Board) -> list[tuple[Difference, Forecast]]:
    """When each system on the board is separated from the next one below; empty while the board has no intervals.

    The error is the board's own, clustered by rater and scenario: the forecast holds if raters and scenarios grow in
    number as votes do. More votes of the same few raters on the same few scenarios separate later than it says.
    """
    found = []
    for upper, lower in zip(board.standings, board.standings[1:], strict=False):
        ahead = board.difference(upper.system, lower.system)
        if ahead is None or ahead.standard_error is None or board.freedom is None:
            continue
        critical = quantile(board.confidence, board.freedom)
        found.append((ahead, forecast_separation(ahead.value, ahead.standard_error, board.n_votes, critical=critical)))
    return found


def present_rate(posterior: Posterior, probabilities: Floats, system_a: int, system_b: int) -> float:
    """How fast the difference of two systems gains information now, against its mean rate so far.

    Args:
        probabilities: with which the next pair comes from each class, as `class_probabilities` gives them, (classes,).
    Returns:
        1 where votes go on as they did; above 1 where adaptive selection has turned to these two.
    """
    class_of([system_a], [system_b], posterior.n_systems)  # refuses a pair that is none
    total = int(posterior.n_votes.sum())
    first, second = classes(posterior.n_systems)
    effect = posterior.covariance[system_a] - posterior.covariance[system_b]  # on every strength, (m,)
    moved = posterior.information * (effect[first] - effect[second]) ** 2  # (classes,): variance that one vote removes
    so_far = float(moved @ posterior.n_votes)
    return float(moved @ probabilities) * total / so_far if so_far > 0 else 0.0
