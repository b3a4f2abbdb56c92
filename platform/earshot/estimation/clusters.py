"""Variances of estimates from votes that are not independent: they cluster by rater and by scenario."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from earshot.estimation.votes import Floats, Ints, number

MIN_CLUSTERS = 5  # with fewer raters or scenarios a cluster-robust variance says next to nothing
TABLE_SIZE = 4_000_000  # numbers in one table of cluster sums: 32 MB
ENTRIES_WORTH_A_TABLE = 35  # a full table is faster than a sparse one if a vote stands for one entry of so many (tried)


@dataclass(frozen=True)
class TwoWay:
    """Covariance of p estimates by rater, by scenario and by both at once, each (p, p).

    The variance is V_rater + V_scenario − V_both. The difference can fall below either one-way variance in a small
    sample, even below 0. Such a variance is noise, not knowledge: the larger one-way variance is then taken.

    Source: Cameron, Gelbach and Miller (2011), J. Business & Economic Statistics 29, 238.
    """

    by_rater: Floats
    by_scenario: Floats
    by_both: Floats

    @property
    def combined(self) -> Floats:
        """V_rater + V_scenario − V_both without its negative directions."""
        values, vectors = np.linalg.eigh(self.by_rater + self.by_scenario - self.by_both)
        return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T, dtype=np.float64)

    def covariance(self) -> Floats:
        """One matrix for all: `combined`, with each variance that fell short raised to the one-way variance."""
        covariance = self.combined
        floor = np.maximum(np.diag(self.by_rater), np.diag(self.by_scenario))
        short = np.diag(covariance) < floor
        covariance[short, short] = floor[short]
        return covariance

    def variance_of_differences(self, n: int) -> Floats:
        """Variance of estimate i − estimate j among the first n, (n, n). Each difference has its own floor."""
        ways = (self.combined, self.by_rater, self.by_scenario)
        largest: Floats = np.max([_variance_of_differences(way[:n, :n]) for way in ways], axis=0)
        return largest


def _variance_of_differences(covariance: Floats) -> Floats:
    own = np.diag(covariance)
    return np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0)


def two_way(bread: Floats, scores: sparse.csr_array, cell: Ints, rater: Ints, scenario: Ints) -> TwoWay:
    """The sandwich bread · meat · bread by rater, by scenario and by both.

    Args:
        bread: inverse of the Hessian, (p, p).
        scores: score of one vote in each cell, (cells, p).
        cell, rater, scenario: where each vote belongs, (n,).
    """
    both = number(rater * (int(scenario.max()) + 1) + scenario)
    by_rater, by_scenario, by_both = (
        bread @ meat(scores, cell, cluster) @ bread for cluster in (rater, scenario, both)
    )
    return TwoWay(by_rater, by_scenario, by_both)


def meat(scores: sparse.csr_array, cell: Ints, cluster: Ints) -> Floats:
    """Sum over clusters of the squared sum of scores, times G / (G − 1) of G clusters, (p, p)."""
    size = np.bincount(cluster)
    is_dense = len(cluster) * ENTRIES_WORTH_A_TABLE >= len(size) * scores.shape[1]
    squares = _dense_squares(scores, cell, cluster) if is_dense else _sparse_squares(scores, cell, cluster, size)
    return squares * (len(size) / max(len(size) - 1, 1))


def _dense_squares(scores: sparse.csr_array, cell: Ints, cluster: Ints) -> Floats:
    """Sums of whole clusters as full tables, some clusters at a time."""
    n_clusters, n_parameters = int(cluster.max()) + 1, scores.shape[1]
    at_once = max(TABLE_SIZE // n_parameters, 1)
    column, value = _slots(scores)
    squares: Floats = np.zeros((n_parameters, n_parameters))
    for first in range(0, n_clusters, at_once):
        size = min(at_once, n_clusters - first)
        here = slice(None) if size == n_clusters else (cluster >= first) & (cluster < first + size)
        place = (cluster[here] - first) * n_parameters + column[:, cell[here]]  # (slots, votes)
        weights = value[:, cell[here]]
        sums = np.bincount(place.ravel(), weights.ravel(), minlength=size * n_parameters).reshape(size, n_parameters)
        squares += sums.T @ sums
    return squares


def _slots(scores: sparse.csr_array) -> tuple[Ints, Floats]:
    """Column and value of each cell's first, second, … score that is not 0; (slots, cells) each, filled up with 0."""
    if not len(scores.data):
        nothing = (1, scores.shape[0])
        return np.zeros(nothing, dtype=np.int64), np.zeros(nothing)
    lengths = np.diff(scores.indptr)
    slot = np.arange(int(lengths.max()))[:, None]
    entry = np.minimum(scores.indptr[:-1] + slot, len(scores.data) - 1)
    return scores.indices[entry].astype(np.int64), np.where(slot < lengths, scores.data[entry], 0.0)


def _sparse_squares(scores: sparse.csr_array, cell: Ints, cluster: Ints, size: Ints) -> Floats:
    """For many small clusters: those of one vote go cell by cell, the sums of the others have few entries."""
    alone = size[cluster] == 1
    singles = np.bincount(cell[alone], minlength=scores.shape[0]).astype(np.float64)
    squares: Floats = (scores.T @ scores.multiply(singles[:, None])).toarray()
    if not alone.all():
        together = number(cluster[~alone])
        places = (together, cell[~alone])
        members = sparse.csr_array((np.ones(len(together)), places), shape=(int(together.max()) + 1, scores.shape[0]))
        sums = members @ scores
        squares += (sums.T @ sums).toarray()
    return squares


def too_few_clusters(n_raters: int, n_scenarios: int, n_covariates: int = 0) -> str:
    """Why no interval can be given yet, or nothing. Each covariate asks for one rater and one scenario more."""
    needed = MIN_CLUSTERS + n_covariates
    if n_raters < needed:
        return f"votes of {n_raters} raters; an interval needs {needed} or more"
    if n_scenarios < needed:
        return f"votes on {n_scenarios} scenarios; an interval needs {needed} or more"
    return ""
