"""Stands between a worker and the program it runs, so that nothing of that program outlives the job.

    python -m earshot.jobs.guardian GRACE_SECONDS COMMAND [ARGUMENT…]

worker ── guardian ── command ── whatever the command starts

- The worker dies (standard input ends, or the kernel says so): everything below is killed at once.
- SIGTERM: everything below is asked to end, and killed after the grace.
- The guardian itself is killed: the kernel kills the command, the worker kills the rest of the session.
- The command ends: what it left running is killed; its exit status is passed on.

On Linux it adopts the orphans of its descendants, so that not even a daemon escapes. Only the standard library, one
thread: so it starts in milliseconds, and forking is safe.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
WORKER_DIED = signal.SIGHUP
KILL_ROUNDS = 200  # a fork may slip between listing the processes and killing them: look again until none is left


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value)


class Guardian:
    def __init__(self, grace_seconds: float) -> None:
        self.grace_seconds = grace_seconds
        self.asked_to_end = False
        self.worker_died = False
        self.status: int | None = None  # of the command, as waitpid gives it

    def run(self, command: Sequence[str]) -> int:
        """Start the command, wait for its end or for ours, leave nothing behind, and return an exit status."""
        wakeup, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, WORKER_DIED):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        _prctl(PR_SET_PDEATHSIG, WORKER_DIED)
        self.child = self._start(command)
        self._wait(wakeup)
        self._kill_all()
        if self.status is None:
            return 128 + signal.SIGKILL
        return (
            os.waitstatus_to_exitcode(self.status) % 256
            if os.WIFEXITED(self.status)
            else 128 + os.WTERMSIG(self.status)
        )

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == WORKER_DIED:
            self.worker_died = True
        else:
            self.asked_to_end = True

    def _start(self, command: Sequence[str]) -> int:
        guardian = os.getpid()
        child = os.fork()
        if child:
            return child
        for number in (signal.SIGTERM, signal.SIGINT, WORKER_DIED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(128 + signal.SIGKILL)
        try:
            os.execvp(command[0], list(command))
        except OSError as error:
            os.write(2, f"Cannot start {command[0]!r}: {error.strerror}. Is it installed on this worker?\n".encode())
            os._exit(127)

    def _wait(self, wakeup: int) -> None:
        """Return when the command has ended, its grace is over, or the worker is gone."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        poll.register(0, 0)  # only its end (POLLHUP): the answers on it are for the command
        deadline = float("inf")
        while not self._reap() and not self.worker_died and time.monotonic() < deadline:
            if self.asked_to_end and deadline == float("inf"):
                deadline = time.monotonic() + self.grace_seconds
                self._signal_all(signal.SIGTERM)
            left = 1.0 if deadline == float("inf") else max(deadline - time.monotonic(), 0)
            for descriptor, event in poll.poll(min(left, 1.0) * 1000):
                if descriptor == wakeup:
                    os.read(wakeup, 4096)
                elif event & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    self.worker_died = True

    def _reap(self) -> bool:
        """Bury the dead, adopted ones too; True once the command is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return self.status is not None
            if pid == self.child:
                self.status = status

    def _kill_all(self) -> None:
        for _ in range(KILL_ROUNDS):
            if not self._signal_all(signal.SIGKILL):
                break
            self._reap()
            time.sleep(0.005)
        self._reap()

    def _signal_all(self, number: int) -> int:
        """Signal every living descendant and return how many there were."""
        descendants = descendants_of(os.getpid()) if sys.platform == "linux" else self._only_child()
        for pid in descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(descendants)

    def _only_child(self) -> list[int]:
        # Without /proc: the command itself. Its own children then end with its standard input and output.
        return [self.child] if self.status is None else []


def descendants_of(ancestor: int) -> list[int]:
    """The living processes below `ancestor`, read from /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                state, parent = stat.read().rpartition(")")[2].split()[:2]  # the name before ")" may hold anything
        except OSError:
            continue
        if state not in ("Z", "X"):
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    open_ones = [ancestor]
    while open_ones:
        below = children.get(open_ones.pop(), [])
        found += below
        open_ones += below
    return found


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print("usage: python -m earshot.jobs.guardian GRACE_SECONDS COMMAND [ARGUMENT…]", file=sys.stderr)
        return 2
    return Guardian(float(arguments[0])).run(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
