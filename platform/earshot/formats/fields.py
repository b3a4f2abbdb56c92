"""Typed reading of one JSON object: whatever is missing, unknown or of the wrong kind is reported, not raised."""

import difflib
import unicodedata
from collections.abc import Callable

MAX_ID_CHARS = 200
MAX_TEXT_CHARS = 20_000
MAX_LABEL_CHARS = 500
MAX_LIST_ENTRIES = 2_000
MAX_SECONDS = 86_400.0

Report = Callable[[str, str, str], None]  # field, message, remedy


class Record:
    """One JSON object, read field by field. A field that is null counts as absent."""

    def __init__(self, values: dict[str, object], report: Report, place: str = "") -> None:
        self._values = values
        self._report = report
        self._place = place

    def report(self, key: str, message: str, remedy: str) -> None:
        self._report(self._path(key), message, remedy)

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def close(self, known: frozenset[str]) -> None:
        """Report every field that is not in `known`."""
        for key in self._values:
            if key not in known:
                near = difflib.get_close_matches(key, sorted(known), n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known fields: {', '.join(sorted(known))}."
                self.report(key[:MAX_ID_CHARS], "This field is unknown.", remedy)

    def text(self, key: str, *, max_chars: int = MAX_TEXT_CHARS, may_be_empty: bool = False) -> str:
        value = self._required(key, "a text")
        if value is None:
            return ""
        return self._checked_text(key, value, max_chars, may_be_empty)

    def optional_text(self, key: str, *, max_chars: int = MAX_TEXT_CHARS) -> str | None:
        if not self.has(key):
            return None
        return self._checked_text(key, self._values[key], max_chars, may_be_empty=False)

    def identifier(self, key: str) -> str:
        """A name of at most 200 characters, without characters that cannot be seen and without spaces around it."""
        value = self.text(key, max_chars=MAX_ID_CHARS)
        hidden = next((c for c in value if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"), None)
        if hidden is not None:
            self.report(key, f"The name holds U+{ord(hidden):04X}, which cannot be seen.", "Use visible characters.")
        elif value != value.strip():
            self.report(key, f"The name {value!r} has spaces around it.", "Remove them.")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        value = self._required(key, "a whole number")
        if value is None:
            return low
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong_kind(key, value, "a whole number")
            return low
        if not low <= value <= high:
            self.report(key, f"{value} is outside {low} … {high}.", "Number the turns from 0 or 1 upwards.")
            return low
        return value

    def optional_seconds(self, key: str) -> float | None:
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._wrong_kind(key, value, "a number of seconds")
            return None
        if not 0 <= value <= MAX_SECONDS:
            self.report(key, f"{value} s is outside 0 … {MAX_SECONDS:.0f} s.", "Count seconds from the beginning.")
            return None
        return float(value)

    def labels(self, key: str) -> tuple[str, ...]:
        """An optional list of short texts."""
        return tuple(
            self._checked_text(f"{key}[{index}]", value, MAX_LABEL_CHARS, may_be_empty=False)
            for index, value in enumerate(self._list(key, required=False))
        )

    def records(self, key: str) -> list["Record"]:
        """A required list of objects with at least one entry; entries that are no objects are reported and left out."""
        found: list[Record] = []
        values = self._list(key, required=True)
        for index, value in enumerate(values):
            if isinstance(value, dict):
                found.append(Record(value, self._report, self._path(f"{key}[{index}]")))
            else:
                self._wrong_kind(f"{key}[{index}]", value, "an object")
        return found

    def optional_record(self, key: str) -> "Record | None":
        value = self._values.get(key)
        if isinstance(value, dict):
            return Record(value, self._report, self._path(key))
        if value is not None:
            self._wrong_kind(key, value, "an object")
        return None

    def free_object(self, key: str) -> dict[str, object]:
        """An optional object whose inside is nobody's business here."""
        value = self._values.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self._wrong_kind(key, value, "an object")
        return {}

    def _path(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def _required(self, key: str, kind: str) -> object:
        value = self._values.get(key)
        if value is None:
            self.report(key, "This field is missing.", f"Add it: {kind}.")
        return value

    def _wrong_kind(self, key: str, value: object, wanted: str) -> None:
        self.report(key, f"Found {_kind_of(value)} where {wanted} belongs.", f"Write {wanted}.")

    def _checked_text(self, key: str, value: object, max_chars: int, may_be_empty: bool) -> str:
        if not isinstance(value, str):
            self._wrong_kind(key, value, "a text")
            return ""
        if len(value) > max_chars:
            self.report(key, f"The text has {len(value)} characters; {max_chars} is the limit.", "Shorten it.")
        elif not value.strip() and not may_be_empty:
            self.report(key, "The text is empty.", "Fill it in.")
        return value

    def _list(self, key: str, *, required: bool) -> list[object]:
        value = self._values.get(key)
        if value is None:
            if required:
                self.report(key, "This field is missing.", "Add it: a list.")
            return []
        if not isinstance(value, list):
            self._wrong_kind(key, value, "a list")
            return []
        if len(value) > MAX_LIST_ENTRIES:
            self.report(key, f"The list has {len(value)} entries; {MAX_LIST_ENTRIES} is the limit.", "Split it.")
            return []
        if required and not value:
            self.report(key, "The list is empty.", "Add at least one entry.")
        return value


def _kind_of(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
