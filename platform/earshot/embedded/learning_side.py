"""Install torch and what else training needs while Earshot already runs: several GB, behind a progress line."""

from __future__ import annotations

import subprocess
import threading
from contextlib import ExitStack

from earshot.embedded.install import (
    LEARNING_EXTRA,
    Environment,
    check_disk_for_torch,
    explain_pip,
    follow_pip,
    further_index,
    start_pip,
)
from earshot.embedded.plan import Plan
from earshot.embedded.preflight import CPU_GIGABYTES, SetupError
from earshot.embedded.progress import ProgressLine

EXTRA = (LEARNING_EXTRA,)
PHASE = "Installing the learning side"


class LearningSide:
    """The background installation: `start` it once, `finished_words` tells when and how it ended."""

    def __init__(self, plan: Plan, progress: ProgressLine) -> None:
        self.plan = plan
        self.progress = progress
        self.environment = Environment(plan.project / ".venv", plan.project)
        self.pip: subprocess.Popen[str] | None = None
        self.detail = "starting"
        self.words: list[str] = []
        self._reader: threading.Thread | None = None
        self._lock = ExitStack()

    def start(self) -> str:
        """Start pip, unless nothing is to be done; return a sentence if it cannot or need not be done."""
        if not self.plan.with_learning_side:
            return "The learning side is left out (EARSHOT_SKIP_TRAIN is set): reward models and policies cannot train."
        if not self.environment.lacks(EXTRA):
            return ""
        index = self.plan.torch_index
        try:
            check_disk_for_torch(self.plan.project, index)
        except SetupError as error:
            return (
                f"{error}\nTill then Earshot runs without the learning side. A CPU build of torch needs "
                f"{CPU_GIGABYTES:g} GB: EARSHOT_TORCH_INDEX=ADDRESS make run (docs/operations.md)"
            )
        if not self._lock.enter_context(self.environment.held()):
            return "Another installation into .venv is under way; the next `make run` installs the learning side."
        # Started from the main thread: the parent-death signal follows the thread that starts a child.
        self.pip = start_pip(self.environment, EXTRA, further_index(index))
        self._reader = threading.Thread(target=self._follow, args=(self.pip,), daemon=True)
        self._reader.start()
        return ""

    def _follow(self, pip: subprocess.Popen[str]) -> None:
        def note(detail: str) -> None:
            self.detail = detail

        self.words = follow_pip(pip, self.environment.log, note)

    def finished_words(self) -> str:
        """Show the progress; once pip has ended, return a sentence about how, and be done."""
        if self.pip is None or self._reader is None:
            return ""
        if self._reader.is_alive():
            self.progress.show(PHASE, self.detail)
            return ""
        status, self.pip = self.pip.returncode, None
        self._lock.close()
        self.progress.clear()
        if status:
            reason = explain_pip(self.words, self.environment.log)
            return f"The learning side is not installed. {reason}\nThe next `make run` tries again."
        self.environment.remember(EXTRA)
        return "The learning side is installed: reward models and policies can train."
