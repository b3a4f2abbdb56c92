"""`python -m earshot.embedded run`, `loop` or `test`: what the Makefile calls, before anything is installed.

With any Python, it makes the virtual environment, installs into it, and becomes (exec) the supervisor, the loop or the
test run inside it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
EXTRAS = {"run": (), "loop": ("train",), "test": ("test", "dev", "train"), "setup": ("test", "dev", "train")}


def main(arguments: list[str]) -> int:
    """Set up, then run what was asked for. What a person can put right is one sentence and status 1."""
    from earshot.embedded.preflight import SetupError, check_python

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C; exec sets it back
    try:
        check_python(sys.version_info[:2])
        return go(arguments[0] if arguments else "run", arguments[1:])
    except SetupError as error:
        print(f"earshot: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nearshot: stopped", file=sys.stderr)
        return 130


def go(command: str, arguments: list[str]) -> int:
    """Install what `command` needs and hand over to it."""
    from earshot.embedded.install import Environment, install
    from earshot.embedded.preflight import SetupError
    from earshot.embedded.progress import ProgressLine

    if command not in EXTRAS:
        raise SetupError(f"There is no command {command!r}. Use one of: {', '.join(EXTRAS)}.")
    environment = Environment(PROJECT / ".venv", PROJECT)
    if command == "run":
        check_before_installing()
    install(environment, EXTRAS[command], ProgressLine(), os.environ.get("EARSHOT_TORCH_INDEX", ""))
    os.environ.pop("PYTHONPATH", None)  # the Makefile set it to find this package; installed, it is found anyhow
    python = str(environment.python)
    os.chdir(PROJECT)
    if command == "run":
        os.execv(python, [python, "-m", "earshot.embedded.supervisor", *arguments])
    if command == "loop":
        os.execv(python, [python, "-m", "earshot.embedded.loop", *arguments])
    if command == "test":
        os.execv(python, [python, "-m", "tests.run", *arguments])
    return 0


def check_before_installing() -> None:
    """Find out in the first second, not after minutes of installing, that Earshot could not start."""
    from earshot.embedded.plan import Plan

    Plan.from_environment(PROJECT, os.environ).check()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
