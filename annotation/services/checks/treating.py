"""What is done to one side of a check, so that its right answer is known: in Pair.treatment, and heard in the room.

    {"letter": "b", "kind": "flat" | "unsteady" | "spoken", "changes": [[at, seconds]], "inserted": [[start, end]],
     "sound": {…}, …}

`changes` and `inserted` are what annotation.services.renditions needs to move turns, speech and marks along.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.material.wishes import spoken_wish
from annotation.models import Dialogue, Pair, Turn
from annotation.services.renditions import ensure_rendition, keep_sound, played_level, read_rendition
from earshot.acoustics import treatments
from earshot.acoustics.pauses import PauseChange

Samples = NDArray[np.float64]
Stretch = Sequence[float]

TONE_LANGUAGES = ("zh", "yue", "vi", "th")  # on one note their words would be lost
LATE_SECONDS = (2.0, 3.0)  # of silence before each reply of a gold check's worse side, beside what there was
LAST_FIFTH = 0.8
SEAM_SECONDS = 0.1  # after speech, before anything is inserted
NEAR_SECONDS = 0.6  # a voice so soon after a turn is drawn as part of it
LEVEL_SLACK_LU = 0.2  # the pair is lowered if a treated side cannot come as near as this to its level


@dataclass(frozen=True)
class Treated:
    """A side that was treated: what is kept of it, and the level (LUFS) at which the pair is to be played."""

    treatment: dict[str, Any]
    level_lufs: float


@dataclass(frozen=True)
class _Changed:
    samples: Samples
    changes: list[PauseChange]
    inserted: Sequence[Stretch] = ()


def worse_kinds(language: str) -> list[str]:
    """How a gold check's worse side may be made worse in this language."""
    has_tones = language.lower().split("-")[0] in TONE_LANGUAGES
    return ["unsteady"] if has_tones else ["flat", "unsteady"]


def make_worse(pair: Pair, letter: str, kind: str, dice: random.Random) -> Treated:
    """One side with replies that come late, on one note or at an unsteady level: a bad system, beyond doubt.

    Raises:
        ValueError: if the dialogue has no reply, or nothing can be heard in it.
    """
    dialogue = pair.dialogue(letter)
    samples, rate = _heard(pair, letter)
    turns = list(dialogue.turns.all())
    replies = [(turn.start, turn.end) for turn in turns if turn.role == Turn.Role.ASSISTANT]
    if not replies:
        raise ValueError(f"Dialogue {dialogue.dialogue_id!r} has no reply that could be made worse. Choose another.")
    if kind == "flat":
        worse = treatments.flatten(samples, rate, replies)
    else:
        worse = treatments.unsteady(samples, rate, replies, np.random.default_rng(dice.getrandbits(64)))
    late = [PauseChange(at, dice.uniform(*LATE_SECONDS)) for at in places_before_replies(turns, dialogue.speech)]
    longer, changes = treatments.lengthen(worse, rate, late)
    return _kept(pair, letter, _Changed(longer, changes), rate, {"kind": kind})


def say_wish(pair: Pair, letter: str, wish: str, language: str, dice: random.Random) -> Treated:
    """One side in which a voice asks late for a certain answer."""
    dialogue = pair.dialogue(letter)
    samples, rate = _heard(pair, letter)
    at = place_of_wish(dialogue, dice)
    voice = spoken_wish(language, wish).samples()
    level = played_level(dialogue, pair.level_lufs)
    longer, stretch, seconds = treatments.insert_voice(samples, rate, at, voice, level)
    drawn = drawn_place(dialogue, at)
    changed = _Changed(longer, [PauseChange(drawn, seconds)], [stretch])
    facts = {"kind": "spoken", "prompt": wish, "language": language, "at": round(stretch[0], 3)}
    return _kept(pair, letter, changed, rate, facts)


def places_before_replies(turns: Sequence[Turn], speech: Sequence[Stretch]) -> list[float]:
    """Where a reply can be made to wait: in the pause before each of the assistant's turns that follows the user's."""
    pauses, places = pauses_of(speech), []
    for before, reply in pairwise(turns):
        if reply.role != Turn.Role.ASSISTANT or before.role == Turn.Role.ASSISTANT:
            continue
        near = [
            (start, end) for start, end in pauses if start <= reply.start + NEAR_SECONDS and end >= before.end - 0.5
        ]
        if not near:
            continue  # the reply begins over the other's last words
        start, end = min(near, key=lambda pause: abs((pause[0] + pause[1]) / 2 - reply.start))
        before_it = min((start + end) / 2, reply.start - 0.01)  # so that the turn moves as a whole
        places.append(max(start + SEAM_SECONDS, before_it))
    return sorted(set(places))


def place_of_wish(dialogue: Dialogue, dice: random.Random) -> float:
    """In a pause of the last fifth; without one, after the last word."""
    late = [start for start, _end in pauses_of(dialogue.speech) if start >= LAST_FIFTH * dialogue.seconds]
    last = max((float(end) for _start, end in dialogue.speech), default=dialogue.seconds)
    return min(dialogue.seconds, (dice.choice(late) if late else last) + SEAM_SECONDS)


def drawn_place(dialogue: Dialogue, at: float) -> float:
    """Where the room's turns part for a voice at `at`: just before the end of the turn that went before.

    So the voice stands inside a turn on the page, and no stretch of sound without a turn tells that it is coming.
    """
    ends = [turn.end for turn in dialogue.turns.all() if turn.end <= at and at - turn.end <= NEAR_SECONDS]
    later = any(turn.start < at < turn.end for turn in dialogue.turns.all())
    return at if later or not ends else max(ends) - 0.001


def pauses_of(speech: Sequence[Stretch]) -> list[tuple[float, float]]:
    """Between the stretches of speech, in order, long enough that something can be put in."""
    ordered = sorted((float(start), float(end)) for start, end in speech)
    return [(end, start) for (_before, end), (start, _after) in pairwise(ordered) if start - end > SEAM_SECONDS]


def _heard(pair: Pair, letter: str) -> tuple[Samples, int]:
    """The side as it is played untreated, (T,) in full scale ±1, and its rate."""
    dialogue = pair.dialogue(letter)
    rendition = ensure_rendition(dialogue, played_level(dialogue, pair.level_lufs))
    return read_rendition(rendition).astype(np.float64) / 32_767, rendition.sample_rate


def _kept(pair: Pair, letter: str, changed: _Changed, rate: int, facts: dict[str, Any]) -> Treated:
    """Bring it to the level of the other side, or say how far both must be lowered, and keep its sound."""
    wanted = played_level(pair.dialogue(letter), pair.level_lufs)
    samples, reached = treatments.at_level(changed.samples, rate, wanted)
    level = pair.level_lufs
    if reached < wanted - LEVEL_SLACK_LU:
        level = np.floor(reached * 10) / 10
        samples, reached = treatments.at_level(changed.samples, rate, level)
    whole = np.clip(np.rint(samples * 32_767), -32_768, 32_767).astype(np.int16)
    sound = keep_sound(whole, rate)
    treatment = {
        "letter": letter,
        **facts,
        "changes": [[change.at, change.seconds] for change in changed.changes],
        "inserted": [list(stretch) for stretch in changed.inserted],
        "sound": asdict(sound),
        "lufs": round(reached, 2),
    }
    return Treated(treatment, float(level))
