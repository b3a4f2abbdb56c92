"""What the reward model hears, and what it must not hear."""

import numpy as np
import pytest

from earshot.acoustics.pitch import f0_contour
from rewardmodel.learning.descriptors import (
    DESCRIPTORS,
    SMALLEST_SCALES,
    _loud,
    _mean,
    _median,
    find_break,
    melody_of,
)
from rewardmodel.learning.features import (
    FRAME_CHANNELS,
    FRAME_RATE,
    N_MELS,
    TURN_FRAMES,
    TurnInput,
    frames_of,
    turn_features,
)
from rewardmodel.learning.words import WORD_BUCKETS, count_syllables, hash_words, inner_break
from tests.rewardmodel.synthetic import RATE, Manner, dialogue_of, say

TEXTS = ["we can look at this", "find a way together now"]


def a_dialogue(manners=None, seed=1):
    samples, turns = dialogue_of(manners or [Manner(), Manner(pitch=220.0)], TEXTS, seed)
    return samples, [TurnInput(turn.role, turn.start, turn.end, turn.text) for turn in turns]


def described(samples, turns, name):
    return turn_features(frames_of(samples), turns).descriptors[:, DESCRIPTORS.index(name)]


def median_f0(samples):
    f0 = frames_of(samples).f0[10:-10]
    return float(np.median(f0[f0 > 0]))


@pytest.mark.parametrize("hertz", [75.0, 110.0, 150.0, 220.0, 311.0, 440.0])
def test_f0_of_a_steady_voice_is_right_within_a_twentieth_of_a_semitone(hertz):
    samples = say(Manner(pitch=hertz, spread=0.0), 10, np.random.default_rng(0))

    assert 12 * np.log2(median_f0(samples) / hertz) == pytest.approx(0.0, abs=0.05)


def test_f0_agrees_with_the_vocoders_where_both_hear_a_voice():
    samples = say(Manner(pitch=170.0, spread=3.0), 20, np.random.default_rng(3))
    ours = frames_of(samples).f0
    theirs = f0_contour(samples, RATE)
    theirs = theirs[np.minimum(np.arange(len(ours)) * 4 + 2, len(theirs) - 1)]  # every 5 ms against every 20 ms
    both = (ours > 0) & (theirs > 0)

    off = np.abs(12 * np.log2(ours[both] / theirs[both]))

    assert both.mean() > 0.7
    assert np.median(off) < 0.2
    assert (off > 6).mean() < 0.02  # octave errors


def test_noise_and_silence_have_no_pitch():
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)

    assert frames_of(noise).f0.max() == 0
    assert frames_of(np.zeros(RATE, np.float32)).f0.max() == 0


def test_frames_cover_the_sound_in_steps_of_20_ms():
    frames = frames_of(np.zeros(RATE + 1, np.float32))

    assert len(frames) == FRAME_RATE + 1
    assert frames.mel.shape == (FRAME_RATE + 1, N_MELS)


def test_frames_do_not_depend_on_where_a_chunk_ends(monkeypatch):
    samples = say(Manner(), 12, np.random.default_rng(0))
    whole = frames_of(samples)

    monkeypatch.setattr("rewardmodel.learning.features.CHUNK_FRAMES", 7)
    monkeypatch.setattr("rewardmodel.learning.pitch.CHUNK_FRAMES", 7)
    chunked = frames_of(samples)

    np.testing.assert_allclose(chunked.mel, whole.mel, atol=1e-3)
    np.testing.assert_allclose(chunked.f0, whole.f0, atol=1e-2)
    np.testing.assert_allclose(chunked.energy, whole.energy, atol=1e-4)


@pytest.mark.parametrize(
    ("samples", "rate", "complaint"),
    [
        (np.zeros(100, np.float32), 8000, "resample it to 16000"),
        (np.zeros((2, 100), np.float32), 16_000, "one mono sound"),
        (np.zeros(0, np.float32), 16_000, "one mono sound"),
        (np.array([np.nan], np.float32), 16_000, "NaN or infinity"),
    ],
)
def test_frames_refuse_what_is_no_sound(samples, rate, complaint):
    with pytest.raises(ValueError, match=complaint):
        frames_of(samples, rate)


