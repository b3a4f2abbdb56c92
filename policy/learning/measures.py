"""What the guards need to know about spoken replies: numbers of one rendered dialogue, and of several.

The spectral distance is the proxy for intelligibility: how far the long-term spectrum of a turn's speech lies from the
same words spoken at neutral codes. docs/policy.md says what it misses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rewardmodel.learning.features import FRAME_RATE, Frames

SPEECH_BELOW_PEAK_DB = 30.0  # frames within this of the turn's loud ones are speech
CLIPPED = 0.999
DIGITAL_SILENCE_DB = -90.0  # frames below this are the pause between two phrases, which holds no noise at all
NOISE_PERCENTILE = 5  # of the other frames of a turn: the gaps between its sounds

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spoken:
    """A dialogue as it was said: its frames, and as the renderer gives them its turns and its delivery."""

    frames: Frames
    turns: Sequence[Any]  # role, start, end (s) and text of each
    delivery: Mapping[str, Any]


def measure_dialogue(samples: Samples, said: Spoken, neutral: Spoken) -> dict[str, float]:
    """Each guard's value in one dialogue, over its assistant turns; `neutral` is the same one at neutral codes."""
    spoken = [(_cut(said.frames, turn), turn) for turn in said.turns if turn.role == "assistant"]
    recorded = [_cut(neutral.frames, turn) for turn in neutral.turns if turn.role == "assistant"]
    seconds_per_word = [(turn.end - turn.start) / max(1, len(turn.text.split())) for _, turn in spoken]
    levels = [_level(energy[_speech(energy)]) for (_, energy), _ in spoken]
    above_noise = [level - _noise(energy) for level, ((_, energy), _) in zip(levels, spoken, strict=True)]
    distances = [_distance(turn, other) for (turn, _), other in zip(spoken, recorded, strict=True)]
    spread = _spread(said)
    return {
        "seconds_per_word_least": min(seconds_per_word),
        "seconds_per_word_most": max(seconds_per_word),
        "level_db": min(levels),
        "level_above_noise_db": min(above_noise),
        "spectral_distance_db": float(np.mean(distances)),
        "log_f0_spread_st": spread,
        "log_f0_spread_ratio": spread / _spread(neutral),
        "speech_share": min(float(_speech(energy).mean()) for (_, energy), _ in spoken),
        "clipped_share": float((np.abs(samples) >= CLIPPED).mean()),
    }


# Which of several dialogues counts: the extreme one for what must hold everywhere, the mean for the rest.
_TOGETHER = {
    "seconds_per_word_least": min,
    "seconds_per_word_most": max,
    "level_db": min,
    "level_above_noise_db": min,
    "speech_share": min,
    "clipped_share": max,
}


def together(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The guards' values of several dialogues."""
    return {name: float(_TOGETHER.get(name, np.mean)([one[name] for one in measured])) for name in measured[0]}


def _cut(frames: Frames, turn: Any) -> Any:
    first, last = int(turn.start * FRAME_RATE), max(int(turn.start * FRAME_RATE) + 1, int(turn.end * FRAME_RATE))
    return frames.mel[first:last], frames.energy[first:last]


def _speech(energy: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return np.asarray(energy >= np.percentile(energy, 95) - SPEECH_BELOW_PEAK_DB)


def _level(energy: npt.NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(10 ** (energy.astype(np.float64) / 10))))


def _noise(energy: npt.NDArray[np.float32]) -> float:
    sounding = energy[energy > DIGITAL_SILENCE_DB]
    return float(np.percentile(sounding, NOISE_PERCENTILE)) if len(sounding) else DIGITAL_SILENCE_DB


def _spread(spoken: Spoken) -> float:
    """Mean over the phrases of the standard deviation of log F0, semitones."""
    return float(np.mean([phrase["spread"] for turn in spoken.delivery["assistant"] for phrase in turn]))


def _distance(said: Any, recorded: Any) -> float:
    """RMS over the mel bands of the difference of two long-term spectra, each with its own level taken off, dB."""
    spectra = []
    for mel, energy in (said, recorded):
        spectrum = mel[_speech(energy)].mean(0)
        spectra.append(spectrum - spectrum.mean())
    return float(np.sqrt(np.mean((spectra[0] - spectra[1]) ** 2)))
