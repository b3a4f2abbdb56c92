"""What needs no model: the mean score of each system, and who beat whom how often."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.stats import t as student_t

from earshot.estimation.clusters import too_few_clusters, two_way
from earshot.estimation.estimates import ALL_ALIKE
from earshot.estimation.votes import Column, Ints, code_votes


@dataclass(frozen=True)
class MeanScore:
    """Mean vote on a system from its own point of view (CMOS): positive means it was preferred."""

    system: Hashable
    mean: float | None
    low: float | None
    high: float | None
    n_votes: int
    reason: str  # why the interval is missing; empty if it is not


@dataclass(frozen=True)
class WinMatrix:
    """Counts by system, in the order of `systems`; `wins[i, j]`: votes that preferred i to j. Ties are symmetric."""

    systems: tuple[Hashable, ...]
    wins: Ints
    ties: Ints


def mean_cmos(
    system_a: Column,
    system_b: Column,
    value: Column,
    rater: Column,
    scenario: Column,
    *,
    systems: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> tuple[MeanScore, ...]:
    """Mean comparison score of each system, with an interval clustered by rater and scenario.

    It depends on whom a system was compared with; the ranking does not. Args: as `code_votes`.
    """
    votes = code_votes(system_a, system_b, value, rater, scenario, systems=systems)
    n_systems, n_votes = len(votes.systems), len(votes)
    if n_votes == 0:
        return tuple(MeanScore(name, None, None, None, 0, "no votes") for name in votes.systems)
    row = np.arange(n_votes)
    sign = np.concatenate([np.ones(n_votes), -np.ones(n_votes)])
    places = (np.tile(row, 2), np.concatenate([votes.system_a, votes.system_b]))
    takes_part = sparse.csr_array((np.ones(2 * n_votes), places), shape=(n_votes, n_systems))
    scores = sparse.csr_array((sign * np.tile(votes.value, 2), places), shape=(n_votes, n_systems))
    counts: Ints = np.bincount(places[1], minlength=n_systems).astype(np.int64)
    means = np.asarray(scores.sum(axis=0)).ravel() / np.maximum(counts, 1)
    reason = too_few_clusters(votes.n_raters, votes.n_scenarios)
    reach = np.zeros(n_systems)
    if not reason:
        errors = sparse.csr_array(scores - takes_part.multiply(means[None, :]))
        errors_of_means = two_way(np.diag(1 / np.maximum(counts, 1)), errors, row, votes.rater, votes.scenario)
        variance = np.diag(errors_of_means.covariance())
        freedom = min(votes.n_raters, votes.n_scenarios) - 1
        reach = student_t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(variance)
    return tuple(
        _mean_score(name, float(means[index]), float(reach[index]), int(counts[index]), reason)
        for index, name in enumerate(votes.systems)
    )


def _mean_score(name: Hashable, mean: float, reach: float, n_votes: int, reason: str) -> MeanScore:
    if n_votes == 0:
        return MeanScore(name, None, None, None, 0, "no votes")
    if reason:
        return MeanScore(name, mean, None, None, n_votes, reason)
    if reach < 1e-12:
        return MeanScore(name, mean, None, None, n_votes, ALL_ALIKE)
    return MeanScore(name, mean, mean - reach, mean + reach, n_votes, "")


def win_matrix(
    system_a: Column, system_b: Column, value: Column, *, systems: Sequence[Hashable] | None = None
) -> WinMatrix:
    """How often each system was preferred to each other one. Args: as `code_votes`."""
    nobody = np.zeros(len(value), dtype=np.int64)
    votes = code_votes(system_a, system_b, value, nobody, nobody, systems=systems)
    n_systems = len(votes.systems)

    def count(first: Ints, second: Ints, kept: npt.NDArray[np.bool_]) -> Ints:
        table = np.bincount((first * n_systems + second)[kept], minlength=n_systems**2)
        return np.asarray(table, dtype=np.int64).reshape(n_systems, n_systems)

    a, b = votes.system_a, votes.system_b
    wins: Ints = count(a, b, votes.value > 0) + count(b, a, votes.value < 0)
    ties: Ints = count(a, b, votes.value == 0) + count(b, a, votes.value == 0)
    return WinMatrix(systems=votes.systems, wins=wins, ties=ties)
