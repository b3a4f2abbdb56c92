"""The guards: each can fire, and says why."""

import math

import numpy as np
import pytest

from policy.learning.guards import GUARDS, found, held_out_fall, kl_guard, repetition
from policy.learning.heldout import standard_error


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_stops_beyond_its_limit_alone_and_says_why(guard):
    limit = guard.least if math.isfinite(guard.least) else guard.most
    beyond = -0.01 if math.isfinite(guard.least) else 0.01

    assert found({guard.name: limit}) == ""
    sentence = found({guard.name: limit + beyond})
    assert sentence.startswith(f"Guard {guard.name}: {guard.means} is ")
    assert sentence.endswith(guard.remedy)


def test_what_is_not_finite_stops_whatever_it_is():
    assert found({"loss": math.nan}).startswith("Guard finite: loss is nan.")
    assert found({"gradient_norm": math.inf}).startswith("Guard finite: gradient_norm is inf.")


def test_the_hard_stop_names_target_and_value():
    sentence = found({"kl_nats_per_token": 0.2}, [kl_guard(0.1, 0.16)])

    assert sentence == (
        "Guard kl_nats_per_token: the divergence from the reference on held-out scenarios is 0.2, above 0.16. "
        "Lower the learning rate: the target is 0.1."
    )


def test_replies_that_say_every_phrase_alike_are_counted():
    codes = np.zeros((4, 2, 2, 5), int)
    codes[1:, 1, 1, 0] = 3
    codes[0, :, :, 4] = [[0, 1], [2, 3]]  # pauses do not count

    assert repetition(codes) == 0.25


def test_a_held_out_model_surely_below_one_half_while_the_training_one_rises_is_noticed_at_once():
    assert held_out_fall([0.6], [0.4], 0.03) == pytest.approx(0.04)
    assert found({"held_out_fall": held_out_fall([0.6], [0.4], 0.03)}) == (
        "Guard held_out_fall: what the held-out reward model surely lost while the training one rose is 0.04, above 0. "
        "Listen to its rollouts; train with a smaller KL target or another reward model."
    )


def test_a_held_out_model_surely_below_its_best_while_the_training_one_rose_since_is_noticed():
    training, held_out = [0.55, 0.65, 0.7], [0.55, 0.7, 0.6]

    assert held_out_fall(training, held_out, 0.04) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("training", "held_out", "error"),
    [
        ([0.6], [0.46], 0.03),  # below one half, but not surely
        ([0.45], [0.3], 0.03),  # the training one fell too: no sign of a reward that is gamed
        ([0.55, 0.7, 0.68], [0.55, 0.7, 0.6], 0.03),  # below its best, but so is the training one
        ([0.55, 0.6], [0.55, 0.6], 0.01),
    ],
)
def test_a_held_out_model_that_has_not_surely_fallen_alone_is_let_be(training, held_out, error):
    assert held_out_fall(training, held_out, error) == 0.0


def test_the_standard_error_takes_replies_of_one_scenario_to_hang_together():
    values = np.array([0.2, 0.2, 0.4, 0.4, 0.6, 0.6])  # three scenarios whose means are 0.2, 0.4 and 0.6

    assert standard_error(values, 3) == pytest.approx(0.2 / math.sqrt(3))
