"""Huggins pitch: a faint tone that neither ear hears alone, for telling headphones from loudspeakers.

One ear gets white noise, the other the same noise with the phase turned round in a narrow band. Each ear alone gets
Gaussian white noise, exactly as without the turn; only a listener whose ears are apart hears a tone at the band's
centre.

Source: Milne, Bianco, Poole, Zhao, Oxenham, Billig and Chait (2021), Behavior Research Methods 53, 1551, whose figures
belong to this stimulus: intervals of 1 s, a constant turn of π within ±6 % of 600 Hz, in the right ear. (Cramer and
Huggins (1958) let the phase pass from 0 to 2π through the band instead.)
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CENTRE_HZ = 600.0
HALF_BAND = 0.06  # of the centre, to either side
INTERVAL_SECONDS = 1.0
GAP_SECONDS = 0.5
EDGE_SECONDS = 0.25  # silence at either end: some devices swallow the first moments
RAMP_SECONDS = 0.02
N_INTERVALS = 3
NOISE_RMS = 10 ** (-32 / 20)  # about as loud as speech at −23 LUFS; its peaks stay below −15 dBFS


def huggins_trial(target: int, rng: np.random.Generator, rate: int) -> FloatArray:
    """Three bursts of fresh noise, the same in both ears but for the band in burst `target`: (N, 2), full scale ±1.

    Args:
        target: 1, 2 or 3.
        rate: hertz.
    Raises:
        ValueError: if there is no such burst.
    """
    if not 1 <= target <= N_INTERVALS:
        raise ValueError(f"The tone is to be in burst {target}; give a whole number from 1 to {N_INTERVALS}.")
    silence, edge = (np.zeros((round(seconds * rate), 2)) for seconds in (GAP_SECONDS, EDGE_SECONDS))
    parts = [edge]
    for number in range(1, N_INTERVALS + 1):
        parts += [noise_burst(number == target, rng, rate), silence]
    return np.concatenate([*parts[:-1], edge])


def huggins_seconds() -> float:
    """How long a trial lasts."""
    return 2 * EDGE_SECONDS + N_INTERVALS * INTERVAL_SECONDS + (N_INTERVALS - 1) * GAP_SECONDS


def noise_burst(has_tone: bool, rng: np.random.Generator, rate: int) -> FloatArray:
    """One burst of Gaussian white noise, left and right: (N, 2)."""
    left = rng.standard_normal(round(INTERVAL_SECONDS * rate)) * NOISE_RMS
    right = turn_band(left, rate) if has_tone else left
    return np.stack([left, right], axis=1) * _ramps(len(left), rate)[:, None]


def turn_band(noise: FloatArray, rate: int) -> FloatArray:
    """The noise (N,) with the phase turned by π within HALF_BAND of CENTRE_HZ; every magnitude stays as it was."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / rate)
    in_band = np.abs(hertz - CENTRE_HZ) <= HALF_BAND * CENTRE_HZ
    return np.fft.irfft(np.where(in_band, -spectrum, spectrum), len(noise))


def _ramps(n_samples: int, rate: int) -> FloatArray:
    """Raised-cosine fades at both ends of ones, so that no burst begins with a click: (N,)."""
    n_ramp = round(RAMP_SECONDS * rate)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n_ramp) + 0.5) / n_ramp)
    return np.concatenate([rise, np.ones(n_samples - 2 * n_ramp), rise[::-1]])
