"""One supervisor per data folder. The kernel frees a lock when its holder dies, so a stale one cannot exist."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TextIO

from earshot.embedded.preflight import SetupError


def take(run_dir: Path, url: str) -> TextIO:
    """Take the folder's lock and note who we are; keep what is returned open as long as the lock is wanted.

    Raises:
        SetupError: another supervisor has it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = (run_dir / "supervisor").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise SetupError(_already_running(run_dir.parent, lock.read())) from None
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "url": url}))
    lock.flush()
    return lock


def check_nobody_runs_here(run_dir: Path) -> None:
    """Raise SetupError if a supervisor has the folder's lock now."""
    if not (run_dir / "supervisor").exists():
        return
    with (run_dir / "supervisor").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(_already_running(run_dir.parent, lock.read())) from None


def _already_running(data_dir: Path, note: str) -> str:
    try:
        holder = json.loads(note)
        who, url = f"process {holder['pid']}", holder["url"]
    except (ValueError, KeyError):  # it has the lock but has not written its note yet
        who, url = "another process", "its address"
    return (
        f"Earshot is already running on {data_dir} ({who}). Open {url} or stop it with Ctrl-C in its terminal; "
        "a second Earshot needs its own EARSHOT_DATA_DIR and EARSHOT_PORT."
    )
