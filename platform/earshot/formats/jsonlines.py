"""Strict reading of JSON Lines: every line that is not one clean JSON object becomes a problem, never an exception."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from earshot.formats.problems import ProblemLog

MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 20
UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Control characters (line feed, return and tab excepted) and halves of a surrogate pair.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def read_objects(path: Path, problems: ProblemLog) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield (line number, object) for each good line; blank lines and a UTF-8 byte order mark are passed over."""
    with path.open("rb") as stream:
        for number, raw in _lines(stream):
            if number == 1 and raw.startswith(UTF16_MARKS):
                problems.add(path.name, 1, "", "The file is UTF-16.", "Save it again as UTF-8.")
                return
            if len(raw) > MAX_LINE_BYTES:
                problems.add(
                    path.name,
                    number,
                    "",
                    f"The line is longer than {MAX_LINE_BYTES} bytes.",
                    "Write one object per line.",
                )
                continue
            text = raw.removeprefix(UTF8_MARK) if number == 1 else raw
            if text.strip():
                parsed = parse_object(text, path.name, number, problems)
                if parsed is not None:
                    yield number, parsed


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number the lines; of an overlong one only the beginning (over the limit) is kept, the rest is dropped."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
        yield number, line


def parse_object(raw: bytes, file: str, line: int, problems: ProblemLog) -> dict[str, object] | None:
    """The JSON object on one line, or None after reporting why it is not one."""
    repeated: list[str] = []
    try:
        parsed = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=lambda pairs: _object_of(pairs, repeated),
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        problems.add(file, line, "", f"Byte {error.start + 1} of the line is not UTF-8.", "Save the file as UTF-8.")
        return None
    except RecursionError:
        problems.add(file, line, "", "Objects are nested too deeply to read.", f"Nest at most {MAX_DEPTH} levels.")
        return None
    except ValueError as error:  # JSONDecodeError is one; so is the refusal of NaN and of numbers of 4,300 digits
        problems.add(file, line, "", f"The line is not JSON: {error}.", "Write one JSON object on the line.")
        return None
    if not isinstance(parsed, dict):
        found = type(parsed).__name__
        problems.add(file, line, "", f"The line holds a {found}, not an object.", 'Write {"…": …}.')
        return None
    flaws = [f"The key {key!r} stands twice in one object." for key in repeated] + list(find_flaws(parsed, ""))
    for flaw in flaws:
        problems.add(file, line, "", flaw, "Remove it and import again.")
    return None if flaws else parsed


def _object_of(pairs: list[tuple[str, object]], repeated: list[str]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated.extend(sorted({key for key in keys if keys.count(key) > 1}))
    return result


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def find_flaws(value: object, place: str, depth: int = 0) -> Iterator[str]:
    """What a database or a JSON reader elsewhere would choke on: huge numbers, control characters, deep nesting."""
    if depth > MAX_DEPTH:
        yield f"{place or 'The object'} is nested deeper than {MAX_DEPTH} levels."
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from find_flaws(key, f"a key in {place or 'the object'}", depth + 1)
            yield from find_flaws(inner, f"{place}.{key}" if place else key, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from find_flaws(inner, f"{place}[{index}]", depth + 1)
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) >= 2**63):
        yield f"{place} is too large a number."
    elif isinstance(value, str):
        bad = _CONTROL.search(value)
        if bad is not None:
            yield f"{place!r} holds the control character U+{ord(bad.group()):04X}."
