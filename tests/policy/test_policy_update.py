"""The update's mathematics, against numbers worked by hand."""

import math

import numpy as np
import pytest
import torch

from policy.learning.grpo import (
    RolloutRecord,
    combined_advantages,
    groups_without_spread,
    grpo_advantages,
    policy_loss,
    rloo_advantages,
)
from policy.learning.kl import AIM, KLWeight, exact_kl, k3
from policy.learning.reward import PreferenceReward, Reply
from policy.learning.stream import Prompts
from tests.policy.small_world import draw
from tests.policy.toy import HighVoice


def toy_record(old: list, reference: list, mask: list) -> RolloutRecord:
    nothing = Prompts(torch.zeros(2, 1, 3, 1), torch.zeros(2, 1, 3, 4))
    return RolloutRecord(
        prompts=nothing,
        ids=torch.zeros(2, 2, dtype=torch.long),
        mask=torch.tensor(mask),
        is_plan=torch.tensor([True, False]),
        old_log_probs=torch.tensor(old).log(),
        reference_log_probs=torch.tensor(reference).log(),
        rewards={},
        group_size=2,
    )


def test_grpo_standardises_within_the_group():
    rewards = torch.tensor([1.0, 3.0, 0.0, 0.0])

    assert grpo_advantages(rewards, 2).tolist() == [-1.0, 1.0, 0.0, 0.0]


def test_rloo_takes_the_mean_of_the_others_off():
    assert rloo_advantages(torch.tensor([1.0, 2.0, 6.0]), 3).tolist() == [-3.0, -1.5, 4.5]


def test_each_component_is_standardised_before_it_is_weighted():
    rewards = {"wide": torch.tensor([0.0, 1_000.0]), "narrow": torch.tensor([0.001, 0.0])}

    combined = combined_advantages(rewards, {"wide": 1.0, "narrow": 3.0}, 2)

    assert combined.tolist() == pytest.approx([0.5, -0.5])


def test_rloo_standardises_each_component_across_the_batch_before_the_others_are_taken_off():
    wide, narrow = torch.tensor([0.0, 200.0, 100.0, 100.0]), torch.tensor([0.2, 0.0, 0.1, 0.1])

    combined = combined_advantages({"wide": wide, "narrow": narrow}, {"wide": 1.0, "narrow": 3.0}, 2, "rloo")

    # Standard deviations of the batch: 50 √2 and 0.05 √2. So a reply stands 2 √2 from the other one of its group.
    assert combined.tolist() == pytest.approx([math.sqrt(2), -math.sqrt(2), 0.0, 0.0], abs=1e-6)


def test_a_component_that_is_the_same_in_the_whole_batch_says_nothing_in_rloo():
    rewards = {"same": torch.full((4,), 0.3), "told": torch.tensor([0.0, 1.0, 0.0, 1.0])}

    combined = combined_advantages(rewards, {"same": 1.0, "told": 1.0}, 2, "rloo")

    assert combined.tolist() == [-1.0, 1.0, -1.0, 1.0]


def test_a_weight_without_a_reward_is_refused():
    with pytest.raises(ValueError, match=r"No reward is called 'warmth'; give weights for overall"):
        combined_advantages({"overall": torch.zeros(2)}, {"warmth": 1.0}, 2)
    with pytest.raises(ValueError, match=r"sum to 0.0; give at least one above 0"):
        combined_advantages({"overall": torch.zeros(2)}, {"overall": 0.0}, 2)
    with pytest.raises(ValueError, match=r"3 rollouts are no groups of 2"):
        grpo_advantages(torch.zeros(3), 2)
    with pytest.raises(ValueError, match=r"There is no algorithm 'reinforce'; choose one of grpo, rloo"):
        combined_advantages({"overall": torch.zeros(2)}, {"overall": 1.0}, 2, "reinforce")


def test_k3_is_zero_where_both_agree_and_positive_elsewhere():
    log_probs, reference = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.5, 0.25]).log()

    assert k3(log_probs, reference).tolist() == pytest.approx([0.0, 0.5 - math.log(0.5) - 1])


def test_k3_is_an_unbiased_estimate_of_the_exact_divergence():
    policy, reference = torch.tensor([0.7, 0.2, 0.1, 0.0]).log(), torch.tensor([0.5, 0.3, 0.2, 0.0]).log()

    expected = (policy.exp()[:3] * k3(policy[:3], reference[:3])).sum()

    exact = exact_kl(policy.view(1, 1, 4), reference.view(1, 1, 4)).item()
    assert exact == pytest.approx(0.7 * math.log(1.4) + 0.2 * math.log(2 / 3) + 0.1 * math.log(0.5))
    assert expected.item() == pytest.approx(exact)


