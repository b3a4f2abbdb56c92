"""The hidden truth of the practice world: how well a delivery fits what the user feels. See docs/practice-world.md.

It is computed from the realised delivery (policy.learning.delivery writes it into meta["delivery"]) and the scenario's
arc. Simulated raters vote by it; no reward model and no policy may read it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

USUAL_SPREAD = 3.3  # semitones: the mean of the assistants' recordings
USUAL_GAP = 0.45  # seconds


@dataclass(frozen=True)
class Fit:
    """The reply that fits an emotion of the user."""

    level: float  # semitones above the voice's mean
    spread: float  # ln of the spread of log F0 in USUAL_SPREAD
    step: float  # semitones from the first phrase to the second
    energy: float  # dB above the voice's mean
    gap: float  # ln of the silence before the reply in USUAL_GAP


FITS = {
    "calm": Fit(0.0, 0.0, -0.5, 0.0, 0.0),
    "joy": Fit(3.0, 0.6, 2.2, 3.8, -1.0),
    "sadness": Fit(-3.0, -0.5, -2.2, -3.8, 0.9),
    "worry": Fit(-0.8, -0.15, -3.0, -1.5, -0.45),
    "anger": Fit(-2.2, -0.75, 0.0, -3.0, 0.6),
}
ENTRAINMENT = 0.7  # of the user's change of pace that a listener expects in the reply

# What each dimension's misfit is divided by, so that a single decided vote on two replies of an untrained policy can be
# foretold in about 84 % of cases at best. Found once on such replies (docs/practice-world.md), and fixed since.
SCALES = {"prosody": 0.45, "emotional_continuity": 0.63, "immersion": 0.5}

Delivery = Mapping[str, Sequence[Any]]


def utilities(delivery: Delivery, arc: Sequence[str]) -> dict[str, float]:
    """Latent utilities of one dialogue in logits: prosody, emotional_continuity, immersion and overall.

    Args:
        delivery: {"user": [{…} per exchange], "assistant": [[{…}, {…}] per exchange]}, each {…} with level_st, spread,
            log_rate, energy_db, and pause_s for the assistant's phrases.
        arc: what the user feels, one emotion per exchange.
    Raises:
        ValueError: if an emotion is none of FITS, or the arc does not fit the delivery's exchanges.
    """
    unknown = sorted(set(arc) - set(FITS))
    if unknown:
        raise ValueError(f"The listener knows no emotion {unknown[0]!r}; write an arc of {', '.join(FITS)}.")
    if not len(arc) == len(delivery["user"]) == len(delivery["assistant"]) > 0:
        raise ValueError(
            f"The arc has {len(arc)} emotions, but the delivery {len(delivery['user'])} user turns and "
            f"{len(delivery['assistant'])} replies; give one of each per exchange."
        )
    fits, replies = [FITS[emotion] for emotion in arc], delivery["assistant"]
    felt = {
        "prosody": fmean(map(_misfit_within, replies, fits)),
        "emotional_continuity": _misfit_between(replies, fits),
        "immersion": fmean(map(_mistiming, replies, delivery["user"], fits)),
    }
    found = {name: -misfit / SCALES[name] for name, misfit in felt.items()}
    return found | {"overall": sum(found.values()) / math.sqrt(len(found))}


def huber(z: float) -> float:
    """Squared when it is small, linear beyond 1.5: what is far off is not heard as ever worse."""
    return z * z if abs(z) < 1.5 else 3 * abs(z) - 2.25


def _misfit_within(reply: Sequence[Mapping[str, float]], fit: Fit) -> float:
    spread = fmean(math.log(phrase["spread"] / USUAL_SPREAD) for phrase in reply)
    step = reply[1]["level_st"] - reply[0]["level_st"]
    return huber((spread - fit.spread) / 0.25) + 0.6 * huber((step - fit.step) / 1.8)


def _misfit_between(replies: Sequence[Sequence[Mapping[str, float]]], fits: Sequence[Fit]) -> float:
    """How far the change from reply to reply is from the change that the user's feelings ask for; 0 for one reply."""
    levels = [fmean(phrase["level_st"] for phrase in reply) for reply in replies]
    energies = [fmean(phrase["energy_db"] for phrase in reply) for reply in replies]
    misfits = [
        huber((levels[t] - levels[t - 1] - (fits[t].level - fits[t - 1].level)) / 1.8)
        + huber((energies[t] - energies[t - 1] - (fits[t].energy - fits[t - 1].energy)) / 2.8)
        for t in range(1, len(replies))
    ]
    return fmean(misfits) if misfits else 0.0


def _mistiming(reply: Sequence[Mapping[str, float]], user: Mapping[str, float], fit: Fit) -> float:
    gap = math.log(reply[0]["pause_s"] / USUAL_GAP)
    rate = fmean(phrase["log_rate"] for phrase in reply)
    return huber((gap - fit.gap) / 0.6) + 0.6 * huber((rate - ENTRAINMENT * user["log_rate"]) / 0.13)
