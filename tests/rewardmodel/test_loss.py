"""Ordinal Bradley-Terry with ties, against numbers worked by hand."""

import itertools
import math

import pytest
import torch

from rewardmodel.learning.loss import centering_penalty, ordinal_loss, preference, vote_log_probabilities

THRESHOLDS = torch.tensor([[0.5, 1.4, 2.4]])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_vote_probabilities_are_differences_of_the_logistic_curve():
    probability = vote_log_probabilities(torch.tensor([0.3]), THRESHOLDS).exp()[0]

    cuts = [-2.4, -1.4, -0.5, 0.5, 1.4, 2.4]
    below = [0.0, *(sigmoid(cut - 0.3) for cut in cuts), 1.0]
    assert probability.tolist() == pytest.approx([b - a for a, b in itertools.pairwise(below)], abs=1e-6)


@pytest.mark.parametrize("margin", [-30.0, -1.3, 0.0, 0.7, 30.0])
def test_swapped_sides_give_the_mirrored_probabilities_and_all_sum_to_one(margin):
    one = vote_log_probabilities(torch.tensor([margin]), THRESHOLDS).exp()
    other = vote_log_probabilities(torch.tensor([-margin]), THRESHOLDS).exp()

    assert torch.equal(one, other.flip(-1))
    assert one.sum().item() == pytest.approx(1.0, abs=1e-6)


def test_equal_scores_cost_the_tie_its_own_probability():
    loss = ordinal_loss(torch.zeros(1, 1), THRESHOLDS, torch.tensor([[0]]), torch.tensor([[True]]))

    assert loss.item() == pytest.approx(-math.log(sigmoid(0.5) - sigmoid(-0.5)), abs=1e-6)


def test_what_was_not_scored_costs_nothing_and_pulls_at_nothing():
    margin = torch.tensor([[0.4], [0.9]], requires_grad=True)

    loss = ordinal_loss(margin, THRESHOLDS, torch.tensor([[2], [3]]), torch.tensor([[True], [False]]))
    loss.backward()

    alone = ordinal_loss(margin[:1], THRESHOLDS, torch.tensor([[2]]), torch.tensor([[True]]))
    assert loss.item() == pytest.approx(alone.item() / 2)
    assert margin.grad[1].item() == 0.0


def test_the_loss_is_the_mean_over_the_halves_of_a_batch_whatever_is_missing():
    margin, votes = torch.randn(8, 1), torch.randint(-3, 4, (8, 1))
    is_scored = torch.tensor([True, False, False, False, True, True, True, True])[:, None]

    whole = ordinal_loss(margin, THRESHOLDS, votes, is_scored)
    halves = [ordinal_loss(margin[half], THRESHOLDS, votes[half], is_scored[half]) for half in (slice(4), slice(4, 8))]

    assert whole.item() == pytest.approx(sum(half.item() for half in halves) / 2, rel=1e-6)


def test_large_margins_have_finite_losses_and_gradients():
    margin = torch.tensor([[200.0], [-200.0]], requires_grad=True)

    loss = ordinal_loss(margin, THRESHOLDS, torch.tensor([[-3], [3]]), torch.ones(2, 1, dtype=torch.bool))
    loss.backward()

    assert loss.item() == pytest.approx((202.4 + 202.4) / 2, rel=0.02)
    assert torch.isfinite(margin.grad).all()


def test_margins_and_thresholds_must_have_the_same_heads():
    with pytest.raises(ValueError, match="3 heads, the thresholds 1"):
        vote_log_probabilities(torch.zeros(2, 3), THRESHOLDS)


def test_preference_counts_half_of_the_ties():
    probability = vote_log_probabilities(torch.tensor([0.8]), THRESHOLDS).exp()[0]

    found = preference(torch.tensor(0.8), torch.tensor(0.5))

    assert found.item() == pytest.approx(probability[4:].sum().item() + 0.5 * probability[3].item(), abs=1e-6)


def test_centering_pulls_the_mean_of_a_pair_to_nought_but_not_its_difference():
    assert centering_penalty(torch.tensor([3.0]), torch.tensor([-3.0])).item() == 0.0
    assert centering_penalty(torch.tensor([3.0]), torch.tensor([1.0])).item() == 4.0
