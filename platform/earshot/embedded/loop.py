"""`make loop`: the whole loop once, unattended, on a scratch database, then stop everything and say what came of it.

The worker, the scheduler and the commands are those of `make run`; only the web side is missing, for nobody looks. The
data stays, so that `EARSHOT_DATA_DIR=.earshot/loop make run` shows it in a browser; the next `make loop` begins anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from earshot.embedded import accounts, lock
from earshot.embedded.memory import PeakMemory
from earshot.embedded.plan import Plan
from earshot.embedded.preflight import SetupError, check_disk, make_data_folder
from earshot.embedded.processes import die_with_parent
from earshot.embedded.progress import ProgressLine
from earshot.embedded.supervisor import Stopped, Supervisor, heed_signals

LOOP_GIGABYTES = 4.0  # rollouts, their masters and renditions, checkpoints
MARK = "made-by-make-loop"  # only a folder with this file in it is emptied
SERVERS = ("DATABASE_URL", "REDIS_URL", "EARSHOT_STORAGE_URL")  # the loop never writes to a lab's own


class LoopFailed(Exception):
    """A step did not do its work; the driver has said which."""


class Finished(Exception):
    """The loop is closed."""


class LoopSupervisor(Supervisor):
    """Worker and scheduler, and one command that drives them: `manage.py run_loop`."""

    def __init__(self, plan: Plan, progress: ProgressLine, arguments: Sequence[str]) -> None:
        super().__init__(plan, progress)
        self.arguments = list(arguments)
        self.memory = PeakMemory()

    def run(self) -> NoReturn:
        """Empty the scratch folder, prepare it, start the worker, drive; ends only by an exception."""
        make_data_folder(self.plan.data_dir)
        (self.plan.data_dir / MARK).touch()
        self.lock = lock.take(self.plan.run_dir, "make loop")
        self.start_warden()
        check_disk(self.plan.data_dir, LOOP_GIGABYTES, "The loop")
        empty(self.plan.data_dir, keep={self.plan.run_dir, self.plan.data_dir / MARK})
        accounts.demo_accounts(self.plan.data_dir)
        self.step("Preparing the database", "migrate", "--noinput")
        self.add_child("worker", "worker", self.plan.worker())
        self.add_child("scheduler", "scheduler", self.plan.scheduler())
        self.progress.clear()
        self.drive()
        raise Finished

    def drive(self) -> None:
        """Run the driver with its progress on this terminal; its last line is the loop's JSON, with memory added."""
        driver = subprocess.Popen(
            self.plan.manage("run_loop", *self.arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.plan.project,
            env=self.plan.environment(),
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        self.watch(driver.pid)
        self.current_step = driver
        printer = Printer(driver)
        while (status := driver.poll()) is None:
            self.look_after_children()
            self.memory.look([driver.pid, *(child.process.pid for child in self.children if child.process)])
            self.pause()
        last_line = printer.finish()
        self.current_step = None
        self.forget(driver.pid)
        if status:
            raise LoopFailed(f"The loop is not closed (status {status}). Logs and data: {self.plan.data_dir}")
        print(json.dumps({**json.loads(last_line), "memory_gib": round(self.memory.gibibytes, 2)}), flush=True)


class Printer:
    """Passes on what a process prints, but for a last line that is a JSON object."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.held = ""
        self.thread = threading.Thread(target=self._pass_on, daemon=True)
        self.thread.start()

    def _pass_on(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self.held:
                print(self.held, end="", flush=True)
            self.held = line if line.startswith("{") else ""
            if not self.held:
                print(line, end="", flush=True)

    def finish(self) -> str:
        """Wait for the end of the output; return its last line. After a failure it is printed too."""
        self.thread.join()
        if self.process.returncode and self.held:
            print(self.held, end="", flush=True)
        return self.held


def empty(folder: Path, *, keep: Set[Path]) -> None:
    """Remove everything in `folder` but `keep`."""
    for path in folder.iterdir():
        if path in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def read_plan(project: Path, environment: Mapping[str, str]) -> Plan:
    """A plan on the loop's own folder. Raises SetupError if that folder holds anything but an earlier loop."""
    chosen = environment.get("EARSHOT_LOOP_DIR")
    data_dir = Path(chosen).absolute() if chosen else project / ".earshot" / "loop"
    if data_dir.exists() and any(data_dir.iterdir()) and not (data_dir / MARK).exists():
        raise SetupError(
            f"{data_dir} holds files that no earlier loop made, and the loop empties its folder. "
            "Name an empty folder: EARSHOT_LOOP_DIR=/other/folder make loop"
        )
    return replace(Plan.from_environment(project, environment), data_dir=data_dir, with_demo=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the loop once. 0: every step really did its work. 1: not, and the last words say why."""
    parser = argparse.ArgumentParser(prog="make loop", description="Close the loop once, on a scratch database.")
    parser.add_argument("--seed", type=int, default=1, help="of dialogues, votes and training (1)")
    parser.add_argument("--steps", type=int, help="of the policy's update; as many as fit six minutes if left out")
    chosen = parser.parse_args(arguments)
    passed_on = ["--seed", str(chosen.seed), *(["--steps", str(chosen.steps)] if chosen.steps is not None else [])]
    project = Path(__file__).resolve().parents[3]
    for name in SERVERS:
        os.environ.pop(name, None)
    try:
        plan = read_plan(project, os.environ)
        loop = LoopSupervisor(plan, ProgressLine(sys.stderr), passed_on)
    except SetupError as error:
        print(f"earshot: {error}", file=sys.stderr)
        return 1
    heed_signals(loop)
    try:
        loop.run()
    except Finished:
        return 0
    except Stopped:
        return 130
    except (SetupError, LoopFailed) as error:
        loop.progress.clear()
        print(f"earshot: {error}", file=sys.stderr)
        return 1
    finally:
        loop.stop()


if __name__ == "__main__":
    sys.exit(main())
