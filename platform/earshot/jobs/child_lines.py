"""What a job's child says, line by line, gathered so that it costs the database a few writes a second."""

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from earshot.jobs.services.running import RunningJob

LONGEST_LINE = 256 * 1024  # bytes; what is longer is cut
LONGEST_LOG_LINE = 4000  # characters stored of one line
MOST_LOG_LINES = 5000  # stored as they come, for each start; of the rest only the last ones
LAST_LOG_LINES = 200


class LineReader:
    """Cuts a stream of bytes into lines of text, each at most LONGEST_LINE long."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.on_line = on_line
        self.rest = b""

    def take(self, chunk: bytes) -> None:
        """Take what came; an empty chunk is the end, and what is left is the last line."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if len(self.rest) > LONGEST_LINE or (not chunk and self.rest):
            lines.append(self.rest[:LONGEST_LINE])
            self.rest = b""
        for line in lines:
            self.on_line(line[:LONGEST_LINE].decode(errors="replace").rstrip("\r"))


class ChildLines:
    """Hears each line, keeps what it means, and stores it when asked to."""

    def __init__(self, job: RunningJob, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.result: dict[str, Any] = {}
        self.is_asking = False  # the child waits for an answer to `still_mine()`
        self.last_error = ""
        self._progress = 0.0
        self._message = ""
        self._has_news = False
        self._points: dict[tuple[str, int], float] = {}
        self._artefacts: list[tuple[Path, str]] = []
        self._log: list[tuple[str, str]] = []
        self._log_lines = 0
        self._last_lines: deque[tuple[str, str]] = deque(maxlen=LAST_LOG_LINES)

    def hear(self, line: str) -> None:
        """A line of standard output."""
        try:
            said = json.loads(line) if line.startswith("{") else None
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._note(line, "info")
            return
        for name, value in said.items():
            understood = self._understand(name, value)
            if not understood:
                self._note(f"Not understood: {json.dumps({name: value})}", "warning")

    def hear_error(self, line: str) -> None:
        """A line of standard error."""
        if line.strip():
            self.last_error = line.strip()[:500]
        self._note(line, "error")

    def _note(self, line: str, level: str) -> None:
        if not line.strip():
            return
        if len(line) > LONGEST_LOG_LINE:
            line = f"{line[:LONGEST_LOG_LINE]} … ({len(line)} characters)"
        self._log_lines += 1
        keep = self._log if self._log_lines <= MOST_LOG_LINES else self._last_lines
        keep.append((line, level))

    def _understand(self, name: str, value: Any) -> bool:
        match name, value:
            case "progress", int() | float():
                self._progress, self._has_news = min(max(float(value), 0.0), 1.0), True
            case "message", str():
                self._message, self._has_news = value, True
            case "metrics", {"step": int(step), **values} if step >= 0 and all(map(_is_number, values.values())):
                self._points |= {(str(curve), step): float(str(number)) for curve, number in values.items()}
            case "artefact", {"path": str(path)}:
                self._artefacts.append((self.folder / path, str(value.get("name") or Path(path).name)))
            case "log", str():
                self._note(value, "info")
            case "result", dict() if _is_storable(value):
                self.result = value
            case "ask", _:
                self.is_asking = True
            case _:
                return False
        return True

    def store(self) -> None:
        """Store what came since the last time, as the job's holder; what could not be stored stays for the next time.

        Raises: Superseded, Cancelled.
        """
        if self._has_news:
            self._has_news = False
            self.job.report(self._progress, self._message)
        if self._points:
            self.job.write_points(self._points)
            self._points = {}
        while self._artefacts:
            self._keep(*self._artefacts[0])
            del self._artefacts[0]
        if self._log:
            self.job.write_logs(self._log)
            self._log = []

    def _keep(self, path: Path, name: str) -> None:
        if path.is_file():
            self.job.keep_file(path, name)
        else:
            self._note(f"The artefact {name!r} was not kept: there is no file {path}.", "error")

    def store_the_rest_of_the_log(self) -> None:
        """At the end: the last lines of a log that grew too long, and how many were left out."""
        left_out = self._log_lines - MOST_LOG_LINES - len(self._last_lines)
        rest = list(self._last_lines)
        if left_out > 0:
            rest.insert(0, (f"… {left_out} lines left out: a job's log keeps {MOST_LOG_LINES}.", "warning"))
        if rest:
            self.job.write_logs(rest)
        self._last_lines.clear()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_storable(value: Any) -> bool:
    """Whether both databases can keep it: no NaN, no infinity, no NUL."""
    try:
        return "\\u0000" not in json.dumps(value, allow_nan=False)
    except ValueError:
        return False
