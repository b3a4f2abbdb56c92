"""The WORLD vocoder on one short shipped clip."""

import math
from functools import cache

import numpy as np
import pytest

from earshot.acoustics.vocoder import FRAME_SECONDS, Analysis, Prosody, analyse, change_f0, estimate_f0, render
from earshot.demo.bank import BANK_RATE, load_scripts


@cache
def clip() -> np.ndarray:
    script = next(script for script in load_scripts() if script.scenario_id == "english-moving-away")
    return script.turns[1].recordings[0].read()


@cache
def analysis() -> Analysis:
    return analyse(clip(), BANK_RATE)


def semitones(samples: np.ndarray) -> np.ndarray:
    f0 = estimate_f0(samples, BANK_RATE)
    return 12 * np.log2(f0[f0 > 0])


def test_unchanged_prosody_keeps_length_pitch_and_level():
    spoken = render(analysis(), Prosody())

    assert abs(len(spoken) - len(clip())) <= BANK_RATE * FRAME_SECONDS + 1
    heard, said = estimate_f0(spoken, BANK_RATE)[: len(analysis().f0)], analysis().f0[: len(spoken)]
    both = (heard > 0) & (said > 0)
    assert np.median(12 * np.log2(heard[both] / said[both])) == pytest.approx(0, abs=0.05)
    assert 10 * math.log10((spoken**2).mean() / (clip() ** 2).mean()) == pytest.approx(0, abs=1.5)


def test_rendering_twice_gives_the_same_samples():
    assert np.array_equal(render(analysis(), Prosody(1, 1.2, 1.1, 2)), render(analysis(), Prosody(1, 1.2, 1.1, 2)))


def test_level_shifts_the_pitch_that_is_heard():
    higher = semitones(render(analysis(), Prosody(level_semitones=2)))
    lower = semitones(render(analysis(), Prosody(level_semitones=-2)))

    assert np.median(higher) - np.median(lower) == pytest.approx(4, abs=0.4)


def test_range_scales_the_spread_about_the_mean_of_the_speaker():
    f0 = np.array([100.0, 0.0, 200.0])
    mean = math.log(100)

    assert change_f0(f0, Prosody(range_ratio=2), mean).round(6).tolist() == [100.0, 0.0, 400.0]
    assert change_f0(f0, Prosody(range_ratio=0.5), mean)[2] == pytest.approx(100 * math.sqrt(2))


def test_pace_shortens_and_energy_raises_by_what_was_asked():
    plain, fast = render(analysis(), Prosody()), render(analysis(), Prosody(pace_ratio=1.25))
    loud = render(analysis(), Prosody(energy_db=6))

    assert len(plain) / len(fast) == pytest.approx(1.25, rel=0.01)
    assert np.abs(loud - plain * 10**0.3).max() < 1e-12


def test_pause_ratio_lengthens_only_the_pauses():
    pause_seconds = analysis().is_pause.sum() * FRAME_SECONDS
    longer = render(analysis(), Prosody(pause_ratio=2))

    assert pause_seconds > 0.2
    assert len(longer) / BANK_RATE == pytest.approx(analysis().seconds + pause_seconds, abs=0.02)


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros((100, 2)), 24_000, "mix them to mono"),
        (np.zeros(24_000), 8_000, "resample the speech"),
        (np.zeros(100), 24_000, "at least 0.1 s"),
        (np.full(24_000, np.nan), 24_000, "decode the recording again"),
    ],
)
def test_sound_that_cannot_be_analysed_is_refused_with_a_remedy(samples, rate, words):
    with pytest.raises(ValueError, match=words):
        analyse(samples, rate)


def test_a_track_of_another_recording_is_refused():
    with pytest.raises(ValueError, match="estimate it again"):
        analyse(clip(), BANK_RATE, f0=np.zeros(10))


def test_a_ratio_of_zero_is_refused():
    with pytest.raises(ValueError, match="pace_ratio is 0"):
        Prosody(pace_ratio=0)


def test_silence_stays_silence():
    spoken = render(analyse(np.zeros(24_000), BANK_RATE), Prosody(level_semitones=3))

    assert np.abs(spoken).max() < 1e-3
