"""The maximum of a concave log-likelihood of strengths by Newton's method. Strengths are fixed only up to a shift."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from earshot.estimation.votes import Floats

MAX_STEPS = 60
TOLERANCE = 1e-10  # Newton decrement, in nats
RIDGE_SD = 2.0  # logits; the prior that keeps strengths finite where votes alone do not


@dataclass(frozen=True)
class Slopes:
    """First and second derivatives at one place: one vote's score in each cell, and all votes' Hessian."""

    scores: sparse.csr_array  # (cells, p)
    hessian: Floats  # (p, p) of −log-likelihood


@dataclass(frozen=True)
class Fit:
    """Where the maximum is. Parameters: strengths, then slopes (side, covariates), then what the model adds."""

    parameters: Floats  # (p,)
    hessian: Floats  # (p, p) of −log-likelihood, with the ridge, without the sum-zero term
    scores: sparse.csr_array  # (cells, p): gradient of one vote's log-likelihood
    converged: bool
    n_systems: int

    @property
    def strengths(self) -> Floats:
        return self.parameters[: self.n_systems]

    @property
    def bread(self) -> Floats:
        """Inverse of the Hessian on the parameters with Σθ = 0, (p, p)."""
        return np.asarray(np.linalg.inv(self.hessian + _sum_zero(self.n_systems, len(self.parameters))))


def maximise(
    log_likelihood: Callable[[Floats], float],
    derivatives: Callable[[Floats], Slopes],
    start: Floats,
    *,
    count: Floats,
    n_systems: int,
    penalty: Floats,
) -> Fit:
    """Newton's method with step halving; Σθ = 0 holds all the way if it holds at the start.

    Args:
        start: parameters, (p,).
        count: votes in each cell, (cells,).
        penalty: 1 / variance of a normal prior on each parameter, or 0, (p,).
    """

    def penalised(parameters: Floats) -> float:
        return log_likelihood(parameters) - 0.5 * float(penalty @ parameters**2)

    sum_zero = _sum_zero(n_systems, len(start))
    parameters, objective, converged = start, penalised(start), False
    for _ in range(MAX_STEPS):
        here = derivatives(parameters)
        gradient = here.scores.T @ count - penalty * parameters
        step = np.linalg.solve(here.hessian + np.diag(penalty) + sum_zero, gradient)
        if gradient @ step < TOLERANCE:
            parameters, converged = parameters + step, True  # so close to the maximum a full step is always right
            break
        size = 1.0
        while (better := penalised(parameters + size * step)) < objective and size > 1e-9:
            size /= 2
        parameters, objective = parameters + size * step, max(better, objective)
    here = derivatives(parameters)
    return Fit(parameters, here.hessian + np.diag(penalty), here.scores, converged, n_systems)


def ridge_penalty(n_parameters: int, n_penalised: int) -> Floats:
    """A normal prior of sd `RIDGE_SD` on the first parameters, for votes that alone have no finite maximum."""
    penalty = np.zeros(n_parameters)
    penalty[:n_penalised] = RIDGE_SD**-2
    return penalty


def _sum_zero(n_systems: int, n_parameters: int) -> Floats:
    """Makes the Hessian regular and leaves the maximum at Σθ = 0."""
    term = np.zeros((n_parameters, n_parameters))
    term[:n_systems, :n_systems] = 1.0
    return term
