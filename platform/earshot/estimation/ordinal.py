"""The likelihood of cumulative-link Bradley-Terry, and its maximum by Newton's method.

A vote y ∈ −3 … +3 on systems a and b has P(y ≤ k) = F(c_k − η), F logistic, η = θ_a − θ_b + γ·side, with symmetric
thresholds c. By that symmetry every vote can be turned so that it is a win (or a tie) of the first system; it then
lies between two thresholds l < u, and for the logistic F its log-probability falls into three concave functions of
linear forms of the parameters:

    log P = log σ(u − η) + log σ(η − l) + log(1 − exp(−(u − l)))

so the log-likelihood is concave and needs three sparse designs, one per term. Votes are counted into cells of equal
(winner, loser, level, side) first: a million votes on 100 systems are a few ten thousand cells.

Source: McCullagh (1980), JRSS B 42, 109; Agresti (1992), Applied Statistics 41, 287, for paired comparisons.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, logit

from earshot.estimation.votes import MAX_VALUE, Floats, Ints, Votes

MAX_STEPS = 60
TOLERANCE = 1e-10  # Newton decrement, in nats
RIDGE_SD = 2.0  # logits; the prior that keeps strengths finite where votes alone do not


@dataclass(frozen=True)
class Cells:
    """Votes counted by what the likelihood can tell apart; turned so that `winner` won, or tied at level 0."""

    winner: Ints  # (cells,)
    loser: Ints
    level: Ints  # 0: tie … 3
    side: Ints  # +1 where the winner was on the left, −1 right, 0 not modelled
    count: Floats
    of_vote: Ints  # (n,): the cell each vote fell into


@dataclass(frozen=True)
class Design:
    """The three linear forms of every cell as rows of sparse matrices (cells, p). p = systems, side?, thresholds."""

    below_upper: sparse.csr_array  # u − η; means nothing at the top level, where u is infinite
    above_lower: sparse.csr_array  # η − l
    width: sparse.csr_array  # u − l
    has_upper: Floats  # (cells,) 1 or 0
    n_systems: int
    has_side: bool
    levels: tuple[int, ...]  # the levels used, ascending; between each two of them stands a threshold
    place: Ints  # (cells,): index into levels

    @property
    def first_threshold(self) -> int:
        return self.n_systems + self.has_side


@dataclass(frozen=True)
class Fit:
    parameters: Floats  # (p,)
    hessian: Floats  # (p, p) of −log-likelihood, with the ridge, without the sum-zero term
    scores: sparse.csr_array  # (cells, p): gradient of one vote's log-likelihood
    converged: bool


def count_cells(votes: Votes) -> Cells:
    turned = votes.value < 0
    winner = np.where(turned, votes.system_b, votes.system_a)
    loser = np.where(turned, votes.system_a, votes.system_b)
    side = np.zeros_like(winner) if votes.side is None else np.where(turned, -votes.side, votes.side)
    n_systems = len(votes.systems)
    key = ((winner * n_systems + loser) * (MAX_VALUE + 1) + np.abs(votes.value)) * 3 + side + 1
    cells, of_vote, count = np.unique(key, return_inverse=True, return_counts=True)
    rest, side = np.divmod(cells, 3)
    rest, level = np.divmod(rest, MAX_VALUE + 1)
    winner, loser = np.divmod(rest, n_systems)
    return Cells(winner, loser, level, side - 1, count.astype(np.float64), of_vote.astype(np.int64))


def build_design(cells: Cells, n_systems: int, *, has_side: bool) -> Design:
    """A level that nobody used has no threshold of its own: the scale is cut only where it was used."""
    levels, place = np.unique(cells.level, return_inverse=True)
    n_cells, first = len(place), n_systems + has_side
    shape = (n_cells, first + len(levels) - 1)
    row, ones = np.arange(n_cells), np.ones(n_cells)
    advantage = _matrix([(row, cells.winner, ones), (row, cells.loser, -ones)], shape)  # η
    if has_side:
        advantage = advantage + _matrix([(row, np.full(n_cells, n_systems), cells.side.astype(np.float64))], shape)
    below_top, above_lowest = np.flatnonzero(place < len(levels) - 1), np.flatnonzero(place > 0)
    upper = _matrix([(below_top, first + place[below_top], ones[below_top])], shape)
    lower = _matrix([(above_lowest, first + place[above_lowest] - 1, ones[above_lowest])], shape)
    if levels[0] == 0:  # a tie lies between −c₁ and c₁; without ties the lowest level begins at 0 itself
        ties = np.flatnonzero(place == 0)
        lower = lower + _matrix([(ties, np.full(len(ties), first), -ones[ties])], shape)
    return Design(
        below_upper=(upper - advantage).tocsr(),
        above_lower=(advantage - lower).tocsr(),
        width=(upper - lower).tocsr(),
        has_upper=(place < len(levels) - 1).astype(np.float64),
        n_systems=n_systems,
        has_side=has_side,
        levels=tuple(levels.tolist()),
        place=place.astype(np.int64),
    )


def _matrix(entries: list[tuple[Ints, Ints, Floats]], shape: tuple[int, int]) -> sparse.csr_array:
    rows, columns, values = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    return sparse.csr_array((values, (rows, columns)), shape=shape)


def log_likelihood(design: Design, count: Floats, parameters: Floats) -> float:
    """In nats; −inf where thresholds are out of order."""
    width = design.width @ parameters
    inner = design.has_upper > 0
    if np.any(width[inner] <= 0):
        return -np.inf
    per_vote = log_expit(design.above_lower @ parameters)
    upper = log_expit((design.below_upper @ parameters)[inner]) + np.log(-np.expm1(-width[inner]))
    return float(count @ per_vote + count[inner] @ upper)


def maximise(design: Design, count: Floats, *, ridge: bool) -> Fit:
    """Newton's method with step halving, from equal strengths; Σθ = 0 holds all the way.

    Args:
        ridge: add a normal prior of sd `RIDGE_SD` on strengths and side, for votes that alone have no finite maximum.
    """
    penalty = np.zeros(design.width.shape[1])
    if ridge:
        penalty[: design.n_systems + design.has_side] = RIDGE_SD**-2
    parameters = _start(design, count)
    objective = _penalised(design, count, parameters, penalty)
    converged = False
    for _ in range(MAX_STEPS):
        scores, hessian = _derivatives(design, count, parameters)
        hessian += np.diag(penalty)
        gradient = scores.T @ count - penalty * parameters
        step = np.linalg.solve(hessian + _sum_zero(design), gradient)
        if gradient @ step < TOLERANCE:
            parameters, converged = parameters + step, True  # so close to the maximum a full step is always right
            break
        size = 1.0
        while (better := _penalised(design, count, parameters + size * step, penalty)) < objective and size > 1e-9:
            size /= 2
        parameters, objective = parameters + size * step, max(better, objective)
    scores, hessian = _derivatives(design, count, parameters)
    return Fit(parameters, hessian + np.diag(penalty), scores, converged)


def _penalised(design: Design, count: Floats, parameters: Floats, penalty: Floats) -> float:
    return log_likelihood(design, count, parameters) - 0.5 * float(penalty @ parameters**2)


def _sum_zero(design: Design) -> Floats:
    """Strengths are fixed only up to a shift; this makes the Hessian regular and leaves the maximum at Σθ = 0."""
    term = np.zeros((design.width.shape[1],) * 2)
    term[: design.n_systems, : design.n_systems] = 1.0
    return term


def bread(design: Design, fit: Fit) -> Floats:
    """Inverse of the Hessian on the parameters with Σθ = 0, (p, p)."""
    return np.asarray(np.linalg.inv(fit.hessian + _sum_zero(design)), dtype=np.float64)


def _start(design: Design, count: Floats) -> Floats:
    """Equal strengths, and the thresholds that then give the levels' observed shares."""
    parameters = np.zeros(design.width.shape[1])
    shares = np.cumsum(np.bincount(design.place, weights=count)) / count.sum()
    parameters[design.first_threshold :] = logit((1 + shares[:-1]) / 2)
    return parameters


def _derivatives(design: Design, count: Floats, parameters: Floats) -> tuple[sparse.csr_array, Floats]:
    """One vote's score in each cell (cells, p), and the Hessian of −log-likelihood over all votes (p, p)."""
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
    return sparse.csr_array(upper + lower + between), hessian
