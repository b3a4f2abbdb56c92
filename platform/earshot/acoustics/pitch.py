"""Fundamental frequency (F0) of one turn, by WORLD's DIO and StoneMask (Morise, 2009 and 2016)."""

import math
from dataclasses import dataclass

import numpy as np
import pyworld
import soxr
from numpy.typing import NDArray

ANALYSIS_RATE = 16_000  # F0 lies far below; the analysis of 48 kHz would only be slower
FRAME_MS = 5.0
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
SHORTEST_SECONDS = 0.1
BLOCK_SECONDS = 30.0
FEWEST_VOICED_FRAMES = 5
RANGE_PERCENTILES = (5, 95)  # single octave errors must not make the range


@dataclass(frozen=True)
class Pitch:
    """`median_hz` and `range_semitones` (5th to 95th percentile) are None where almost nothing is voiced."""

    median_hz: float | None
    range_semitones: float | None
    voiced_share: float


def measure_pitch(samples: NDArray[np.float32], rate: int, start: float = 0.0, end: float | None = None) -> Pitch:
    """The pitch of the turn from `start` to `end` seconds (default: the whole sound, mono (T,)).

    Measure turn by turn: over a dialogue the result is mostly the distance between two voices.
    """
    last = len(samples) if end is None else min(len(samples), round(end * rate))
    turn = samples[max(0, round(start * rate)) : last]
    if len(turn) < SHORTEST_SECONDS * rate:
        return Pitch(None, None, 0.0)
    f0 = f0_contour(turn, rate)
    voiced = f0[f0 > 0]
    share = len(voiced) / len(f0)
    if len(voiced) < FEWEST_VOICED_FRAMES:
        return Pitch(None, None, share)
    low, high = np.percentile(voiced, RANGE_PERCENTILES)
    return Pitch(float(np.median(voiced)), 12 * math.log2(high / low), share)


def f0_contour(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """F0 in hertz every 5 ms, 0 where unvoiced. Long turns are analysed in blocks of 30 s to bound the memory."""
    block = round(BLOCK_SECONDS * rate)
    contours = []
    for first in range(0, len(samples), block):
        part = samples[first : first + block]
        if len(part) < SHORTEST_SECONDS * rate:
            continue  # the rest of a long turn, too short to analyse
        narrow = soxr.resample(part, rate, ANALYSIS_RATE).astype(np.float64)
        rough, times = pyworld.dio(narrow, ANALYSIS_RATE, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=FRAME_MS)
        contours.append(np.asarray(pyworld.stonemask(narrow, rough, times, ANALYSIS_RATE), np.float64))
    return np.concatenate(contours) if contours else np.zeros(0)
