"""The same dialogue with other pauses: for checks that set a dialogue against itself. Times are in seconds.

Only pauses change: each is longer or shorter by at most 50 ms and a tenth of itself, and there is more silence before
the first word. The words stay as they are, sample by sample.
"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

MOST_SECONDS = 0.05
MOST_SHARE = 0.1  # of the pause: 50 ms more would be heard in a pause of 200 ms, but not in one of 2 s
SHORTEST_PAUSE_SECONDS = 0.2
LEAD_SECONDS = (0.06, 0.25)  # more silence at the beginning: from, to
CROSSFADE_SECONDS = 0.005
_SMALLEST_SHARE = 0.25  # of the most that a pause may change: no pause stays as it was


@dataclass(frozen=True)
class PauseChange:
    """At `at` of the dialogue as it was, the pause becomes longer by `seconds`, or shorter where that is negative."""

    at: float
    seconds: float


def plan_pauses(speech: Sequence[Sequence[float]], seed: str) -> list[PauseChange]:
    """What changes in a dialogue whose speech lies in these stretches, in order of time; the same for the same seed."""
    dice = random.Random(seed)
    changes = [PauseChange(0.0, round(dice.uniform(*LEAD_SECONDS), 3))]
    for (_start, end), (start, _end) in pairwise(sorted((float(start), float(end)) for start, end in speech)):
        pause = start - end
        if pause < SHORTEST_PAUSE_SECONDS:
            continue
        most = min(MOST_SECONDS, MOST_SHARE * pause)
        change = dice.choice([-1, 1]) * dice.uniform(_SMALLEST_SHARE * most, most)
        changes.append(PauseChange(round((end + start) / 2, 3), round(change, 3)))
    return changes


class ChangedTime:
    """Where the moments of a dialogue lie after `changes`, which are in order of time. Never out of order."""

    def __init__(self, changes: Sequence[PauseChange]) -> None:
        self._changes = changes
        self._places = [change.at if change.at > 0 else -1.0 for change in changes]  # moment 0 lies after the new lead
        self._moved = [0.0, *accumulate(change.seconds for change in changes)]

    def __call__(self, second: float) -> float:
        passed = bisect_left(self._places, second)
        moved = second + self._moved[passed]
        if passed and self._changes[passed - 1].seconds < 0:
            last = self._changes[passed - 1]
            moved = max(moved, last.at + self._moved[passed - 1])  # what is taken out falls together at its beginning
        return moved


def changed_time(second: float, changes: Sequence[PauseChange]) -> float:
    """Where one moment lies after `changes`."""
    return ChangedTime(changes)(second)


def changed_stretches(stretches: Sequence[Sequence[float]], changes: Sequence[PauseChange]) -> list[list[float]]:
    """Where stretches lie after `changes`."""
    after = ChangedTime(changes)
    return [[after(start), after(end)] for start, end in stretches]


def vary_pauses(samples: NDArray[np.int16], rate: int, changes: Sequence[PauseChange]) -> NDArray[np.int16]:
    """The sound after `changes`, mono (T,).

    In the middle of a pause the sound goes on from a little earlier or later, over a crossfade of 5 ms: so a longer
    pause has the same noise as before, and no silence that would give it away. Only the beginning gets real silence.

    Raises:
        ValueError: if a change does not fit into the sound, so it was planned for another one.
    """
    overlap = round(CROSSFADE_SECONDS * rate)
    pieces: list[NDArray[np.int16]] = []
    place = 0  # in `samples`: up to here all is in `pieces`
    for change in changes:
        at, length = round(change.at * rate), round(change.seconds * rate)
        if at == 0 and length >= 0:
            pieces.append(np.zeros(length, np.int16))
            continue
        goes_on = at - length
        if min(at, goes_on) < place or max(at, goes_on) + overlap > len(samples):
            raise ValueError(
                f"A pause at {change.at} s cannot change by {change.seconds} s in a sound of {len(samples) / rate} s. "
                "Plan the changes from this sound's own speech."
            )
        pieces.append(samples[place:at])
        pieces.append(_crossfade(samples[at : at + overlap], samples[goes_on : goes_on + overlap]))
        place = goes_on + overlap
    pieces.append(samples[place:])
    return np.concatenate(pieces)


def _crossfade(before: NDArray[np.int16], after: NDArray[np.int16]) -> NDArray[np.int16]:
    """From one to the other at equal power, since two stretches of noise do not add in phase."""
    phase = np.linspace(0, np.pi / 2, len(before))
    mixed = before.astype(np.float64) * np.cos(phase) + after.astype(np.float64) * np.sin(phase)
    faded: NDArray[np.int16] = np.clip(np.rint(mixed), -32_768, 32_767).astype(np.int16)
    return faded
