import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from policy.learning import rounds
from policy.learning.checkpoint import FILES, load_checkpoint
from policy.learning.reward import PLAN
from policy.learning.rounds import RoundConfig, reward_weights
from tests.policy.toy import HighVoice, run, supervised_start

QUICK = RoundConfig(
    steps=20, groups=4, group_size=8, references=4, learning_rate=3e-3, measure_every=5, kl_target=0.4, rendered_steps=0
)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return supervised_start(tmp_path_factory.mktemp("policy") / "start")


def metrics_of(out):
    return [json.loads(line) for line in (out / "run" / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("algorithm", ["grpo", "rloo"])
def test_a_toy_task_is_learned_in_seconds(start, tmp_path, algorithm):
    result = run(replace(QUICK, algorithm=algorithm), tmp_path, start)

    measured = [line for line in metrics_of(tmp_path) if "held_out_reward" in line]
    assert result["stopped"] == ""
    assert result["held_out_reward"] > 0.65  # P(beats the reference); 0.5 is where it began
    assert 0 < result["kl_nats_per_token"] <= 0.4
    assert [line["step"] for line in measured] == [5, 10, 15, 20]
    assert load_checkpoint(tmp_path).content_hash == result["checkpoint"]


def test_every_step_tells_the_curves(start, tmp_path):
    run(replace(QUICK, steps=2, measure_every=2), tmp_path, start)

    first, last = metrics_of(tmp_path)
    always = {"step", "loss", "reward", "reward_overall", "reward_prosody", "entropy", "plan_accuracy", "kl_k3"}
    assert always <= set(first)
    assert {"groups_without_spread", "disagreement", "repetition", "kl_weight", "gradient_norm"} <= set(first)
    assert {"kl_nats_per_token", "kl_plan", "kl_codes", "held_out_reward", "plan_loss"} <= set(last)


def test_the_lineage_names_parent_reward_models_bank_and_settings(start, tmp_path):
    run(replace(QUICK, steps=2, measure_every=2, seed=4), tmp_path, start)

    lineage = load_checkpoint(tmp_path).lineage
    assert lineage["kind"] == "grpo"
    assert lineage["parent"] == start.content_hash
    assert lineage["bank"] == "bank"
    assert lineage["reward_models"] == []
    assert lineage["seed"] == 4
    assert lineage["texts"] == sorted(f"train-{number}" for number in range(12))
    assert lineage["figures"]["step"] == 2


class Broken(HighVoice):
    """Scores that are no numbers."""

    def scores(self, replies):
        return super().scores(replies) * math.nan


def stopping_cases():
    yield "reward_prosody is nan", QUICK, {"scorer": Broken()}
    yield "groups_without_spread", QUICK, {"scorer": HighVoice(0.0)}
    yield "disagreement", QUICK, {"scorer": HighVoice(9.0, -9.0)}
    yield "clipped_share: the share of clipped samples is 0.5", QUICK, {"listening": lambda _: {"clipped_share": 0.5}}
    yield "log_f0_spread_ratio", QUICK, {"listening": lambda _: {"log_f0_spread_ratio": 0.67}}


@pytest.mark.parametrize(("words", "config", "kinds"), list(stopping_cases()))
def test_a_guard_stops_the_run_with_its_sentence_and_keeps_the_last_good_checkpoint(
    start, tmp_path, words, config, kinds
):
    result = run(replace(config, weight_plan=0.0), tmp_path, start, **kinds)

    assert result["stopped"].startswith("Stopped at step ")
    assert words in result["stopped"]
    assert result["step"] == 0
    kept = load_checkpoint(tmp_path).policy.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in start.policy.state_dict().items())


def test_the_hard_stop_on_the_divergence_keeps_what_was_good_before(start, tmp_path):
    settings = replace(QUICK, learning_rate=2e-2, kl_target=0.02, measure_every=1)

    result = run(settings, tmp_path, start)

    assert "the divergence from the reference on held-out scenarios is" in result["stopped"]
    assert result["step"] == 0 or result["kl_nats_per_token"] <= 0.02


def test_a_held_out_model_that_falls_while_the_training_one_rises_stops_the_round(start, tmp_path):
    result = run(replace(QUICK, weight_plan=0.0), tmp_path, start, held_out_scorer=HighVoice(-1.0))

    last = metrics_of(tmp_path)[-1]
    assert result["stopped"].startswith("Stopped at step 15. Guard held_out_fall: ")
    assert result["step"] == 10
    assert last["held_out_model_reward"] + 2 * last["held_out_model_error"] < 0.5 < last["held_out_reward"]


def test_no_step_is_good_before_its_sound_was_heard(start, tmp_path):
    heard = []

    def listening(replies):
        heard.append(len(replies))
        return {"clipped_share": 0.0 if len(heard) < 3 else 0.01}

    result = run(QUICK, tmp_path, start, listening=listening)

    assert heard == [4, 4, 4]  # at steps 5, 10 and 15
    assert result["stopped"].startswith("Stopped at step 15. Guard clipped_share: the share of clipped samples is 0.01")
    assert (result["step"], result["clipped_share"]) == (10, 0.0)


def test_a_round_without_a_measurement_within_the_target_says_so_and_leaves_the_reference(start, tmp_path):
    settings = replace(QUICK, kl_target=1e-5, kl_stop=1e6, steps=10)

    result = run(settings, tmp_path, start)

    last = metrics_of(tmp_path)[-1]["kl_nats_per_token"]
    assert result["step"] == 0
    assert result["stopped"] == (
        "None of 2 measurements lay within the KL target of 1e-05 nats per token "
        f"(the nearest: {min(line['kl_nats_per_token'] for line in metrics_of(tmp_path) if 'kl_plan' in line):.3g}), "
        f"so {tmp_path} holds the weights that the round began with. Give the weight of the divergence more steps, or "
        "allow a larger --kl-target."
    )
    assert last > 1e-5
    assert load_checkpoint(tmp_path).lineage["stopped"] == result["stopped"]
    kept = load_checkpoint(tmp_path).policy.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in start.policy.state_dict().items())