@pytest.mark.parametrize("decibels", [-20.0, 6.0])
def test_features_do_not_change_with_the_gain(decibels):
    samples, turns = a_dialogue()

    plain = turn_features(frames_of(samples), turns)
    changed = turn_features(frames_of(samples * np.float32(10 ** (decibels / 20))), turns)

    np.testing.assert_allclose(changed.descriptors, plain.descriptors, atol=1e-3)
    np.testing.assert_allclose(changed.frames.astype(float), plain.frames.astype(float), atol=5e-3)


def test_features_do_not_change_with_whole_frames_of_silence_at_the_ends():
    samples, turns = a_dialogue()
    silence = np.zeros(RATE // 2, np.float32)
    later = [TurnInput(turn.role, turn.start + 0.5, turn.end + 0.5, turn.text) for turn in turns]

    plain = turn_features(frames_of(samples), turns)
    padded = turn_features(frames_of(np.concatenate([silence, samples, silence])), later)

    np.testing.assert_allclose(padded.descriptors, plain.descriptors, atol=1e-3)
    np.testing.assert_allclose(padded.frames.astype(float), plain.frames.astype(float), atol=5e-3)


def test_silence_that_is_no_whole_number_of_frames_moves_the_frames_within_the_speech():
    samples, turns = a_dialogue()
    later = [TurnInput(turn.role, turn.start + 0.51, turn.end + 0.51, turn.text) for turn in turns]

    plain = turn_features(frames_of(samples), turns)
    padded = turn_features(frames_of(np.concatenate([np.zeros(round(0.51 * RATE), np.float32), samples])), later)

    off = np.abs(padded.descriptors - plain.descriptors) / SMALLEST_SCALES
    assert off.max() > 0.1
    assert np.median(off) < 0.2


def test_quick_figures_are_numpys_to_the_bit():
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 7, 8, 9, 50, 131):
        energy = rng.normal(-40, 12, size).astype(np.float32)
        tones = rng.normal(5, 3, size)

        assert _loud(energy) == np.percentile(energy, 90)
        assert _median(tones) == np.median(tones)
        assert _mean(tones) == tones.mean()


def test_a_weak_frame_counts_for_its_amplitude():
    tones, amplitudes = np.array([0.0, 4.0, 12.0]), np.array([3.0, 1.0, 0.0])

    melody = melody_of(tones, amplitudes)

    assert melody.mean == 1.0
    assert melody.spread == pytest.approx(np.sqrt((3 * 1 + 1 * 9) / 4))


def test_equal_amplitudes_give_the_plain_mean_and_standard_deviation():
    tones = np.random.default_rng(0).normal(5, 3, 50)

    melody = melody_of(tones, np.full(50, 0.02))

    assert (melody.mean, melody.spread) == (pytest.approx(tones.mean()), pytest.approx(tones.std()))


def test_silence_counted_into_a_turn_is_not_speech():
    samples, turns = a_dialogue()
    samples = np.concatenate([samples, np.zeros(2 * RATE, np.float32)])
    wide = [*turns[:-1], TurnInput(turns[-1].role, turns[-1].start, turns[-1].end + 2.0, turns[-1].text)]

    plain = turn_features(frames_of(samples), turns)
    late = turn_features(frames_of(samples), wide)

    np.testing.assert_allclose(late.descriptors, plain.descriptors, atol=1e-3)


