"""`make run`: one process that prepares the data, starts web, worker and scheduler, and keeps them running.

Ctrl-C, SIGTERM and a closed terminal stop everything in order. If this process is killed with SIGKILL, the kernel and
the warden end its children; job rows and messages are durable, so the next start goes on where this one stopped.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn, TextIO

from earshot.embedded import accounts, collected, lock
from earshot.embedded.children import Child, last_lines, open_log
from earshot.embedded.learning_side import LearningSide
from earshot.embedded.plan import Plan
from earshot.embedded.preflight import SetupError
from earshot.embedded.processes import die_with_parent, end_sessions
from earshot.embedded.progress import ProgressLine

GRACE_SECONDS = 6.0  # to finish a page or a short task; a longer job goes on at the next start
WEB_START_SECONDS = 120.0
LAST_RUN_SECONDS = 20.0  # for the children of a supervisor that was killed
TICK_SECONDS = 0.2


class Stopped(Exception):
    """A signal asked us to stop."""


class Supervisor:
    """The children of one run."""

    def __init__(self, plan: Plan, progress: ProgressLine) -> None:
        self.plan = plan
        self.progress = progress
        self.children: list[Child] = []
        self.learning_side = LearningSide(plan, progress)
        self.warden: subprocess.Popen[str] | None = None
        self.lock: TextIO | None = None
        self.is_asked_to_stop = False
        self.current_step: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None

    def run(self) -> NoReturn:
        """Prepare, start, look after; ends only by an exception."""
        self.lock = lock.take(self.plan.run_dir, self.plan.url)
        self.start_warden()
        self.plan.check_machine()
        self.prepare()
        web = self.add_child("web side", "web", self.plan.web())
        self.wait_for_web(web)
        self.progress.clear()
        self.progress.say(self.welcome())
        self.add_child("worker", "worker", self.plan.worker())
        self.add_child("scheduler", "scheduler", self.plan.scheduler())
        self.say_if_any(self.learning_side.start())
        if self.learning_side.pip:
            self.watch(self.learning_side.pip.pid)
        while True:
            self.look_after_children()
            self.say_if_any(self.learning_side.finished_words())
            self.pause()

    def pause(self) -> None:
        """Wait a moment. Only here does a signal take effect, so that no child is half started when it comes."""
        time.sleep(TICK_SECONDS)
        if self.is_asked_to_stop:
            raise Stopped

    def start_warden(self) -> None:
        """Start the warden and wait until the last run's has done its work."""
        command = [sys.executable, "-m", "earshot.embedded.warden", str(self.plan.run_dir / "warden")]
        self.warden = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )
        assert self.warden.stdout is not None
        deadline = time.monotonic() + LAST_RUN_SECONDS
        while not select.select([self.warden.stdout], [], [], 1.0)[0]:
            if time.monotonic() > deadline:
                raise SetupError(
                    f"Processes of the last run on {self.plan.data_dir} do not end. Find them: ps -ef | grep earshot"
                )
            self.progress.show("Waiting", "the processes of the last run are ending")
            self.pause()
        for child in self.children:
            if child.process:
                self.watch(child.process.pid)

    def watch(self, session: int) -> None:
        """Have the warden end this session should we be killed."""
        self._tell_warden(f"watch {session}\n")

    def forget(self, session: int) -> None:
        """The session has ended."""
        self._tell_warden(f"forget {session}\n")

    def _tell_warden(self, words: str) -> None:
        assert self.warden is not None
        assert self.warden.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed: look_after_children starts another
            self.warden.stdin.write(words)

    def prepare(self) -> None:
        """Bring database, static files and demo to the state of this version; each step is safe to repeat."""
        self.step("Preparing the database", "migrate", "--noinput")
        if collected.is_due(self.plan.project, self.plan.data_dir):
            self.step("Collecting static files", "collectstatic", "--noinput", "--clear")
            collected.remember(self.plan.project, self.plan.data_dir)
        if self.plan.with_demo:
            accounts.demo_accounts(self.plan.data_dir)
            self.step("Preparing the demo", "seed_demo", "--quick")

    def step(self, words: str, *arguments: str) -> None:
        """Run one command of manage.py to its end."""
        self.progress.show(words)
        log = self.plan.log_dir / "setup.log"
        with open_log(log) as output:
            process = subprocess.Popen(
                self.plan.manage(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.plan.project,
                env=self.plan.environment(),
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        self.watch(process.pid)
        self.current_step = process
        while (status := process.poll()) is None:
            self.pause()
        self.current_step = None
        self.forget(process.pid)
        if status:
            raise SetupError(
                f"{words} failed: `manage.py {' '.join(arguments)}` said\n{last_lines(log)}\nAll of it: {log}"
            )

    def add_child(self, name: str, log_name: str, command: list[str]) -> Child:
        """Start a child that is to run for as long as we do."""
        log = self.plan.log_dir / f"{log_name}.log"
        environment = self.plan.environment()
        child = Child(name, command, self.plan.project, log, environment, watch=self.watch, forget=self.forget)
        self.children.append(child)
        child.start()
        return child

    def wait_for_web(self, web: Child) -> None:
        """Return as soon as the web side answers; a web side that dies at once is a SetupError with its last words."""
        deadline = time.monotonic() + WEB_START_SECONDS
        while not answers(self.plan.url + "healthz"):
            assert web.process is not None
            if web.process.poll() is not None or time.monotonic() > deadline:
                raise SetupError(f"The web side did not start. Its last words:\n{last_lines(web.log)}\nAll: {web.log}")
            self.progress.show("Starting the web side")
            self.pause()

    def welcome(self) -> str:
        """The address and a sign-in for each role."""
        lines = ["", f"  Earshot is at {self.plan.url}", ""]
        if self.plan.with_demo:
            for role, account in accounts.demo_accounts(self.plan.data_dir).items():
                lines.append(f"    {role:<11} {account['email']:<28} {account['password']}")
        else:
            lines.append("    The first administrator: .venv/bin/python manage.py createsuperuser")
        return "\n".join([*lines, "", f"  Ctrl-C stops it. Data and logs: {self.plan.data_dir}", ""])

    def look_after_children(self) -> None:
        """Start again what has died."""
        for child in self.children:
            self.say_if_any(child.look_after(lambda session: end_sessions([session], grace_seconds=1.0)))
        if self.warden is not None and self.warden.poll() is not None:
            self.start_warden()

    def say_if_any(self, words: str) -> None:
        """Print a sentence, or nothing."""
        if words:
            self.progress.say(words)

    def stop(self) -> None:
        """End every child in order; what does not end within the grace is killed."""
        sessions = [child.process.pid for child in self.children if child.process]
        sessions += [other.pid for other in (self.current_step, self.learning_side.pip) if other]
        if sessions:
            self.progress.clear()
            self.progress.show("Stopping")
            end_sessions(sessions, grace_seconds=GRACE_SECONDS)
        if self.warden and self.warden.stdin:
            for session in sessions:
                self.forget(session)
            with contextlib.suppress(BrokenPipeError):
                self.warden.stdin.close()
            self.warden.wait(timeout=10)
        self.progress.clear()


def answers(url: str) -> bool:
    """Whether the address answers with success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy to ourselves
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def heed_signals(supervisor: Supervisor) -> None:
    """Ask for an orderly stop at Ctrl-C, SIGTERM and a closed terminal; asking twice changes nothing."""

    def ask(_number: int, _frame: object) -> None:
        supervisor.is_asked_to_stop = True

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, ask)


def main() -> int:
    """Run until stopped; return 0 after an orderly stop, 1 after a sentence about what is wrong."""
    project = Path(__file__).resolve().parents[3]
    try:
        supervisor = Supervisor(Plan.from_environment(project, os.environ), ProgressLine())
    except SetupError as error:
        print(f"earshot: {error}", file=sys.stderr)
        return 1
    heed_signals(supervisor)
    try:
        supervisor.run()
    except Stopped:
        return 0
    except SetupError as error:
        supervisor.progress.clear()
        print(f"earshot: {error}", file=sys.stderr)
        return 1
    finally:
        supervisor.stop()


if __name__ == "__main__":
    sys.exit(main())
