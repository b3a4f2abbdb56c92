"""One signal from a dialogue that came as one sound per turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
import soxr
from numpy.typing import NDArray

from earshot.acoustics.decoding import Sound
from earshot.acoustics.errors import AudioError

DEFAULT_GAP_SECONDS = 0.5  # between turns that have no times


@dataclass(frozen=True)
class TurnSound:
    """One turn's sound and where it starts; None puts it after the turn before, with the default gap."""

    sound: Sound
    start: float | None = None


@dataclass(frozen=True, eq=False)
class Assembled:
    """The dialogue as one mono sound, with (start, end) of each turn as it really lies in it."""

    samples: NDArray[np.float32]
    rate: int
    seconds: float
    times: list[tuple[float, float]]


def assemble_turns(
    turns: Sequence[TurnSound], *, gap_seconds: float = DEFAULT_GAP_SECONDS, max_seconds: float = 3_600.0
) -> Assembled:
    """Lay the turns on one time axis and add them where they overlap, all at the highest rate among them.

    Raises:
        AudioError: if there are no turns, a start lies before zero, or the whole passes `max_seconds`.
    """
    if not turns:
        raise AudioError("The dialogue has no turns to assemble. Give at least one.")
    rate = max(turn.sound.rate for turn in turns)
    places = _places(turns, rate, gap_seconds)
    length = max(end for _, end in places)
    if length > max_seconds * rate:
        raise AudioError(
            f"The turns reach to {length / rate:.1f} s; the limit is {max_seconds:.0f} s. Cut the dialogue."
        )
    samples = np.zeros(length, np.float32)
    for turn, (start, end) in zip(turns, places, strict=True):
        sound = turn.sound
        at_rate = sound.samples if sound.rate == rate else soxr.resample(sound.samples, sound.rate, rate, quality="HQ")
        kept = at_rate[: end - start]
        samples[start : start + len(kept)] += kept
    return Assembled(samples, rate, length / rate, [(start / rate, end / rate) for start, end in places])


def _places(turns: Sequence[TurnSound], rate: int, gap_seconds: float) -> list[tuple[int, int]]:
    """First and last sample (exclusive) of each turn at the common rate."""
    places: list[tuple[int, int]] = []
    for turn in turns:
        if turn.start is not None and not turn.start >= 0:
            raise AudioError(f"A turn starts at {turn.start} s. Count from the dialogue's beginning, 0 or later.")
        if turn.start is not None:
            start = round(turn.start * rate)
        else:
            start = places[-1][1] + round(gap_seconds * rate) if places else 0
        common = gcd(rate, turn.sound.rate)
        length = -(-len(turn.sound.samples) * (rate // common) // (turn.sound.rate // common))
        places.append((start, start + length))
    return places
