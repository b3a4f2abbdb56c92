"""Where somebody speaks: speech activity from energy against a moving noise floor. Times are in seconds.

Made for what listening credit and turn times need: not to miss speech. A sound without any change of level (a steady
tone, steady noise and nothing else) has no pauses to measure a floor in, so all of it counts as activity.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

Segments = list[tuple[float, float]]

FRAME_SECONDS = 0.01
SMOOTHING_FRAMES = 3
SPEECH_BAND_HZ = (120.0, 3_800.0)
FLOOR_WINDOW_SECONDS = 8.0
FLOOR_PERCENTILE = 10  # speech pauses for more than a tenth of the time, even within sentences
ABOVE_FLOOR_DB = 8.0
BELOW_PEAK_DB = (35.0, 3.0)  # the threshold stays this far below the loudest frame: at most, and at least
LOWEST_DB = -75.0  # dither and converter noise
HANGOVER_SECONDS = 0.15  # word ends are quieter than the threshold
LEAD_SECONDS = 0.05  # and so are their beginnings
SHORTEST_SPEECH_SECONDS = 0.08
SHORTEST_PAUSE_SECONDS = 0.2
_BLOCK_FRAMES = 6_000


def speech_segments(samples: NDArray[np.float32], rate: int) -> Segments:
    """Stretches of speech as (start, end), in order and apart, within the sound. `samples` is mono, (T,)."""
    seconds = len(samples) / rate
    energy = _band_energy_db(samples, rate)
    if len(energy) == 0 or energy.max() <= LOWEST_DB:
        return []
    window = min(len(energy), round(FLOOR_WINDOW_SECONDS / FRAME_SECONDS))
    floor = _moving_floor(energy, window)
    loudest = float(energy.max())
    threshold = np.clip(floor + ABOVE_FLOOR_DB, loudest - BELOW_PEAK_DB[0], loudest - BELOW_PEAK_DB[1])
    active = energy > np.maximum(threshold, LOWEST_DB)
    runs = _runs(active)
    spoken = [(start, end) for start, end in runs if (end - start) * FRAME_SECONDS >= SHORTEST_SPEECH_SECONDS]
    widened = [
        (max(0.0, start * FRAME_SECONDS - LEAD_SECONDS), min(seconds, end * FRAME_SECONDS + HANGOVER_SECONDS))
        for start, end in spoken
    ]
    return _join(widened, SHORTEST_PAUSE_SECONDS)


def silence_share(segments: Sequence[tuple[float, float]], seconds: float) -> float:
    """The part of `seconds` that lies outside all segments, 0 … 1."""
    if seconds <= 0:
        raise ValueError(f"The sound lasts {seconds} s; give its length in seconds, above 0.")
    spoken = sum(end - start for start, end in segments)
    return min(1.0, max(0.0, 1.0 - spoken / seconds))


def estimate_turn_times(segments: Sequence[tuple[float, float]], n_turns: int, seconds: float) -> Segments:
    """A guess of (start, end) for each of `n_turns` turns: the sound is parted at the longest pauses.

    With fewer stretches of speech than turns, the longest stretches are halved until there are enough, so that every
    turn has some time of its own. Without any speech the whole sound is parted evenly.
    """
    if n_turns < 1 or seconds <= 0:
        raise ValueError(f"Cannot part {seconds} s into {n_turns} turns; both must be above 0.")
    pieces = [segment for segment in segments if segment[1] > segment[0]] or [(0.0, seconds)]
    while len(pieces) < n_turns:
        longest = max(range(len(pieces)), key=lambda index: pieces[index][1] - pieces[index][0])
        start, end = pieces[longest]
        middle = (start + end) / 2
        pieces[longest : longest + 1] = [(start, middle), (middle, end)]
    pauses = [later[0] - earlier[1] for earlier, later in pairwise(pieces)]
    longest_first = sorted(range(len(pauses)), key=lambda index: (-pauses[index], index))
    cuts = sorted(index + 1 for index in longest_first[: n_turns - 1])
    bounds = [0, *cuts, len(pieces)]
    return [(pieces[first][0], pieces[last - 1][1]) for first, last in pairwise(bounds)]


def _band_energy_db(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Energy of each frame of 10 ms in the band of speech, smoothed, in dB below full scale."""
    frame = round(rate * FRAME_SECONDS)
    count = len(samples) // frame
    if count == 0:
        return np.empty(0)
    top = min(SPEECH_BAND_HZ[1], 0.45 * rate)
    sections = signal.butter(2, (SPEECH_BAND_HZ[0], top), btype="bandpass", fs=rate, output="sos")
    state = np.zeros((len(sections), 2))
    power = np.empty(count)
    for first in range(0, count, _BLOCK_FRAMES):
        last = min(count, first + _BLOCK_FRAMES)
        block, state = signal.sosfilt(sections, samples[first * frame : last * frame].astype(np.float64), zi=state)
        power[first:last] = np.mean(block.reshape(-1, frame) ** 2, axis=1)
    smooth = ndimage.uniform_filter1d(power, SMOOTHING_FRAMES, mode="nearest")
    return 10 * np.log10(np.maximum(smooth, 1e-13))


def _moving_floor(energy: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The noise floor around each frame: a low percentile of the level, taken every second and joined by lines."""
    hop = round(1 / FRAME_SECONDS)
    centres = np.arange(0, len(energy), hop)
    starts = np.clip(centres - window // 2, 0, len(energy) - window)
    floors = [np.percentile(energy[start : start + window], FLOOR_PERCENTILE) for start in starts]
    return np.interp(np.arange(len(energy)), centres, floors)


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _join(segments: Segments, shortest_pause: float) -> Segments:
    joined: Segments = []
    for start, end in segments:
        if joined and start - joined[-1][1] < shortest_pause:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
