import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from earshot.estimation import code_votes, fit_ordinal_bradley_terry, fit_style_controlled
from earshot.estimation.cells import count_cells

CUTS = np.array([0.5, 1.4, 2.4])


def cast(*, n_systems=3, n_scenarios=30, n_raters=20, overlap=3, slope=0.8, longer=0.0, seed=0):
    """Votes that prefer the longer dialogue by `slope` logits per minute; system 0 speaks `longer` minutes more."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(n_systems, 1)
    a, b = (np.repeat(np.tile(side, n_scenarios), overlap) for side in (first, second))
    scenario = np.repeat(np.arange(n_scenarios), len(first) * overlap)
    minutes = rng.normal(size=(n_scenarios, n_systems))
    minutes[:, 0] += longer
    difference = minutes[scenario, a] - minutes[scenario, b]
    strength = np.linspace(-0.5, 0.5, n_systems)
    felt = strength[a] - strength[b] + slope * difference + rng.logistic(size=len(a))
    value = (np.sign(felt) * np.digitize(np.abs(felt), CUTS)).astype(int)
    return (a, b, value, rng.integers(0, n_raters, len(a)), scenario), difference


def strengths(board):
    return [standing.strength for standing in sorted(board.standings, key=lambda standing: standing.system)]


def test_fit_with_covariates_equals_a_brute_force_search_of_the_likelihood():
    (a, b, value, rater, scenario), minutes = cast()
    side = np.where(np.arange(len(a)) % 2, 1, -1)
    loudness = np.random.default_rng(5).normal(size=30)[scenario] * (a - b)

    def cost(free):
        strength = np.array([free[0], free[1], -free[0] - free[1]])
        cuts = np.cumsum(np.exp(free[5:]))
        edges = np.concatenate([[-np.inf], -cuts[::-1], cuts, [np.inf]])
        eta = strength[a] - strength[b] + free[2] * side + free[3] * minutes + free[4] * loudness
        return -np.log(expit(edges[value + 4] - eta) - expit(edges[value + 3] - eta)).sum()

    best = minimize(cost, np.zeros(8), method="BFGS", options={"gtol": 1e-7}).x
    board = fit_ordinal_bradley_terry(
        a, b, value, rater, scenario, side,
        covariates=np.stack([minutes, loudness], axis=1), covariate_names=["minutes", "loudness"],
    )  # fmt: skip

    assert strengths(board) == pytest.approx([best[0], best[1], -best[0] - best[1]], abs=1e-5)
    assert board.side_intercept.value == pytest.approx(best[2], abs=1e-5)
    assert [(c.name, pytest.approx(c.value, abs=1e-5)) for c in board.coefficients] == [
        ("minutes", best[3]),
        ("loudness", best[4]),
    ]


def test_a_system_that_is_only_longer_is_ahead_raw_and_not_at_equal_style():
    columns, minutes = cast(longer=3.0, slope=0.8, n_scenarios=200)  # weakest, but 2.4 logits of length

    boards = fit_style_controlled(*columns, covariates={"minutes": minutes})

    assert [standing.system for standing in boards.raw.standings] == [0, 2, 1]
    assert [standing.system for standing in boards.controlled.standings] == [2, 1, 0]
    assert strengths(boards.controlled) == pytest.approx([-0.5, 0.0, 0.5], abs=0.2)


def test_a_coefficient_is_found_and_its_interval_holds_it_at_least_as_often_as_it_says():
    found = []
    for seed in range(120):
        columns, minutes = cast(seed=seed)
        board = fit_ordinal_bradley_terry(*columns, covariates=minutes[:, None], covariate_names=["minutes"])
        found.append(board.coefficients[0])

    values = np.array([coefficient.value for coefficient in found])
    half_width = np.mean([coefficient.high - coefficient.low for coefficient in found]) / 2
    assert values.mean() == pytest.approx(0.8, abs=4 * values.std() / 120**0.5)
    # Votes here are independent: the larger of two variances is then taken for more than it is, but not for much more.
    assert np.mean([coefficient.low <= 0.8 <= coefficient.high for coefficient in found]) >= 0.93
    assert 1.0 <= half_width / (1.96 * values.std()) <= 1.4


def test_coefficients_are_logits_for_the_usual_difference_whatever_the_unit():
    columns, minutes = cast()

    boards = fit_style_controlled(*columns, covariates={"minutes": minutes})
    seconds = fit_style_controlled(*columns, covariates={"minutes": minutes * 60})

    usual = np.sqrt(np.mean(minutes**2))
    assert boards.units == {"minutes": pytest.approx(usual)}
    assert seconds.units == {"minutes": pytest.approx(usual * 60)}
    assert seconds.controlled.coefficients[0].low == pytest.approx(boards.controlled.coefficients[0].low)
    raw_slope = fit_ordinal_bradley_terry(*columns, covariates=minutes[:, None], covariate_names=["minutes"])
    assert boards.controlled.coefficients[0].value == pytest.approx(raw_slope.coefficients[0].value * usual)


def test_exchanging_a_and_b_changes_nothing():
    (a, b, value, rater, scenario), minutes = cast(seed=1)
    turned = np.random.default_rng(0).random(len(a)) < 0.5

    board = fit_style_controlled(a, b, value, rater, scenario, covariates={"minutes": minutes}).controlled
    other = fit_style_controlled(
        np.where(turned, b, a), np.where(turned, a, b), np.where(turned, -value, value), rater, scenario,
        covariates={"minutes": np.where(turned, -minutes, minutes)},
    ).controlled  # fmt: skip

    assert [s.low for s in board.standings] == pytest.approx([s.low for s in other.standings])
    assert board.coefficients[0].high == pytest.approx(other.coefficients[0].high)


def test_votes_on_one_pair_that_agree_share_a_cell():
    (a, b, value, rater, scenario), minutes = cast(overlap=8)

    cells = count_cells(code_votes(a, b, value, rater, scenario, covariates=minutes[:, None]))

    assert len(cells.count) < len(a) / 1.5
    assert cells.count.sum() == len(a)
    turned = np.where(value < 0, -1, 1)
    assert cells.covariates[cells.of_vote, 0] == pytest.approx(minutes * turned)


def test_covariates_that_say_nothing_of_their_own_are_left_out_and_named():
    (a, b, value, rater, scenario), minutes = cast()
    covariates = {"turns": np.zeros(len(a)), "model_size": 3.0 * (a == 0) - 3.0 * (b == 0), "minutes": minutes}

    boards = fit_style_controlled(a, b, value, rater, scenario, covariates=covariates)

    assert boards.left_out == {
        "turns": "the two sides never differ in it",
        "model_size": "cannot be told apart from which systems were compared",
    }
    assert [coefficient.name for coefficient in boards.controlled.coefficients] == ["minutes"]
    assert boards.controlled.can_say


def test_of_two_covariates_that_say_the_same_one_is_left_out():
    columns, minutes = cast()

    boards = fit_style_controlled(*columns, covariates={"minutes": minutes, "seconds": minutes * 60})

    assert len(boards.left_out) == 1
    assert len(boards.controlled.coefficients) == 1
    assert boards.controlled.can_say


def test_votes_on_pairs_with_an_unknown_covariate_are_left_out_of_both_boards():
    columns, minutes = cast()
    minutes[:9] = np.nan

    boards = fit_style_controlled(*columns, covariates={"minutes": minutes})

    assert boards.n_votes_left_out == 9
    assert boards.raw.n_votes == boards.controlled.n_votes == len(minutes) - 9


def test_a_covariate_that_is_unknown_on_every_pair_is_left_out_and_costs_no_votes():
    columns, minutes = cast()
    unknown = np.full_like(minutes, np.nan)

    boards = fit_style_controlled(*columns, covariates={"pitch": unknown, "minutes": minutes})

    assert boards.left_out == {"pitch": "it is unknown on every pair"}
    assert boards.n_votes_left_out == 0
    assert [coefficient.name for coefficient in boards.controlled.coefficients] == ["minutes"]


def test_without_any_covariate_both_boards_are_the_raw_one():
    columns, minutes = cast()

    boards = fit_style_controlled(*columns, covariates={"pitch": np.full_like(minutes, np.nan)})

    assert strengths(boards.controlled) == pytest.approx(strengths(boards.raw))
    assert boards.controlled.coefficients == ()


def test_without_votes_both_boards_say_so():
    boards = fit_style_controlled([], [], [], [], [], covariates={"minutes": []}, systems=[0, 1])

    assert (boards.raw.reason, boards.controlled.reason) == ("no votes", "no votes")


def test_each_covariate_asks_for_one_rater_and_one_scenario_more():
    columns, minutes = cast(n_scenarios=5, overlap=12)

    boards = fit_style_controlled(*columns, covariates={"minutes": minutes})

    assert boards.raw.reason == ""
    assert boards.controlled.reason == "votes on 5 scenarios; an interval needs 6 or more"
    assert boards.controlled.coefficients[0].low is None


def test_a_side_that_is_always_the_same_systems_is_told_apart_by_nobody():
    index = np.arange(40)

    board = fit_ordinal_bradley_terry([1] * 40, [2] * 40, [1, 1, 1, -1] * 10, index % 6, index % 7, [1] * 40)

    assert board.reason == "side cannot be told apart from which systems were compared"
    assert board.standings[0].low is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"covariates": [[1.0], [np.nan]], "covariate_names": ["x"]}, "Covariate 0 of vote 1 is nan. Leave out votes"),
        ({"covariates": [[1.0], [2.0]]}, "There are 1 covariates but 0 names for them. Name each column."),
        (
            {"covariates": [1.0, 2.0], "covariate_names": ["x"]},
            r"The covariates have shape \(2,\). Give a row per vote",
        ),
    ],
)
def test_covariates_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_ordinal_bradley_terry([1, 1], [2, 2], [1, -1], [0, 1], [0, 1], **arguments)


def test_covariates_of_another_length_than_the_votes_are_refused():
    with pytest.raises(ValueError, match=r"minutes has 3 entries for 2 votes\. Give one entry per vote\."):
        fit_style_controlled([1, 1], [2, 2], [1, -1], [0, 1], [0, 1], covariates={"minutes": [1.0, 2.0, 3.0]})
