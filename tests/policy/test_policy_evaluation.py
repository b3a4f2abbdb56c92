import math

import numpy as np
import pytest

from policy.learning.evaluation import (
    MOST_BEST_OF,
    EvaluationConfig,
    Judges,
    Speakers,
    best_of_divergence,
    best_of_for,
    evaluate,
    gain_in_sd,
)
from policy.learning.guards import GUARDS, found, held_out_fall, kl_guard, repetition
from policy.learning.hearing import Heard
from policy.learning.stream import PromptEncoder
from tests.policy.small_world import delivery_of, draw
from tests.policy.toy import HighVoice, supervised_start

MEASURES = {"level_db": -30.0, "clipped_share": 0.0, "log_f0_spread_st": 3.0}


class Ears:
    """Hears a reply as itself: no sound, and the delivery that the codes give."""

    def hear(self, replies, *, measured=False):
        return [Heard(reply, delivery_of(reply.scenario, reply.codes), MEASURES) for reply in replies]

    def features(self, replies):
        return list(replies)


class Judge:
    """A reward model that hears the codes themselves."""

    dimensions = HighVoice.dimensions

    def score_features(self, replies):
        return HighVoice().scores(replies)[0]


def pitch_truth(delivery, arc):
    return {"overall": float(np.mean([phrase["level_st"] for turn in delivery["assistant"] for phrase in turn]))}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return supervised_start(tmp_path_factory.mktemp("policy") / "start", steps=30).policy


def test_a_policy_against_itself_gains_nothing_and_diverges_by_nothing(start):
    speakers = Speakers(start, start, PromptEncoder(delivery_of), Ears(), Ears())

    report = evaluate(EvaluationConfig(), draw("held_out")(0), speakers, Judges([Judge()], Judge(), pitch_truth))

    assert report["kl_nats_per_token"] == 0.0
    assert report["reward_gain_sd"]["low"] is None  # four texts are too few for an interval
    assert abs(report["reward_gain_sd"]["value"]) < 0.6
    assert (report["n_scenarios"], report["n_texts"], report["references"]) == (4, 4, 8)
    assert report["held_out_gain_sd"] == report["reward_gain_sd"]
    assert set(report["truth_gains_sd"]) == {"overall"}
    assert report["sound"]["policy"] == report["sound"]["reference"] == MEASURES
    assert report["best_of_n"]["n"] == 1


def test_the_same_seed_gives_the_same_report(start):
    speakers = Speakers(start, start, PromptEncoder(delivery_of), Ears(), Ears())
    config = EvaluationConfig(seed=4, best_of=False)

    first, second = (evaluate(config, draw("held_out")(0), speakers, Judges([Judge()])) for _ in range(2))

    assert first == second


def test_a_gain_is_paired_by_scenario_in_the_references_within_scenario_spread():
    old = np.array([[0.0, 2.0], [10.0, 12.0]])  # within-scenario variance 2 in both, whatever the scenarios' levels
    new = np.array([[3.0, 3.0], [13.0, 13.0]])

    gain = gain_in_sd(new, old, np.array(["one", "other"]))

    assert gain["value"] == pytest.approx(2 / math.sqrt(2), abs=1e-4)
    assert gain["unit"] == pytest.approx(math.sqrt(2), abs=1e-4)
    assert gain["n"] == 2


def test_a_reference_without_spread_gives_no_unit():
    assert gain_in_sd(np.ones((2, 2)), np.zeros((2, 2)), np.array(["a", "b"]))["value"] is None


def test_best_of_n_has_the_policys_divergence():
    assert best_of_for(math.log(10) - 0.9) == 10
    assert best_of_for(0.0) == 1
    assert best_of_for(100.0) == MOST_BEST_OF
    assert best_of_divergence(1) == 0.0


def test_fewer_than_eight_references_are_refused():
    with pytest.raises(ValueError, match=r"4 reference replies and 8 new ones .* take at least 8 and 1"):
        EvaluationConfig(references=4)


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


def test_a_held_out_model_that_falls_while_the_other_rises_is_noticed():
    rising, falling = [0.5, 0.5, 0.5, 0.7, 0.7, 0.7], [0.6, 0.6, 0.6, 0.4, 0.4, 0.4]

    assert held_out_fall(rising, falling) == pytest.approx(0.2)
    assert held_out_fall(falling, falling) == 0.0  # both fall: no sign of a reward that is gamed
    assert held_out_fall(rising[:5], falling[:5]) == 0.0  # too early to tell
