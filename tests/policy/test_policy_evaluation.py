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
from policy.learning.hearing import Heard
from policy.learning.sharpening import sharpened
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
    assert report["texts"] == ["apart-0", "apart-1", "apart-2", "apart-3"]


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


def test_a_gain_on_some_scenarios_may_be_told_in_the_unit_of_all():
    new, old = np.array([[3.0, 3.0]]), np.array([[0.0, 2.0]])

    assert gain_in_sd(new, old, np.array(["one"]), unit=4.0)["value"] == pytest.approx(0.5)


def test_best_of_n_is_told_in_the_unit_of_the_policys_gain_though_it_is_tried_on_fewer_scenarios(start):
    speakers = Speakers(start, start, PromptEncoder(delivery_of), Ears(), Ears())
    config = EvaluationConfig(rival_scenarios=2)

    report = evaluate(config, draw("held_out")(0), speakers, Judges([Judge()], truth=pitch_truth))

    assert report["best_of_n"]["n_scenarios"] == 2
    for gain in ("reward_gain_sd", "truth_gain_sd"):
        assert report["best_of_n"][gain]["unit"] == report[gain]["unit"]


def test_beside_a_sharpened_policy_stands_the_reference_at_the_same_temperature(start):
    speakers = Speakers(sharpened(start, 0.6), start, PromptEncoder(delivery_of), Ears(), Ears())
    config = EvaluationConfig(rollouts=64, best_of=False)

    report = evaluate(config, draw("held_out")(0), speakers, Judges([Judge()], truth=pitch_truth))

    rival = report["sharpened"]
    assert rival["temperature"] == pytest.approx(0.6, abs=0.02)
    assert rival["entropy"] == pytest.approx(report["entropy"], abs=0.02)
    assert rival["kl_nats_per_token"] == pytest.approx(report["kl_nats_per_token"], abs=0.01)
    for gain in ("reward_gain_sd", "truth_gain_sd"):  # all of the gain, if any, is the lost variety
        assert rival[gain]["value"] == pytest.approx(report[gain]["value"], abs=0.25)
        assert rival[gain]["unit"] == report[gain]["unit"]


def test_best_of_n_has_the_policys_divergence():
    assert best_of_for(math.log(10) - 0.9) == 10
    assert best_of_for(0.0) == 1
    assert best_of_for(100.0) == MOST_BEST_OF
    assert best_of_divergence(1) == 0.0


def test_fewer_than_eight_references_are_refused():
    with pytest.raises(ValueError, match=r"4 reference replies and 4 new ones .* take at least 8 and 1"):
        EvaluationConfig(references=4)
