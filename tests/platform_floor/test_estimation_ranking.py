import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from earshot.estimation import fit_ordinal_bradley_terry, mean_cmos, win_matrix
from earshot.estimation.votes import distinct


def spread(n, n_raters=6, n_scenarios=7):
    """Raters and scenarios for n votes, many enough for intervals."""
    index = np.arange(n)
    return index % n_raters, index % n_scenarios


def simulate(*, n_systems=4, n_scenarios=20, n_raters=12, seed=0, dialogue_sd=0.7, rater_sd=0.3, overlap=3):
    """Votes of every pair of systems in every scenario, with effects of dialogue and rater."""
    rng = np.random.default_rng(seed)
    strength, cuts = np.linspace(-1, 1, n_systems), np.array([0.5, 1.4, 2.4])
    first, second = np.triu_indices(n_systems, 1)
    a, b = (np.repeat(np.tile(side, n_scenarios), overlap) for side in (first, second))
    scenario = np.repeat(np.arange(n_scenarios), len(first) * overlap)
    rater = np.concatenate([rng.choice(n_raters, overlap, replace=False) for _ in range(len(first) * n_scenarios)])
    dialogue, taste = (
        rng.normal(0, sd, (n, n_systems)) for sd, n in ((dialogue_sd, n_scenarios), (rater_sd, n_raters))
    )
    advantage = (
        strength[a] - strength[b] + dialogue[scenario, a] - dialogue[scenario, b] + taste[rater, a] - taste[rater, b]
    )
    felt = advantage + rng.logistic(size=len(a))
    return a, b, (np.sign(felt) * np.digitize(np.abs(felt), cuts)).astype(int), rater, scenario


def by_system(board):
    return sorted(board.standings, key=lambda standing: standing.system)


def test_two_systems_are_apart_by_the_log_odds_of_a_win():
    value = np.array([1] * 30 + [-1] * 10)

    board = fit_ordinal_bradley_terry(["x"] * 40, ["y"] * 40, value, *spread(40))

    x, y = board.standings
    assert (x.system, y.system) == ("x", "y")
    assert x.strength - y.strength == pytest.approx(math.log(30 / 10))
    assert x.strength + y.strength == pytest.approx(0, abs=1e-9)
    assert board.thresholds == (0.0, math.inf, math.inf)  # no ties, and nobody went beyond 1


def test_three_levels_of_one_pair_give_thresholds_worked_by_hand():
    value = np.array([1] * 20 + [0] * 10 + [-1] * 10)  # P(y ≤ −1) = 1/4 = F(−c − η), P(y ≤ 0) = 1/2 = F(c − η)

    board = fit_ordinal_bradley_terry(["x"] * 40, ["y"] * 40, value, *spread(40))

    assert board.standings[0].strength - board.standings[1].strength == pytest.approx(math.log(3) / 2)
    assert board.thresholds == (pytest.approx(math.log(3) / 2), math.inf, math.inf)


def test_fit_equals_a_brute_force_search_of_the_likelihood():
    a, b, value, rater, scenario = simulate(n_systems=3, seed=5)
    side = np.where(np.arange(len(a)) % 2, 1, -1)

    def cost(free):
        strength = np.array([free[0], free[1], -free[0] - free[1]])
        cuts = np.cumsum(np.exp(free[3:]))
        edges = np.concatenate([[-np.inf], -cuts[::-1], cuts, [np.inf]])
        eta = strength[a] - strength[b] + free[2] * side
        return -np.log(expit(edges[value + 4] - eta) - expit(edges[value + 3] - eta)).sum()

    best = minimize(cost, np.zeros(6), method="BFGS", options={"gtol": 1e-7}).x
    board = fit_ordinal_bradley_terry(a, b, value, rater, scenario, side)

    strengths = [standing.strength for standing in by_system(board)]
    assert strengths == pytest.approx([best[0], best[1], -best[0] - best[1]], abs=1e-5)
    assert board.side_intercept.value == pytest.approx(best[2], abs=1e-5)
    assert board.thresholds == pytest.approx(np.cumsum(np.exp(best[3:])), abs=1e-5)


def test_side_intercept_is_the_log_odds_of_the_left_side_and_raises_an_alarm():
    side = np.tile([1, -1], 20)
    value = np.where(np.arange(40) < 30, side, -side)  # the left side won 30 of 40, each system as often left

    board = fit_ordinal_bradley_terry([1] * 40, [2] * 40, value, *spread(40), side)

    assert board.side_intercept.value == pytest.approx(math.log(3))
    assert board.side_intercept.is_alarming
    assert [standing.strength for standing in board.standings] == pytest.approx([0, 0], abs=1e-9)


