"""Which scenarios a round steers by and an evaluation reports on: none that its judges were trained on."""

from argparse import Namespace

import pytest

from earshot.formats.manifest import write_manifest
from policy.learning.choosing import (
    TrainedOn,
    evaluation_scenarios,
    overlap_with,
    steering_scenarios,
    trained_on,
    training_texts,
)
from policy.learning.scenarios import draw_scenarios, scenarios_from_manifest
from rewardmodel.learning.checkpoint import save_checkpoint
from rewardmodel.learning.model import RewardModel, RewardModelConfig
from tests.policy.small_world import BANK

SEED = 3


def options(**changed):
    standard = {"scenarios": None, "part": "held_out", "per_text": 2, "seed": SEED, "include_trained": False}
    return Namespace(**{**standard, **changed})


def ids(scenarios):
    return [scenario.scenario_id for scenario in scenarios]


def written(folder, scenarios):
    write_manifest(folder, [scenario.to_manifest() for scenario in scenarios], [])
    return folder


def known(*scenario_ids):
    return TrainedOn(dict.fromkeys(scenario_ids, "judge"))


def test_the_scenarios_that_judges_were_trained_on_are_read_from_their_folders(tmp_path):
    for name, scenario_ids in (("one", ["practice-a-jc-01", "other"]), ("two", ["other"])):
        save_checkpoint(tmp_path / name, RewardModel(RewardModelConfig(("overall",))), {"scenarios": scenario_ids})

    found = trained_on([tmp_path / "one", tmp_path / "two"])

    assert set(found.scenarios) == {"practice-a-jc-01", "other"}
    assert found.scenarios["practice-a-jc-01"] == str(tmp_path / "one")
    assert found.texts == {"a"}


def test_a_judge_that_does_not_say_what_it_was_trained_on_is_refused(tmp_path):
    save_checkpoint(tmp_path, RewardModel(RewardModelConfig(("overall",))), {"snapshot": "s"})

    with pytest.raises(ValueError, match=r"does not say on which scenarios it was trained, .* Train it again"):
        trained_on([tmp_path])


def test_drawn_scenarios_pass_over_those_that_were_trained_on():
    before = draw_scenarios(BANK, "held_out", 2, SEED)
    first = before[0].scenario_id

    chosen = evaluation_scenarios(options(), BANK, known(first))

    assert first not in ids(chosen)
    assert len(set(ids(chosen))) == len(before) == 8
    assert set(ids(before)) - set(ids(chosen)) == {first}  # all others are as they were
    further = draw_scenarios(BANK, "held_out", 3, SEED)[:3]
    assert ids(chosen)[:2] == ids(further)[1:]  # the text's next one of the same seed takes its place


def test_the_same_seed_draws_the_same_scenarios_where_none_was_trained_on():
    assert evaluation_scenarios(options(), BANK, known("foreign")) == draw_scenarios(BANK, "held_out", 2, SEED)


def test_given_scenarios_that_were_trained_on_are_refused_by_name(tmp_path):
    given = draw_scenarios(BANK, "held_out", 1, SEED)
    folder = written(tmp_path, given)

    with pytest.raises(
        ValueError,
        match=rf"'{given[2].scenario_id}' is one of 2 scenarios in .* that a reward model was trained on \(judge\); "
        r"what is measured there is not held out. .* another --seed.*--include-trained",
    ):
        evaluation_scenarios(options(scenarios=folder), BANK, known(given[2].scenario_id, given[3].scenario_id, "x"))


def test_scenarios_that_were_trained_on_are_taken_and_counted_if_that_is_wanted(tmp_path):
    given = draw_scenarios(BANK, "held_out", 1, SEED)
    folder = written(tmp_path, given)
    judges = known(given[0].scenario_id, "practice-apart-1-jcjs-0000", "practice-train-1-jcjs-0000")

    chosen = evaluation_scenarios(options(scenarios=folder, include_trained=True), BANK, judges)

    assert chosen == scenarios_from_manifest(folder, BANK) == given
    assert overlap_with(judges, chosen) == {"scenarios_trained_on": 1, "texts_trained_on": 2}
    assert evaluation_scenarios(options(include_trained=True, per_text=1), BANK, judges) == given


def test_a_round_steers_by_scenarios_that_the_evaluation_of_its_seed_will_never_draw():
    steering = steering_scenarios(BANK, SEED, 2, known())

    assert [scenario.text.text_id for scenario in steering] == [f"apart-{number}" for number in range(4)]
    assert not set(ids(steering)) & set(ids(draw_scenarios(BANK, "held_out", 64, SEED)))
    assert steering == steering_scenarios(BANK, SEED, 2, known())


def test_a_round_never_steers_by_what_was_trained_on_or_will_be_reported():
    first = steering_scenarios(BANK, SEED, 2, known())

    again = steering_scenarios(BANK, SEED, 2, known(*ids(first)))

    assert not set(ids(first)) & set(ids(again))
    reported = evaluation_scenarios(options(per_text=64), BANK, known(*ids(first)))
    assert not set(ids(again)) & set(ids(reported))


def test_training_on_held_out_texts_is_refused(tmp_path):
    folder = written(tmp_path, [*draw_scenarios(BANK, "train", 1, 0)[:1], *draw_scenarios(BANK, "held_out", 1, 0)[:2]])

    with pytest.raises(ValueError, match=r"The texts of part held_out are for measuring.*leave --part out"):
        training_texts(options(), BANK)
    with pytest.raises(ValueError, match=r"'apart-0' is one of 2 texts in .* that are kept for measuring.*Leave them"):
        training_texts(options(part="train", scenarios=folder), BANK)


def test_a_round_trains_on_the_texts_of_given_scenarios_or_on_all(tmp_path):
    folder = written(tmp_path, draw_scenarios(BANK, "train", 2, 0)[2:6])

    assert training_texts(options(part="train", scenarios=folder), BANK) == ["train-1", "train-2"]
    assert training_texts(options(part="train"), BANK) is None
