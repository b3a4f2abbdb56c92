"""How a dialogue will be said, worked out before a sound is made: which phrase when, and its realised delivery.

Codes are relative to recordings that differ, so the same codes are realised differently from phrase to phrase. What
is realised is what listeners judge: pitch level and spread (weighted by amplitude), pace, energy and gaps, relative to
the voice.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from earshot.acoustics.vocoder import FRAME_SECONDS, Prosody, change_f0
from policy.learning.bank import FRAME_SAMPLES, RATE, Bank, Phrase
from policy.learning.codes import Codes, check_codes, code_values
from policy.learning.scenarios import Scenario
from policy.learning.voices import Measures, key

LEAD_SECONDS = 0.3  # silence at both ends of a dialogue
USER_GAP_SECONDS = 0.5  # before each user turn but the first
OPENER_GAP_SECONDS = 0.15  # between opener and sentence
EDGE_SECONDS = 0.03  # silence at either end of each recorded phrase; it counts towards the pause beside it
SEMITONES = 12 / math.log(2)  # per unit of ln F0
SMALLEST_SPREAD = 0.2  # semitones; a phrase with hardly a voiced frame has no logarithm of its spread

# How the user says a turn: semitones of level, and as ratios what the table in docs/practice-world.md gives in logs.
USER_PROSODY = {
    "calm": Prosody(),
    "joy": Prosody(4.0, math.exp(0.45), math.exp(0.12), 3.0),
    "sadness": Prosody(-3.0, math.exp(-0.5), math.exp(-0.18), -4.0),
    "worry": Prosody(3.0, math.exp(-0.4), math.exp(0.18), -2.0),
    "anger": Prosody(-0.5, math.exp(0.5), math.exp(0.1), 5.0),
}


class Turn(NamedTuple):
    """One turn of a dialogue; start and end in seconds from its beginning."""

    role: str
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class SpokenPhrase:
    """A phrase, how it is said, and its place: samples at RATE."""

    phrase: Phrase
    prosody: Prosody
    start: int
    length: int


@dataclass(frozen=True)
class Plan:
    """A whole dialogue before it sounds; `delivery` is plain JSON, as a manifest's meta["delivery"] has it."""

    phrases: tuple[SpokenPhrase, ...]
    turns: tuple[Turn, ...]
    n_samples: int
    delivery: dict[str, Any]


