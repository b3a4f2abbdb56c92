"""A reply that no user turn precedes: training must see it as scoring does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rewardmodel.learning.batch import Batch, collate, exchanges_of, is_there
from rewardmodel.learning.descriptors import SMALLEST_SCALES
from rewardmodel.learning.examples import Collator, Noise, VoteTable
from rewardmodel.learning.features import TurnInput, frames_of, turn_features
from rewardmodel.learning.model import REPLY, USER
from rewardmodel.learning.training import build_model
from tests.rewardmodel.synthetic import Manner, dialogue_of

TEXTS = ["we can look at this", "find a way together now"]


def heard(pitch, skip):
    """Two exchanges; `skip` leaves out turns at the beginning, so that 1 begins with the assistant."""
    samples, turns = dialogue_of([Manner(pitch=pitch), Manner(pitch=pitch + 20)], TEXTS, seed=1)
    given = [TurnInput(each.role, each.start, each.end, each.text) for each in turns[skip:]]
    return exchanges_of(turn_features(frames_of(samples), given))


@pytest.fixture(scope="module")
def dialogues():
    return collate([heard(170.0, skip=1), heard(200.0, skip=0), heard(230.0, skip=3)])


def collator_of(dialogues, noise):
    table = VoteTable(
        np.array([0, 1, 2]), np.array([1, 2, 0]), np.ones(3, np.int64), np.ones((3, 1), np.int64), np.ones((3, 1)) > 0
    )
    return Collator(dialogues, table, noise, torch.ones(2, dialogues.descriptors.shape[-1]), 0, 3)


def test_turns_that_are_there_are_told_from_those_that_are_not(dialogues):
    assert is_there(dialogues.descriptors).tolist() == [
        [[False, True], [True, True]],
        [[True, True], [True, True]],
        [[False, True], [False, False]],  # one exchange alone
    ]


def test_noise_does_not_make_a_user_of_nobody(dialogues):
    places = [(row, row) for row in range(3)]
    noisy = collator_of(dialogues, Noise(0.5, 0.5, 0.5))(places)
    quiet = collator_of(dialogues, Noise(0.0, 0.0, 0.0))(places)

    there = is_there(quiet["descriptors"])
    assert torch.equal(is_there(noisy["descriptors"]), there)
    for name in ("descriptors", "frames"):
        assert (noisy[name][~there] == 0).all()
        assert (noisy[name][there] != quiet[name][there]).float().mean() > 0.9


def test_training_gives_the_model_the_same_absent_user_as_scoring(dialogues):
    model = build_model(("overall",), dialogues, 0)
    given = collator_of(dialogues, Noise(0.5, 0.0, 0.5))([(row, row) for row in range(3)])

    described = model.normalise(given["descriptors"])

    assert torch.equal(described[0, 0, USER], model.normalise(dialogues.descriptors)[0, 0, USER])
    assert (described[0, 0, USER] == 0).all()


def test_absent_turns_do_not_enter_the_mean_and_the_scale(dialogues):
    config = build_model(("overall",), dialogues, 0).config

    spoken = torch.stack([dialogues.descriptors[place] for place in ((0, 1, USER), (1, 0, USER), (1, 1, USER))])
    scale = np.maximum(spoken.double().std(dim=0, correction=0).numpy(), SMALLEST_SCALES)
    assert config.descriptor_mean[USER] == pytest.approx(spoken.double().mean(dim=0).tolist(), abs=1e-6)
    assert config.descriptor_scale[USER] == pytest.approx(scale.tolist(), abs=1e-6)
    replies = dialogues.descriptors[:, :, REPLY][dialogues.mask].double()
    assert config.descriptor_mean[REPLY] == pytest.approx(replies.mean(dim=0).tolist(), abs=1e-6)


def test_dialogues_without_any_user_can_be_learned_from(dialogues):
    alone = Batch(*(part[2:, :1] for part in vars(dialogues).values()))

    model = build_model(("overall",), alone, 0)

    assert model.config.descriptor_mean[USER] == (0.0,) * len(SMALLEST_SCALES)
    assert model.config.descriptor_scale[USER] == pytest.approx(SMALLEST_SCALES)
    assert torch.isfinite(model(replace(alone, frames=alone.frames.float()))).all()
