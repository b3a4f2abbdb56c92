"""Take speech apart with the WORLD vocoder and put it together with another melody, pace, energy and pauses.

Source: Morise, Yokomori and Ozawa (2016), WORLD, IEICE Trans. E99-D(7). F0 by Harvest (Morise 2017, Interspeech): DIO
is five times as fast but took many voiced frames for unvoiced, which sounds hoarse; see docs/demo-content.md. A track
that was computed before can be passed in, which makes the analysis four times as fast.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyworld

FloatArray = npt.NDArray[np.float64]

FRAME_SECONDS = 0.005
F0_FLOOR_HZ, F0_CEILING_HZ = 65.0, 600.0
PAUSE_BELOW_PEAK_DB = 32.0  # a frame this far below the loud frames is not speech
SHORTEST_PAUSE_SECONDS = 0.12  # shorter silences are closures of stop consonants, not pauses


@dataclass(frozen=True)
class Analysis:
    """What WORLD hears in one turn: one row per frame of FRAME_SECONDS."""

    rate: int  # Hz
    f0: FloatArray  # (T,) Hz, 0 where unvoiced
    envelope: FloatArray  # (T, F) power
    aperiodicity: FloatArray  # (T, F) 0…1
    is_pause: npt.NDArray[np.bool_]  # (T,)

    @property
    def seconds(self) -> float:
        return len(self.f0) * FRAME_SECONDS

    @property
    def voiced_log_f0(self) -> FloatArray:
        return np.log(self.f0[self.f0 > 0])


@dataclass(frozen=True)
class Prosody:
    """How a turn is to be said, relative to how it was recorded; the defaults leave it as it was."""

    level_semitones: float = 0.0  # shift of the mean of log F0
    range_ratio: float = 1.0  # spread of log F0 about the speaker's mean; 0.5 halves it
    pace_ratio: float = 1.0  # 1.1 is ten per cent faster
    energy_db: float = 0.0
    pause_ratio: float = 1.0  # length of the pauses inside the turn, after the pace

    def __post_init__(self) -> None:
        for name in ("range_ratio", "pace_ratio", "pause_ratio"):
            ratio = getattr(self, name)
            if not 0.1 <= ratio <= 10:
                raise ValueError(f"{name} is {ratio}; give a ratio between 0.1 and 10, where 1 changes nothing.")


def estimate_f0(samples: FloatArray, rate: int) -> FloatArray:
    """F0 in Hz per frame of FRAME_SECONDS, 0 where unvoiced: (T,) for mono `samples` (N,)."""
    samples = _checked(samples, rate)
    f0, _ = pyworld.harvest(samples, rate, F0_FLOOR_HZ, F0_CEILING_HZ, FRAME_SECONDS * 1000)
    return np.asarray(f0, dtype=np.float64)


def analyse(samples: FloatArray, rate: int, *, f0: FloatArray | None = None) -> Analysis:
    """Take mono speech apart into F0, spectral envelope and aperiodicity.

    Args:
        samples: (N,) mono, full scale 1.0.
        rate: Hz, at least 16,000 (below that WORLD's aperiodicity bands are empty).
        f0: the track of `estimate_f0` for these very samples, if it is known already.
    Raises:
        ValueError: if the signal is not mono, too short, not finite, or sampled too slowly, or the track does not fit.
    """
    samples = _checked(samples, rate)
    f0 = estimate_f0(samples, rate) if f0 is None else np.ascontiguousarray(f0, dtype=np.float64)
    n_frames = int(len(samples) / rate / FRAME_SECONDS) + 1
    if abs(len(f0) - n_frames) > 1:
        raise ValueError(f"The F0 track has {len(f0)} frames but the speech {n_frames}; estimate it again.")
    times = np.arange(len(f0)) * FRAME_SECONDS
    envelope = pyworld.cheaptrick(samples, f0, times, rate)
    aperiodicity = pyworld.d4c(samples, f0, times, rate)
    return Analysis(rate, f0, envelope, aperiodicity, find_pauses(envelope))


def _checked(samples: FloatArray, rate: int) -> FloatArray:
    samples = np.ascontiguousarray(samples, dtype=np.float64)
    if samples.ndim != 1:
        raise ValueError(f"The samples have shape {samples.shape}; mix them to mono, shape (N,), first.")
    if rate < 16_000:
        raise ValueError(f"The sample rate is {rate} Hz; resample the speech to at least 16,000 Hz.")
    if len(samples) < 0.1 * rate:
        raise ValueError(f"{len(samples) / rate:.3f} s is too short to find F0 in; give at least 0.1 s of speech.")
    if not np.isfinite(samples).all():
        raise ValueError("The samples hold NaN or infinity; decode the recording again.")
    return samples


def find_pauses(envelope: FloatArray) -> npt.NDArray[np.bool_]:
    """Frames (T,) that lie in a silence of at least SHORTEST_PAUSE_SECONDS, judged by the envelope's power (T, F)."""
    power_db = 10 * np.log10(envelope.sum(axis=1) + 1e-12)
    is_quiet = power_db < np.percentile(power_db, 95) - PAUSE_BELOW_PEAK_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_quiet, [False]]).astype(np.int8)))
    is_pause = np.zeros(len(is_quiet), dtype=np.bool_)
    for start, end in edges.reshape(-1, 2):
        is_pause[start:end] = (end - start) * FRAME_SECONDS >= SHORTEST_PAUSE_SECONDS
    return is_pause


