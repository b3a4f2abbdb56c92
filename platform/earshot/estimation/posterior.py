"""What is known of the strengths while votes come in: a normal posterior of the ordinal model, quick to renew.

Boards come from `fit_ordinal_bradley_terry`, with intervals that know how votes cluster. This one decides which pair is
lent next: it must exist before the first vote, and be new again a moment later. So it works on counts per *class* (the
pairs of two given systems, whatever the scenario), has weak priors, and starts from the posterior before it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from earshot.estimation.votes import MAX_VALUE, Column, Floats, Ints

N_LEVELS = 2 * MAX_VALUE + 1
STRENGTH_SD = 2.0  # logits; prior of each strength around 0
USUAL_STEPS = np.log([0.5, 0.9, 1.0])  # logits from 0 to where |vote| reaches 1, from there to 2, to 3 …
STEP_SD = 1.0  # … and the sd of their logarithms
LONGEST_STEP = 1.0  # of one iteration, per parameter: far from the maximum the quadratic is no guide
MAX_ITERATIONS = 100
TOLERANCE = 1e-9  # Newton decrement, in nats

# How the edges between levels (−∞, −c₃ … −c₁, c₁ … c₃, ∞) move with the thresholds c, (8, 3).
EDGES = np.array([[0, 0, 0], [0, 0, -1], [0, -1, 0], [-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], float)


@dataclass(frozen=True)
class Posterior:
    """Normal approximation around the most probable strengths; systems numbered from 0, classes as in `classes`."""

    mean: Floats  # (m,) logits
    covariance: Floats  # (m, m)
    steps: Floats  # (3,) logarithms of the distances between thresholds
    information: Floats  # (classes,) Fisher information of one more vote about the difference of its two systems
    n_votes: Ints  # (classes,)

    @property
    def n_systems(self) -> int:
        return len(self.mean)

    @property
    def thresholds(self) -> Floats:
        """Logits at which |vote| reaches 1, 2, 3."""
        return np.asarray(np.cumsum(np.exp(self.steps)), dtype=np.float64)

    def differences(self) -> tuple[Floats, Floats]:
        """Mean and variance of every strength less every other one, each (m, m)."""
        own = np.diag(self.covariance)
        return self.mean[:, None] - self.mean[None, :], own[:, None] + own[None, :] - 2 * self.covariance


def classes(n_systems: int) -> tuple[Ints, Ints]:
    """The two systems of each class, a < b: (0, 1), (0, 2), … (m−2, m−1); each (m(m−1)/2,)."""
    first, second = np.triu_indices(n_systems, 1)
    return first.astype(np.int64), second.astype(np.int64)


def class_of(system_a: Column, system_b: Column, n_systems: int) -> Ints:
    """The class of each pair of systems, in whichever order they are named, (n,)."""
    low, high = (np.asarray(extreme(system_a, system_b), dtype=np.int64) for extreme in (np.minimum, np.maximum))
    if len(low) and (low.min() < 0 or high.max() >= n_systems or np.any(low == high)):
        raise ValueError(
            f"A pair needs two different systems numbered 0 … {n_systems - 1}. Number the study's systems first."
        )
    return low * n_systems - low * (low + 1) // 2 + high - low - 1


def count_votes(system_a: Column, system_b: Column, value: Column, n_systems: int) -> Ints:
    """How often each class got each value, −3 … +3 from the view of its lower-numbered system, (classes, 7).

    Counts of separate batches of votes may be added up.
    """
    place = class_of(system_a, system_b, n_systems)
    seen = np.where(np.asarray(system_a) < np.asarray(system_b), value, -np.asarray(value)).astype(np.int64)
    if len(seen) and np.abs(seen).max() > MAX_VALUE:
        raise ValueError(f"There is a vote of {seen[np.abs(seen).argmax()]}; votes are −3 … +3.")
    n_classes = n_systems * (n_systems - 1) // 2
    counts = np.bincount(place * N_LEVELS + seen + MAX_VALUE, minlength=n_classes * N_LEVELS)
    return counts.reshape(n_classes, N_LEVELS).astype(np.int64)


def posterior_from_counts(counts: Ints, start: Posterior | None = None) -> Posterior:
    """The posterior after these votes, by Fisher scoring; `start`, an earlier one of the same systems, saves time.

    Args:
        counts: all votes so far, as `count_votes` gives them, (classes, 7).
    Raises:
        ValueError: where the rows are no number of classes, or `start` is of another number of systems.
    """
    n_systems = _systems_behind(counts)
    if start is not None and start.n_systems != n_systems:
        raise ValueError(f"The start knows {start.n_systems} systems, the counts {n_systems}. Start from nothing.")
    parameters = np.concatenate([np.zeros(n_systems), USUAL_STEPS])
    if start is not None:
        parameters = np.concatenate([start.mean, start.steps])
    for _ in range(MAX_ITERATIONS):
        gradient, precision, information = _quadratic(counts, parameters, n_systems)
        step = np.linalg.solve(precision, gradient)
        parameters = parameters + step * min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        if gradient @ step < TOLERANCE:
            break
    covariance: Floats = np.linalg.inv(precision)[:n_systems, :n_systems].astype(np.float64)
    return Posterior(
        mean=parameters[:n_systems],
        covariance=covariance,
        steps=parameters[n_systems:],
        information=information,
        n_votes=counts.sum(axis=1),
    )


def _systems_behind(counts: Ints) -> int:
    n_classes = len(counts)
    n_systems: int = round((1 + (1 + 8 * n_classes) ** 0.5) / 2)
    if counts.shape != (n_systems * (n_systems - 1) // 2, N_LEVELS) or n_systems < 2:
        raise ValueError(f"Counts have shape {counts.shape}; m systems need (m(m−1)/2, {N_LEVELS}), with m at least 2.")
    return n_systems


def _quadratic(counts: Ints, parameters: Floats, n_systems: int) -> tuple[Floats, Floats, Floats]:
    """Gradient of the log-posterior (p,), its expected curvature (p, p), information per vote and class (classes,)."""
    first, second = classes(n_systems)
    slopes, chance = _slopes(parameters[first] - parameters[second], parameters[n_systems:])
    per_vote = np.einsum("cyj,cyk->cjk", slopes / chance[:, :, None], slopes)  # (classes, 4, 4)
    score = np.einsum("cy,cyk->ck", counts / chance, slopes)  # (classes, 4)
    expected = per_vote * counts.sum(axis=1)[:, None, None]
    to_systems = _from_classes(np.column_stack([score[:, :1], expected[:, 0, 1:]]), n_systems)  # (m, 4)
    prior = np.concatenate([np.full(n_systems, STRENGTH_SD**-2), np.full(MAX_VALUE, STEP_SD**-2)])
    centre = np.concatenate([np.zeros(n_systems), USUAL_STEPS])
    gradient = np.concatenate([to_systems[:, 0], score[:, 1:].sum(axis=0)]) - prior * (parameters - centre)
    precision = np.diag(prior)
    precision[:n_systems, :n_systems] += laplacian(expected[:, 0, 0], n_systems)
    precision[:n_systems, n_systems:] += to_systems[:, 1:]
    precision[n_systems:, :n_systems] += to_systems[:, 1:].T
    precision[n_systems:, n_systems:] += expected[:, 1:, 1:].sum(axis=0)
    return gradient, precision, per_vote[:, 0, 0]


def _slopes(difference: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """How the chance of each value moves with the difference and the three steps (classes, 7, 4), and the chance."""
    lengths = np.exp(steps)
    thresholds = np.cumsum(lengths)
    edges = EDGES[1:-1] @ thresholds
    below = np.zeros((len(difference), N_LEVELS + 1))
    below[:, 1:-1] = expit(edges[None, :] - difference[:, None])
    below[:, -1] = 1.0
    density = below * (1 - below)  # (classes, 8)
    threshold_of_step = np.tril(np.ones((MAX_VALUE, MAX_VALUE))) * lengths[None, :]
    moves = np.column_stack([-np.ones(len(EDGES)), EDGES @ threshold_of_step])  # (8, 4)
    slopes: Floats = np.diff(density[:, :, None] * moves[None], axis=1)
    return slopes, np.maximum(np.diff(below, axis=1), 1e-15)


def laplacian(weight: Floats, n_systems: int) -> Floats:
    """Σ over classes of weight · (e_a − e_b)(e_a − e_b)ᵀ, (m, m)."""
    matrix = np.zeros((n_systems, n_systems))
    first, second = classes(n_systems)
    matrix[first, second] = matrix[second, first] = -weight
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def _from_classes(columns: Floats, n_systems: int) -> Floats:
    """Columns per class (classes, k), added to the first system and taken from the second, (m, k)."""
    first, second = classes(n_systems)
    sums = np.zeros((n_systems, columns.shape[1]))
    np.add.at(sums, first, columns)
    np.subtract.at(sums, second, columns)
    return sums
