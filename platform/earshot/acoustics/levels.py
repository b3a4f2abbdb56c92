"""How loud a sound is: integrated loudness and true peak (ITU-R BS.1770), clipping, and the one gain of a dialogue.

Everything works in blocks, so an hour of sound costs a few MiB on top of its samples.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyloudnorm import IIRfilter
from scipy import signal

from earshot.acoustics.errors import AudioError

TARGET_LUFS = -23.0  # EBU R 128
TRUE_PEAK_CEILING_DBTP = -1.0
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
STEP_SECONDS, STEPS_PER_BLOCK = 0.1, 4  # gating blocks of 400 ms that overlap by 75 %
OVERSAMPLING = 4
FULL_SCALE = 0.9999  # 16-bit full scale is 0.99997; what reaches this far has met the converter's end
SHORTEST_CLIP = 3  # samples
_BLOCK_FRAMES = 65_536
_PEAK_BLOCK_FRAMES = 4_096  # few enough that most of a short sound, too, is too quiet to hold the peak

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Level:
    """`lufs` is −inf where nothing passes the gate at −70 LUFS."""

    lufs: float
    true_peak_dbtp: float
    sample_peak_dbfs: float


def measure_level(samples: Samples, rate: int) -> Level:
    """Loudness, true peak and sample peak of a mono sound. Raises AudioError if there are no samples."""
    if len(samples) == 0:
        raise AudioError("There are no samples to measure. Record or export the sound again.")
    return Level(integrated_lufs(samples, rate), true_peak_dbtp(samples), _decibels(_peak(samples)))


def constant_gain_db(
    level: Level, target_lufs: float = TARGET_LUFS, true_peak_ceiling: float = TRUE_PEAK_CEILING_DBTP
) -> float:
    """The one gain (dB) for a whole dialogue: to `target_lufs`, or less where the true peak would pass the ceiling.

    Raises:
        AudioError: if the sound has no loudness.
    """
    if not math.isfinite(level.lufs):
        raise AudioError(f"The loudness is {level.lufs} LUFS: nothing passes −70 LUFS. Check the recording.")
    return min(target_lufs - level.lufs, true_peak_ceiling - level.true_peak_dbtp)


def integrated_lufs(samples: Samples, rate: int) -> float:
    """Gated loudness in LUFS by ITU-R BS.1770-4. A sound shorter than one block (0.4 s) is measured whole, ungated."""
    steps = _weighted_power_per_step(samples, rate)
    if len(steps) < STEPS_PER_BLOCK:
        return _loudness(float(np.mean(steps)))
    blocks = np.convolve(steps, np.full(STEPS_PER_BLOCK, 1 / STEPS_PER_BLOCK), mode="valid")
    audible = blocks[blocks > _power(ABSOLUTE_GATE_LUFS)]
    if len(audible) == 0:
        return -math.inf
    gate = float(np.mean(audible)) * 10 ** (RELATIVE_GATE_LU / 10)
    return _loudness(float(np.mean(audible[audible > gate])))


def _weighted_power_per_step(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Mean square of the K-weighted sound per whole step of 100 ms (of all of it, if it is shorter than four)."""
    step = round(rate * STEP_SECONDS)
    if len(samples) < STEPS_PER_BLOCK * step:
        step = len(samples)
    stages = (
        IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, rate, "high_shelf"),
        IIRfilter(0.0, 0.5, 38.0, rate, "high_pass"),
    )
    sections = np.array([np.concatenate([stage.b, stage.a]) for stage in stages])
    state = np.zeros((len(sections), 2))
    powers: list[NDArray[np.float64]] = []
    chunk = step * max(1, _BLOCK_FRAMES // step)
    for start in range(0, len(samples) - len(samples) % step, chunk):
        stop = min(start + chunk, len(samples) - len(samples) % step)
        weighted, state = signal.sosfilt(sections, samples[start:stop].astype(np.float64), zi=state)
        powers.append(np.mean(weighted.reshape(-1, step) ** 2, axis=1))
    return np.concatenate(powers)


def true_peak_dbtp(samples: Samples) -> float:
    """The highest peak between the samples too, in dBTP, by fourfold oversampling (ITU-R BS.1770-4, annex 2).

    No peak between samples can pass the highest sample near it times the filter's largest gain, so blocks that are
    too quiet to hold the peak are left out: the result is exact and usually a few blocks' work.
    """
    half_width = 16  # samples to each side
    taps = signal.firwin(2 * half_width * OVERSAMPLING + 1, 1 / OVERSAMPLING, window=("kaiser", 8.0)) * OVERSAMPLING
    largest_gain = max(float(np.abs(taps[phase::OVERSAMPLING]).sum()) for phase in range(OVERSAMPLING))
    starts = range(0, len(samples), _PEAK_BLOCK_FRAMES)
    reach = [(max(0, start - 2 * half_width), start + _PEAK_BLOCK_FRAMES + 2 * half_width) for start in starts]
    block_peaks = [_peak(samples[low:high]) for low, high in reach]
    highest = max(block_peaks, default=0.0)
    for index in np.argsort(block_peaks)[::-1]:
        if block_peaks[index] * largest_gain <= highest:
            break
        low, high = reach[index]
        between = signal.upfirdn(taps, samples[low:high].astype(np.float64), up=OVERSAMPLING)
        # Cut where the block was cut, or the filter would ring at an edge that the sound does not have.
        delay = half_width * OVERSAMPLING
        first = (starts[index] - low) * OVERSAMPLING + delay if low > 0 else 0
        last = (high - half_width - low) * OVERSAMPLING if high < len(samples) else len(between)
        highest = max(highest, _peak(between[first:last]))
    return _decibels(highest)


class ClippedRunCounter:
    """Counts runs of 3 and more samples at full scale in one channel that arrives block by block."""

    def __init__(self) -> None:
        self.runs = 0
        self._open_run = 0  # length of the run that the last block ended with

    def add(self, samples: Samples) -> None:
        at_end = np.abs(samples) >= FULL_SCALE
        if not at_end.any():
            self._open_run = 0
            return
        edges = np.flatnonzero(np.diff(np.concatenate([[False], at_end, [False]]).astype(np.int8)))
        starts, stops = edges[::2], edges[1::2]
        lengths = stops - starts
        carried = self._open_run if starts[0] == 0 else 0
        already_counted = carried >= SHORTEST_CLIP
        lengths[0] += carried
        self.runs += int((lengths >= SHORTEST_CLIP).sum()) - int(already_counted)
        self._open_run = int(lengths[-1]) if stops[-1] == len(samples) else 0


def count_clipped_runs(samples: Samples) -> int:
    """How many times the sound stays at full scale for 3 samples or more."""
    counter = ClippedRunCounter()
    for start in range(0, len(samples), _BLOCK_FRAMES):
        counter.add(samples[start : start + _BLOCK_FRAMES])
    return counter.runs


def _peak(samples: NDArray[np.floating]) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def _loudness(power: float) -> float:
    return -0.691 + 10 * math.log10(power) if power > 0 else -math.inf


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))
