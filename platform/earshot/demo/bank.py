"""The recordings that ship with Earshot: scripts, who says what, and the sound. See docs/recordings.md.

Each folder below recordings/<source>/ is one scenario: a scenario.json, its Opus files and, where it is to be rendered
by the vocoder, f0.npz with the F0 track of each recording.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

RECORDINGS = Path(__file__).parent / "recordings"
SOURCES = ("dailytalk", "emodb", "english")
BANK_RATE = 24_000  # Hz, of every shipped file

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Word:
    text: str
    start: float  # seconds from the recording's beginning
    end: float


@dataclass(frozen=True)
class Recording:
    """One turn, said by one voice with one emotion."""

    path: Path
    voice: str
    emotion: str
    seconds: float
    words: tuple[Word, ...]

    def read(self) -> FloatArray:
        """The samples, mono, full scale 1.0. Raises ValueError if the file is not at BANK_RATE."""
        samples, rate = soundfile.read(self.path, dtype="float64", always_2d=True)
        if rate != BANK_RATE:
            raise ValueError(f"{self.path.name} has {rate} Hz; store it at {BANK_RATE} Hz.")
        return np.asarray(samples.mean(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class ScriptTurn:
    role: str  # user or assistant
    text: str
    emotion: str  # as intended
    intensity: float  # 0…1
    recordings: tuple[Recording, ...]

    def recording(self, *, voice: str | None = None, emotion: str | None = None) -> Recording:
        """The recording with this voice and emotion (the first voice and the intended emotion if left out)."""
        wanted = emotion or self.emotion
        for recording in self.recordings:
            if recording.emotion == wanted and voice in (None, recording.voice):
                return recording
        raise ValueError(f"No recording of {self.text!r} by {voice or 'any voice'} with {wanted}; add it to the bank.")


@dataclass(frozen=True)
class Script:
    """One scenario with all its recordings."""

    scenario_id: str
    source: str
    topic: str
    language: str
    roles: Mapping[str, str]
    tags: tuple[str, ...]
    check: Mapping[str, str] | None
    turns: tuple[ScriptTurn, ...]
    folder: Path

    @property
    def assistant_turns(self) -> list[int]:
        return [index for index, turn in enumerate(self.turns) if turn.role == "assistant"]

    @property
    def assistant_voices(self) -> list[str]:
        return list(dict.fromkeys(r.voice for i in self.assistant_turns for r in self.turns[i].recordings))

    @property
    def is_rendered(self) -> bool:
        """True if its variants are made with the vocoder, False if by choosing clips and gaps alone."""
        return (self.folder / "f0.npz").exists()

    def f0_tracks(self) -> dict[str, FloatArray]:
        """F0 in Hz per frame of 5 ms, by the stem of the recording's file name."""
        with np.load(self.folder / "f0.npz") as tracks:
            return {name: tracks[name].astype(np.float64) for name in tracks.files}


def load_scripts() -> list[Script]:
    """Every shipped scenario, by source and name."""
    return [
        load_script(path.parent) for source in SOURCES for path in sorted((RECORDINGS / source).glob("*/scenario.json"))
    ]


def load_script(folder: Path) -> Script:
    fields = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))
    return Script(
        scenario_id=f"{folder.parent.name}-{folder.name}",
        source=folder.parent.name,
        topic=fields["topic"],
        language=fields["language"],
        roles=fields["roles"],
        tags=tuple(fields["tags"]),
        check=fields.get("check"),
        turns=tuple(_turn(turn, folder) for turn in fields["turns"]),
        folder=folder,
    )


def _turn(fields: Mapping[str, Any], folder: Path) -> ScriptTurn:
    return ScriptTurn(
        role=fields["role"],
        text=fields["text"],
        emotion=fields["emotion"],
        intensity=fields["intensity"],
        recordings=tuple(
            Recording(
                path=folder / recording["file"],
                voice=recording["voice"],
                emotion=recording.get("emotion", fields["emotion"]),
                seconds=recording["seconds"],
                words=tuple(Word(*word) for word in recording.get("words", ())),
            )
            for recording in fields["recordings"]
        ),
    )