def test_a_level_that_nobody_used_begins_where_the_next_used_one_does():
    value = np.array([3] * 8 + [1] * 12 + [0] * 10 + [-1] * 6 + [-3] * 4)

    board = fit_ordinal_bradley_terry([1] * 40, [2] * 40, value, *spread(40))

    first, second, third = board.thresholds
    assert 0 < first < second == third < math.inf


def test_exchanging_a_and_b_changes_nothing():
    a, b, value, rater, scenario = simulate(seed=1)
    side = np.where(np.arange(len(a)) % 2, 1, -1)
    turned = np.random.default_rng(0).random(len(a)) < 0.5

    board = fit_ordinal_bradley_terry(a, b, value, rater, scenario, side)
    other = fit_ordinal_bradley_terry(
        np.where(turned, b, a), np.where(turned, a, b), np.where(turned, -value, value), rater, scenario,
        np.where(turned, -side, side),
    )  # fmt: skip

    assert [(s.system, s.rank, s.n_votes) for s in board.standings] == [
        (s.system, s.rank, s.n_votes) for s in other.standings
    ]
    assert [s.low for s in board.standings] == pytest.approx([s.low for s in other.standings])
    assert board.side_intercept.value == pytest.approx(other.side_intercept.value)


def test_asking_the_same_rater_twice_does_not_narrow_the_interval():
    a, b, value, rater, scenario = simulate(seed=2)

    once = fit_ordinal_bradley_terry(a, b, value, rater, scenario)
    twice = fit_ordinal_bradley_terry(*(np.tile(column, 2) for column in (a, b, value, rater, scenario)))

    assert twice.n_votes == 2 * once.n_votes
    assert [s.high - s.low for s in twice.standings] == pytest.approx([s.high - s.low for s in once.standings])


def test_interval_is_the_two_way_sandwich_worked_out_vote_by_vote():
    a, b, value, rater, scenario = simulate(n_systems=2, n_scenarios=8, n_raters=6, seed=3)
    value = np.where(value == 0, 1, np.sign(value))  # win and loss alone: one parameter, d = θ_0 − θ_1
    won = (value > 0).astype(float)
    chance = won.mean()
    scores, information = won - chance, len(won) * chance * (1 - chance)

    def meat(*clusters):
        sums = {}
        for key, score in zip(zip(*clusters, strict=True), scores, strict=True):
            sums[key] = sums.get(key, 0.0) + score
        return len(sums) / (len(sums) - 1) * sum(total**2 for total in sums.values())

    one_way = [meat(rater), meat(scenario)]
    variance = max(sum(one_way) - meat(rater, scenario), *one_way) / information**2
    board = fit_ordinal_bradley_terry(a, b, value, rater, scenario)

    student_t_5 = 2.5705818356363146  # 0.975 quantile, 6 raters − 1
    reach = (board.standings[0].high - board.standings[0].low) / 2
    assert reach == pytest.approx(student_t_5 * math.sqrt(variance) / 2)


def test_rank_is_one_more_than_the_systems_that_are_surely_stronger():
    board = fit_ordinal_bradley_terry(*simulate(n_systems=5, seed=4))

    for mine in board.standings:
        assert mine.rank == 1 + sum(other.low > mine.high for other in board.standings)
    assert board.standings[0].rank == 1
    assert board.standings[-1].rank > 1


def test_a_system_that_never_lost_gets_an_order_but_no_interval():
    a, b, value, rater, scenario = simulate(seed=6)
    value = np.where(a == 0, 3, value)  # system 0 always stands as a

    board = fit_ordinal_bradley_terry(a, b, value, rater, scenario)

    assert board.standings[0].system == 0
    assert all(math.isfinite(standing.strength) and standing.low is None for standing in board.standings)
    assert board.reason == "0 never lost to another system, so how far ahead it is cannot be known yet"


def test_votes_that_do_not_connect_all_systems_give_no_strengths():
    board = fit_ordinal_bradley_terry(["a", "c"] * 20, ["b", "d"] * 20, [1, -1, -1, 1] * 10, *spread(40))

    assert board.reason == "no chain of votes connects a with c"
    assert [(s.system, s.strength, s.rank, s.n_votes) for s in board.standings] == [
        (name, None, None, 20) for name in "abcd"
    ]


