"""Accuracy, calibration and correlation, against numbers worked by hand."""

import numpy as np
import pytest

from rewardmodel.learning.evaluation import _accuracy_by_text, vote_probabilities
from rewardmodel.learning.figures import accuracy, mean_by_scenario, rank_correlation, reliability

SIX = np.repeat(["a", "b", "c", "d", "e", "f"], 2)


def test_accuracy_leaves_out_ties_and_counts_equal_scores_half():
    margin = np.array([1.0, -1.0, 0.0, 5.0])
    votes = np.array([3, 1, 2, 0])

    found = accuracy(margin, votes, np.array(["a", "a", "b", "b"]))

    assert (found.value, found.n, found.n_scenarios) == (0.5, 3, 2)
    assert found.low is None
    assert found.reason == "votes on 2 scenarios; an interval needs 5 or more"


def test_votes_of_one_scenario_that_agree_are_worth_one_vote():
    together = mean_by_scenario(np.array([1.0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0]), SIX)
    mixed = mean_by_scenario(np.array([1.0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0]), SIX)

    # Six clusters of two, each off by ±1 in sum: se = √(6/5 · 6) / 12; t of 5 degrees of freedom is 2.5706.
    assert together.high - together.value == pytest.approx(2.5706 * np.sqrt(6 / 5 * 6) / 12, abs=1e-4)
    assert mixed.high == mixed.low == mixed.value == 0.5


def test_practice_scenarios_of_one_text_are_one_cluster():
    scenario = np.array([f"practice-t{text}-{arc}-0123" for text in range(12) for arc in ("hsan", "nnha")])
    margin, votes = np.ones(24), np.array([1, 1, -1, -1] * 6)

    found = _accuracy_by_text(margin, votes, scenario)["accuracy_by_text"]

    # Twelve texts, each off by ±1 in sum; 24 scenarios, each by ±½. t of 11 and 23 degrees of freedom: 2.2010, 2.0687.
    by_scenario = accuracy(margin, votes, scenario)
    assert (found["value"], found["n"], found["n_texts"]) == (0.5, 24, 12)
    assert found["high"] - 0.5 == pytest.approx(2.2010 * np.sqrt(12 / 11 * 12) / 24, abs=1e-4)
    assert by_scenario.high - 0.5 == pytest.approx(2.0687 * np.sqrt(24 / 23 * 24 / 4) / 24, abs=1e-4)


def test_few_practice_texts_give_no_interval_and_other_scenarios_no_figure_by_text():
    few = _accuracy_by_text(np.ones(2), np.ones(2, np.int64), np.array(["practice-a-b-hs-01", "practice-a-b-sh-01"]))
    other = _accuracy_by_text(np.ones(2), np.ones(2, np.int64), np.array(["practice-a-hs-01", "s1"]))

    assert few["accuracy_by_text"]["n_texts"] == 1
    assert few["accuracy_by_text"]["reason"] == "votes on 1 texts; an interval needs 5 or more"
    assert other == {}


def test_no_votes_give_no_figure():
    assert accuracy(np.array([1.0]), np.array([0]), np.array(["a"])).value is None


def test_shares_have_no_interval_beyond_nought_and_one():
    found = accuracy(np.ones(12), np.array([1] * 11 + [-1]), SIX)

    assert found.high == 1.0


def test_calibration_is_seen_from_the_models_side():
    wins = np.array([0.9, 0.1, 0.9, 0.1])
    votes = np.array([1, -2, -1, -3])  # the model's side won three times of four

    found = reliability(wins, votes)

    assert found.table == ({"said": 0.9, "was": 0.75, "n": 4},)
    assert found.expected_calibration_error == pytest.approx(0.15)


def test_rank_correlation_does_not_depend_on_which_side_is_called_a():
    rng = np.random.default_rng(0)
    margin = rng.standard_normal(12)
    cmos = margin + rng.standard_normal(12)
    turned = rng.choice([-1, 1], 12)

    one, other = rank_correlation(margin, cmos, SIX), rank_correlation(margin * turned, cmos * turned, SIX)

    assert one == other
    assert rank_correlation(margin, margin, SIX).value == pytest.approx(1.0)
    assert rank_correlation(np.zeros(12), cmos, SIX).reason == "all values are alike"


def test_vote_probabilities_sum_to_one():
    found = vote_probabilities(np.array([-2.0, 0.0, 9.0]), np.array([0.5, 1.4, 2.4]))

    assert found.sum(axis=1) == pytest.approx(1.0)
    assert found[1].tolist() == pytest.approx(found[1, ::-1].tolist())
