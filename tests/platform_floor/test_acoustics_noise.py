"""Noise at a distance below speech, against values worked by hand."""

import numpy as np
import pytest
from scipy import signal

from earshot.acoustics.noise import add_noise, speech_power, speech_shaped_noise

RATE = 24_000


def sine(hertz=1_000.0, seconds=1.0, peak=0.5):
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def test_pauses_do_not_make_speech_softer():
    with_pauses = np.concatenate([np.zeros(RATE), sine(), np.zeros(RATE)])

    assert speech_power(with_pauses, RATE) == pytest.approx(0.125)  # 0.5² / 2


@pytest.mark.parametrize("snr_db", [-8.0, 0.0, 40.0])
def test_the_noise_lies_as_far_below_the_speech_as_asked(snr_db):
    speech = np.concatenate([np.zeros(RATE), sine()])
    noise = np.random.default_rng(1).standard_normal(2 * RATE) * 3

    mixed = add_noise(speech, noise, snr_db, speech_power(speech, RATE))

    added = mixed - speech
    assert 10 * np.log10(0.125 / np.mean(added**2)) == pytest.approx(snr_db, abs=1e-9)
    assert np.corrcoef(added, noise)[0, 1] == pytest.approx(1)


def test_speech_shaped_noise_has_the_spectrum_of_the_speech():
    """A first-order low-pass as the voice: octave bands of noise and voice agree, though they differ by 25 dB."""
    voice = signal.lfilter(*signal.butter(1, 500, fs=RATE), np.random.default_rng(2).standard_normal(20 * RATE))
    noise = speech_shaped_noise([voice[: 10 * RATE], voice[10 * RATE :]], 20 * RATE, np.random.default_rng(3), RATE)

    hertz, wanted = signal.welch(voice, RATE, nperseg=1024)
    _, found = signal.welch(noise, RATE, nperseg=1024)
    bands = [(hertz > low) & (hertz <= 2 * low) for low in (125, 250, 500, 1_000, 2_000, 4_000)]
    off = [10 * np.log10((found[band].sum() / found.sum()) / (wanted[band].sum() / wanted.sum())) for band in bands]
    assert off == pytest.approx([0] * 6, abs=0.4)
    assert np.mean(noise**2) == pytest.approx(1)


def test_another_generator_gives_other_noise_and_the_same_the_same():
    one, again, other = (speech_shaped_noise([sine()], RATE, np.random.default_rng(seed), RATE) for seed in (1, 1, 2))

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ValueError, match=r"0\.500 s without any sound"):
        speech_power(np.zeros(RATE // 2), RATE)
    with pytest.raises(ValueError, match="give as much noise, and not silence"):
        add_noise(sine(), np.zeros(RATE), 0.0, 0.1)
    with pytest.raises(ValueError, match="give as much noise"):
        add_noise(sine(), np.ones(RATE - 1), 0.0, 0.1)
    with pytest.raises(ValueError, match="There is no speech"):
        speech_shaped_noise([], RATE, np.random.default_rng(0), RATE)