def warp_times(analysis: Analysis, prosody: Prosody) -> FloatArray:
    """When each analysed frame begins after pace and pauses have changed, and the end: (T + 1,) seconds, rising."""
    lengths = np.where(analysis.is_pause, prosody.pause_ratio, 1.0) * FRAME_SECONDS / prosody.pace_ratio
    return np.concatenate([[0.0], np.cumsum(lengths)])


def change_f0(f0: FloatArray, prosody: Prosody, mean_log_f0: float) -> FloatArray:
    """F0 (T,) in Hz with its level shifted and its spread about the speaker's mean scaled; unvoiced frames stay 0."""
    is_voiced = f0 > 0
    log_f0 = np.log(np.where(is_voiced, f0, 1.0))
    changed = mean_log_f0 + prosody.range_ratio * (log_f0 - mean_log_f0) + prosody.level_semitones * np.log(2) / 12
    return np.where(is_voiced, np.clip(np.exp(changed), F0_FLOOR_HZ, F0_CEILING_HZ), 0.0)


def stretch(analysis: Analysis, prosody: Prosody) -> Analysis:
    """The same frames read at another pace, with longer or shorter pauses: nearest frame, so voicing stays sharp."""
    ends_at = warp_times(analysis, prosody)
    places = np.arange(0.0, ends_at[-1] - FRAME_SECONDS / 2, FRAME_SECONDS) + FRAME_SECONDS / 2
    frames = np.clip(np.searchsorted(ends_at, places, side="right") - 1, 0, len(analysis.f0) - 1)
    return replace(
        analysis,
        f0=analysis.f0[frames],
        envelope=analysis.envelope[frames],
        aperiodicity=analysis.aperiodicity[frames],
        is_pause=analysis.is_pause[frames],
    )


def render(analysis: Analysis, prosody: Prosody, *, mean_log_f0: float | None = None) -> FloatArray:
    """Speak the analysed turn with another prosody.

    Args:
        mean_log_f0: the speaker's mean log F0, about which the range is scaled; the turn's own mean if left out.
    Returns:
        (N,) mono samples at the analysis' rate. Not limited: energy_db may carry a loud recording past full scale.
    """
    if mean_log_f0 is None:
        voiced = analysis.voiced_log_f0
        mean_log_f0 = float(voiced.mean()) if len(voiced) else 0.0
    timed = stretch(analysis, prosody)
    samples = pyworld.synthesize(
        change_f0(timed.f0, prosody, mean_log_f0),
        np.ascontiguousarray(timed.envelope),
        np.ascontiguousarray(timed.aperiodicity),
        analysis.rate,
        frame_period=FRAME_SECONDS * 1000,
    )
    gain: float = 10.0 ** (prosody.energy_db / 20)
    return np.asarray(samples, dtype=np.float64) * gain