def test_the_loss_of_a_toy_batch_is_the_one_worked_by_hand():
    record = toy_record(
        old=[[0.5, 0.5], [0.4, 0.5]], reference=[[0.5, 0.25], [0.5, 0.5]], mask=[[True, True], [True, False]]
    )
    log_probs = torch.tensor([[0.75, 0.5], [0.2, 0.9]]).log()

    loss = policy_loss(log_probs, record, torch.tensor([1.0, -1.0]), clip=0.2, kl_weight=0.1, n_tokens=3)

    # Rollout 1: ratios 1.5 (clipped to 1.2) and 1; rollout 2: ratio 0.5, whose clip 0.8 is the worse: −0.8.
    surrogate = 1.2 + 1.0 - 0.8
    divergence = (2 / 3 - math.log(2 / 3) - 1) + (0.5 - math.log(0.5) - 1) + (2.5 - math.log(2.5) - 1)
    assert loss.item() == pytest.approx((0.1 * divergence - surrogate) / 3)


def test_a_group_whose_probabilities_hardly_differ_is_counted_as_one_without_spread():
    alike, told = [0.500, 0.518], [0.500, 0.522]  # standard deviations 0.009 and 0.011

    assert groups_without_spread({"overall": torch.tensor([*alike, *told])}, 2) == 0.5


def test_one_component_that_differs_gives_a_group_spread():
    rewards = {"overall": torch.tensor([0.5, 0.5, 0.5, 0.5]), "prosody": torch.tensor([0.3, 0.6, 0.5, 0.5])}

    assert groups_without_spread(rewards, 2) == 0.5
    assert groups_without_spread({}, 2) == 0.0  # only the plan is rewarded: that all are right is no fault


def test_the_kl_weight_rises_above_the_aim_falls_below_it_and_never_jumps():
    at_rest = KLWeight(target=0.1, weight=0.2, last=AIM * 0.1)

    assert at_rest.after(AIM * 0.1).weight == pytest.approx(0.2)
    assert 0.2 < at_rest.after(0.12).weight < 0.2 * 1.5
    assert 0.2 / 1.5 < at_rest.after(0.05).weight < 0.2


def test_the_kl_weight_looks_ahead_along_the_slope():
    climbing = KLWeight(target=0.1, weight=0.2, last=0.02)

    assert climbing.after(0.07).weight > 0.2  # below the aim still, but not for long


def rollouts(pitches: list[int]) -> list[Reply]:
    scenario = next(s for seed in range(50) for s in draw(exchanges=1)(seed) if s.arc == ("joy",))
    return [Reply(scenario, np.array([plan]), np.full((1, 2, 5), 2) * 0 + pitch) for plan, pitch in enumerate(pitches)]


def test_a_reply_is_worth_the_mean_probability_of_beating_the_references():
    rewards = PreferenceReward(HighVoice())(rollouts([3, 4]), rollouts([3, 3, 4, 2]))

    even, up, down = 0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.e)
    assert rewards.components["overall"].tolist() == pytest.approx(
        [(2 * even + down + up) / 4, (2 * up + even + 1 / (1 + math.exp(-2))) / 4]
    )
    assert rewards.components["plan"].tolist() == [0.0, 1.0]  # the second reply's plan is joy
    assert rewards.disagreement == 0.0


def test_judges_who_disagree_count_by_their_lower_bound():
    rewards = PreferenceReward(HighVoice(1.0, -1.0))(rollouts([4]), rollouts([3]))

    spread = 1 / (1 + math.exp(-1)) - 0.5  # the judges say 0.5 + spread and 0.5 − spread
    assert rewards.components["overall"].tolist() == pytest.approx([0.5 - spread])
    assert rewards.means["overall"].tolist() == pytest.approx([0.5])
    assert rewards.disagreement == pytest.approx(math.sqrt(2) * spread)


def test_disagreement_does_not_grow_with_the_number_of_judges():
    two, four = (PreferenceReward(HighVoice(*[1.0, -1.0] * n))(rollouts([4]), rollouts([3])) for n in (1, 2))

    spread = 1 / (1 + math.exp(-1)) - 0.5
    assert two.disagreement == pytest.approx(math.sqrt(2 / 1) * spread)
    assert four.disagreement == pytest.approx(math.sqrt(4 / 3) * spread)


def test_references_of_other_scenarios_are_refused():
    others = [Reply(draw(exchanges=1)(0)[3], np.array([0]), np.zeros((1, 2, 5), int))]

    with pytest.raises(ValueError, match=r"1 reference replies do not fit 1 rollouts of 1 scenarios"):
        PreferenceReward(HighVoice())(rollouts([3]), others)
