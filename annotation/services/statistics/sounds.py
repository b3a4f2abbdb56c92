"""How the dialogues sound, for style control: one row of facts per dialogue, measured once and kept."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from annotation.models import Dialogue, Turn
from annotation.services.statistics.reading import Floats, Ints, PairFacts
from earshot.acoustics.pitch import measure_pitch
from earshot.jobs import artefacts

log = logging.getLogger(__name__)
COVARIATES = ("duration", "level", "speech_rate", "pitch_mean", "pitch_spread", "response_gap", "turns")
MOST_IN_A_QUERY = 500
PITCH_SECONDS = 300.0  # of one update; the rest is measured by the next
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class SoundFacts:
    """`facts` is (dialogues, len(COVARIATES)) with nan where a fact is not known; `dialogue` is sorted."""

    dialogue: Ints
    facts: Floats
    n_unmeasured: int  # dialogues whose pitch was not measured yet

    def differences(self, pairs: PairFacts, row: Ints) -> Floats:
        """a − b of the pairs in these rows, (rows, len(COVARIATES)). They must be among those that were read."""
        places = [np.searchsorted(self.dialogue, side[row]) for side in (pairs.dialogue_a, pairs.dialogue_b)]
        difference: Floats = self.facts[places[0]] - self.facts[places[1]]
        return difference


def read_sound_facts(pairs: PairFacts) -> SoundFacts:
    """The facts of all dialogues of these pairs.

    Duration (ln s), level (LUFS of what is played), and of the assistant's turns: speech rate (ln characters per
    second), mean pitch and spread of pitch (semitones; the spread from the 5th to the 95th percentile of a turn),
    response gap (s, from the end of the user's turn before); and the number of turns.
    """
    wanted = np.unique(np.concatenate([pairs.dialogue_a, pairs.dialogue_b]))
    facts = np.full((len(wanted), len(COVARIATES)), np.nan)
    n_unmeasured = 0
    for first in range(0, len(wanted), MOST_IN_A_QUERY):
        some = wanted[first : first + MOST_IN_A_QUERY].tolist()
        turns = _read_turns(some)
        rows = Dialogue.objects.filter(pk__in=some).order_by("pk")
        for row, (pk, seconds, lufs, gain, pitch) in enumerate(
            rows.values_list("pk", "seconds", "lufs", "gain_db", "pitch"), start=first
        ):
            n_unmeasured += pitch is None
            facts[row] = [math.log(seconds), lufs + gain, *_of_turns(turns.get(pk, []), pitch or [])]
    return SoundFacts(wanted, facts, n_unmeasured)


def _read_turns(dialogues: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    turns: dict[int, list[tuple[Any, ...]]] = {}
    rows = Turn.objects.filter(dialogue__in=dialogues).order_by("dialogue_id", "position")
    for dialogue, *turn in rows.values_list("dialogue_id", "role", "start", "end", "text"):
        turns.setdefault(dialogue, []).append(tuple(turn))
    return turns


def _of_turns(turns: list[tuple[Any, ...]], pitch: list[list[float] | None]) -> list[float]:
    replies = [place for place, turn in enumerate(turns) if turn[0] == Turn.Role.ASSISTANT]
    spoken = sum(turns[place][2] - turns[place][1] for place in replies if turns[place][3])
    characters = sum(len("".join(turns[place][3].split())) for place in replies)
    gaps = [
        turns[place][1] - turns[place - 1][2] for place in replies if place and turns[place - 1][0] == Turn.Role.USER
    ]
    heard = [pitch[place] for place in replies if place < len(pitch)]
    voiced = [each for each in heard if each is not None]
    return [
        math.log(characters / spoken) if characters and spoken > 0 else math.nan,
        float(np.mean([12 * math.log2(each[0]) for each in voiced])) if voiced else math.nan,
        float(np.mean([each[1] for each in voiced])) if voiced else math.nan,
        float(np.mean(gaps)) if gaps else math.nan,
        float(len(turns)) or math.nan,
    ]


def measure_missing_pitch(pairs: PairFacts, report: Report, *, most_seconds: float = PITCH_SECONDS) -> tuple[int, int]:
    """Measure and keep the pitch of dialogues that lack it, for so long at most.

    Returns: how many were measured, and how many were tried in vain. The others' turn has not come yet.
    """
    wanted = set(np.unique(np.concatenate([pairs.dialogue_a, pairs.dialogue_b])).tolist())
    rows = Dialogue.objects.filter(pitch__isnull=True).order_by("pk").values_list("pk", "master_sha256")
    missing = [(pk, sha256) for pk, sha256 in rows if pk in wanted]
    begun, done, in_vain = time.monotonic(), 0, 0
    for pk, sha256 in missing:
        if time.monotonic() - begun > most_seconds:
            break
        report(done + in_vain, len(missing))
        measured = _measure(pk, sha256)
        if measured is None:
            in_vain += 1
        else:
            Dialogue.objects.filter(pk=pk).update(pitch=measured)
            done += 1
    return done, in_vain


def _measure(pk: int, sha256: str) -> list[list[float] | None] | None:
    """Of each turn [median in Hz, range in semitones]; None where the sound is not in the store or cannot be read."""
    if not artefacts.has_artefact(sha256):
        return None
    try:
        with artefacts.open_artefact(sha256) as file:
            samples, rate = soundfile.read(file, dtype="float32")
    except soundfile.LibsndfileError as error:
        log.warning("The sound of dialogue %s cannot be read: %s. Its pitch stays unknown.", pk, error)
        return None
    found: list[list[float] | None] = []
    for start, end in Turn.objects.filter(dialogue=pk).order_by("position").values_list("start", "end"):
        pitch = measure_pitch(samples, rate, start, end)
        known = pitch.median_hz is not None and pitch.range_semitones is not None
        found.append([round(pitch.median_hz, 2), round(pitch.range_semitones, 3)] if known else None)  # type: ignore[arg-type]
    return found
