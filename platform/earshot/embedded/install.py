"""The virtual environment: make it, install into it what pyproject.toml asks for, once per change of that file."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from earshot.embedded.preflight import CPU_GIGABYTES, CUDA_GIGABYTES, SETUP_GIGABYTES, SetupError, check_disk
from earshot.embedded.processes import die_with_parent, end
from earshot.embedded.progress import ProgressLine

PIP = "pip>=25,<27"  # the first with `--progress-bar raw` is 24.1; Python 3.11 brings an older one
LEARNING_EXTRA = "train"  # torch and what else training needs
MEGABYTE = 1_000_000


class Environment:
    """A virtual environment and what has been installed into it."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.folder = folder
        self.project = project
        self.python = folder / "bin" / "python"
        self.stamp = folder / "earshot-installed.json"
        self.lock = folder.with_name(f"{folder.name}.lock")  # beside it: the folder itself may be made anew
        self.log = folder / "earshot-install.log"  # all that pip said at the last installation

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Keep other installations out; yields False, at once, if one is under way. Two pips together break it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def works(self) -> bool:
        """Whether the environment exists, starts, and is of a Python that we support."""
        check = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
        try:
            return subprocess.run([self.python, "-c", check], capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def make(self) -> None:
        """Make the environment anew: one of another Python, or of a folder that was moved, is replaced."""
        check_disk(self.folder, SETUP_GIGABYTES, "Setting up Earshot")
        command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
        making = _start(command)
        try:
            said, _ = making.communicate()
        finally:  # after Ctrl-C too: venv starts a pip of its own, which would go on alone
            end(making, grace_seconds=1)
        if making.returncode:
            raise SetupError(
                f"{sys.executable} could not make the virtual environment {self.folder}. On Debian and Ubuntu: "
                f"apt-get install python3-venv (or python3.11-venv). It said: {' '.join(said.split())[-400:]}"
            )
        self.stamp.unlink(missing_ok=True)
        subprocess.run([self.python, "-m", "pip", "install", "--quiet", PIP], capture_output=True, check=False)

    def lacks(self, extras: Iterable[str]) -> list[str]:
        """Those of `extras` ("" is Earshot itself) that were never installed from the pyproject.toml of now."""
        try:
            installed = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            installed = {}
        return [extra for extra in ("", *extras) if installed.get(extra) != self._wanted()]

    def remember(self, extras: Iterable[str]) -> None:
        """Note that `extras` are installed from the pyproject.toml of now."""
        try:
            installed = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            installed = {}
        draft = self.stamp.with_suffix(".draft")
        draft.write_text(json.dumps(installed | dict.fromkeys(("", *extras), self._wanted())))
        draft.replace(self.stamp)

    def _wanted(self) -> str:
        # The folder counts too: an editable install names it, and a moved checkout would import the old one.
        text = (self.project / "pyproject.toml").read_bytes() + str(self.project).encode()
        return hashlib.sha256(text).hexdigest()

    def pip_command(self, extras: Iterable[str]) -> list[str]:
        """The pip command that installs Earshot, editable, with `extras`."""
        names = ",".join(extras)
        target = f"{self.project}[{names}]" if names else str(self.project)
        return [str(self.python), "-m", "pip", "install", "--progress-bar", "raw", "--editable", target]


def install(environment: Environment, extras: tuple[str, ...], progress: ProgressLine, torch_index: str = "") -> None:
    """Bring the environment up to date, in the foreground; nothing happens if it is.

    Args:
        torch_index: a further package index, for a CPU build of torch.
    """
    if environment.works() and not environment.lacks(extras):
        return
    with environment.held() as is_ours:
        if not is_ours:
            raise SetupError(
                f"Another installation into {environment.folder} is under way: another make command, or an Earshot "
                "that still installs its learning side. Wait for it to end, then run the same command again."
            )
        _install(environment, extras, progress, torch_index)


def _install(environment: Environment, extras: tuple[str, ...], progress: ProgressLine, torch_index: str) -> None:
    if not environment.works():
        progress.show("Setting up", f"a virtual environment in {environment.folder}")
        environment.make()
    lacking = environment.lacks(extras)
    if not lacking:
        return
    if LEARNING_EXTRA in lacking:
        check_disk_for_torch(environment.project, torch_index)
    pip = start_pip(environment, extras, further_index(torch_index))
    try:
        words = follow_pip(pip, environment.log, lambda detail: progress.show("Setting up", detail))
    finally:
        end(pip, grace_seconds=3)
    progress.clear()
    if pip.returncode:
        raise SetupError(explain_pip(words, environment.log))
    environment.remember(extras)


def check_disk_for_torch(project: Path, torch_index: str) -> None:
    """Raise SetupError unless the disk has room for torch: its CUDA build, or the CPU build of `torch_index`."""
    check_disk(project, CPU_GIGABYTES if torch_index else CUDA_GIGABYTES, "The learning side")


def further_index(torch_index: str) -> list[str]:
    """pip's options for a further package index, if there is one."""
    return ["--extra-index-url", torch_index] if torch_index else []


def start_pip(environment: Environment, extras: Iterable[str], further: Iterable[str] = ()) -> subprocess.Popen[str]:
    """Start pip; `follow_pip` reads what it says."""
    return _start([*environment.pip_command(extras), *further])


def _start(command: list[str]) -> subprocess.Popen[str]:
    """Start a program that we listen to, in a session of its own, so that we end it with all it started."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGTERM),
    )


def follow_pip(pip: subprocess.Popen[str], log: Path, show: Callable[[str], None]) -> list[str]:
    """Report pip's output as one moving line until it ends, keeping all of it in `log`; return its last lines."""
    words: list[str] = []
    assert pip.stdout is not None
    with log.open("w") as kept:
        for detail in read_pip(_keeping(pip.stdout, kept), words):
            show(detail)
    pip.wait()
    return words


def _keeping(lines: Iterable[str], kept: TextIO) -> Iterator[str]:
    for line in lines:
        if not line.startswith("Progress "):
            kept.write(line)
        yield line


def read_pip(lines: Iterable[str], words: list[str]) -> Iterator[str]:
    """Turn pip's lines into short details of progress, keeping the last lines in `words`."""
    subject, packages = "", 0
    for line in map(str.strip, lines):
        if progress := re.fullmatch(r"Progress (\d+) of (\d+)", line):
            done, total = int(progress[1]), int(progress[2])
            if total > MEGABYTE:
                yield f"downloading {subject}, {done / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB"
            continue
        words.append(line)
        del words[:-30]
        if collecting := re.match(r"Collecting ([^\s<>=!~;\[(]+)", line):
            packages += 1
            yield f"finding packages, {packages} so far ({collecting[1]})"
        elif download := re.match(r"(?:Downloading|Using cached) (\S+)", line):
            subject = download[1].rpartition("/")[2].split("-")[0]
            yield f"downloading {subject}"
        elif line.startswith("Installing collected packages"):
            yield f"unpacking {line.count(',') + 1} packages"


def explain_pip(words: list[str], log: Path) -> str:
    """One sentence with a remedy for a pip that failed."""
    said = "\n".join(words)
    errors = [line for line in words if re.match(r"ERROR:|error:|\w*(Error|Exception): ", line)] or words[-1:]
    if "No space left on device" in said:
        return "The disk is full. Free some space, then run the same command again: it goes on where it stopped."
    if re.search(r"NewConnectionError|ConnectTimeout|Temporary failure in name resolution|ProxyError|SSLError", said):
        return (
            "The package registry cannot be reached. Check the network, or name a mirror with PIP_INDEX_URL, "
            f"then run the same command again. All that pip said: {log}"
        )
    return f"pip could not install Earshot's packages. It said: {' '.join(errors)[:400]} All of it: {log}"
