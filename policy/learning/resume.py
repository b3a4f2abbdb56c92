"""A run's own folder, OUT/run: what it was started with, its curves, and the state it resumes from, bit by bit.

state.pt is loaded with weights_only and never accepted from outside. It is written beside its place, flushed to the
disk and renamed, and only while the job still belongs to this process.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from earshot.jobs.child import JobTakenOver, emit, still_mine
from policy.learning import distributed
from policy.learning.checkpoint import write_whole

SETTINGS, STATE, METRICS = "settings.json", "state.pt", "metrics.jsonl"


class RunFolder:
    """Settings, state and metrics of one run.

    Args:
        out: the folder of the checkpoint to be.
        settings: all that decides what the run computes. A run that was begun with others is not continued.
    Raises:
        ValueError: if `out` was begun with other settings.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self.folder = out / "run"
        self._said: list[dict[str, float]] = []
        wanted = json.loads(json.dumps(settings))
        path = self.folder / SETTINGS
        if path.exists():
            _refuse_other_settings(out, json.loads(path.read_text(encoding="utf-8")), wanted)
        elif distributed.rank() == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(wanted, indent=1, sort_keys=True).encode())

    def load(self) -> dict[str, Any] | None:
        """The last state saved, or None at the beginning. Metrics after it are forgotten: they will come again."""
        path = self.folder / STATE
        state = torch.load(path, weights_only=True) if path.exists() else None
        if (self.folder / METRICS).exists():
            lines = (self.folder / METRICS).read_text(encoding="utf-8").splitlines()
            reached = state["step"] if state else 0
            self._said = [line for line in map(json.loads, lines) if line["step"] <= reached]
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep the state (`step` and whatever else) and the metrics up to it.

        Raises:
            JobTakenOver: if the job was given to another process.
        """
        self.ask_still_mine()
        if distributed.rank() == 0:
            content = io.BytesIO()
            torch.save(dict(state), content)
            lines = "".join(json.dumps(line) + "\n" for line in self._said)
            write_whole(self.folder / METRICS, lines.encode())
            write_whole(self.folder / STATE, content.getvalue())

    def ask_still_mine(self) -> None:
        """Raises JobTakenOver if this process may no longer write; one process asks for all."""
        if not distributed.agreed(distributed.rank() != 0 or still_mine()):
            raise JobTakenOver("The job was given to another worker.")

    def tell(self, step: int, n_steps: int, message: str, metrics: Mapping[str, float]) -> None:
        """One point of the live curves, kept in metrics.jsonl too."""
        line = {"step": step, **{name: float(value) for name, value in metrics.items()}}
        self._said.append(line)
        if distributed.rank() == 0:
            emit(progress=round(step / n_steps, 4), message=message, metrics=line)

    @property
    def metrics(self) -> list[dict[str, float]]:
        """All points so far."""
        return self._said


def _refuse_other_settings(out: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    other = sorted(name for name in {*begun, *wanted} if begun.get(name) != wanted.get(name))
    if other:
        name = other[0]
        raise ValueError(
            f"{out} was begun with {name} = {begun.get(name)!r}, not {wanted.get(name)!r}. "
            "Give the same settings to resume it, or another --out."
        )
