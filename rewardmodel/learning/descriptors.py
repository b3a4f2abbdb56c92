"""A few numbers per turn that say how it was spoken: pitch, its spread, energy, pace, gaps.

Every number is relative to the dialogue or the speaker, so none changes with the gain of the sound, or with silence at
its ends that is a whole number of frames. All positions are in frames.

The policy spends most of its training here, on turns of a hundred frames: what depends on single frames is worked
out once for a dialogue (`Contour`), and the commonest figures are taken without numpy's convenience functions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rewardmodel.learning.words import count_syllables, inner_break

DESCRIPTORS = (
    "pitch_level",  # semitones above the speaker's mean in this dialogue
    "pitch_height",  # octaves above 150 Hz: which voice, and how high it is
    "pitch_spread",  # ln of the standard deviation within a part of the turn, in 2.4 semitones
    "pitch_step",  # semitones from the first part of the turn to the second
    "energy",  # dB above the dialogue's level
    "energy_step",  # dB from the first part to the second
    "pace",  # ln of syllables per second of speech, in 4 per second
    "gap",  # ln of the silence before the turn, in 0.45 s
    "pause",  # ln of the silence between the turn's two parts, in 0.25 s
    "seconds",  # ln of the speech's length, in 3 s
    "voiced",  # share of voiced frames
)
# Smaller differences than these are not heard, or not measured; they must not be blown up where nothing else differs.
SMALLEST_SCALES = (0.4, 0.05, 0.06, 0.5, 0.5, 0.5, 0.04, 0.15, 0.15, 0.04, 0.03)
SHORTEST_GAP, LONGEST_GAP = 0.06, 3.0  # seconds; overlapping turns count as the shortest
SHORTEST_PAUSE, LONGEST_PAUSE = 0.04, 1.5
SILENT_BELOW_DB = 28.0  # below the loud frames of the turn
LOUD_SHARE = 0.9  # the loud frames begin at this quantile
HEARD_BELOW_PEAK_DB = 30.0
LARGEST_OFFSET = 10.0  # semitones from the median of a turn; what lies further is an octave error
SMALLEST_SPREAD = 0.15  # semitones
MIDDLE_VOICE = 12 * np.log2(1.5)  # 150 Hz, semitones above 100 Hz
BREAK_WIDTH = 0.12  # how far from its expected place, as a share of the turn, the middle break is looked for

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Contour:
    """Energy and pitch of the dialogue's T frames."""

    energy: Floats  # (T,) dB
    power: Doubles  # (T,)
    is_voiced: npt.NDArray[np.bool_]  # (T,)
    voiced_before: Ints  # (T + 1,) how many frames are voiced before each
    tones: Doubles  # (voiced frames,) semitones above 100 Hz
    amplitudes: Doubles  # (voiced frames,) that weigh them

    @classmethod
    def of(cls, energy: Floats, f0: Floats) -> "Contour":
        is_voiced = f0 > 0
        voiced_before = np.zeros(len(f0) + 1, np.int64)
        np.cumsum(is_voiced, out=voiced_before[1:])
        tones = 12 * np.log2(f0[is_voiced].astype(np.float64) / 100.0)
        power = 10 ** (energy.astype(np.float64) / 10)
        return cls(energy, power, is_voiced, voiced_before, tones, np.sqrt(power[is_voiced]))

    def voiced_share(self, first: int, last: int) -> float:
        return int(self.voiced_before[last] - self.voiced_before[first]) / (last - first)

    def melody_between(self, first: int, last: int) -> "Melody | None":
        """Of the voiced frames, without octave errors; None where nothing is voiced."""
        voiced = slice(self.voiced_before[first], self.voiced_before[last])
        tones, weights = self.tones[voiced], self.amplitudes[voiced]
        if not len(tones):
            return None
        kept = np.abs(tones - _median(tones)) < LARGEST_OFFSET
        return melody_of(tones[kept], weights[kept])

    def level_between(self, first: int, last: int, active: npt.NDArray[np.bool_]) -> float:
        """Level (dB) of the mean power of the active frames; of all, if none is."""
        power = self.power[first:last]
        kept = power[active] if active.any() else power
        return float(10 * np.log10(_mean(kept))) if len(kept) else 0.0


def _mean(values: Doubles) -> float:
    return float(np.add.reduce(values)) / len(values)


class Melody(NamedTuple):
    """Mean and standard deviation of a stretch's pitch in semitones, weighted by amplitude.

    Weak voiced frames, at the ends of words above all, are hardly heard, and no two methods find the same F0 there.
    """

    mean: float
    spread: float


def melody_of(tones: Doubles, weights: Doubles) -> Melody:
    """Of semitones (n,) and the amplitudes (n,) that weigh them, n > 0."""
    total = float(np.add.reduce(weights))
    mean = float(np.add.reduce(weights * tones)) / total
    off = tones - mean
    return Melody(mean, math.sqrt(float(np.add.reduce(weights * off * off)) / total))


def _median(values: Doubles) -> float:
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    ordered = np.partition(values, (middle - 1, middle))
    return (float(ordered[middle - 1]) + float(ordered[middle])) / 2


def _loud(values: Floats) -> np.float32:
    """The quantile LOUD_SHARE, between the two values that it lies between: as np.percentile gives it, to the bit."""
    place = (len(values) - 1) * LOUD_SHARE
    before = int(place)
    after = min(before + 1, len(values) - 1)
    ordered = np.partition(values, (before, after))
    share, step = place - before, ordered[after] - ordered[before]
    found = ordered[before] + step * share if share < 0.5 else ordered[after] - step * (1 - share)
    return np.float32(found)


