"""The likelihood of cumulative-link Bradley-Terry, and its maximum.

A vote y ∈ −3 … +3 on systems a and b has P(y ≤ k) = F(c_k − η), F logistic, η = θ_a − θ_b + γ·side + β·covariates, with
symmetric thresholds c. By that symmetry every vote can be turned so that it is a win (or a tie) of the first system; it
then lies between two thresholds l < u, and for the logistic F its log-probability falls into three concave functions of
linear forms of the parameters:

    log P = log σ(u − η) + log σ(η − l) + log(1 − exp(−(u − l)))

so the log-likelihood is concave and needs three sparse designs, one per term.

Source: McCullagh (1980), JRSS B 42, 109; Agresti (1992), Applied Statistics 41, 287, for paired comparisons.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, logit

from earshot.estimation import newton
from earshot.estimation.cells import Cells
from earshot.estimation.newton import Fit, Slopes
from earshot.estimation.votes import Floats, Ints


@dataclass(frozen=True)
class Design:
    """The three linear forms of every cell as rows of sparse matrices (cells, p). p = systems, slopes, thresholds."""

    below_upper: sparse.csr_array  # u − η; means nothing at the top level, where u is infinite
    above_lower: sparse.csr_array  # η − l
    width: sparse.csr_array  # u − l
    has_upper: Floats  # (cells,) 1 or 0
    n_systems: int
    n_slopes: int  # side and covariates
    levels: tuple[int, ...]  # the levels used, ascending; between each two of them stands a threshold
    place: Ints  # (cells,): index into levels

    @property
    def first_threshold(self) -> int:
        return self.n_systems + self.n_slopes


def build_design(cells: Cells, n_systems: int, *, has_side: bool) -> Design:
    """A level that nobody used has no threshold of its own: the scale is cut only where it was used."""
    levels, place = np.unique(cells.level, return_inverse=True)
    slopes = cells.slopes(has_side=has_side)
    n_cells, n_slopes = slopes.shape
    first = n_systems + n_slopes
    n_parameters = first + len(levels) - 1
    advantage = build_advantage(cells, n_systems, slopes, n_parameters)
    row, ones = np.arange(n_cells), np.ones(n_cells)
    below_top, above_lowest = np.flatnonzero(place < len(levels) - 1), np.flatnonzero(place > 0)

    def at_threshold(rows: Ints, threshold: Ints) -> sparse.csr_array:
        return sparse.csr_array((ones[rows], (row[rows], first + threshold)), shape=(n_cells, n_parameters))

    upper = at_threshold(below_top, place[below_top])
    lower = at_threshold(above_lowest, place[above_lowest] - 1)
    if levels[0] == 0:  # a tie lies between −c₁ and c₁; without ties the lowest level begins at 0 itself
        ties = np.flatnonzero(place == 0)
        lower = lower - at_threshold(ties, np.zeros_like(ties))
    return Design(
        below_upper=(upper - advantage).tocsr(),
        above_lower=(advantage - lower).tocsr(),
        width=(upper - lower).tocsr(),
        has_upper=(place < len(levels) - 1).astype(np.float64),
        n_systems=n_systems,
        n_slopes=n_slopes,
        levels=tuple(levels.tolist()),
        place=place.astype(np.int64),
    )


def build_advantage(cells: Cells, n_systems: int, slopes: Floats, n_parameters: int) -> sparse.csr_array:
    """η of every cell as a linear form of the parameters, (cells, n_parameters)."""
    n_cells, n_slopes = slopes.shape
    columns = np.broadcast_to(np.arange(n_systems, n_systems + n_slopes), slopes.shape)
    columns = np.hstack([cells.winner[:, None], cells.loser[:, None], columns])
    values = np.hstack([np.ones((n_cells, 1)), -np.ones((n_cells, 1)), slopes])
    rows = np.repeat(np.arange(n_cells), 2 + n_slopes)
    return sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(n_cells, n_parameters))


def maximise(design: Design, count: Floats, *, ridge: bool, start: Floats | None = None) -> Fit:
    """The most likely parameters.

    Args:
        count: votes in each cell, (cells,); weights may be fractions or 0.
        ridge: add a weak normal prior on strengths and slopes, for votes that alone have no finite maximum.
        start: where to begin, such as the parameters of a similar fit; by default equal strengths.
    """
    n_parameters = design.width.shape[1]
    return newton.maximise(
        lambda parameters: log_likelihood(design, count, parameters),
        lambda parameters: _derivatives(design, count, parameters),
        _start(design, count) if start is None else start,
        count=count,
        n_systems=design.n_systems,
        penalty=newton.ridge_penalty(n_parameters, design.first_threshold if ridge else 0),
    )


def log_likelihood(design: Design, count: Floats, parameters: Floats) -> float:
    """In nats; −inf where thresholds are out of order."""
    width = design.width @ parameters
    inner = design.has_upper > 0
    if np.any(width[inner] <= 0):
        return -np.inf
    per_vote = log_expit(design.above_lower @ parameters)
    upper = log_expit((design.below_upper @ parameters)[inner]) + np.log(-np.expm1(-width[inner]))
    return float(count @ per_vote + count[inner] @ upper)


def _start(design: Design, count: Floats) -> Floats:
    """Equal strengths, and the thresholds that then give the levels' observed shares."""
    parameters = np.zeros(design.width.shape[1])
    shares = np.cumsum(np.bincount(design.place, weights=count)) / count.sum()
    parameters[design.first_threshold :] = logit((1 + shares[:-1]) / 2)
    return parameters


def _derivatives(design: Design, count: Floats, parameters: Floats) -> Slopes:
    missing_upper = 1.0 - expit(design.below_upper @ parameters)
    missing_lower = 1.0 - expit(design.above_lower @ parameters)
    width = np.where(design.has_upper > 0, design.width @ parameters, 1.0)
    tail = design.has_upper / np.expm1(width)  # d/dw log(1 − e^−w)
    first = [design.has_upper * missing_upper, missing_lower, tail]
    second = [
        design.has_upper * missing_upper * (1 - missing_upper),
        missing_lower * (1 - missing_lower),
        tail * (1 + tail),
    ]
    forms = [design.below_upper, design.above_lower, design.width]
    upper, lower, between = (form.multiply(slope[:, None]) for form, slope in zip(forms, first, strict=True))
    hessian: Floats = np.zeros((len(parameters),) * 2)
    for form, bend in zip(forms, second, strict=True):
        hessian += (form.T @ form.multiply((count * bend)[:, None])).toarray()
    return Slopes(sparse.csr_array(upper + lower + between), hessian)