def test_more_processes_than_groups_are_refused_before_anything_is_written(start, tmp_path, monkeypatch):
    monkeypatch.setattr("policy.learning.distributed.world", lambda: 5)

    with pytest.raises(ValueError, match=r"5 processes cannot share 4 groups of rollouts; start 4 at most \(EARSHOT_"):
        run(QUICK, tmp_path / "new", start)

    assert not (tmp_path / "new").exists()


def test_a_stopped_run_stays_stopped_when_it_is_started_again(start, tmp_path):
    settings = replace(QUICK, weight_plan=0.0)

    first = run(settings, tmp_path, start, scorer=HighVoice(0.0))
    again = run(settings, tmp_path, start, scorer=HighVoice(0.0))

    assert again == first


def test_without_plan_gradient_the_plan_is_left_to_the_codes(start, tmp_path):
    run(replace(QUICK, steps=4, plan_gradient=False), tmp_path, start)

    assert metrics_of(tmp_path)[-1]["plan_accuracy"] >= 0


def test_an_interrupted_round_goes_on_to_the_same_bytes(start, tmp_path, monkeypatch):
    settings = replace(QUICK, steps=10)
    run(settings, tmp_path / "whole", start)
    step = rounds._step

    def die_at_seven(config, progress, *rest):
        if progress.step == 7:
            raise KeyboardInterrupt
        return step(config, progress, *rest)

    monkeypatch.setattr(rounds, "_step", die_at_seven)
    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "broken", start)
    monkeypatch.setattr(rounds, "_step", step)
    run(settings, tmp_path / "broken", start)

    for file in (*FILES, "run/metrics.jsonl"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes()


def test_the_plan_component_is_weighted_by_its_own_weight():
    components = {"prosody": 0, "overall": 0, PLAN: 0}
    weights = reward_weights(RoundConfig(weight_overall=1.0, weight_dimension=0.5, weight_plan=0.2), components)

    assert weights == {"prosody": 0.5, "overall": 1.0, "plan": 0.2}
    assert np.isclose(sum(weights.values()), 1.7)
