"""The recordings that ship beside this module: material.json says what they are, sound/<language>/ holds them.

They are stored as Opus (24 kHz, mono), a fifth of the size of FLAC, and decoded here to what browsers get: PCM plays in
all of them, Safari included, where Opus in an Ogg file depends on the version.
"""

import json
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from annotation.material.stimulus import RATE, Stimulus

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "ja", "zh-hans")  # as in settings.LANGUAGES
FORMAT, VERSION = "earshot-material", 1


def material_language(language: str) -> str:
    """The one of LANGUAGES that serves `language` (such as "zh", "zh-CN" or "en-gb") best; English if none does."""
    wanted = language.lower().replace("_", "-")
    if wanted.split("-")[0] == "zh":
        return "zh-hans"
    return next((known for known in LANGUAGES if wanted.split("-")[0] == known), "en")


@cache
def table(language: str) -> dict[str, Any]:
    """What material.json says of one of LANGUAGES.

    Raises:
        ValueError: if the material was never made for this language, or by code of another version.
    """
    content = json.loads((FOLDER / "material.json").read_text(encoding="utf-8"))
    if (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise ValueError("material.json is of another version than this code; make it again with `make_material`.")
    if language not in content["languages"]:
        raise ValueError(f"There is no material in {language!r}; choose from {', '.join(content['languages'])}.")
    found: dict[str, Any] = content["languages"][language]
    return found


def recorded(language: str, entry: dict[str, Any]) -> Stimulus:
    """The stimulus of an entry {"name": …, "seconds": …} of the table."""
    return Stimulus(entry["name"], entry["seconds"], partial(read_recording, language, entry["name"]))


@lru_cache(maxsize=64)
def read_recording(language: str, name: str) -> NDArray[np.float64]:
    """Samples (N,) of one shipped recording, full scale ±1; not to be written to."""
    samples, rate = soundfile.read(FOLDER / "sound" / language / f"{name}.opus", dtype="float64")
    if rate != RATE:
        raise ValueError(f"{name}.opus has {rate} Hz; material is stored at {RATE} Hz.")
    samples.setflags(write=False)
    return np.asarray(samples)
