"""Waveform peaks for drawing: the lowest and highest sample of each bucket, at three resolutions, as int8 pairs.

Binary form, little endian: b"EPK1", float64 seconds, uint32 number of levels; per level uint32 buckets a second and
uint32 number of buckets; then per level its buckets as (int8 lowest, int8 highest), full scale ±127.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAGIC = b"EPK1"
BUCKETS_PER_SECOND = (50, 10, 2)  # each divides the one before it
FULL_SCALE = 127
_HEADER = struct.Struct("<4sdI")
_LEVEL = struct.Struct("<II")
_BLOCK_BUCKETS = 500


@dataclass(frozen=True, eq=False)
class Peaks:
    """`levels[buckets per second]` is int8 (buckets, 2): lowest and highest; the last bucket may be short."""

    seconds: float
    levels: Mapping[int, NDArray[np.int8]]

    def level_for(self, pixels: int, seconds: float | None = None) -> int:
        """The coarsest level with a bucket for each of `pixels` over `seconds` (default: all), else the finest."""
        shown = self.seconds if seconds is None else seconds
        for rate in sorted(self.levels):
            if rate * shown >= pixels:
                return rate
        return max(self.levels)

    def louder_by(self, gain_db: float) -> "Peaks":
        """The waveform of the same sound after a constant gain; what passes full scale is cut there."""
        gain = 10 ** (gain_db / 20)
        louder = {
            rate: np.rint(np.clip(buckets * gain, -FULL_SCALE, FULL_SCALE)).astype(np.int8)
            for rate, buckets in self.levels.items()
        }
        return Peaks(self.seconds, louder)

    def for_picture(self, pixels: int) -> "Peaks":
        """What a picture of the whole sound, this wide, can show: `level_for` and what is coarser, nothing finer."""
        finest = self.level_for(pixels)
        return Peaks(self.seconds, {rate: buckets for rate, buckets in self.levels.items() if rate <= finest})

    def to_bytes(self) -> bytes:
        parts = [_HEADER.pack(MAGIC, self.seconds, len(self.levels))]
        parts += [_LEVEL.pack(rate, len(buckets)) for rate, buckets in self.levels.items()]
        parts += [np.ascontiguousarray(buckets, np.int8).tobytes() for buckets in self.levels.values()]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Peaks":
        """Raises ValueError if `data` is not what `to_bytes` writes."""
        if len(data) < _HEADER.size or data[:4] != MAGIC:
            raise ValueError(f"Peaks begin with {MAGIC!r}, but these begin with {data[:4]!r}; compute them again.")
        _, seconds, count = _HEADER.unpack_from(data)
        place = _HEADER.size + count * _LEVEL.size
        if count > 16 or len(data) < place:
            raise ValueError(f"Peaks of {count} levels do not fit into {len(data)} bytes; compute them again.")
        table = [_LEVEL.unpack_from(data, _HEADER.size + index * _LEVEL.size) for index in range(count)]
        if place + 2 * sum(length for _, length in table) != len(data):
            raise ValueError(f"The peaks' table does not fit their {len(data)} bytes; compute them again.")
        levels = {}
        for rate, length in table:
            levels[rate] = np.frombuffer(data, np.int8, 2 * length, place).reshape(-1, 2)
            place += 2 * length
        return cls(seconds, levels)


def make_peaks(samples: NDArray[np.float32], rate: int) -> Peaks:
    """Peaks of a mono sound (T,) at 50, 10 and 2 buckets a second. Raises ValueError if there are no samples."""
    if len(samples) == 0:
        raise ValueError("There are no samples to draw; decode the sound first.")
    finest = BUCKETS_PER_SECOND[0]
    extremes = _extremes(samples, rate, finest)
    levels = {}
    for per_second in BUCKETS_PER_SECOND:
        merged = _merge(extremes, finest // per_second)
        levels[per_second] = np.rint(np.clip(merged, -1, 1) * FULL_SCALE).astype(np.int8)
    return Peaks(len(samples) / rate, levels)


def _extremes(samples: NDArray[np.float32], rate: int, per_second: int) -> NDArray[np.float32]:
    """Lowest and highest sample per bucket, (buckets, 2). Bucket i begins at floor(i × rate / per_second)."""
    count = math.ceil(len(samples) * per_second / rate)
    result = np.empty((count, 2), np.float32)
    for first in range(0, count, _BLOCK_BUCKETS):
        last = min(count, first + _BLOCK_BUCKETS)
        bounds = np.arange(first, last + 1) * rate // per_second
        block = samples[bounds[0] : bounds[-1]]
        starts = np.minimum(bounds[:-1] - bounds[0], len(block) - 1)
        result[first:last, 0] = np.minimum.reduceat(block, starts)
        result[first:last, 1] = np.maximum.reduceat(block, starts)
    return result


def _merge(extremes: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    starts = np.arange(0, len(extremes), factor)
    lowest = np.minimum.reduceat(extremes[:, 0], starts)
    return np.stack([lowest, np.maximum.reduceat(extremes[:, 1], starts)], axis=1)
