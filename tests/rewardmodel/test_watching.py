"""The live curves of accuracy: told at their steps, exact, on nothing that is trained on, and without any effect."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from earshot.formats.snapshot import SnapshotError
from rewardmodel.learning import running, watching
from rewardmodel.learning.batch import Batch
from rewardmodel.learning.commands import main
from rewardmodel.learning.examples import VoteTable
from rewardmodel.learning.judgments import read_judgments
from rewardmodel.learning.training import TrainingConfig, train
from rewardmodel.learning.watching import Watched, live_accuracy
from tests.rewardmodel.synthetic import change_row, write_synthetic_snapshot

SHORT = TrainingConfig(epochs=3, batch=32, checkpoint_steps=100)


class Known(nn.Module):
    """A model that scores dialogue d as its first descriptor says, on whatever device it is said to be."""

    def __init__(self, device="cpu"):
        super().__init__()
        self.thresholds = torch.zeros(2, 3, device=device)
        self.heard = []

    def forward(self, batch):
        self.heard.append(batch)
        overall = batch.descriptors[:, 0, 1, 0]
        return torch.stack([torch.zeros_like(overall), overall], dim=1)


def watched_dialogues(scores, votes, is_scored=None):
    n = len(scores)
    descriptors = torch.zeros(n, 1, 2, 11)
    descriptors[:, 0, 1, 0] = torch.tensor(scores)
    words = torch.zeros(n, 1, 2, 3, dtype=torch.int64)
    dialogues = Batch(torch.zeros(n, 1, 2, 24, 42).half(), descriptors, words, torch.ones(n, 1, dtype=torch.bool))
    a, b = np.arange(0, n, 2), np.arange(1, n, 2)
    told = np.stack([-np.array(votes), np.array(votes)], axis=1)  # the other head says the opposite
    known = np.ones(told.shape, np.bool_) if is_scored is None else np.stack([np.ones(len(votes)), is_scored], 1) > 0
    return Watched("accuracy", dialogues, VoteTable(a, b, np.ones(len(votes), np.int64), told, known))


def the_watched(monkeypatch, snapshot, out, config=SHORT, **options):
    """What the trainer is given to watch, by curve."""
    seen = {}
    monkeypatch.setattr(running, "live_accuracy", lambda model, each: seen.setdefault(each.curve, each) and None)
    train(snapshot, out, config, **options)
    return seen


def test_accuracy_is_the_share_of_decided_overall_votes_whose_side_scores_higher(monkeypatch):
    monkeypatch.setattr(watching, "AT_ONCE", 3)  # parts that cut a pair in two
    # Right, wrong, equal scores (a half), a tie (not decided), not scored.
    watched = watched_dialogues(
        [2.0, 1.0, 2.0, 1.0, 1.0, 1.0, 3.0, 0.0, 0.0, 9.0], [3, -1, 2, 0, 2], [True, True, True, True, False]
    )

    assert live_accuracy(Known(), watched) == 0.5
    assert live_accuracy(Known(), watched_dialogues([2.0, 1.0, 0.0, 1.0, 5.0, 4.0], [1, -2, -3])) == 2 / 3


def test_no_decided_vote_gives_no_accuracy():
    assert live_accuracy(Known(), watched_dialogues([2.0, 1.0], [0])) is None
    assert live_accuracy(Known(), watched_dialogues([2.0, 1.0], [2], [False])) is None


def test_dialogues_are_brought_to_the_models_device():
    class Elsewhere(Known):
        def forward(self, batch):
            self.heard.append(batch)
            return torch.tensor([[0.0, 2.0], [0.0, 1.0]])

    model = Elsewhere("meta")

    found = live_accuracy(model, watched_dialogues([2.0, 1.0], [1]))

    assert found == 1.0
    (heard,) = model.heard
    assert {each.device.type for each in (heard.frames, heard.descriptors, heard.words, heard.mask)} == {"meta"}


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_a_model_is_watched_on_any_device_there_is(device):
    assert live_accuracy(Known(device), watched_dialogues([2.0, 1.0], [1])) == 1.0


def test_watching_leaves_a_model_that_trains_in_training():
    model = Known().train()

    live_accuracy(model, watched_dialogues([2.0, 1.0], [1]))

    assert model.training


def test_the_curves_are_told_every_fifty_steps_and_at_the_last(tmp_path, higher_is_better, cache, monkeypatch):
    told = []
    monkeypatch.setattr(running, "report", lambda progress, message, curves: told.append(curves))

    training = train(higher_is_better, tmp_path / "out", replace(SHORT, epochs=21), cache=cache)

    last = training["figures"]["steps"]
    assert last > 100
    assert last % 10
    assert [each["step"] for each in told] == [*range(10, last, 10), last]
    for curve in ("accuracy", "held_out_accuracy"):
        assert [each["step"] for each in told if curve in each] == [50, 100, last]
    assert told[-1]["accuracy"] > 0.8
    assert told[-1]["held_out_accuracy"] > 0.8


def test_watching_changes_no_byte_of_the_model(tmp_path, higher_is_better, cache, monkeypatch):
    train(higher_is_better, tmp_path / "watched", SHORT, cache=cache)

    monkeypatch.setattr(running, "live_accuracy", lambda *_: None)
    train(higher_is_better, tmp_path / "unwatched", SHORT, cache=cache)

    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "watched" / name).read_bytes() == (tmp_path / "unwatched" / name).read_bytes()


def test_the_scenarios_of_the_snapshot_that_are_not_trained_on_are_watched(
    tmp_path, higher_is_better, cache, monkeypatch
):
    seen = the_watched(monkeypatch, higher_is_better, tmp_path / "out", cache=cache)

    parts = {split: len(read_judgments(higher_is_better, split).judged) for split in ("train", "validation", "test")}
    assert len(seen["accuracy"].table) == parts["train"]
    assert len(seen["held_out_accuracy"].table) == parts["validation"] + parts["test"]


def test_scenarios_of_another_snapshot_that_are_trained_on_are_not_watched(
    tmp_path, higher_is_better, cache, monkeypatch
):
    other = write_synthetic_snapshot(tmp_path / "other", n_scenarios=44, per_scenario=2, seed=7)
    trained = set(read_judgments(higher_is_better).scenarios)

    seen = the_watched(monkeypatch, higher_is_better, tmp_path / "out", replace(SHORT, split="all"), watch=other)

    assert len(trained) == 40
    assert len(seen["held_out_accuracy"].table) == 4  # of s40 … s43 alone


def test_nothing_left_to_watch_gives_no_curve(tmp_path, higher_is_better, cache, monkeypatch):
    def only_gold(judgments, scores, pairs):
        for place in range(len(judgments)):
            change_row(judgments, place, pair_kind="gold")

    gold = write_synthetic_snapshot(tmp_path / "gold", n_scenarios=2, per_scenario=2, change=only_gold)
    every = replace(SHORT, split="all")

    assert list(the_watched(monkeypatch, higher_is_better, tmp_path / "a", every, cache=cache)) == ["accuracy"]
    assert list(the_watched(monkeypatch, higher_is_better, tmp_path / "b", SHORT, cache=cache, watch=gold)) == [
        "accuracy"
    ]


def test_a_damaged_snapshot_to_watch_is_refused_before_training(tmp_path, higher_is_better, cache):
    damaged = shutil.copytree(higher_is_better, tmp_path / "damaged")
    (damaged / "turns.parquet").write_bytes(b"no")

    with pytest.raises(SnapshotError, match=r"turns\.parquet"):
        train(higher_is_better, tmp_path / "out", SHORT, cache=cache, watch=damaged)

    assert not (tmp_path / "out" / "config.json").exists()


def test_overall_votes_under_another_rubric_are_watched_all_the_same(tmp_path, higher_is_better, cache, monkeypatch):
    other = write_synthetic_snapshot(
        tmp_path / "other", n_scenarios=42, per_scenario=2, seed=7, dimensions=("warmth", "calm", "overall")
    )

    seen = the_watched(
        monkeypatch, higher_is_better, tmp_path / "out", replace(SHORT, split="all"), cache=cache, watch=other
    )

    assert seen["held_out_accuracy"].table.votes.shape == (2, 3)
    assert live_accuracy(Known(), seen["held_out_accuracy"]) is not None


def test_the_command_line_watches_another_snapshot(tmp_path, higher_is_better, cache, capfd):
    other = write_synthetic_snapshot(tmp_path / "other", n_scenarios=44, per_scenario=2, seed=7)
    options = ["--cache", cache, "--epochs", 2, "--batch", 32, "--split", "all", "--watch", other]

    assert main([str(each) for each in ("train", higher_is_better, "--out", tmp_path / "out", *options)]) == 0

    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    curves = [line["metrics"] for line in said if "metrics" in line]
    assert [each["step"] for each in curves if "held_out_accuracy" in each] == [curves[-1]["step"]]
    assert "validation" not in said[-1]["result"]
    assert main(["train", str(higher_is_better), "--out", str(tmp_path / "x"), "--watch", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capfd.readouterr().err
