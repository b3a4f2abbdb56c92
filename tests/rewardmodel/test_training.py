"""Training: it learns what decides, it survives a kill, and two processes are one."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rewardmodel.learning import checkpoint, running
from rewardmodel.learning import training as training_module
from rewardmodel.learning.batch import Batch
from rewardmodel.learning.checkpoint import code_hash
from rewardmodel.learning.evaluation import evaluate
from rewardmodel.learning.examples import Collator, Noise, VoteTable
from rewardmodel.learning.model import RewardModel, RewardModelConfig
from rewardmodel.learning.pairwise import PairwiseModel
from rewardmodel.learning.training import TrainingConfig, train
from tests.rewardmodel.synthetic import write_synthetic_snapshot
from tests.servers import ROOT

SHORT = TrainingConfig(epochs=3, batch=32, checkpoint_steps=2)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def content(folder):
    """All that the content hash is over."""
    return weights(folder), (folder / "config.json").read_bytes()


def accuracy(report, head="overall"):
    return report["heads"][head]["accuracy"]


def test_a_property_that_decides_votes_is_learned_and_foretells_unheard_scenarios(trained, higher_is_better, cache):
    found = accuracy(evaluate(trained, higher_is_better, cache=cache))

    assert found["n"] > 40
    assert found["low"] > 0.8


def test_shuffled_votes_teach_nothing_about_unheard_scenarios(tmp_path, higher_is_better, cache):
    config = TrainingConfig(epochs=10, batch=32, shuffle_labels=1)

    train(higher_is_better, tmp_path / "out", config, cache=cache)

    report = evaluate(tmp_path / "out", higher_is_better, cache=cache)
    # One shuffle is one draw: it may lean either way, but it cannot come near what the votes themselves teach.
    assert 0.2 < accuracy(report)["value"] < 0.8
    nats = report["heads"]["overall"]
    assert nats["nats_per_vote"]["value"] > nats["nats_knowing_nothing"] - 0.1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, higher_is_better, cache):
    for name, config in (("a", SHORT), ("b", SHORT), ("c", replace(SHORT, seed=1))):
        train(higher_is_better, tmp_path / name, config, cache=cache)

    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")


def test_a_run_that_was_broken_off_goes_on_bit_by_bit(tmp_path, higher_is_better, cache, monkeypatch):
    train(higher_is_better, tmp_path / "whole", SHORT, cache=cache)
    placed = []

    def place_and_fall(draft, folder):
        placed.append(draft.name)
        original(draft, folder)
        if len(placed) == 2:
            raise KeyboardInterrupt

    original = running.place_checkpoint
    monkeypatch.setattr(running, "place_checkpoint", place_and_fall)
    with pytest.raises(KeyboardInterrupt):
        train(higher_is_better, tmp_path / "broken", SHORT, cache=cache)
    monkeypatch.setattr(running, "place_checkpoint", original)
    assert [path.name for path in (tmp_path / "broken" / "run").glob("checkpoint-*")] == ["checkpoint-4"]
    torch.manual_seed(123)  # what another process would have drawn

    train(higher_is_better, tmp_path / "broken", SHORT, cache=cache)

    assert content(tmp_path / "broken") == content(tmp_path / "whole")


@pytest.mark.parametrize(("step", "checkpoint"), [(9, 7), (15, 13)])
def test_a_run_broken_off_between_its_checkpoint_and_its_next_report_ends_with_the_same_bytes(
    tmp_path, higher_is_better, cache, monkeypatch, step, checkpoint
):
    config = replace(SHORT, checkpoint_steps=checkpoint)  # reports come at 10 and 15
    train(higher_is_better, tmp_path / "whole", config, cache=cache)
    collate = Collator.__call__

    def collate_and_fall(self, places):
        if places[0][0] // self.batch == step - 1:
            raise KeyboardInterrupt
        return collate(self, places)

    monkeypatch.setattr(Collator, "__call__", collate_and_fall)
    with pytest.raises(KeyboardInterrupt):
        train(higher_is_better, tmp_path / "broken", config, cache=cache)
    monkeypatch.setattr(Collator, "__call__", collate)
    assert [path.name for path in (tmp_path / "broken" / "run").glob("checkpoint-*")] == [f"checkpoint-{checkpoint}"]

    train(higher_is_better, tmp_path / "broken", config, cache=cache)

    assert content(tmp_path / "broken") == content(tmp_path / "whole")


def test_the_loss_without_noise_is_the_mean_over_all_judgments_whatever_the_part(monkeypatch):
    torch.manual_seed(0)
    n = 7
    dialogues = Batch(
        torch.randn(2 * n, 2, 2, 24, 42).half(),
        torch.randn(2 * n, 2, 2, 11),
        torch.randint(0, 1024, (2 * n, 2, 2, 5)),
        torch.ones(2 * n, 2, dtype=torch.bool),
    )
    votes = torch.randint(-3, 4, (n, 2)).numpy()
    table = VoteTable(np.arange(n), np.arange(n, 2 * n), np.ones(n, np.int64), votes, votes > -3)
    collator = Collator(dialogues, table, Noise(1.0, 0.5, 1.0), torch.ones(2, 11), 0, 4)
    model = PairwiseModel(RewardModel(RewardModelConfig(("prosody", "overall"))), 0.01)

    whole = running.loss_without_noise(model, collator)
    monkeypatch.setattr(running, "AT_ONCE", 3)
    in_parts = running.loss_without_noise(model, collator)

    quiet = replace(collator, noise=Noise(0.0, 0.0, 0.0), batch=n)
    assert whole == pytest.approx(model(**quiet([(row, row) for row in range(n)]))["loss"].item(), rel=1e-5)
    assert in_parts == pytest.approx(whole, rel=1e-5)


def test_a_job_that_was_given_away_writes_no_checkpoint(tmp_path, higher_is_better, cache, monkeypatch):
    monkeypatch.setattr(running, "still_mine", lambda: False)

    with pytest.raises(running.JobTakenOver):
        train(higher_is_better, tmp_path / "out", SHORT, cache=cache)

    assert not list((tmp_path / "out" / "run").glob("checkpoint-*"))
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_job_given_away_at_the_last_moment_writes_no_model_and_can_be_finished(
    tmp_path, higher_is_better, cache, monkeypatch
):
    config = replace(SHORT, checkpoint_steps=100)  # one checkpoint, at the end
    train(higher_is_better, tmp_path / "whole", config, cache=cache)
    answers = iter([True, False])
    monkeypatch.setattr(running, "still_mine", lambda: next(answers))

    with pytest.raises(running.JobTakenOver):
        train(higher_is_better, tmp_path / "out", config, cache=cache)

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["run"]
    monkeypatch.setattr(running, "still_mine", lambda: True)
    train(higher_is_better, tmp_path / "out", config, cache=cache)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(tmp_path, higher_is_better, cache):
    first = train(higher_is_better, tmp_path / "out", SHORT, cache=cache)
    stamp = (tmp_path / "out" / "model.safetensors").stat().st_mtime_ns

    again = train(higher_is_better, tmp_path / "out", SHORT, cache=cache)

    assert again["figures"] == first["figures"]
    assert (tmp_path / "out" / "model.safetensors").stat().st_mtime_ns == stamp


def test_a_folder_of_another_run_is_refused(tmp_path, higher_is_better, cache):
    train(higher_is_better, tmp_path / "out", SHORT, cache=cache)

    with pytest.raises(ValueError, match="holds a reward model of another run"):
        train(higher_is_better, tmp_path / "out", replace(SHORT, seed=9), cache=cache)


def test_a_run_begun_with_other_settings_or_other_code_is_not_gone_on_with(
    tmp_path, higher_is_better, cache, monkeypatch
):
    monkeypatch.setattr(running, "still_mine", lambda: False)
    with pytest.raises(running.JobTakenOver):
        train(higher_is_better, tmp_path / "out", SHORT, cache=cache)

    with pytest.raises(ValueError, match="unfinished run of other settings"):
        train(higher_is_better, tmp_path / "out", replace(SHORT, seed=9), cache=cache)
    monkeypatch.setattr(training_module, "code_hash", lambda: "of tomorrow")
    with pytest.raises(ValueError, match=r"unfinished run of other code.*Go on with the version that began it"):
        train(higher_is_better, tmp_path / "out", SHORT, cache=cache)


def test_a_finished_run_is_left_as_it_is_by_other_code_too(tmp_path, higher_is_better, cache, monkeypatch):
    train(higher_is_better, tmp_path / "out", SHORT, cache=cache)
    before = content(tmp_path / "out")

    monkeypatch.setattr(training_module, "code_hash", lambda: "of tomorrow")
    again = train(higher_is_better, tmp_path / "out", SHORT, cache=cache)

    assert again["code"] == code_hash()
    assert content(tmp_path / "out") == before


def test_the_code_hash_changes_with_the_sources_and_nothing_else(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / f"sources_{name}").mkdir()
        (tmp_path / f"sources_{name}" / "__init__.py").write_text("")
        (tmp_path / f"sources_{name}" / "hear.py").write_text("LOUD = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(checkpoint, "SOURCES", ("sources_a", "sources_b"))

    plain = code_hash.__wrapped__()
    (tmp_path / "sources_a" / "notes.txt").write_text("nothing")
    same = code_hash.__wrapped__()
    (tmp_path / "sources_b" / "hear.py").write_text("LOUD = 2\n")

    assert plain == same
    assert code_hash.__wrapped__() != plain


def test_a_registered_reward_model_is_safetensors_and_json_alone(trained):
    config = json.loads((trained / "config.json").read_text())

    assert sorted(path.name for path in trained.iterdir() if path.name != "report.json") == [
        "config.json",
        "model.safetensors",
    ]
    assert config["model"]["dimensions"] == ["prosody", "overall"]
    assert 0 < config["thresholds"]["overall"][0] < config["thresholds"]["overall"][1]
    assert config["training"]["code"] == code_hash()
    assert config["training"]["figures"]["judgments"] == len(config["training"]["scenarios"]) * 6


def test_training_scenarios_are_those_of_the_train_split(trained, higher_is_better):
    splits = json.loads((higher_is_better / "manifest.json").read_text())["splits"]

    assert json.loads((trained / "config.json").read_text())["training"]["scenarios"] == splits["train"]


def test_too_few_judgments_for_a_batch_make_a_smaller_batch(tmp_path):
    snapshot = write_synthetic_snapshot(tmp_path / "snapshot", n_scenarios=3, per_scenario=2)

    training = train(snapshot, tmp_path / "out", replace(SHORT, split="all"))

    assert training["figures"]["steps"] == SHORT.epochs


def command(snapshot, out, cache, *more):
    options = ["--cache", cache, "--epochs", "12", "--batch", "32", "--checkpoint-steps", "7", *more]
    return ["-m", "rewardmodel", "train", *map(str, (snapshot, "--out", out, *options))]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}


@pytest.mark.slow
def test_a_run_killed_in_the_middle_and_started_again_ends_with_the_same_bytes(tmp_path, higher_is_better, cache):
    once = [sys.executable, *command(higher_is_better, tmp_path / "whole", cache)]
    subprocess.run(once, cwd=ROOT, env=environment(), check=True, capture_output=True)
    again = [sys.executable, *command(higher_is_better, tmp_path / "killed", cache)]
    with subprocess.Popen(again, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
        while not list((tmp_path / "killed" / "run").glob("checkpoint-*")):
            assert process.poll() is None, "it ended before its first checkpoint"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "killed" / "model.safetensors").exists()

    subprocess.run(again, cwd=ROOT, env=environment(), check=True, capture_output=True)

    assert content(tmp_path / "killed") == content(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_train_the_same_model_as_one(tmp_path, higher_is_better, cache):
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    for name, prefix in (("one", []), ("two", launch)):
        started = [sys.executable, *prefix, *command(higher_is_better, tmp_path / name, cache)]
        subprocess.run(started, cwd=ROOT, env=environment(), check=True, capture_output=True)

    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))

    assert one.keys() == two.keys()
    assert max((one[key] - two[key]).abs().max().item() for key in one) < 1e-5
