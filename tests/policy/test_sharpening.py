import pytest
import torch

from policy.learning.kl import divergence_of
from policy.learning.model import token_entropy
from policy.learning.sampling import uniforms
from policy.learning.sharpening import COLDEST, HOTTEST, sharpened, temperature_for
from policy.learning.stream import PromptEncoder
from tests.policy.small_world import delivery_of, draw
from tests.policy.toy import supervised_start


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return supervised_start(tmp_path_factory.mktemp("policy") / "start", steps=30).policy


@pytest.fixture(scope="module")
def prompts():
    return PromptEncoder(delivery_of).encode(draw("held_out")(0))


@pytest.fixture
def chance(prompts):
    return uniforms(len(prompts), prompts.n_exchanges, 0, "chance")


def test_a_lower_temperature_divides_the_logits_and_leaves_the_policy_as_it_was(start, prompts, chance):
    said = divergence_of(start, start, prompts, chance)[1]
    warm = start.log_probs(prompts, said.ids)

    cold = sharpened(start, 0.5).log_probs(prompts, said.ids)

    torch.testing.assert_close(cold, torch.log_softmax(warm / 0.5, dim=-1), rtol=0, atol=1e-4)
    torch.testing.assert_close(start.log_probs(prompts, said.ids), warm, rtol=0, atol=0)


def test_a_temperature_is_found_that_gives_the_entropy_asked_for(start, prompts, chance):
    wanted = divergence_of(sharpened(start, 0.7), start, prompts, chance)[0].entropy

    found = temperature_for(start, wanted, prompts, chance)

    told = divergence_of(sharpened(start, found), start, prompts, chance)[0]
    assert told.entropy == pytest.approx(wanted, abs=0.005)
    assert found == pytest.approx(0.7, abs=0.02)
    assert told.total > 0


def test_its_own_entropy_is_that_of_temperature_one(start, prompts, chance):
    own = divergence_of(start, start, prompts, chance)[0].entropy

    assert temperature_for(start, own, prompts, chance) == pytest.approx(1.0, abs=0.02)


def test_an_entropy_that_no_temperature_gives_gets_the_nearest(start, prompts, chance):
    assert temperature_for(start, 0.0, prompts, chance) == pytest.approx(COLDEST, rel=0.01)
    assert temperature_for(start, 9.0, prompts, chance) == pytest.approx(HOTTEST, rel=0.01)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_zero_is_refused(start, temperature):
    with pytest.raises(ValueError, match=rf"The temperature is {temperature}; give one above 0"):
        sharpened(start, temperature)


def test_entropy_falls_with_the_temperature(start, prompts, chance):
    said = divergence_of(start, start, prompts, chance)[1]

    falling = [
        token_entropy(sharpened(start, temperature).log_probs(prompts, said.ids).detach()).mean().item()
        for temperature in (1.5, 1.0, 0.7, 0.4)
    ]

    assert falling == sorted(falling, reverse=True)
