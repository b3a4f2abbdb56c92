"""Dull, valid dialogue manifests with sound for tests: small, made in a moment, the same every time."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 16_000


def speech(seconds: float = 3.0, *, rate: int = RATE, hertz: float = 180.0, loudness: float = 0.2) -> np.ndarray:
    """What speech activity takes for speech: bursts of a harmonic tone between pauses, with a little noise."""
    time = np.arange(round(seconds * rate)) / rate
    voiced = np.sin(2 * np.pi * 0.8 * time) > -0.4
    tone = sum(np.sin(2 * np.pi * hertz * harmonic * time) / harmonic for harmonic in (1, 2, 3))
    noise = np.random.default_rng(round(hertz)).standard_normal(len(time))
    return (loudness * voiced * tone / 2 + 1e-4 * noise).astype(np.float32)


def scenario(scenario_id: str = "s1", **fields: Any) -> dict[str, Any]:
    turns = [{"scenario_turn": number, "role": "user", "text": f"question {number}"} for number in range(2)]
    return {"scenario_id": scenario_id, "topic": "Good news", "language": "en", "turns": turns, **fields}


def turns(count: int = 4) -> list[dict[str, Any]]:
    """User and assistant by turns, without times."""
    return [
        {
            "scenario_turn": number // 2,
            "role": ("user", "assistant")[number % 2],
            "speaker": ("Ana", "Agent")[number % 2],
            "text": f"turn {number}",
        }
        for number in range(count)
    ]


def dialogue(dialogue_id: str = "d1", **fields: Any) -> dict[str, Any]:
    base = {"dialogue_id": dialogue_id, "scenario_id": "s1", "system": "base", "audio": f"audio/{dialogue_id}.wav"}
    return base | {"turns": turns()} | fields


def write_folder(
    folder: Path,
    dialogues: Iterable[Mapping[str, Any]] | None = None,
    scenarios: Iterable[Mapping[str, Any]] | None = None,
    *,
    sound: bool = True,
    seconds: float = 3.0,
) -> Path:
    """A manifest folder; every local `audio` that a dialogue names gets a sound of its own unless it is there."""
    dialogues = [dialogue()] if dialogues is None else list(dialogues)
    scenarios = [scenario()] if scenarios is None else list(scenarios)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenarios.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scenarios))
    (folder / "dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in dialogues))
    named = [row.get("audio") for row in dialogues] + [t.get("audio") for row in dialogues for t in row["turns"]]
    for number, name in enumerate(name for name in named if name and sound):
        path = folder / name
        if ".." in name or "://" in name or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, speech(seconds, hertz=150.0 + 20 * number), RATE)
    return folder
