"""One line of progress: rewritten in place on a terminal, an occasional line of its own elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

QUIET_SECONDS = 15  # between two lines where nothing can be rewritten


class ProgressLine:
    """The last line of the terminal. Text for keeps goes through `say`, so that the two never mix."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.is_live = self.stream.isatty()
        self.shown = ""
        self.written_at = float("-inf")
        self.phase = ""

    def show(self, phase: str, detail: str = "") -> None:
        """Show where `phase` stands now."""
        line = f"{phase}: {detail}" if detail else phase
        now = time.monotonic()
        if self.is_live:
            if line != self.shown and now - self.written_at > 0.1:
                self._rewrite(line)
                self.written_at = now
        elif phase != self.phase or now - self.written_at > QUIET_SECONDS:
            print(line, file=self.stream, flush=True)
            self.written_at = now
        self.phase = phase

    def say(self, text: str) -> None:
        """Print text that stays, above the progress line."""
        shown = self.shown
        self.clear()
        print(text, file=self.stream, flush=True)
        if shown:
            self._rewrite(shown)

    def clear(self) -> None:
        """Take the progress line away."""
        if self.is_live and self.shown:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
        self.shown = ""

    def _rewrite(self, line: str) -> None:
        self.stream.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
        self.stream.flush()
        self.shown = line
