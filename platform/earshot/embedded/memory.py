"""How much memory processes and all they started use together, as the kernel counts it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

KIB = 1024
LOOK_SECONDS = 1.0


class PeakMemory:
    """The largest sum seen so far. Shared pages are counted once: proportional set size, from Linux's smaps_rollup."""

    def __init__(self) -> None:
        self.peak = 0  # bytes
        self.looked_at = float("-inf")

    def look(self, roots: Iterable[int]) -> None:
        """Add up what these processes and their descendants use now; at most once a second, however often called."""
        now = time.monotonic()
        if now - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = now
        self.peak = max(self.peak, sum(map(proportional_set_size, family(roots))))

    @property
    def gibibytes(self) -> float:
        return self.peak / KIB**3


def family(roots: Iterable[int]) -> set[int]:
    """The processes `roots` and all that descend from them now, whatever their sessions. Empty where /proc is not."""
    children = defaultdict(list)
    for pid in _processes():
        children[_parent(pid)].append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children[pid]
    return found


def proportional_set_size(pid: int) -> int:
    """Bytes; 0 for a process that has ended, or where the kernel does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * KIB for line in text.splitlines() if line.startswith("Pss:")), 0)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])