def test_descriptors_tell_what_was_done_to_the_voice():
    plain = a_dialogue([Manner(), Manner()])
    high = a_dialogue([Manner(), Manner(pitch=180.0 * 2 ** (4 / 12))])
    wide = a_dialogue([Manner(), Manner(spread=4.0)])
    loud = a_dialogue([Manner(), Manner(level_db=-20.0)])
    slow = a_dialogue([Manner(), Manner(syllable=0.25)])
    late = a_dialogue([Manner(), Manner(gap=1.2)])
    last = 3  # the second reply

    def change(to, name):
        return described(*to, name)[last] - described(*plain, name)[last]

    assert 12 * change(high, "pitch_height") == pytest.approx(4.0, abs=0.3)
    assert change(wide, "pitch_spread") == pytest.approx(np.log(2), abs=0.25)
    assert change(loud, "energy") == pytest.approx(6.0 * 3 / 4, abs=0.3)  # the mean of four turns rose by a quarter
    assert change(slow, "pace") == pytest.approx(-np.log(1.25), abs=0.05)
    assert change(late, "gap") == pytest.approx(np.log(1.2 / 0.4), abs=0.2)


def test_gaps_are_clipped_so_that_waiting_forever_says_no_more_than_waiting_long():
    long, longer = (described(*a_dialogue([Manner(gap=gap), Manner()]), "gap")[1] for gap in (4.0, 9.0))

    assert long == longer == pytest.approx(np.log(3.0 / 0.45))


def test_features_have_the_shapes_that_the_model_takes():
    features = turn_features(frames_of(a_dialogue()[0]), a_dialogue()[1])

    assert features.frames.shape == (4, TURN_FRAMES, FRAME_CHANNELS)
    assert features.descriptors.shape == (4, len(DESCRIPTORS))
    assert features.is_user.tolist() == [True, False, True, False]
    assert [len(words) for words in features.words] == [5, 5, 5, 5]
    assert np.isfinite(features.frames).all()


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        (TurnInput("user", 0.0, 1.0, ""), "no assistant turn"),
        (TurnInput("system", 0.0, 1.0, ""), "must be user or assistant"),
        (TurnInput("assistant", 1.0, 1.0, ""), "Correct the turn's times"),
        (TurnInput("assistant", 0.0, 99.0, ""), "Correct the turn's times"),
    ],
)
def test_turns_that_cannot_be_are_refused(turn, complaint):
    turns = [turn] if turn.role == "user" else [TurnInput("assistant", 0.0, 1.0, ""), turn]

    with pytest.raises(ValueError, match=complaint):
        turn_features(frames_of(np.ones(RATE, np.float32)), turns)


def test_a_turn_without_voice_or_words_still_has_finite_features():
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)

    features = turn_features(frames_of(noise), [TurnInput("assistant", 0.2, 0.23, "")])

    assert np.isfinite(features.descriptors).all()
    assert np.isfinite(features.frames).all()
    assert features.words[0].tolist() == []


def test_words_are_hashed_alike_whatever_their_case_and_marks():
    assert hash_words("I'm SO happy!").tolist() == hash_words("i'm, so happy").tolist()
    assert len(hash_words("I'm SO happy!")) == 3
    assert all(0 <= bucket < WORD_BUCKETS for bucket in hash_words("a bee sea"))


@pytest.mark.parametrize(("text", "syllables"), [("", 0), ("time", 1), ("little", 2), ("banana", 3), ("tree", 1)])
def test_syllables_are_counted_roughly(text, syllables):
    assert count_syllables(text) == syllables


def test_the_middle_break_is_expected_at_the_mark_nearest_to_the_middle():
    assert inner_break("Oh no. We can look at this now. Fine.") == pytest.approx(2 / 9)
    assert inner_break("Oh no. We can look. Fine.") == pytest.approx(2 / 6)
    assert inner_break("We can look at this") == 0.5


def test_the_break_is_the_longest_silence_near_its_place():
    active = np.array([True] * 10 + [False] * 4 + [True] * 10 + [False] * 3 + [True] * 2)

    assert find_break(active, 0.5) == (10, 14)
    assert find_break(active, 0.9) == (24, 27)
    assert find_break(np.ones(8, np.bool_), 0.5) == (4, 4)
