import json

import pytest
import torch

from earshot.formats.manifest import read_manifest, write_manifest
from policy.learning.bank import load_bank
from policy.learning.checkpoint import load_checkpoint
from policy.learning.cli import main
from policy.learning.commands import truth_of
from policy.learning.scenarios import draw_scenarios
from rewardmodel.learning.checkpoint import save_checkpoint
from rewardmodel.learning.model import RewardModel, RewardModelConfig
from tests.policy.toy import supervised_start

DIMENSIONS = ("prosody", "emotional_continuity", "immersion", "overall")


def test_a_folder_that_is_no_checkpoint_is_told_in_one_sentence(tmp_path, capsys):
    status = main(["speak", str(tmp_path), "--out", str(tmp_path / "o"), "--system", "x", "--cache", str(tmp_path)])

    told = capsys.readouterr().err
    assert status == 2
    assert told.startswith(f"{tmp_path} is no policy checkpoint: it lacks model.safetensors, config.json, lineage.json")
    assert "Traceback" not in told


def test_a_bank_that_is_none_is_told_in_one_sentence(tmp_path, capsys):
    status = main(["train", "--out", str(tmp_path / "o"), "--bank", str(tmp_path), "--cache", str(tmp_path)])

    assert status == 2
    assert "holds no bank.json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nowhere:utilities", "math:nothing", "math"])
def test_a_truth_that_does_not_exist_is_refused(name):
    with pytest.raises(ValueError, match=r"There is no truth .* write module:function"):
        truth_of(name)


@pytest.fixture
def known_judge(tmp_path):
    """A reward model that was trained on two held-out scenarios, and a manifest of those two."""
    known = draw_scenarios(load_bank(), "held_out", 1, 1)[:2]
    write_manifest(tmp_path / "scenarios", [scenario.to_manifest() for scenario in known], [])
    training = {"scenarios": [scenario.scenario_id for scenario in known]}
    save_checkpoint(tmp_path / "judge", RewardModel(RewardModelConfig(DIMENSIONS)), training)
    return ["--reward-model", str(tmp_path / "judge"), "--cache", str(tmp_path / "cache")]


def test_an_evaluation_on_scenarios_that_the_reward_model_was_trained_on_is_refused(tmp_path, capsys, known_judge):
    policies = [str(tmp_path / "new"), "--reference", str(tmp_path / "start")]
    which = ["--scenarios", str(tmp_path / "scenarios"), "--out", str(tmp_path / "report.json")]

    status = main(["evaluate", *policies, *which, *known_judge])

    assert status == 2
    assert "is one of 2 scenarios in" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("which", "words"),
    [(["--part", "held_out"], "The texts of part held_out"), (["--scenarios", "scenarios"], "texts in scenarios that")],
)
def test_a_round_on_held_out_texts_is_refused(tmp_path, capsys, monkeypatch, known_judge, which, words):
    monkeypatch.chdir(tmp_path)
    supervised_start(tmp_path / "start", steps=2)

    status = main(["round", "--policy", "start", "--out", "new", *which, *known_judge])

    assert status == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("step", "status"), [(0, 3), (5, 0)])
def test_a_round_that_leaves_the_reference_ends_with_status_3_and_its_sentence(
    tmp_path, capsys, monkeypatch, known_judge, step, status
):
    supervised_start(tmp_path / "start", steps=2)
    result = {"stopped": "Nothing lay within the target.", "step": step}
    monkeypatch.setattr("policy.learning.commands.train_round", lambda *_: result)

    found = main(["round", "--policy", str(tmp_path / "start"), "--out", str(tmp_path / "new"), *known_judge])

    assert found == status
    assert capsys.readouterr().err == "Nothing lay within the target.\n"


@pytest.mark.slow
def test_the_commands_go_from_nothing_to_a_report(tmp_path, capfd):
    bank = load_bank()
    chosen = draw_scenarios(bank, "held_out", 1, 1)[:2]
    learned = draw_scenarios(bank, "train", 1, 1)[:3]
    for name, scenarios in (("scenarios", chosen), ("learned", learned)):
        write_manifest(tmp_path / name, [scenario.to_manifest() for scenario in scenarios], [])
    torch.manual_seed(1)
    judged = [learned[0].scenario_id, draw_scenarios(bank, "held_out", 1, 9)[0].scenario_id]
    training = {"snapshot": "a snapshot", "scenarios": judged}
    save_checkpoint(tmp_path / "judge", RewardModel(RewardModelConfig(DIMENSIONS)), training)
    start, new, report = tmp_path / "start", tmp_path / "new", tmp_path / "report.json"
    cache = ["--cache", str(tmp_path / "cache"), "--seed", "2"]
    judge = ["--reward-model", str(tmp_path / "judge"), "--workers", "1"]
    which, practised = (["--scenarios", str(tmp_path / name)] for name in ("scenarios", "learned"))

    assert main(["train", "--out", str(start), "--steps", "4", *cache]) == 0
    steps = ["--steps", "2", "--rendered-steps", "0"]
    assert main(["round", "--policy", str(start), *judge, "--out", str(new), *steps, *practised, *cache]) == 0
    spoken = ["--out", str(tmp_path / "spoken"), "--system", "new", "--workers", "1", *which, *cache]
    assert main(["speak", str(new), *spoken]) == 0
    assert main(["evaluate", str(new), "--reference", str(start), *judge, "--out", str(report), *which, *cache]) == 0

    lineage = load_checkpoint(new).lineage
    assert lineage["parent"] == load_checkpoint(start).content_hash
    assert lineage["bank"] == bank.content_hash
    assert lineage["reward_models"][0]["snapshot"] == "a snapshot"
    assert lineage["texts"] == sorted(scenario.text.text_id for scenario in learned)
    assert len(lineage["steering_scenarios"]) == len(bank.texts("held_out"))
    dialogues = read_manifest(tmp_path / "spoken").dialogues
    assert {dialogue.scenario_id for dialogue in dialogues} == {scenario.scenario_id for scenario in chosen}
    assert {dialogue.meta["checkpoint"] for dialogue in dialogues} == {load_checkpoint(new).content_hash}
    told = json.loads(report.read_text())
    assert told["n_scenarios"] == 2
    assert told["texts"] == sorted(scenario.text.text_id for scenario in chosen)
    assert (told["scenarios_trained_on"], told["texts_trained_on"]) == (0, 1)  # another scenario of the first text
    assert told["kl_nats_per_token"] < 0.1
    assert told["sound"]["policy"]["clipped_share"] == 0.0
    last = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert set(last["result"]) >= {"reward_gain_sd", "kl_nats_per_token", "reward_before", "reward_after"}
