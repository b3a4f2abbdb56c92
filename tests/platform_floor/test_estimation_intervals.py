"""Intervals of rankings: two-way clustered, of differences and places, and checked by bootstrap and by known truth."""

import math

import numpy as np
import pytest
from scipy import sparse

from earshot.estimation import code_votes, fit_ordinal_bradley_terry
from earshot.estimation.boards import rank_bounds
from earshot.estimation.bootstrap import pigeonhole_bootstrap
from earshot.estimation.clusters import TwoWay, meat
from earshot.estimation.ranking import rank
from earshot.estimation.votes import distinct
from tests.benchmarks.simulated_votes import Effects, all_pairs, true_strengths
from tests.benchmarks.simulated_votes import simulate as simulate_study


def spread(n, n_raters=6, n_scenarios=7):
    """Raters and scenarios for n votes, many enough for intervals."""
    index = np.arange(n)
    return index % n_raters, index % n_scenarios


def simulate(*, n_systems, n_scenarios=20, n_raters=12, seed=0):
    """Columns of one study: every pair of systems, three votes each."""
    design = all_pairs(n_systems, n_scenarios, overlap=3, n_raters=n_raters)
    votes, _ = simulate_study(np.linspace(-1, 1, n_systems), Effects(), design, seed)
    return votes.system_a, votes.system_b, votes.value, votes.rater, votes.scenario


def test_places_are_bounded_by_differences_that_hold_all_together():
    strengths = np.array([2.0, 1.0, 0.0])
    errors = np.array([[0.0, 0.44, 0.1], [0.44, 0.0, 0.45], [0.1, 0.45, 0.0]])

    best, worst = rank_bounds(strengths, errors, 0.95, freedom=10**9)

    # Two differences per system: 1 − 0.05 / 4 has the quantile 2.2414. 2.2414 · 0.44 < 1 < 2.2414 · 0.45.
    assert best.tolist() == [1, 2, 2]
    assert worst.tolist() == [1, 3, 3]


def test_the_headline_rank_lies_in_its_range_and_the_range_holds_the_true_place():
    boards = [fit_ordinal_bradley_terry(*simulate(n_systems=5, seed=seed)) for seed in range(40)]

    standings = [standing for board in boards for standing in board.standings]
    assert all(1 <= s.rank_low <= s.rank <= s.rank_high <= 5 for s in standings)
    assert np.mean([s.rank_low <= 5 - s.system <= s.rank_high for s in standings]) >= 0.95  # 4 is the strongest
    assert any(s.rank_low == s.rank_high for s in standings)


def test_the_difference_of_two_systems_is_known_as_well_as_their_strengths_say():
    board = fit_ordinal_bradley_terry(*simulate(n_systems=2, seed=3))

    ahead, behind = board.standings
    difference = board.difference(ahead.system, behind.system)
    assert difference.value == pytest.approx(ahead.strength - behind.strength)
    # θ_1 = −θ_0, so the difference is twice the strength, and its error twice the strength's.
    assert (difference.low, difference.high) == (pytest.approx(2 * ahead.low), pytest.approx(2 * ahead.high))
    assert difference.is_separated == (ahead.low > 0)
    back = board.difference(behind.system, ahead.system)
    assert (back.low, back.high) == (pytest.approx(-difference.high), pytest.approx(-difference.low))


def test_a_difference_has_no_interval_where_the_board_cannot_say():
    few = fit_ordinal_bradley_terry([1] * 40, [2] * 40, [1, 1, 1, -1] * 10, *spread(40, n_raters=4))
    none = fit_ordinal_bradley_terry([], [], [], [], [], systems=[1, 2])

    assert few.difference(1, 2).value == pytest.approx(math.log(3))
    assert (few.difference(1, 2).low, few.difference(1, 2).is_separated) == (None, False)
    assert none.difference(1, 2) is None
    with pytest.raises(ValueError, match=r"3 is not on this board\. It has 1, 2\."):
        few.difference(1, 3)


def test_a_difference_takes_the_larger_one_way_variance_where_both_ways_together_fall_short():
    scenario, nothing = np.array([[2.0, -2.0], [-2.0, 2.0]]), np.zeros((2, 2))

    short = TwoWay(by_rater=nothing, by_scenario=scenario, by_both=scenario)  # both ways together: 0

    assert short.variance_of_differences(2).tolist() == [[0.0, 8.0], [8.0, 0.0]]
    assert np.diag(short.covariance()).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("n_clusters", [5, 400, 5000])  # few and many votes each take different roads
