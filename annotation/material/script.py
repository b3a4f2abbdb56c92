"""What is said: texts/<language>.json, read, and the list of recordings that it asks for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.material.plan import PAIRS

TEXTS = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Source:
    """One recording to be made: the file below the sources' folder, by whom, and what is said."""

    file: str  # such as "en/digit-7.wav"
    language: str
    voice: str
    text: str


def read_script(language: str) -> dict[str, Any]:
    script: dict[str, Any] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    return script


def sources_of(language: str) -> list[Source]:
    """Every recording of one language, in the order of the script."""
    script = read_script(language)
    digits = {f"digit-{digit}": text for digit, text in enumerate(script["digits"])}
    narrated = {
        **{f"channel-{name}": text for name, text in script["channel"].items()},
        "level": script["level"]["sentence"],
        **{f"soft-{name}": soft["words"] for name, soft in script["level"]["soft"].items()},
        **{f"jnd-{number}": text for number, text in enumerate(script["jnd"])},
        **{f"spoken-{wish}": text for wish, text in script["spoken"].items()},
    }
    voices = script["voices"]
    said = [(name, voices["narrator"], text) for name, text in narrated.items()]
    said += [(name, voices.get("digits", voices["narrator"]), text) for name, text in digits.items()]
    for plan in PAIRS:
        texts = script["pairs"][plan.key]["lines"]
        said += [
            (line_name(plan.key, number), voices[line.role], text)
            for number, (line, text) in enumerate(zip(plan.lines, texts, strict=True))
        ]
    return [Source(f"{language}/{name}.wav", language, voice, text) for name, voice, text in said]


def line_name(pair_key: str, number: int) -> str:
    return f"{pair_key}-{number}"
