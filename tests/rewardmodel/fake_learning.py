"""The learning side's place taken by tests/rewardmodel/fake_program.py, through the same path of child processes."""

import sys
from pathlib import Path

import pytest

from earshot.jobs import programs

PROGRAM = Path(__file__).with_name("fake_program.py")


def fake_command(module: str, *arguments: object, spread: bool = False) -> list[str]:
    return [sys.executable, str(PROGRAM), module, *map(str, arguments)]


@pytest.fixture
def fake_learning(monkeypatch):
    """Jobs run in this process start the fake program; no torch is looked for."""
    monkeypatch.setattr(programs, "command", fake_command)
    monkeypatch.setattr(programs, "require_learning_side", lambda: None)
