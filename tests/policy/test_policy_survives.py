"""A policy's training is killed in the middle, or spread over two processes: it ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from policy.learning.checkpoint import FILES, load_checkpoint
from tests.policy.toy import supervised_start
from tests.servers import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "OMP_NUM_THREADS": "1"}
PROGRAM = ["-m", "tests.policy.toy_program"]


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("policy") / "start"
    supervised_start(out, steps=20)
    return out


def run_program(*arguments: object, processes: int = 1) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), *PROGRAM, *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True, timeout=240)


def kill_at(words: str, *arguments: object) -> None:
    """Start the program, and kill it with SIGKILL as soon as it says so."""
    command = [sys.executable, *PROGRAM, *map(str, arguments)]
    program = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    for line in program.stdout:
        if words in line:
            program.send_signal(signal.SIGKILL)
            break
    assert program.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("kind", "steps", "killed_at"), [("supervised", 12, "step 8 of"), ("round", 9, "step 5 of")])
@pytest.mark.slow
def test_a_training_killed_in_the_middle_ends_with_the_same_bytes(start, tmp_path, kind, steps, killed_at):
    more = [start] if kind == "round" else []
    run_program(kind, tmp_path / "whole", steps, *more)

    kill_at(killed_at, kind, tmp_path / "killed", steps, *more)
    assert not (tmp_path / "killed" / "lineage.json").exists()
    assert (tmp_path / "killed" / "run" / "state.pt").exists()
    run_program(kind, tmp_path / "killed", steps, *more)

    for file in (*FILES, "run/metrics.jsonl"):
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.parametrize("kind", ["supervised", "round"])
@pytest.mark.slow
def test_two_processes_end_where_one_ends(start, tmp_path, kind):
    more = [start] if kind == "round" else []

    run_program(kind, tmp_path / "one", 6, *more)
    run_program(kind, tmp_path / "two", 6, *more, processes=2)

    one, two = (load_checkpoint(tmp_path / name).policy.state_dict() for name in ("one", "two"))
    furthest = max((one[name] - two[name]).abs().max().item() for name in one)
    moved = max((one[name] - tensor).abs().max().item() for name, tensor in begun(start, kind).items() if name in one)
    assert furthest < 1e-5
    assert moved > 1e-4  # it trained at all


def begun(start: Path, kind: str) -> dict[str, torch.Tensor]:
    if kind == "round":
        return load_checkpoint(start).policy.state_dict()
    return {name: torch.zeros_like(value) for name, value in load_checkpoint(start).policy.state_dict().items()}
