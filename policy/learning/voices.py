"""What the bank's recordings are by themselves: the zero that a delivery is relative to. Measured once, kept on disk.

Melody is weighted by amplitude. Weak voiced frames, at the ends of words above all, are hardly heard, and no two
methods find the same F0 there; unweighted, a third of a truth about pitch spread would be inaudible.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from earshot.acoustics.vocoder import FRAME_SECONDS
from policy.learning.bank import FRAME_SAMPLES, RATE, Bank, Phrase, Recording, active_frame_powers

MEASURES_VERSION = 2  # raise it whenever a measure changes: what an older one left on disk is not used
WINDOW_SAMPLES = RATE // 40  # 25 ms

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VoiceMeans:
    """What is typical of a voice over all its phrases in the texts."""

    log_f0: float  # mean ln of F0 in Hz, weighted by amplitude
    rate: float  # syllables per second
    level_db: float  # dBFS of active speech


@dataclass(frozen=True)
class Melody:
    """The voiced frames of a phrase: F0 in Hz and the amplitude that weighs them, each (T,)."""

    f0: FloatArray
    amplitude: FloatArray

    @property
    def mean_log_f0(self) -> float:
        return float(np.average(np.log(self.f0), weights=self.amplitude))


class Measures:
    """Measures of one bank.

    Args:
        cache_dir: where they are kept under the bank's hash; measured anew if left out.
    """

    def __init__(self, bank: Bank, cache_dir: Path | None = None) -> None:
        self._melodies: dict[str, Melody] = {}
        path = cache_dir and cache_dir / f"measures-{MEASURES_VERSION}-{bank.content_hash[:16]}.npz"
        if path and path.exists():
            with np.load(path) as arrays:
                self._amplitudes = {name: arrays[name] for name in arrays.files if name != "table"}
                table = json.loads(str(arrays["table"]))
            self._levels: dict[str, list[float]] = table["levels"]
        else:
            phrases = bank.phrases
            recordings = {phrase.recording.path.stem: phrase.recording for phrase in phrases}
            self._amplitudes = {name: _amplitudes(recording) for name, recording in recordings.items()}
            powers = {key(phrase): active_frame_powers(phrase.samples) for phrase in phrases}
            self._levels = {name: [float(power.mean()), len(power)] for name, power in powers.items()}
            table = {"levels": self._levels, "voices": {voice: self._voice(bank, voice) for voice in bank.voices}}
            if path:
                _keep(path, self._amplitudes, table)
        self.voices = {voice: VoiceMeans(**means) for voice, means in table["voices"].items()}

    def active_power(self, phrases: tuple[Phrase, ...]) -> float:
        """Mean square of the frames that hold speech."""
        levels = [self._levels[key(phrase)] for phrase in phrases]
        return sum(power * frames for power, frames in levels) / sum(frames for _, frames in levels)

    def melody(self, phrase: Phrase) -> Melody:
        """Raises ValueError if nothing in the phrase is voiced."""
        name = key(phrase)
        if name not in self._melodies:
            f0 = phrase.f0
            first = round(phrase.start / FRAME_SECONDS)
            amplitude = self._amplitudes[phrase.recording.path.stem][first : first + len(f0)].astype(np.float64)
            heard = (f0 > 0) & (amplitude > 0)
            if not heard.any():
                raise ValueError(f"Nothing in {phrase.text!r} is voiced; record it again.")
            self._melodies[name] = Melody(f0[heard], amplitude[heard])
        return self._melodies[name]

    def _voice(self, bank: Bank, voice: str) -> dict[str, float]:
        spoken = [phrase for text in bank.texts() for phrase in text.phrases if phrase.voice == voice]
        melodies = [self.melody(phrase) for phrase in spoken]
        weights = [melody.amplitude.sum() for melody in melodies]
        log_f0 = float(np.average([melody.mean_log_f0 for melody in melodies], weights=weights))
        return asdict(VoiceMeans(log_f0, bank.mean_rate(voice), bank.mean_level_db(voice)))


def key(phrase: Phrase) -> str:
    """Names the phrase within its bank."""
    return f"{phrase.recording.path.stem}@{phrase.start}"


def _amplitudes(recording: Recording) -> npt.NDArray[np.float32]:
    """RMS of WINDOW_SAMPLES about each frame of the F0 track, (T,)."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(recording.samples, dtype=np.float64))])
    centres = np.arange(len(recording.f0)) * FRAME_SAMPLES
    ends = [np.clip(centres + half, 0, len(energy) - 1) for half in (-WINDOW_SAMPLES // 2, WINDOW_SAMPLES // 2)]
    return np.asarray(np.sqrt((energy[ends[1]] - energy[ends[0]]) / WINDOW_SAMPLES), dtype=np.float32)


def _keep(path: Path, amplitudes: dict[str, npt.NDArray[np.float32]], table: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as stream:
        np.savez(stream, table=np.array(json.dumps(table)), **amplitudes)  # type: ignore[arg-type]
    draft.replace(path)
