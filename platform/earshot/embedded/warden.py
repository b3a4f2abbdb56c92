"""The warden: ends the supervisor's children when the supervisor is killed with SIGKILL and cannot do it itself.

It reads the supervisor's pipe: "watch 123" and "forget 123" name the sessions to end; the pipe's end is the
supervisor's end. It holds a lock while any child may still live, so that the next start waits for the last one.
(Linux's parent-death signal reaches only direct children, not those of gunicorn and Celery; macOS has none.)
"""

from __future__ import annotations

import fcntl
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from earshot.embedded.processes import end_sessions

GRACE_SECONDS = 3.0


def main(lock_path: str) -> None:
    """Hold the lock, say "ready", watch until the pipe ends, then end every session still watched."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    with Path(lock_path).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print("ready", flush=True)
        end_sessions(watch(sys.stdin), grace_seconds=GRACE_SECONDS)


def watch(lines: Iterable[str]) -> list[int]:
    """Follow the supervisor's words until they end; return the sessions it had not ended by then."""
    sessions: set[int] = set()
    for line in lines:
        word, _, session = line.strip().partition(" ")
        if word == "watch":
            sessions.add(int(session))
        elif word == "forget":
            sessions.discard(int(session))
    return sorted(sessions)


if __name__ == "__main__":
    main(sys.argv[1])
