import pytest
import torch

from policy.learning.model import PolicyConfig, chosen_log_probs, new_policy, token_entropy
from policy.learning.sampling import sample, uniforms
from policy.learning.stream import PromptEncoder, allowed_tokens
from tests.policy.small_world import delivery_of, draw


@pytest.fixture(scope="module")
def prompts():
    return PromptEncoder(delivery_of).encode(draw()(3))


@pytest.fixture(scope="module")
def policy():
    return new_policy(PolicyConfig(hidden=32, layers=2, feed_forward=64), seed=1)


def test_recomputed_log_probabilities_are_those_it_was_sampled_with(policy, prompts):
    sampled = sample(policy, prompts, uniforms(len(prompts), 2, "a seed"))

    again = chosen_log_probs(policy.log_probs(prompts, sampled.ids), sampled.ids)

    assert torch.allclose(again, sampled.log_probs, atol=1e-5, rtol=0)


def test_only_allowed_tokens_are_sampled_and_their_probabilities_sum_to_one(policy, prompts):
    sampled = sample(policy, prompts, uniforms(len(prompts), 2, "a seed"))
    log_probs = policy.log_probs(prompts, sampled.ids)
    allowed = allowed_tokens(2)

    assert allowed[torch.arange(22), sampled.ids].all()
    assert torch.allclose(log_probs.exp().sum(-1), torch.ones(len(prompts), 22))
    assert (log_probs.exp()[:, ~allowed] == 0).all()


def test_a_reply_does_not_depend_on_who_else_is_in_the_batch(policy, prompts):
    chance = uniforms(len(prompts), 2, "a seed")

    together = sample(policy, prompts, chance)
    alone = sample(policy, prompts.rows([5]), chance[5:6])

    assert together.ids[5].tolist() == alone.ids[0].tolist()


def test_a_later_token_never_changes_an_earlier_probability(policy, prompts):
    sampled = sample(policy, prompts, uniforms(len(prompts), 2, "a seed"))
    other = sampled.ids.clone()
    other[:, 12] = torch.where(other[:, 12] == 5, 6, 5)  # the first pitch of the second turn

    before, after = policy.log_probs(prompts, sampled.ids), policy.log_probs(prompts, other)

    assert torch.allclose(before[:, :13], after[:, :13], atol=1e-6, rtol=0)
    assert not torch.allclose(before[:, 13], after[:, 13], atol=1e-6, rtol=0)


def test_samples_follow_the_probabilities(policy, prompts):
    one = prompts.rows([0] * 4_000)

    first = sample(policy, one, uniforms(4_000, 2, "many")).ids[:, 0]

    expected = policy.log_probs(prompts.rows([0]), first[:1, None].repeat(1, 22)).exp()[0, 0, :5]
    shares = torch.bincount(first, minlength=5) / 4_000
    assert torch.allclose(shares, expected, atol=0.03)


def test_entropy_of_a_position_with_five_equal_tokens_is_ln_5():
    log_probs = torch.full((1, 1, 8), -torch.inf)
    log_probs[..., :5] = -torch.log(torch.tensor(5.0))

    assert token_entropy(log_probs).item() == pytest.approx(1.6094379)


def test_chance_of_another_shape_is_refused(policy, prompts):
    with pytest.raises(ValueError, match=r"chance is \(1, 22\), but \(12, 22\) numbers are needed"):
        sample(policy, prompts, uniforms(1, 2, "x"))
