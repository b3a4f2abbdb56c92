"""Noise at a given distance below speech, and noise with the spectrum of speech.

Speech-shaped noise masks every sound of a voice alike, so a signal-to-noise ratio means the same for each digit; see
Smits, Kapteyn and Houtgast (2004), International Journal of Audiology 43, 15, on digit triplets in noise.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import signal

FloatArray = NDArray[np.float64]

FRAME_SECONDS = 0.01
SPEECH_BELOW_PEAK_DB = 32.0  # a frame this far below the loud frames holds no speech
_SPECTRUM_SECONDS = 0.04  # of one Welch window: 25 Hz, finer than formants and too coarse for single harmonics


def speech_power(samples: FloatArray, rate: int) -> float:
    """Mean square of the 10-ms frames that hold speech.

    Raises:
        ValueError: if the sound is shorter than one frame or silent.
    """
    length = round(FRAME_SECONDS * rate)
    n_frames = len(samples) // length
    powers = np.square(samples[: n_frames * length]).reshape(n_frames, length).mean(axis=1)
    if n_frames == 0 or powers.max() == 0:
        raise ValueError(f"{len(samples) / rate:.3f} s without any sound; give speech of at least {FRAME_SECONDS} s.")
    spoken = powers >= np.percentile(powers, 95) * 10 ** (-SPEECH_BELOW_PEAK_DB / 10)
    return float(powers[spoken].mean())


def add_noise(speech: FloatArray, noise: FloatArray, snr_db: float, power: float) -> FloatArray:
    """Speech (N,) and noise (N,), the noise scaled so that `power` lies `snr_db` above its mean square.

    Args:
        power: mean square of what counts as speech, such as `speech_power`: pauses do not make speech softer.
    Raises:
        ValueError: if their lengths differ or the noise is silent.
    """
    noise_power = float(np.mean(np.square(noise)))
    if speech.shape != noise.shape or noise_power == 0:
        raise ValueError(f"{speech.shape} of speech and {noise.shape} of noise; give as much noise, and not silence.")
    return np.asarray(speech + noise * np.sqrt(power / noise_power * 10 ** (-snr_db / 10)))


def speech_shaped_noise(
    speech: Sequence[FloatArray], n_samples: int, rng: np.random.Generator, rate: int
) -> FloatArray:
    """Gaussian noise (n_samples,) of mean square 1 with the long-term spectrum of the recordings in `speech`.

    Raises:
        ValueError: if there is no speech to take the spectrum from.
    """
    if not speech or not any(np.any(samples) for samples in speech):
        raise ValueError("There is no speech to take a spectrum from; give at least one recording that is not silent.")
    joined = np.concatenate(list(speech))
    length = min(len(joined), round(_SPECTRUM_SECONDS * rate))
    hertz, density = signal.welch(joined, rate, nperseg=length)
    white = np.fft.rfft(rng.standard_normal(n_samples))
    shape = np.interp(np.fft.rfftfreq(n_samples, 1 / rate), hertz, np.sqrt(density))
    shape[0] = 0.0  # no constant part
    shaped = np.fft.irfft(white * shape, n_samples)
    return np.asarray(shaped / np.sqrt(np.mean(np.square(shaped))))
