"""What is done to one side of a check: a flat voice, an unsteady level, late replies, a voice that asks for an answer.

Every function takes and gives mono samples (T,), full scale ±1, at `rate` hertz. Times are in seconds. What becomes
longer says by which changes, so that turns and speech can move along (earshot.acoustics.pauses.ChangedTime).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from earshot.acoustics import vocoder
from earshot.acoustics.levels import TRUE_PEAK_CEILING_DBTP, integrated_lufs, true_peak_dbtp
from earshot.acoustics.pauses import PauseChange

Samples = NDArray[np.float64]
Stretch = Sequence[float]  # (start, end)

ONE_NOTE = vocoder.Prosody(level_semitones=-1.0, range_ratio=0.1)
SHORTEST_SPOKEN_SECONDS = 0.15  # of a turn that the vocoder takes
FADE_SECONDS = 0.01
LOUD_DB, SOFT_DB = (-2.0, 0.0), (-16.0, -12.0)  # an unsteady level goes from one to the other …
UNSTEADY_SECONDS = (0.5, 1.1)  # … in so long, and back
TONE_SECONDS = 0.1  # of the sound before a place, of which a longer pause is made
VOICE_MARGIN_SECONDS = 0.4  # of pause before and after an inserted voice


def flatten(samples: Samples, rate: int, turns: Sequence[Stretch]) -> Samples:
    """These turns said on nearly one note: F0's range a tenth of itself, a semitone lower. Nothing moves in time.

    The note is the mean of all of them, so that it stays the same from turn to turn.
    """
    spoken = [turn for turn in turns if turn[1] - turn[0] >= SHORTEST_SPOKEN_SECONDS]
    analyses = [vocoder.analyse(_cut(samples, rate, turn), rate) for turn in spoken]
    voiced = [analysis.voiced_log_f0 for analysis in analyses]
    if not any(len(each) for each in voiced):
        return samples
    note = float(np.concatenate(voiced).mean())
    flat = samples.copy()
    for turn, analysis in zip(spoken, analyses, strict=True):
        _lay_over(flat, vocoder.render(analysis, ONE_NOTE, mean_log_f0=note), round(turn[0] * rate), rate)
    return flat


def _cut(samples: Samples, rate: int, turn: Stretch) -> Samples:
    return samples[round(turn[0] * rate) : round(turn[1] * rate)]


def _lay_over(samples: Samples, said: Samples, first: int, rate: int) -> None:
    """Put `said` in place of what was there, faded in and out."""
    said = said[: len(samples) - first]
    last = first + len(said)
    fade = min(round(FADE_SECONDS * rate), len(said) // 2)
    weight = np.ones(len(said))
    weight[:fade] = np.linspace(0, 1, fade)
    weight[len(said) - fade :] = np.linspace(1, 0, fade)
    samples[first:last] = samples[first:last] * (1 - weight) + said * weight


def unsteady(samples: Samples, rate: int, turns: Sequence[Stretch], dice: np.random.Generator) -> Samples:
    """These turns with a level that sinks and comes back again and again, as with a broken automatic gain.

    Down from where it was, never up: the peaks would leave no room for the loudness of the other side.
    """
    changed = samples.copy()
    for turn in turns:
        part = _cut(samples, rate, turn)
        gain_db = _wandering(len(part), rate, dice)
        _lay_over(changed, part * 10 ** (gain_db / 20), round(turn[0] * rate), rate)
    return changed


def _wandering(length: int, rate: int, dice: np.random.Generator) -> Samples:
    """Decibels (length,) that go from loud to soft and back, never in quite the same time."""
    places, levels, is_soft = [0.0], [0.0], True
    while places[-1] * rate < length:
        places.append(places[-1] + dice.uniform(*UNSTEADY_SECONDS))
        levels.append(dice.uniform(*(SOFT_DB if is_soft else LOUD_DB)))
        is_soft = not is_soft
    return np.interp(np.arange(length) / rate, places, levels)


def lengthen(samples: Samples, rate: int, changes: Sequence[PauseChange]) -> tuple[Samples, list[PauseChange]]:
    """Longer pauses at these places, and by how much they really became longer: a whole number of samples.

    A pause goes on with the sound just before the place, back and forth, so it has the same noise, and no seam.

    Args:
        changes: in order of time, each by a positive number of seconds, at places where nobody speaks.
    Raises:
        ValueError: for a place outside the sound, or a change that is not longer.
    """
    pieces, made, place = [], [], 0
    for change in changes:
        at = round(change.at * rate)
        if not place <= at <= len(samples) or change.seconds <= 0:
            raise ValueError(
                f"No pause of {len(samples) / rate:.1f} s of sound can be {change.seconds} s longer at {change.at} s. "
                "Give places inside the sound, in order, and seconds above 0."
            )
        tone = _back_and_forth(samples[max(0, at - round(TONE_SECONDS * rate)) : at], round(change.seconds * rate))
        pieces += [samples[place:at], tone]
        made.append(replace(change, seconds=len(tone) / rate))
        place = at
    return np.concatenate([*pieces, samples[place:]]), made


def _back_and_forth(before: Samples, length: int) -> Samples:
    """About `length` samples: those of `before` backwards, forwards, backwards …, ending as it ends."""
    if len(before) == 0:
        return np.zeros(length)
    times = max(1, math.ceil(length / (2 * len(before))))
    n = max(1, round(length / (2 * times)))
    return np.tile(np.concatenate([before[-n:][::-1], before[-n:]]), times)


def insert_voice(samples: Samples, rate: int, at: float, voice: Samples, lufs: float) -> tuple[Samples, Stretch, float]:
    """`voice`, as loud as `lufs`, in a pause that is made longer for it at second `at`.

    Returns: the sound, where the voice is heard in it, and by how many seconds it is longer.
    """
    margin = round(VOICE_MARGIN_SECONDS * rate)
    wanted = PauseChange(at, (2 * margin + len(voice)) / rate)
    longer, [made] = lengthen(samples, rate, [wanted])
    first = round(at * rate) + margin
    loud = voice * 10 ** ((lufs - integrated_lufs(voice.astype(np.float32), rate)) / 20)
    longer[first : first + len(voice)] += loud
    return longer, (first / rate, (first + len(voice)) / rate), made.seconds


def at_level(samples: Samples, rate: int, lufs: float) -> tuple[Samples, float]:
    """The sound at `lufs` by one gain, or as near as its true peak lets it stay below −1 dBTP; and its level then.

    Raises:
        ValueError: if nothing can be heard in it.
    """
    narrow = samples.astype(np.float32)
    measured, peak = integrated_lufs(narrow, rate), true_peak_dbtp(narrow)
    if not math.isfinite(measured):
        raise ValueError(f"The sound has {measured} LUFS; nothing can be heard in it. Choose another dialogue.")
    gain_db = min(lufs - measured, TRUE_PEAK_CEILING_DBTP - peak)
    return samples * 10 ** (gain_db / 20), measured + gain_db
