"""The demo's systems: ways to say a script's assistant turns, well or badly, always changed by the same amounts.

A plan says for every turn which recording is used, what the vocoder does to it and how long the silence before it is.
For one turn of one scenario every system uses the same amounts |log ratio| of level, range, pace, energy and gap; a
system only chooses their signs. So each side of a pair went through the same vocoder and was changed as much.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from earshot.acoustics.vocoder import Prosody
from earshot.demo.arcs import FITTING, PROPERTIES, Property, Signs, TurnFit, latent_utilities
from earshot.demo.bank import Recording, Script, ScriptTurn

# Largest amounts, at intensity 1. In one pair the two sides differ by twice as much where their signs differ.
AMOUNTS: Mapping[Property, float] = {
    "level": 1.6,  # semitones
    "range": math.log(1.45),  # log ratio of the spread of log F0
    "pace": math.log(1.12),  # log ratio
    "energy": 2.5,  # dB
    "gap": math.log(3.0),  # log ratio to BASE_GAP_SECONDS, whatever the intensity
}
PAUSE_LOG_RATIO = math.log(1.3)  # pauses inside a turn grow as its pace falls
JITTER = 0.12  # amounts differ between turns by up to this share, or they would be a signature
USER_SHARE = 0.5  # user turns are changed half as much, in the fitting direction, alike in all systems
BASE_GAP_SECONDS = 0.45  # before an assistant turn: fitting gaps are 0.15 s or 1.35 s
USER_GAP_SECONDS = 0.5

CLIP_SYSTEMS = ("recording", "broken-turn", "ill-timed")  # made by choosing clips and gaps, without a vocoder
RENDERED_SYSTEMS = ("expressive", "flat", "broken-turn", "ill-timed", "hurried", "steady", "voice-slip")


@dataclass(frozen=True)
class TurnPlan:
    """How one turn is to sound."""

    recording: Recording
    gap_seconds: float  # silence before it
    prosody: Prosody | None  # None: the recording as it is
    fit: TurnFit | None  # of assistant turns only


@dataclass(frozen=True)
class DialoguePlan:
    system: str
    turns: tuple[TurnPlan, ...]
    broken_turn: int | None  # index of the one turn that is out of character, if there is one
    has_voice_slip: bool = False

    @property
    def utilities(self) -> dict[str, float]:
        fits = [turn.fit for turn in self.turns if turn.fit is not None]
        return latent_utilities(fits, has_voice_slip=self.has_voice_slip)


def systems_of(script: Script) -> list[str]:
    """Which systems speak this script: one or two of the optional ones in turn, so that all are compared with all."""
    if not script.is_rendered:
        has_broken_turn = any(len(turn.recordings) > 1 for turn in script.turns)
        return [system for system in CLIP_SYSTEMS if system != "broken-turn" or has_broken_turn]
    optional = random.Random(script.scenario_id).choice(["hurried", "steady"])
    slip = ["voice-slip"] if len(script.assistant_voices) > 1 else []
    return ["expressive", "flat", "broken-turn", "ill-timed", optional, *slip]


def plan_dialogue(script: Script, system: str) -> DialoguePlan:
    """Lay out how `system` speaks `script`.

    Raises:
        ValueError: if the system does not speak this script.
    """
    if system not in systems_of(script):
        raise ValueError(f"{system!r} does not speak {script.scenario_id!r}; choose from {systems_of(script)}.")
    broken = broken_turn_of(script)
    slips = system == "voice-slip"
    turns = tuple(
        _plan_user_turn(script, index)
        if turn.role == "user"
        else _plan_assistant_turn(script, index, system, is_broken=index == broken)
        for index, turn in enumerate(script.turns)
    )
    return DialoguePlan(system, turns, broken if system in ("broken-turn", "voice-slip") else None, slips)


def broken_turn_of(script: Script) -> int | None:
    """The turn that breaks: where a clip with another emotion was recorded, else the strongest in the middle."""
    if not script.is_rendered:
        return next((i for i, turn in enumerate(script.turns) if len(turn.recordings) > 1), None)
    middle = script.assistant_turns[1:-1] or script.assistant_turns
    return max(middle, key=lambda index: (script.turns[index].intensity, -index))


def _plan_user_turn(script: Script, index: int) -> TurnPlan:
    turn = script.turns[index]
    prosody = None
    if script.is_rendered:
        prosody = _prosody(_amounts(script, index, USER_SHARE * turn.intensity), FITTING[turn.emotion])
    return TurnPlan(turn.recording(), USER_GAP_SECONDS, prosody, None)


def _plan_assistant_turn(script: Script, index: int, system: str, *, is_broken: bool) -> TurnPlan:
    turn = script.turns[index]
    fitting = FITTING[turn.emotion]
    amounts = _amounts(script, index, turn.intensity)
    signs = SIGNS[system](fitting, index, is_broken)
    fits = {name: signs[name] * fitting[name] for name in PROPERTIES}
    return TurnPlan(
        recording=_recording(turn, script, system, is_broken),
        gap_seconds=round(BASE_GAP_SECONDS * math.exp(signs["gap"] * amounts["gap"]), 3),
        prosody=_prosody(amounts, signs) if script.is_rendered else None,
        fit=TurnFit(turn.intensity, fits),
    )


def _recording(turn: ScriptTurn, script: Script, system: str, is_broken: bool) -> Recording:
    if is_broken and system == "voice-slip":
        return turn.recording(voice=script.assistant_voices[1])
    if is_broken and system == "broken-turn" and not script.is_rendered:
        return turn.recordings[1]
    return turn.recording()


def _amounts(script: Script, index: int, share: float) -> dict[Property, float]:
    chance = random.Random(f"{script.scenario_id}:{index}")
    amounts = {name: AMOUNTS[name] * share * chance.uniform(1 - JITTER, 1 + JITTER) for name in PROPERTIES}
    return {**amounts, "gap": AMOUNTS["gap"]}


def _prosody(amounts: Mapping[Property, float], signs: Signs) -> Prosody:
    pauses = PAUSE_LOG_RATIO * amounts["pace"] / AMOUNTS["pace"]
    return Prosody(
        level_semitones=signs["level"] * amounts["level"],
        range_ratio=math.exp(signs["range"] * amounts["range"]),
        pace_ratio=math.exp(signs["pace"] * amounts["pace"]),
        energy_db=signs["energy"] * amounts["energy"],
        pause_ratio=math.exp(-signs["pace"] * pauses),
    )


def _all_fitting(fitting: Signs, index: int, is_broken: bool) -> Signs:
    return fitting


def _flat(fitting: Signs, index: int, is_broken: bool) -> Signs:
    return {"level": -1, "range": -1, "pace": -1, "energy": -1, "gap": fitting["gap"]}


def _broken(fitting: Signs, index: int, is_broken: bool) -> Signs:
    return {name: -sign if is_broken and name != "gap" else sign for name, sign in fitting.items()}


def _ill_timed(fitting: Signs, index: int, is_broken: bool) -> Signs:
    return {**fitting, "gap": -fitting["gap"]}


def _hurried(fitting: Signs, index: int, is_broken: bool) -> Signs:
    return {**fitting, "pace": 1, "energy": 1, "gap": -1}


def _steady(fitting: Signs, index: int, is_broken: bool) -> Signs:
    """Half of the properties fit, others in every turn: nothing stands out, nothing moves."""
    odd = ("range", "energy") if index // 2 % 2 else ("level", "pace")
    return {name: -sign if name in odd else sign for name, sign in fitting.items()}


SIGNS: Mapping[str, Callable[[Signs, int, bool], Signs]] = {
    "recording": _all_fitting,
    "expressive": _all_fitting,
    "flat": _flat,
    "broken-turn": _broken,
    "ill-timed": _ill_timed,
    "hurried": _hurried,
    "steady": _steady,
    "voice-slip": _all_fitting,
}
