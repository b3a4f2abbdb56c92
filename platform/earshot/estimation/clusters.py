"""Variances of estimates from votes that are not independent: they cluster by rater and by scenario."""

import numpy as np
from scipy import sparse

from earshot.estimation.votes import Floats, Ints, number

MIN_CLUSTERS = 5  # with fewer raters or scenarios a cluster-robust variance says next to nothing


def two_way_meat(scores: sparse.csr_array, cell: Ints, rater: Ints, scenario: Ints) -> list[Floats]:
    """Sums of squared cluster scores, by rater, by scenario and by both; each (p, p), with its small-sample factor.

    Args:
        scores: score of one vote in each cell, (cells, p).
        cell, rater, scenario: where each vote belongs, (n,).
    """
    both = number(rater * (int(scenario.max()) + 1) + scenario)
    return [_one_way_meat(scores, cell, cluster) for cluster in (rater, scenario, both)]


def _one_way_meat(scores: sparse.csr_array, cell: Ints, cluster: Ints) -> Floats:
    n_clusters = int(cluster.max()) + 1
    votes = np.ones(len(cell))
    members = sparse.csr_array((votes, (cluster, cell)), shape=(n_clusters, scores.shape[0]))
    sums = (members @ scores).tocsr()  # (clusters, p)
    factor = n_clusters / max(n_clusters - 1, 1)
    return np.asarray((sums.T @ sums).toarray(), dtype=np.float64) * factor


def two_way_covariance(bread: Floats, meats: list[Floats]) -> Floats:
    """The sandwich V = V_rater + V_scenario − V_both, (p, p).

    The difference can fall below either one-way variance in a small sample, even below 0. Such a variance is noise,
    not knowledge: the matrix is then scaled up, coordinate by coordinate, to the larger one-way variance.

    Source: Cameron, Gelbach and Miller (2011), J. Business & Economic Statistics 29, 238.
    """
    by_rater, by_scenario, by_both = (bread @ meat @ bread for meat in meats)
    values, vectors = np.linalg.eigh(by_rater + by_scenario - by_both)
    covariance: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    floor = np.maximum(np.diag(by_rater), np.diag(by_scenario))
    own = np.diag(covariance)
    short = own < floor
    covariance[short, short] = floor[short]
    return covariance


def too_few_clusters(n_raters: int, n_scenarios: int) -> str:
    """Why no interval can be given yet, or nothing."""
    if n_raters < MIN_CLUSTERS:
        return f"votes of {n_raters} raters; an interval needs {MIN_CLUSTERS} or more"
    if n_scenarios < MIN_CLUSTERS:
        return f"votes on {n_scenarios} scenarios; an interval needs {MIN_CLUSTERS} or more"
    return ""