@dataclass(frozen=True, eq=False)
class Speech:
    """Where a turn's speech lies: frames first … last − 1, the active ones among them."""

    first: int
    last: int
    active: npt.NDArray[np.bool_]  # (last − first,)
    before: float  # frames from the turn's beginning to its speech, and from its speech to its end
    after: float
    start: float  # the turn's own times
    end: float
    level: float  # dB, of the active frames


def find_speech(contour: Contour, start: float, end: float) -> Speech:
    """The speech between `start` and `end` (frames), without silence at its ends."""
    n_frames = len(contour.energy)
    low = min(max(0, _nearest(start)), n_frames - 1)
    high = max(low + 1, min(n_frames, _nearest(end)))
    inside = contour.energy[low:high]
    heard = inside[inside > inside.max() - HEARD_BELOW_PEAK_DB]  # or silence in the turn would move the percentile
    active = inside > _loud(heard) - SILENT_BELOW_DB
    places = active.nonzero()[0]
    first, last = int(places[0]), int(places[-1]) + 1
    active = active[first:last]
    level = contour.level_between(low + first, low + last, active)
    return Speech(low + first, low + last, active, low + first - start, end - low - last, start, end, level)


def _nearest(place: float) -> int:
    """Half a frame always goes up: round() takes 12.5 down and 87.5 up, so silence before a turn would move it."""
    return math.floor(round(place, 6) + 0.5)


def dialogue_level(spoken: Sequence[Speech]) -> float:
    """The level (dB) that everything in the dialogue is relative to: the mean of its turns' levels."""
    return float(np.mean([speech.level for speech in spoken]))


def speaker_heights(contour: Contour, spoken: Sequence[Speech], is_user: npt.NDArray[np.bool_]) -> Doubles:
    """Each turn's speaker's mean pitch in this dialogue, semitones above 100 Hz, (T,); 0 if nothing is voiced."""
    heights = np.zeros(len(spoken))
    for speaker in (True, False):
        turns = np.flatnonzero(is_user == speaker).tolist()
        melodies = [contour.melody_between(spoken[turn].first, spoken[turn].last) for turn in turns]
        means = [melody.mean for melody in melodies if melody]
        heights[turns] = np.mean(means) if means else 0.0
    return heights


def describe(
    contour: Contour,
    spoken: Sequence[Speech],
    *,
    texts: Sequence[str],
    level: float,
    heights: Doubles,
    frame_rate: int,
) -> Floats:
    """DESCRIPTORS of every turn: (T, len(DESCRIPTORS))."""
    rows = []
    for number, (speech, text) in enumerate(zip(spoken, texts, strict=True)):
        gap = SHORTEST_GAP
        if number:
            earlier = spoken[number - 1]
            gap = (speech.start - earlier.end + speech.before + earlier.after) / frame_rate
        middle = find_break(speech.active, inner_break(text))
        rows.append(
            [
                *_pitch_and_energy(contour, speech, middle, level, float(heights[number])),
                *_timing(speech, middle, text, gap, frame_rate),
                contour.voiced_share(speech.first, speech.last),
            ]
        )
    return np.array(rows, dtype=np.float32)


def _pitch_and_energy(
    contour: Contour, speech: Speech, middle: tuple[int, int], level: float, height: float
) -> tuple[float, float, float, float, float, float]:
    parts = ((speech.first, speech.first + middle[0]), (speech.first + middle[1], speech.last))
    melodies = [melody for melody in (contour.melody_between(first, last) for first, last in parts) if melody]
    means = [melody.mean for melody in melodies]
    spreads = [float(np.log(max(melody.spread, SMALLEST_SPREAD) / 2.4)) for melody in melodies]
    levels = [
        contour.level_between(first, last, speech.active[first - speech.first : last - speech.first])
        for first, last in parts
    ]
    pitch = sum(means) / len(means) if means else height
    return (
        pitch - height,
        (pitch - MIDDLE_VOICE) / 12,
        sum(spreads) / len(spreads) if spreads else 0.0,
        means[1] - means[0] if len(means) == 2 else 0.0,
        sum(levels) / 2 - level,
        levels[1] - levels[0],
    )


def _timing(
    speech: Speech, middle: tuple[int, int], text: str, gap: float, frame_rate: int
) -> tuple[float, float, float, float]:
    pause = (middle[1] - middle[0]) / frame_rate
    seconds = len(speech.active) / frame_rate - pause
    syllables = max(count_syllables(text), 1)
    return (
        float(np.log(syllables / max(seconds, 0.1) / 4.0)),
        float(np.log(min(max(gap, SHORTEST_GAP), LONGEST_GAP) / 0.45)),
        float(np.log(min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE) / 0.25)),
        float(np.log(max(seconds, 0.1) / 3.0)),
    )


def find_break(active: npt.NDArray[np.bool_], expected: float) -> tuple[int, int]:
    """The silence that parts the turn: the longest one near its expected place (a share of the frames).

    Without any silence there, both numbers are that place. The first and the last frame are active, so that each part
    holds at least one frame of a turn of two or more.
    """
    n_frames = len(active)
    edges = (active[1:] != active[:-1]).nonzero()[0]
    if len(edges):
        firsts, lasts = edges[::2] + 1, edges[1::2] + 1
        n_active = int(np.count_nonzero(active))
        place = np.cumsum(active)[firsts - 1] / n_active  # of speech, not of time: a long pause must not move itself
        worth = (lasts - firsts) * np.exp(-0.5 * ((place - expected) / BREAK_WIDTH) ** 2)
        best = int(np.argmax(worth))
        if worth[best] >= 1.0:
            return int(firsts[best]), int(lasts[best])
    middle = min(max(1, round(expected * n_frames)), max(n_frames - 1, 1))
    return middle, middle
