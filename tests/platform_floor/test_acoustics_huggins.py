"""The headphone test's noise: a tone between the ears, and nothing in either of them alone."""

import numpy as np
import pytest
from scipy import stats

from earshot.acoustics.huggins import (
    CENTRE_HZ,
    EDGE_SECONDS,
    GAP_SECONDS,
    HALF_BAND,
    INTERVAL_SECONDS,
    N_INTERVALS,
    RAMP_SECONDS,
    huggins_seconds,
    huggins_trial,
    noise_burst,
    turn_band,
)

RATE = 24_000
LOW, HIGH = CENTRE_HZ * (1 - HALF_BAND), CENTRE_HZ * (1 + HALF_BAND)


def bursts(trial):
    """The three bursts of a trial, each (N, 2)."""
    step = INTERVAL_SECONDS + GAP_SECONDS
    starts = [round((EDGE_SECONDS + number * step) * RATE) for number in range(N_INTERVALS)]
    return [trial[start : start + round(INTERVAL_SECONDS * RATE)] for start in starts]


def band_power(samples, low=LOW, high=HIGH):
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return np.sum(np.abs(np.fft.rfft(samples))[(hertz >= low) & (hertz <= high)] ** 2)


def heard_between_the_ears(trial):
    """What a listener with two ears does: the burst that is left over when one ear is taken from the other."""
    return 1 + int(np.argmax([band_power(burst[:, 0] - burst[:, 1]) for burst in bursts(trial)]))


def test_the_band_is_turned_by_pi_and_nothing_else_changes():
    noise = np.random.default_rng(1).standard_normal(RATE)

    turned = turn_band(noise, RATE)

    ratio = np.fft.rfft(turned)[1:-1] / np.fft.rfft(noise)[1:-1]
    hertz = np.fft.rfftfreq(RATE, 1 / RATE)[1:-1]
    in_band = (hertz >= LOW) & (hertz <= HIGH)
    assert hertz[in_band].tolist() == list(range(564, 637))
    assert ratio[in_band] == pytest.approx(-1, abs=1e-9)
    assert ratio[~in_band] == pytest.approx(1, abs=1e-9)


def test_a_burst_without_the_tone_is_the_same_in_both_ears():
    burst = noise_burst(False, np.random.default_rng(2), RATE)

    assert np.array_equal(burst[:, 0], burst[:, 1])


@pytest.mark.parametrize("target", [1, 2, 3])
def test_two_ears_together_find_the_burst_with_the_tone(target):
    trials = [huggins_trial(target, np.random.default_rng(seed), RATE) for seed in range(20)]

    assert [heard_between_the_ears(trial) for trial in trials] == [target] * 20


@pytest.mark.parametrize("ear", [0, 1])
def test_one_ear_alone_finds_nothing(ear):
    """The band's share of the power is spread over bursts with and without the tone alike (Kolmogorov–Smirnov)."""
    trials = [bursts(huggins_trial(2, np.random.default_rng(seed), RATE)) for seed in range(300)]
    shares = np.array([[band_power(burst[:, ear]) / np.sum(burst[:, ear] ** 2) for burst in trial] for trial in trials])

    assert stats.ks_2samp(shares[:, 1], np.concatenate([shares[:, 0], shares[:, 2]])).pvalue > 0.05
    loudest = np.argmax(shares, axis=1)
    assert np.mean(loudest == 1) == pytest.approx(1 / 3, abs=0.08)  # three standard errors of 300 guesses


@pytest.mark.parametrize("ear", [0, 1])
def test_each_ear_alone_gets_a_flat_spectrum(ear):
    """Mean power in the band and beside it, in octave-wide neighbours, over 300 bursts with the tone."""
    signals = [noise_burst(True, np.random.default_rng(seed), RATE)[:, ear] for seed in range(300)]
    density = [
        np.mean([band_power(samples, low, high) / (high - low) for samples in signals])
        for low, high in ((LOW, HIGH), (200, 400), (800, 1600), (3_000, 6_000), (6_000, 11_500))
    ]

    assert 10 * np.log10(np.array(density) / np.mean(density)) == pytest.approx(0, abs=0.15)


def test_the_edges_of_the_band_leave_no_click_in_time():
    """The turned noise is Gaussian and steady: its kurtosis and its level over time are those of the other ear."""
    burst = np.concatenate([noise_burst(True, np.random.default_rng(seed), RATE) for seed in range(50)])
    inside = np.abs(burst).reshape(50, RATE, 2)[:, round(0.05 * RATE) : -round(0.05 * RATE)]

    left, right = stats.kurtosis(inside[:, :, 0].ravel()), stats.kurtosis(inside[:, :, 1].ravel())
    assert right == pytest.approx(left, abs=0.02)
    level = np.sqrt(np.mean(inside**2, axis=(0, 1)))
    assert 20 * np.log10(level[1] / level[0]) == pytest.approx(0, abs=0.02)


def test_a_trial_has_three_faded_bursts_of_one_second_between_silences():
    trial = huggins_trial(1, np.random.default_rng(3), RATE)

    assert len(trial) / RATE == huggins_seconds() == 4.5
    assert not trial[: round(EDGE_SECONDS * RATE)].any()
    assert not trial[-round(EDGE_SECONDS * RATE) :].any()
    ends = [np.abs(burst[[0, -1]]).max() for burst in bursts(trial)]
    assert max(ends) < 1e-4
    assert RAMP_SECONDS == 0.02
    assert np.abs(trial).max() < 0.2


def test_a_burst_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="The tone is to be in burst 4; give a whole number from 1 to 3"):
        huggins_trial(4, np.random.default_rng(0), RATE)
