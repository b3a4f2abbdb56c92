"""One child of the supervisor: started with its own log, started again when it dies, later each time it dies soon."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from earshot.embedded.processes import die_with_parent

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
STEADY_SECONDS = 60.0  # a child that lived this long has recovered: its next death is a first one again
LOG_BYTES = 10_000_000  # then the log becomes .1 at the next start


@dataclass
class Child:
    """A process that should always be running."""

    name: str
    command: list[str]
    cwd: Path
    log: Path
    environment: dict[str, str]
    watch: Callable[[int], None]  # tell the warden about a session
    forget: Callable[[int], None]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started_at: float = field(default=0.0)
    start_at: float = field(default=0.0)  # not before this moment of the monotonic clock

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone."""
        with open_log(self.log) as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.cwd,
                env=self.environment,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self.watch(self.process.pid)
        self.started_at = time.monotonic()

    def look_after(self, end_session: Callable[[int], None]) -> str:
        """Notice a death or start again after one; return what there is to say about it, usually nothing.

        Args:
            end_session: ends what a dead child left behind, before its successor starts.
        """
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return ""
        status = self.process.poll()
        if status is None:
            return ""
        end_session(self.process.pid)
        self.forget(self.process.pid)
        self.process = None
        self.deaths = 1 if now - self.started_at > STEADY_SECONDS else self.deaths + 1
        wait = min(FIRST_WAIT_SECONDS * 2 ** (self.deaths - 1), LONGEST_WAIT_SECONDS)
        self.start_at = now + wait
        return f"The {self.name} ended ({describe_status(status)}). It starts again in {wait:g} s. Its log: {self.log}"


def open_log(path: Path):  # type: ignore[no-untyped-def]  # a BufferedWriter, which typing cannot name usefully
    """Open a log to append to; one that grew large is put aside once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def last_lines(log: Path, count: int = 8) -> str:
    """The end of a log, for a person who has to find out why a process died."""
    try:
        return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
