import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from policy.learning.checkpoint import FILES, code_version, load_checkpoint
from policy.learning.model import PolicyConfig
from policy.learning.resume import JobTakenOver
from policy.learning.sampling import sample, uniforms
from policy.learning.scenarios import EMOTIONS
from policy.learning.stream import PromptEncoder, arcs_of, plan_and_codes
from policy.learning.supervised import (
    PLAN_RIGHT,
    SupervisedConfig,
    demonstrations,
    fresh_scenarios,
    level_probabilities,
    train_supervised,
)
from tests.policy.small_world import delivery_of, draw

SMALL = PolicyConfig(hidden=48, layers=2, feed_forward=96)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    out = tmp_path_factory.mktemp("policy") / "start"
    config = SupervisedConfig(seed=3, steps=90, batch=32, model=SMALL)
    result = train_supervised(config, out, draw(), PromptEncoder(delivery_of), "bank")
    return out, result


def test_demonstrated_plans_are_right_85_times_in_100():
    arcs = np.random.default_rng(0).integers(0, 5, (2_000, 4))

    plan, codes = plan_and_codes(demonstrations(arcs, 1))

    assert (plan == arcs).mean() == pytest.approx(PLAN_RIGHT, abs=0.01)
    assert codes[..., 0].std() > 1.2  # varied
    joy, sadness = (codes[plan == EMOTIONS.index(emotion)][..., 0].mean() for emotion in ("joy", "sadness"))
    assert 0.5 < joy - sadness < 1.6  # and weakly conditional


def test_no_demonstrated_level_is_left_out_or_certain():
    for table in level_probabilities():
        assert table.sum(1) == pytest.approx(np.ones(5))
        assert table.min() > 0.01
        assert table.max() < 0.5


def test_the_start_learns_to_plan_on_texts_it_never_saw_and_lets_codes_follow_the_plan(start):
    out, _ = start
    scenarios = [scenario for seed in range(40) for scenario in draw("held_out")(seed)]
    prompts = PromptEncoder(delivery_of).encode(scenarios)

    sampled = sample(load_checkpoint(out).policy, prompts, uniforms(len(prompts), 2, "test"))

    assert (sampled.plan == arcs_of(scenarios)).mean() == pytest.approx(PLAN_RIGHT, abs=0.08)
    pitch = sampled.codes[..., 0]
    joy, sadness = (pitch[sampled.plan == EMOTIONS.index(emotion)].mean() for emotion in ("joy", "sadness"))
    assert 0.5 < joy - sadness < 1.6
    assert pitch.std() > 1.2


def test_the_checkpoint_names_its_lineage_and_its_hash(start):
    out, result = start
    checkpoint = load_checkpoint(out)

    assert checkpoint.content_hash == result["checkpoint"]
    assert checkpoint.lineage["kind"] == "supervised"
    assert checkpoint.lineage["parent"] is None
    assert checkpoint.lineage["bank"] == "bank"
    assert checkpoint.lineage["seed"] == 3
    assert checkpoint.lineage["texts"] == sorted(f"train-{number}" for number in range(12))
    assert checkpoint.lineage["figures"]["plan_accuracy"] == result["plan_accuracy"]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    config = SupervisedConfig(seed=5, steps=3, batch=4, model=SMALL)

    for name in ("one", "other"):
        train_supervised(config, tmp_path / name, draw(), PromptEncoder(delivery_of), "bank")

    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_other_settings_do_not_continue_a_run(tmp_path):
    encoder = PromptEncoder(delivery_of)
    train_supervised(SupervisedConfig(steps=2, batch=2, model=SMALL), tmp_path, draw(), encoder, "bank")

    with pytest.raises(ValueError, match=r"was begun with seed = 0, not 1. Give the same settings"):
        train_supervised(SupervisedConfig(seed=1, steps=2, batch=2, model=SMALL), tmp_path, draw(), encoder, "bank")


def test_more_processes_than_dialogues_of_a_batch_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("policy.learning.distributed.world", lambda: 3)

    with pytest.raises(ValueError, match=r"3 processes cannot share a batch of 2 dialogues; start 2 at most"):
        train_supervised(
            SupervisedConfig(steps=2, batch=2, model=SMALL), tmp_path / "o", draw(), PromptEncoder(delivery_of), "bank"
        )

    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("package", ["policy.learning", "rewardmodel.learning", "earshot.acoustics"])
def test_the_code_version_changes_with_whatever_decides_reward_or_sound(package, tmp_path, monkeypatch):
    before = code_version()
    assert code_version() == before
    changed = tmp_path / "copy"
    shutil.copytree(Path(str(importlib.import_module(package).__file__)).parent, changed)
    (changed / "__init__.py").write_text("# changed\n")
    monkeypatch.setattr(importlib.import_module(package), "__file__", str(changed / "__init__.py"))

    after = code_version()

    assert after["package"] == before["package"]
    assert after["sources"] != before["sources"]


def test_scenarios_are_drawn_anew_for_each_step():
    first, second = (fresh_scenarios(draw(), 30, 0, step) for step in range(2))

    assert len(first) == 30
    assert {scenario.scenario_id for scenario in first}.isdisjoint(scenario.scenario_id for scenario in second)
    assert first == fresh_scenarios(draw(), 30, 0, 0)


def test_a_changed_file_makes_a_checkpoint_invalid(start, tmp_path):
    out, _ = start
    for name in FILES:
        (tmp_path / name).write_bytes((out / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(ValueError, match=r"is not the file that lineage.json names"):
        load_checkpoint(tmp_path)


def test_a_folder_without_lineage_is_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match=r"is no policy checkpoint: it lacks model.safetensors, config.json, lineage"):
        load_checkpoint(tmp_path)


def test_a_state_of_the_run_is_loaded_with_weights_alone(start):
    out, _ = start

    state = torch.load(out / "run" / "state.pt", weights_only=True)

    assert state["step"] == 90


def test_a_job_given_to_another_worker_writes_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("policy.learning.resume.still_mine", lambda: False)
    config = SupervisedConfig(steps=2, batch=2, model=SMALL)

    with pytest.raises(JobTakenOver, match="given to another worker"):
        train_supervised(config, tmp_path, draw(), PromptEncoder(delivery_of), "bank")

    assert not (tmp_path / "lineage.json").exists()
    assert not (tmp_path / "run" / "state.pt").exists()
