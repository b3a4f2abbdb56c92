import math

import numpy as np
import pytest
from scipy.optimize import minimize

from earshot.estimation import code_votes, fit_davidson, fit_ordinal_bradley_terry
from earshot.estimation.ranking import rank


def spread(n, n_raters=6, n_scenarios=7):
    """Raters and scenarios for n votes, many enough for intervals."""
    index = np.arange(n)
    return index % n_raters, index % n_scenarios


def cast(n_systems=4, n=1200, seed=0):
    """Votes with ties and a leaning to the left, by raters and on scenarios drawn at random."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, n_systems, n)
    b = (a + rng.integers(1, n_systems, n)) % n_systems
    side = rng.choice([-1, 1], n)
    felt = np.linspace(-1, 1, n_systems)[a] - np.linspace(-1, 1, n_systems)[b] + 0.3 * side + rng.logistic(size=n)
    value = np.where(np.abs(felt) < 0.6, 0, np.sign(felt) * np.digitize(np.abs(felt), [0.0, 1.5, 2.5])).astype(int)
    return a, b, value, rng.integers(0, 15, n), rng.integers(0, 20, n), side


def strengths(board):
    return [standing.strength for standing in sorted(board.standings, key=lambda standing: standing.system)]


def test_one_pair_gives_the_strengths_and_the_tie_parameter_worked_by_hand():
    value = np.array([1] * 20 + [0] * 10 + [-1] * 10)  # win : loss = e^η, tie² : win · loss = ν²

    board = fit_davidson(["x"] * 40, ["y"] * 40, value, *spread(40))

    assert strengths(board) == pytest.approx([math.log(2) / 2, -math.log(2) / 2])
    assert board.tie_parameter == pytest.approx(10 / math.sqrt(20 * 10))
    assert board.thresholds is None


def test_fit_equals_a_brute_force_search_of_the_likelihood():
    a, b, value, rater, scenario, side = cast(n_systems=3)

    def cost(free):
        strength = np.array([free[0], free[1], -free[0] - free[1]])
        half = (strength[a] - strength[b] + free[2] * side) / 2
        weights = np.exp(np.stack([-half, np.full_like(half, free[3]), half]))
        return -np.log(weights[np.sign(value) + 1, np.arange(len(a))] / weights.sum(axis=0)).sum()

    best = minimize(cost, np.zeros(4), method="BFGS", options={"gtol": 1e-7}).x
    board = fit_davidson(a, b, value, rater, scenario, side)

    assert strengths(board) == pytest.approx([best[0], best[1], -best[0] - best[1]], abs=1e-5)
    assert board.side_intercept.value == pytest.approx(best[2], abs=1e-5)
    assert board.tie_parameter == pytest.approx(math.exp(best[3]), abs=1e-5)


def test_only_the_sign_of_a_vote_counts():
    a, b, value, rater, scenario, side = cast()

    assert strengths(fit_davidson(a, b, value, rater, scenario, side)) == pytest.approx(
        strengths(fit_davidson(a, b, np.sign(value), rater, scenario, side))
    )


def test_without_ties_it_is_the_ordinal_model_of_win_and_loss():
    a, b, value, rater, scenario, _ = cast()
    value = np.where(value >= 0, 1, -1)

    board = fit_davidson(a, b, value, rater, scenario)
    ordinal = fit_ordinal_bradley_terry(a, b, value, rater, scenario)

    assert board.tie_parameter == 0.0
    assert strengths(board) == pytest.approx(strengths(ordinal))
    assert [s.high for s in board.standings] == pytest.approx([s.high for s in ordinal.standings])


def test_with_ties_it_is_another_model_than_the_ordinal_one():
    a, b, value, rater, scenario, _ = cast()
    value = np.sign(value)

    davidson = strengths(fit_davidson(a, b, value, rater, scenario))
    ordinal = strengths(fit_ordinal_bradley_terry(a, b, value, rater, scenario))

    assert davidson != pytest.approx(ordinal, rel=0.05)
    assert np.corrcoef(davidson, ordinal)[0, 1] > 0.999


def test_exchanging_a_and_b_changes_nothing():
    a, b, value, rater, scenario, side = cast(seed=1)
    turned = np.random.default_rng(0).random(len(a)) < 0.5

    board = fit_davidson(a, b, value, rater, scenario, side)
    other = fit_davidson(
        np.where(turned, b, a), np.where(turned, a, b), np.where(turned, -value, value), rater, scenario,
        np.where(turned, -side, side),
    )  # fmt: skip

    assert [s.low for s in board.standings] == pytest.approx([s.low for s in other.standings])
    assert board.side_intercept.value == pytest.approx(other.side_intercept.value)


def test_interval_is_the_two_way_sandwich_worked_out_vote_by_vote():
    a, b, value, rater, scenario, _ = cast(n_systems=2, n=150)
    ranking = rank(code_votes(a, b, value, rater, scenario), model="davidson")
    difference, nu = np.diff(ranking.fit.strengths)[0], ranking.board.tie_parameter  # θ_1 − θ_0
    win, tie = (w / (math.exp(difference / 2) + math.exp(-difference / 2) + nu) for w in (math.exp(difference / 2), nu))
    loss = 1 - win - tie
    outcome = np.sign(value) * np.where(a == 1, 1, -1)
    scores = np.stack([outcome / 2 - (win - loss) / 2, (outcome == 0) - tie])  # of the difference and of log ν
    mixed = -(win - loss) * tie / 2
    information = len(a) * np.array([[(win + loss) / 4 - (win - loss) ** 2 / 4, mixed], [mixed, tie * (1 - tie)]])
    influence = np.linalg.solve(information, scores)[0]

    def variance(cluster):
        sums = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=influence)
        return len(sums) / (len(sums) - 1) * (sums**2).sum()

    one_way = [variance(rater), variance(scenario)]
    expected = max(sum(one_way) - variance(rater * 100 + scenario), *one_way)

    assert ranking.board.difference(0, 1).standard_error == pytest.approx(math.sqrt(expected), rel=1e-6)


def test_a_system_that_never_lost_gets_an_order_but_no_interval():
    a, b, value, rater, scenario, _ = cast(seed=6)
    value = np.where(a == 0, 1, np.where(b == 0, -1, value))

    board = fit_davidson(a, b, value, rater, scenario)

    assert board.standings[0].system == 0
    assert board.standings[0].low is None
    assert board.reason == "0 never lost to another system, so how far ahead it is cannot be known yet"


@pytest.mark.parametrize(
    ("n", "value", "reason"),
    [(0, [], "no votes"), (12, [0] * 12, "every vote is a tie")],
)
def test_votes_that_say_nothing_are_told_so(n, value, reason):
    board = fit_davidson([1] * n, [2] * n, value, *spread(n), systems=[1, 2])

    assert board.reason == reason
    assert [standing.strength for standing in board.standings] == [None, None]


def test_a_model_that_does_not_exist_is_refused():
    votes = code_votes([1] * 4, [2] * 4, [1, -1, 1, -1], *spread(4))

    with pytest.raises(ValueError, match=r"There is no model 'elo'\. Choose ordinal or davidson\."):
        rank(votes, model="elo")
