"""Start and end child processes so that none is ever left over."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signal_number: int = signal.SIGKILL) -> Callable[[], None]:
    """Return a `preexec_fn` that has Linux send `signal_number` to the child when its parent ends, however it ends.

    The parent is the *thread* that starts the child: start children from a thread that lives as long as they do.
    Elsewhere than on Linux it does nothing; the warden and closed pipes do the work there.
    """
    parent = os.getpid()

    def ask_the_kernel() -> None:
        if _libc is None:
            return
        _libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before we asked: nobody will tell us any more
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_the_kernel


def is_alive(pid: int) -> bool:
    """Whether a process with this number exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state_and_session(pid)[0] != "Z"


def session_members(session: int) -> list[int]:
    """Return the living processes of one session: a child started with `start_new_session` and all it started.

    Read from /proc; where there is none, the session's own process group is all that is known.
    """
    if sys.platform != "linux":
        return [session] if is_alive(session) else []
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
    members = []
    for pid in numbers:
        state, its_session = _state_and_session(pid)
        if its_session == session and state not in ("Z", "X", ""):
            members.append(pid)
    return members


def _state_and_session(pid: int) -> tuple[str, int]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()  # the name before ")" may hold anything
    except OSError:
        return "", 0
    return fields[0], int(fields[3])


def signal_session(session: int, signal_number: int) -> None:
    """Send a signal to the session's process group and to every stray that made a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal_number)
    for pid in session_members(session):
        if pid == session or os.getpgid(0) == session:
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != session:
                os.kill(pid, signal_number)


def end_sessions(sessions: list[int], *, grace_seconds: float, first: int = signal.SIGTERM) -> None:
    """Ask every session to end, wait up to `grace_seconds` for all of them together, then kill what is left."""
    for session in sessions:
        _signal_leader(session, first)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(session_members(session) for session in sessions):
        time.sleep(0.05)
    for session in sessions:
        while session_members(session):
            signal_session(session, signal.SIGKILL)
            time.sleep(0.02)


def _signal_leader(session: int, signal_number: int) -> None:
    """The leader (gunicorn, Celery, pip) tells its own children; only a session without one is told as a whole."""
    try:
        os.kill(session, signal_number)
    except ProcessLookupError:
        signal_session(session, signal_number)


def end(process: subprocess.Popen[Any], *, grace_seconds: float = 5.0, first: int = signal.SIGTERM) -> int:
    """End one child that was started with `start_new_session=True`, with all it started; return its exit status."""
    end_sessions([process.pid], grace_seconds=grace_seconds, first=first)
    return process.wait()
