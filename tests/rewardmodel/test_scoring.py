"""Scores, the folder of a reward model, and the command line."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

from earshot.formats.manifest import Dialogue, DialogueTurn, Scenario, ScenarioTurn, write_manifest
from rewardmodel.learning import evaluation, probes
from rewardmodel.learning.commands import main
from rewardmodel.learning.features import TurnInput, frames_of, turn_features
from rewardmodel.learning.model import RewardModel, RewardModelConfig
from rewardmodel.learning.scoring import load_reward_model
from rewardmodel.learning.sounds import frames_of_file
from tests.rewardmodel.synthetic import Manner, dialogue_of, flac_of, write_synthetic_snapshot

TEXTS = ["we can look at this", "find a way together now"]


def features_of(pitch, n_exchanges=2, skip=0):
    samples, turns = dialogue_of([Manner(pitch=pitch)] * n_exchanges, TEXTS[:n_exchanges], seed=1)
    kept = turns[skip:]
    return turn_features(frames_of(samples), [TurnInput(each.role, each.start, each.end, each.text) for each in kept])


def write_dialogues(folder, pitches, **changes):
    scenario = Scenario("s", "A talk", "en", tuple(ScenarioTurn(number + 1, text) for number, text in enumerate(TEXTS)))
    dialogues = []
    (folder / "audio").mkdir(parents=True)
    for pitch in pitches:
        samples, turns = dialogue_of([Manner(pitch=pitch)] * 2, TEXTS, seed=1)
        (folder / "audio" / f"{pitch}.flac").write_bytes(flac_of(samples))
        said = tuple(
            DialogueTurn(1 + place // 2, turn.role, turn.role, turn.text, start=turn.start, end=turn.end)
            for place, turn in enumerate(turns)
        )
        dialogues.append(Dialogue(f"d{pitch}", "s", "x", said, audio=f"audio/{pitch}.flac"))
    write_manifest(folder, [scenario], dialogues)
    return folder


def test_scores_of_a_manifest_rise_with_what_the_votes_preferred(trained, tmp_path):
    scores = load_reward_model(trained).score_manifest(write_dialogues(tmp_path / "m", (150.0, 250.0)))

    assert list(scores) == ["d150.0", "d250.0"]
    assert (scores["d250.0"] > scores["d150.0"]).all()


def test_a_score_does_not_depend_on_the_batch_that_the_dialogue_is_in(trained):
    model = load_reward_model(trained)
    short, long = features_of(170.0, n_exchanges=1), features_of(210.0)

    together = model.score_features([short, long, short])

    assert together[0] == pytest.approx(model.score_features([short])[0], abs=1e-5)
    assert together[1] == pytest.approx(model.score_features([long])[0], abs=1e-5)


def test_a_dialogue_may_begin_with_the_assistant(trained):
    scores = load_reward_model(trained).score_features([features_of(170.0, skip=1)])

    assert np.isfinite(scores).all()


def test_no_dialogues_have_no_scores(trained):
    assert load_reward_model(trained).score_features([]).shape == (0, 2)


def test_preference_of_swapped_sides_is_what_is_left_of_one(trained):
    model = load_reward_model(trained)
    a, b = np.array([[0.3, 1.0], [2.0, -1.0]]), np.array([[0.0, 0.0], [0.5, 4.0]])

    assert model.preference(a, b, "overall") + model.preference(b, a, "overall") == pytest.approx([1.0, 1.0])
    with pytest.raises(ValueError, match="no head 'warmth'; it has prosody, overall"):
        model.preference(a, b, "warmth")


def test_frames_from_the_cache_are_those_that_were_made(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(flac_of(dialogue_of([Manner()], TEXTS[:1], seed=2)[0]))

    plain, made, kept = (frames_of_file(path, cache=folder) for folder in (None, tmp_path / "c", tmp_path / "c"))

    for name in ("mel", "f0", "energy"):
        assert np.array_equal(getattr(plain, name), getattr(kept, name))
        assert np.array_equal(getattr(made, name), getattr(kept, name))


def test_a_cached_file_that_was_cut_off_is_made_again(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(flac_of(dialogue_of([Manner()], TEXTS[:1], seed=2)[0]))
    made = frames_of_file(path, cache=tmp_path / "c")
    (kept,) = (tmp_path / "c").rglob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])

    assert np.array_equal(frames_of_file(path, cache=tmp_path / "c").f0, made.f0)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no readable config.json"),
        (lambda folder: (folder / "config.json").write_text("{}"), "does not say that it is"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded"),
    ],
)
def test_a_spoilt_reward_model_is_refused(trained, tmp_path, spoil, complaint):
    folder = shutil.copytree(trained, tmp_path / "copy")
    spoil(folder)

    with pytest.raises(ValueError, match=complaint):
        load_reward_model(folder)


def test_evaluation_refuses_scenarios_that_were_trained_on_unless_asked(trained, higher_is_better, cache):
    with pytest.raises(ValueError, match="were trained on"):
        evaluation.evaluate(trained, higher_is_better, split="all", cache=cache)

    report = evaluation.evaluate(trained, higher_is_better, split="all", include_trained=True, cache=cache)

    assert report["scenarios_trained_on"] == len(
        json.loads((trained / "config.json").read_text())["training"]["scenarios"]
    )
    assert report["scenarios"] == 40


def test_an_evaluation_with_nothing_held_out_says_what_to_do(tmp_path, trained, higher_is_better, cache):
    config = json.loads((trained / "config.json").read_text())
    config["training"]["scenarios"] = [f"s{number}" for number in range(40)]
    model = shutil.copytree(trained, tmp_path / "model")
    (model / "config.json").write_text(json.dumps(config))

    with pytest.raises(ValueError, match=r"All 40 scenarios .* were trained on.*Evaluate on a snapshot with other"):
        evaluation.evaluate(model, higher_is_better, cache=cache)


def test_an_evaluation_says_all_that_was_promised(trained, higher_is_better, cache):
    report = evaluation.evaluate(trained, higher_is_better, cache=cache)
    head = report["heads"]["overall"]

    assert report["scenarios_trained_on"] == 0
    assert head["rank_correlation_with_cmos"]["value"] > 0.7
    assert head["nats_per_vote"]["value"] < head["nats_knowing_nothing"]
    assert head["ceiling"]["reason"] == "no pair has two decided votes"
    assert set(report["baselines"]["overall"]) == {"longer", "louder", "further_from_the_scenario_mean"}
    assert report["baselines"]["overall"]["louder"]["value"] == 0.5


def test_the_ceiling_stands_beside_the_accuracy_where_pairs_have_several_votes(trained, tmp_path):
    several = write_synthetic_snapshot(
        tmp_path / "s", n_scenarios=8, per_scenario=3, votes_per_pair=3, noise=1.0, seed=5
    )
    config = json.loads((trained / "config.json").read_text())
    config["training"]["scenarios"] = []  # another snapshot, whose scenarios happen to have the same names
    folder = shutil.copytree(trained, tmp_path / "model")
    (folder / "config.json").write_text(json.dumps(config))

    head = evaluation.evaluate(folder, several)["heads"]["overall"]

    assert head["ceiling"]["low"] < head["ceiling"]["value"] < head["ceiling"]["high"]


def test_probes_move_no_score_by_loudness_silence_or_side(trained, higher_is_better, cache):
    report = probes.probe(trained, higher_is_better, dialogues=4, vocoder_dialogues=1, cache=cache)

    assert report["shifts"]["louder_by_6_db"]["overall"]["largest"] < 0.01
    assert report["shifts"]["silence_at_both_ends"]["overall"]["largest"] < 0.25
    assert report["shifts"]["longer_gaps_at_the_ends"]["overall"]["largest"] < 0.25
    assert report["swapped_sides"]["overall"] < 1e-12
    assert report["shifts"]["vocoder"]["overall"]["n"] == 1


def test_the_command_line_says_in_one_sentence_what_cannot_be_done(trained, higher_is_better, tmp_path, capsys):
    assert main(["evaluate", str(trained), str(higher_is_better), "--split", "all"]) == 2
    assert "Evaluate the held-out split" in capsys.readouterr().err

    assert main(["train", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"There is no folder {tmp_path / 'nowhere'}. Give the folder that holds it.\n"


def test_the_command_line_writes_scores_and_reports(trained, higher_is_better, tmp_path, cache, capfd):
    manifest = write_dialogues(tmp_path / "m", (200.0,))
    model = shutil.copytree(trained, tmp_path / "model")

    assert main(["score", str(model), str(manifest), "--out", str(tmp_path / "scores.jsonl")]) == 0
    assert main(["evaluate", str(model), str(higher_is_better), "--cache", str(cache)]) == 0

    (line,) = (tmp_path / "scores.jsonl").read_text().splitlines()
    assert set(json.loads(line)["scores"]) == {"prosody", "overall"}
    assert json.loads((model / "report.json").read_text())["split"] == "held-out"
    said = [json.loads(each) for each in capfd.readouterr().out.splitlines()]
    assert said[-1]["result"]["heads"]["overall"]["accuracy"]["value"] > 0.8


def test_overall_is_at_first_what_the_dimensions_make_it_and_then_its_own_share_too():
    model = RewardModel(RewardModelConfig(("prosody", "immersion", "overall")))
    heads = torch.tensor([[1.0, -2.0, 0.5]])

    scores = model._with_overall(heads)

    part = math.log(2)  # softplus of 0
    assert scores[0].tolist() == pytest.approx([1.0, -2.0, 0.5 + part * (1.0 - 2.0)])
    assert model.heads.weight[-1].abs().max().item() == 0.0


def test_a_model_of_the_descriptors_of_before_is_refused_and_not_scored_wrongly(tmp_path, trained):
    shutil.copytree(trained, tmp_path / "old")
    config = json.loads((tmp_path / "old" / "config.json").read_text())
    (tmp_path / "old" / "config.json").write_text(json.dumps(config | {"format_version": 1}))

    with pytest.raises(ValueError, match="Train it again"):
        load_reward_model(tmp_path / "old")
