"""How each emotion wants to be said, and what a construction that follows or defies it is worth.

An emotion is a direction, not a size: for each property of a turn it says up (+1) or down (-1). Every demo system
changes every turn by the same amounts and differs from the others in directions only, so that nobody can tell a good
dialogue from a bad one by how much the vocoder did. The directions lean on Scherer (2003), Speech Communication 40,
reduced to signs and extended by hand for the calmer emotions; see docs/demo-content.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Property = Literal["level", "range", "pace", "energy", "gap"]
PROPERTIES: tuple[Property, ...] = get_args(Property)
VOICED_PROPERTIES: tuple[Property, ...] = ("level", "range", "pace", "energy")

Signs = Mapping[Property, int]


def _signs(pattern: str) -> Signs:
    return {name: 1 if sign == "+" else -1 for name, sign in zip(PROPERTIES, pattern, strict=True)}


# level of F0, range of F0, pace, energy, gap before the turn: + is higher, wider, faster, louder, longer
FITTING: Mapping[str, Signs] = {
    "joy": _signs("++++-"),
    "excitement": _signs("++++-"),
    "amusement": _signs("+++--"),
    "surprise": _signs("++-+-"),
    "anger": _signs("++++-"),
    "urgency": _signs("+-++-"),
    "worry": _signs("+-+--"),
    "fear": _signs("+-+--"),
    "curiosity": _signs("++---"),
    "pride": _signs("++-++"),
    "neutral": _signs("--++-"),
    "calm": _signs("---++"),
    "relief": _signs("-+--+"),
    "comfort": _signs("-+--+"),
    "tenderness": _signs("----+"),
    "contrition": _signs("----+"),
    "disappointment": _signs("----+"),
    "sadness": _signs("----+"),
    "boredom": _signs("----+"),
}

PROSODY_WEIGHTS: Mapping[Property, float] = {"level": 0.2, "range": 0.4, "pace": 0.25, "energy": 0.15}
WORST_TURN_WEIGHT = 0.6  # how much one turn out of character costs on top of its share in the mean
IMMERSION_WEIGHTS = {"timing": 0.5, "prosody": 0.3, "emotional_continuity": 0.2}
VOICE_SLIP_COST = {"emotional_continuity": 0.4, "immersion": 0.8}


@dataclass(frozen=True)
class TurnFit:
    """How one assistant turn was said: per property +1 as its emotion wants, -1 the other way."""

    intensity: float  # 0…1, how strongly the turn is felt
    fits: Signs

    @property
    def emotion_fit(self) -> float:
        """-1 (another emotion altogether) … +1 (the intended one)."""
        return sum(weight * self.fits[name] for name, weight in PROSODY_WEIGHTS.items())


def latent_utilities(turns: Sequence[TurnFit], *, has_voice_slip: bool = False) -> dict[str, float]:
    """What a dialogue is worth by construction, per dimension, -1 … +1.

    prosody: mean fit of level, range, pace and energy, weighted by the turns' intensity. emotional_continuity: mean
    fit less what the worst turn falls below it. immersion: timing of replies, prosody and continuity together.

    Raises:
        ValueError: if there is no turn to judge.
    """
    if not turns:
        raise ValueError("There is no assistant turn to judge; give at least one TurnFit.")
    total = sum(turn.intensity for turn in turns)
    prosody = sum(turn.intensity * turn.emotion_fit for turn in turns) / total
    mean = sum(turn.emotion_fit for turn in turns) / len(turns)
    continuity = mean - WORST_TURN_WEIGHT * (mean - min(turn.emotion_fit for turn in turns))
    continuity -= VOICE_SLIP_COST["emotional_continuity"] * has_voice_slip
    parts = {
        "timing": sum(turn.fits["gap"] for turn in turns) / len(turns),
        "prosody": prosody,
        "emotional_continuity": continuity,
    }
    immersion = sum(weight * parts[name] for name, weight in IMMERSION_WEIGHTS.items())
    immersion -= VOICE_SLIP_COST["immersion"] * has_voice_slip
    utilities = {"prosody": prosody, "emotional_continuity": continuity, "immersion": immersion}
    return {name: round(min(1.0, max(-1.0, value)), 4) for name, value in utilities.items()}