class Planner:
    """Plans dialogues of one bank.

    Args:
        cache_dir: where the bank's measures are kept; measured anew if left out.
    """

    def __init__(self, bank: Bank, cache_dir: Path | None = None) -> None:
        self._bank = bank
        self._measures = Measures(bank, cache_dir)
        self._melodies: dict[tuple[object, ...], tuple[float, float]] = {}

    def plan(self, scenario: Scenario, codes: Codes) -> Plan:
        """Place every phrase and tell how it will have been said.

        Raises:
            ValueError: if the codes do not fit the scenario or lie outside their tables.
        """
        check_codes(codes, len(scenario.arc))
        line = _TimeLine()
        delivery: dict[str, list[Any]] = {"user": [], "assistant": []}
        for number, values in enumerate(code_values(codes)):
            user = self.user_phrases(scenario, number)
            prosody = USER_PROSODY[scenario.arc[number]]
            pauses = (USER_GAP_SECONDS if number else LEAD_SECONDS + EDGE_SECONDS, OPENER_GAP_SECONDS)
            line.add_turn("user", scenario.user_text(number), zip(pauses, user, (prosody, prosody), strict=True))
            delivery["user"].append(self._realised(user, prosody))
            reply = scenario.text.exchanges[number].assistant
            prosodies = [prosody_of(row) for row in values]
            text = scenario.assistant_text(number)
            line.add_turn("assistant", text, zip(values[:, 4], reply, prosodies, strict=True))
            delivery["assistant"].append(
                [
                    self._realised((phrase,), prosody) | {"pause_s": float(row[4])}
                    for phrase, prosody, row in zip(reply, prosodies, values, strict=True)
                ]
            )
        n_samples = line.place + round(LEAD_SECONDS * RATE)
        return Plan(tuple(line.phrases), tuple(line.turns), n_samples, delivery)

    def user_phrases(self, scenario: Scenario, exchange: int) -> tuple[Phrase, Phrase]:
        """Opener and sentence."""
        emotion, opener = scenario.arc[exchange], scenario.openers[exchange]
        opening = self._bank.opener(scenario.text.user_voice, emotion, opener)
        return opening, scenario.text.exchanges[exchange].user

    def mean_log_f0(self, phrase: Phrase) -> float:
        """Of the phrase as it was recorded: what its range is scaled about."""
        return self._measures.melody(phrase).mean_log_f0

    def _realised(self, phrases: tuple[Phrase, ...], prosody: Prosody) -> dict[str, float]:
        voice = self._measures.voices[phrases[0].voice]
        level, spread = self._melody(phrases, prosody)
        rate = sum(phrase.n_syllables for phrase in phrases) / sum(phrase.seconds for phrase in phrases)
        power = self._measures.active_power(phrases)
        return {
            "level_st": round(level - voice.log_f0 * SEMITONES, 4),
            "spread": round(spread, 4),
            "log_rate": round(math.log(rate * prosody.pace_ratio / voice.rate), 4),
            "energy_db": round(10 * math.log10(power) - voice.level_db + prosody.energy_db, 4),
        }

    def _melody(self, phrases: tuple[Phrase, ...], prosody: Prosody) -> tuple[float, float]:
        """Mean and standard deviation of log F0 in semitones: remembered, because pace and energy do not change it."""
        name = (*map(key, phrases), prosody.level_semitones, prosody.range_ratio)
        if name not in self._melodies:
            melodies = [self._measures.melody(phrase) for phrase in phrases]
            f0 = [change_f0(melody.f0, prosody, melody.mean_log_f0) for melody in melodies]
            tones, weights = np.log(np.concatenate(f0)) * SEMITONES, np.concatenate([m.amplitude for m in melodies])
            level = float(np.average(tones, weights=weights))
            spread = math.sqrt(float(np.average((tones - level) ** 2, weights=weights)))
            self._melodies[name] = level, max(spread, SMALLEST_SPREAD)
        return self._melodies[name]


class _TimeLine:
    """Puts one phrase after the other."""

    def __init__(self) -> None:
        self.place = 0  # samples
        self.phrases: list[SpokenPhrase] = []
        self.turns: list[Turn] = []
        self._edge = 0.0  # seconds of silence that the last phrase ends with

    def add_turn(self, role: str, text: str, said: Iterable[tuple[float, Phrase, Prosody]]) -> None:
        """Each phrase after so many seconds of silence, in which the phrases' own silent edges are counted."""
        first = len(self.phrases)
        for pause, phrase, prosody in said:
            edge = EDGE_SECONDS / prosody.pace_ratio
            self.place += max(0, round((float(pause) - self._edge - edge) * RATE))
            length = stretched_frames(phrase.n_frames + 1, prosody.pace_ratio) * FRAME_SAMPLES
            self.phrases.append(SpokenPhrase(phrase, prosody, self.place, length))
            self.place += length
            self._edge = edge
        self.turns.append(Turn(role, self.phrases[first].start / RATE, self.place / RATE, text))


def prosody_of(values: npt.NDArray[np.float64]) -> Prosody:
    """What one row of `code_values` asks of the vocoder."""
    pitch, log_range, log_pace, energy, _ = map(float, values)
    return Prosody(pitch, math.exp(log_range), math.exp(log_pace), energy)


@lru_cache(maxsize=4096)
def stretched_frames(n_frames: int, pace_ratio: float) -> int:
    """How many frames vocoder.stretch makes of so many, by the same sums."""
    end = np.cumsum(np.full(n_frames, FRAME_SECONDS / pace_ratio))[-1]
    return len(np.arange(0.0, end - FRAME_SECONDS / 2, FRAME_SECONDS))
