"""The surrogate: what it gives without a sound is nearly what the rendered sound gives."""

import numpy as np
import pytest
import torch

from policy.learning.codes import neutral_codes, random_codes
from policy.learning.renderer import Renderer
from policy.learning.surrogate import Surrogate
from rewardmodel.learning.features import DESCRIPTORS, TurnInput, frames_of, turn_features
from tests.policy.practice import scenario, small_bank

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def heard(rendered):
    return turn_features(frames_of(rendered.samples), [TurnInput(*turn) for turn in rendered.turns])


def test_descriptors_of_replies_are_nearly_those_of_the_rendered_sound(cache):
    surrogate, renderer, rng = Surrogate(small_bank(), cache), Renderer(small_bank(), cache), np.random.default_rng(4)
    one = scenario("calm", "sadness", "joy")
    drawn = [random_codes(3, rng) for _ in range(8)]

    real = np.array([heard(renderer.render(one, codes)).descriptors[1::2] for codes in drawn])
    warped = np.array([surrogate.features(one, codes).descriptors[1::2] for codes in drawn])

    agreement = {
        name: np.corrcoef(real[:, :, place].ravel(), warped[:, :, place].ravel())[0, 1]
        for place, name in enumerate(DESCRIPTORS)
    }
    assert all(agreement[name] > 0.95 for name in ("pitch_level", "pitch_step", "energy", "pace", "gap", "pause"))
    assert agreement["pitch_spread"] > 0.85


def test_turns_words_and_roles_are_those_of_the_rendered_sound(cache):
    one, codes = scenario("worry", "calm"), neutral_codes(2)

    real, warped = heard(Renderer(small_bank(), cache).render(one, codes)), Surrogate(small_bank()).features(one, codes)

    assert warped.is_user.tolist() == [True, False, True, False]
    assert [words.tolist() for words in warped.words] == [words.tolist() for words in real.words]
    assert warped.frames.shape == real.frames.shape


def test_delivery_is_exactly_the_renderers(cache):
    one, codes = scenario("anger", "joy"), random_codes(2, np.random.default_rng(2))

    assert Surrogate(small_bank()).delivery(one, codes) == Renderer(small_bank(), cache).render(one, codes).delivery


def test_frames_kept_on_disk_give_the_same_features(cache):
    one, codes = scenario("joy"), neutral_codes(1)
    first = Surrogate(small_bank(), cache).features(one, codes)

    again = Surrogate(small_bank(), cache).features(one, codes)

    assert np.array_equal(first.frames, again.frames)
    assert np.array_equal(first.descriptors, again.descriptors)
