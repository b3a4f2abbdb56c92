"""The likelihood of Davidson's win/tie/loss model, and its maximum.

With η as in `ordinal`, the chances of a win, a loss and a tie are as e^{η/2} : e^{−η/2} : ν. A tie says as much about
where two systems stand as half a win and half a loss. ν = e^δ; without ties it is Bradley-Terry and has no δ.

Source: Davidson (1970), J. American Statistical Association 65, 317.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

from earshot.estimation import newton
from earshot.estimation.cells import Cells
from earshot.estimation.newton import Fit, Slopes
from earshot.estimation.ordinal import build_advantage
from earshot.estimation.votes import Floats


@dataclass(frozen=True)
class Design:
    """p = systems, slopes, and δ where there are ties."""

    advantage: sparse.csr_array  # (cells, p): η
    is_tie: Floats  # (cells,) 1 or 0
    has_ties: bool
    n_systems: int
    n_slopes: int  # side and covariates

    @property
    def tie_form(self) -> sparse.csr_array:
        """δ as a linear form of the parameters, the same in every cell, (cells, p)."""
        n_cells, n_parameters = self.advantage.shape
        column = np.full(n_cells, n_parameters - 1)
        return sparse.csr_array((np.ones(n_cells), (np.arange(n_cells), column)), shape=(n_cells, n_parameters))


def build_design(cells: Cells, n_systems: int, *, has_side: bool) -> Design:
    slopes = cells.slopes(has_side=has_side)
    is_tie = cells.level == 0
    n_parameters = n_systems + slopes.shape[1] + int(is_tie.any())
    return Design(
        advantage=build_advantage(cells, n_systems, slopes, n_parameters),
        is_tie=is_tie.astype(np.float64),
        has_ties=bool(is_tie.any()),
        n_systems=n_systems,
        n_slopes=slopes.shape[1],
    )


def maximise(design: Design, count: Floats, *, ridge: bool, start: Floats | None = None) -> Fit:
    """The most likely parameters. Args: as `ordinal.maximise`."""
    n_parameters = design.advantage.shape[1]
    n_forms = design.n_systems + design.n_slopes
    return newton.maximise(
        lambda parameters: log_likelihood(design, count, parameters),
        lambda parameters: _derivatives(design, count, parameters),
        np.zeros(n_parameters) if start is None else start,
        count=count,
        n_systems=design.n_systems,
        penalty=newton.ridge_penalty(n_parameters, n_forms if ridge else 0),
    )


def log_likelihood(design: Design, count: Floats, parameters: Floats) -> float:
    """In nats."""
    half, delta, total = _log_weights(design, parameters)
    tie = design.is_tie * (delta if design.has_ties else 0.0)
    return float(count @ ((1 - design.is_tie) * half + tie - total))


def _log_weights(design: Design, parameters: Floats) -> tuple[Floats, float, Floats]:
    """η / 2, δ, and the logarithm of the three weights' sum."""
    half = design.advantage @ parameters / 2
    delta = float(parameters[-1]) if design.has_ties else -np.inf
    total: Floats = logsumexp(np.stack([half, -half, np.full_like(half, delta)]), axis=0)
    return half, delta, total


def _derivatives(design: Design, count: Floats, parameters: Floats) -> Slopes:
    half, delta, total = _log_weights(design, parameters)
    win, loss, tie = np.exp(half - total), np.exp(-half - total), np.exp(delta - total)
    expected = (win - loss) / 2
    scores = design.advantage.multiply(((1 - design.is_tie) / 2 - expected)[:, None])
    bend = count * ((win + loss) / 4 - expected**2)
    hessian: Floats = (design.advantage.T @ design.advantage.multiply(bend[:, None])).toarray()
    if design.has_ties:
        scores = scores + design.tie_form.multiply((design.is_tie - tie)[:, None])
        mixed = design.advantage.T @ (-count * expected * tie)
        hessian[-1, :] += mixed
        hessian[:, -1] += mixed
        hessian[-1, -1] += count @ (tie * (1 - tie))
    return Slopes(sparse.csr_array(scores), hessian)