def test_meat_is_the_sum_of_squared_cluster_sums(n_clusters):
    a, b, value, rater, scenario = simulate(n_systems=30, n_scenarios=4)
    ranking = rank(code_votes(a, b, value, rater, scenario))
    cluster = distinct(np.random.default_rng(0).integers(0, n_clusters, len(a)))[1]

    scores = ranking.fit.scores.toarray()[ranking.cells.of_vote]
    sums = np.zeros((cluster.max() + 1, scores.shape[1]))
    np.add.at(sums, cluster, scores)

    expected = len(sums) / (len(sums) - 1) * sums.T @ sums
    assert meat(ranking.fit.scores, ranking.cells.of_vote, cluster) == pytest.approx(expected)


@pytest.mark.parametrize("n_parameters", [2, 400])  # few and many take different roads
def test_the_meat_of_scores_that_are_all_0_is_0(n_parameters):
    cluster = np.arange(10)

    assert not meat(sparse.csr_array((10, n_parameters)), cluster, cluster).any()


def test_bootstrap_by_rater_and_scenario_has_the_covariance_that_the_sandwichs_parts_foretell():
    ranking = rank(code_votes(*simulate(n_systems=4, n_scenarios=40, n_raters=24, seed=1)))

    bootstrap = pigeonhole_bootstrap(ranking, n_replicates=300)

    parts = ranking.errors
    foretold = np.diag(parts.by_rater + parts.by_scenario + parts.by_both)[:4]
    # 300 replicates know a variance to ± 8 % (one standard error); four are looked at.
    assert np.diag(bootstrap.covariance) == pytest.approx(foretold, rel=0.25)
    assert (bootstrap.n_failed, bootstrap.reason) == (0, "")
    low, high = bootstrap.intervals()
    assert np.all((low < ranking.fit.strengths) & (ranking.fit.strengths < high))


def test_bootstrap_says_when_its_replicates_do_not_hold_together():
    value = np.array([1] * 38 + [-1] * 2)

    bootstrap = pigeonhole_bootstrap(rank(code_votes(["x"] * 40, ["y"] * 40, value, *spread(40))), n_replicates=50)

    assert bootstrap.n_failed > 5
    assert bootstrap.reason == f"{bootstrap.n_failed} of 50 replicates had no bounded strengths"


def test_bootstrap_of_votes_without_intervals_is_refused():
    few = rank(code_votes([1] * 40, [2] * 40, [1, 1, 1, -1] * 10, *spread(40, n_raters=4)))

    with pytest.raises(ValueError, match="These votes have no intervals to check: votes of 4 raters"):
        pigeonhole_bootstrap(few)


def test_the_truth_of_a_simulated_study_is_what_a_huge_one_comes_to():
    strength, effects = np.array([-1.0, 0.0, 1.0]), Effects()
    huge = all_pairs(3, 4000, overlap=8, n_raters=2000)

    truth = true_strengths(strength, effects, huge)
    ranking = rank(simulate_study(strength, effects, huge, seed=1)[0])

    assert truth == pytest.approx([-truth[2], 0.0, truth[2]], abs=1e-8)
    assert 0.75 < truth[2] < 0.9  # averaged over effects, strengths shrink
    error = np.sqrt(np.diag(ranking.board.covariance))
    assert np.all(np.abs(ranking.fit.strengths - truth) < 3 * error)
    assert error.max() < 0.02


@pytest.mark.parametrize("model", ["ordinal", "davidson"])
def test_intervals_cover_the_truth_as_often_as_they_say_and_independent_ones_do_not(model):
    strength, effects = np.linspace(-1, 1, 5), Effects()
    design = all_pairs(5, 30, overlap=4, n_raters=20)
    truth = true_strengths(strength, effects, design, model=model)
    covered, naive = [], []
    for seed in range(150):
        ranking = rank(simulate_study(strength, effects, design, seed=seed)[0], model=model)
        covered += [s.low <= truth[s.system] <= s.high for s in ranking.board.standings]
        alone = meat(ranking.fit.scores, ranking.cells.of_vote, np.arange(design.n_votes))
        error = np.sqrt(np.diag(ranking.fit.bread @ alone @ ranking.fit.bread)[:5])
        naive += (np.abs(ranking.fit.strengths - truth) <= 1.96 * error).tolist()

    assert 0.92 <= np.mean(covered) <= 0.98  # 150 studies: its Monte Carlo error is 0.009
    assert np.mean(naive) < 0.75