@pytest.mark.parametrize(
    ("n", "value", "reason"),
    [(0, [], "no votes"), (12, [0] * 12, "every vote is a tie")],
)
def test_votes_that_say_nothing_are_told_so(n, value, reason):
    board = fit_ordinal_bradley_terry([1] * n, [2] * n, value, *spread(n), systems=[1, 2])

    assert board.reason == reason
    assert [standing.strength for standing in board.standings] == [None, None]


def test_too_few_raters_give_strengths_without_intervals():
    value = np.array([1] * 30 + [-1] * 10)

    board = fit_ordinal_bradley_terry([1] * 40, [2] * 40, value, *spread(40, n_raters=4))

    assert board.reason == "votes of 4 raters; an interval needs 5 or more"
    assert board.standings[0].strength == pytest.approx(math.log(3) / 2)
    assert board.standings[0].low is None
    assert not board.can_say


def test_too_few_scenarios_give_strengths_without_intervals():
    board = fit_ordinal_bradley_terry([1] * 40, [2] * 40, [1, 1, 1, -1] * 10, *spread(40, n_scenarios=2))

    assert board.reason == "votes on 2 scenarios; an interval needs 5 or more"


def test_a_system_without_votes_leaves_the_others_unranked_and_is_named():
    board = fit_ordinal_bradley_terry([1] * 40, [2] * 40, [1, 1, 1, -1] * 10, *spread(40), systems=[1, 2, 3])

    assert board.reason == "no chain of votes connects 1 with 3"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1], [2], [4], [0], [0]), r"value\[0\] is .*4.*; it must be one of -3, -2, -1, 0, 1, 2, 3\."),
        (([1], [1], [1], [0], [0]), "Vote 0 compares 1 with itself"),
        (([1, 1], [2], [1], [0], [0]), r"The columns have \[1, 2\] rows"),
        (([1], [2], [1], [0], [0], [2]), r"side\[0\] is .*2.*; it must be one of -1, 1"),
    ],
)
def test_votes_that_cannot_be_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        fit_ordinal_bradley_terry(*columns)


def test_large_and_far_apart_labels_are_numbered_as_small_ones_are():
    labels = np.array([10**15, 7, 7, -(10**15), 12])

    assert distinct(labels)[0].tolist() == [-(10**15), 7, 12, 10**15]
    assert distinct(labels)[1].tolist() == [3, 1, 1, 0, 2]
    assert distinct(np.array([9, 5, 9, 6]))[0].tolist() == [5, 6, 9]
    assert distinct(np.array([9, 5, 9, 6]))[1].tolist() == [2, 0, 2, 1]


def test_mean_cmos_is_the_mean_from_each_systems_own_side():
    scores = mean_cmos(["x"] * 10, ["y"] * 10, [3, 3, 2, 2, 1, 1, 0, 0, -1, -1], *spread(10))

    assert [(score.system, score.mean, score.n_votes) for score in scores] == [("x", 1.0, 10), ("y", -1.0, 10)]
    assert scores[0].low < 1.0 < scores[0].high
    assert (scores[0].low, scores[0].high) == pytest.approx((-scores[1].high, -scores[1].low))


@pytest.mark.parametrize("value", [2, 0])
def test_mean_cmos_has_no_interval_where_all_votes_are_one_number(value):
    x, y = mean_cmos(["x"] * 42, ["y"] * 42, [value] * 42, *spread(42))

    assert (x.mean, x.low, x.high, y.mean) == (value, None, None, -value)
    assert x.reason == "all parts of the votes give the same figure, so nothing tells how far it may be off"


def test_mean_cmos_interval_is_the_two_way_variance_worked_by_hand():
    rater, scenario = (axis.ravel() for axis in np.indices((5, 5)))
    value = np.array([2, 1, 0, -1, -2])[rater]  # raters differ, scenarios do not

    score = mean_cmos([1] * 25, [2] * 25, value, rater, scenario)[0]

    # Rater sums 10, 5, 0, −5, −10: 250 × 5/4; scenario sums 0; votes 50 × 25/24. By rater alone is the largest.
    variance = 250 * 5 / 4 / 25**2
    assert score.mean == 0
    assert score.high == pytest.approx(2.7764451051977987 * math.sqrt(variance))  # t with 4 degrees of freedom


def test_win_matrix_counts_who_was_preferred_to_whom():
    matrix = win_matrix(["x", "y", "x", "z"], ["y", "x", "y", "x"], [2, 1, 0, -3])

    assert matrix.systems == ("x", "y", "z")
    assert matrix.wins.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert matrix.ties.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
