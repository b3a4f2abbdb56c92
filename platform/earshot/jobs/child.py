"""For the program that a job runs as a child: tell the worker how far it is, and ask whether the job is still ours.

No Django, no dependency: a training process imports it. Run by hand, without a worker, `emit` still prints its lines
and `still_mine` is true.

    from earshot.jobs.child import emit, still_mine

    emit(progress=0.4, message="epoch 2 of 5", metrics={"step": 800, "loss": 0.41})
    draft = write_checkpoint(folder / "draft")
    if not still_mine():
        raise SystemExit("The job was given to another worker.")
    draft.rename(folder / "checkpoint-800")
    emit(artefact={"path": str(folder / "checkpoint-800" / "model.safetensors"), "name": "model.safetensors"})
    emit(result={"validation_loss": 0.39})
"""

import json
import os
import select
import sys
from collections.abc import Mapping
from typing import Any

JOB_VARIABLE = "EARSHOT_JOB_ID"
FENCE_VARIABLE = "EARSHOT_JOB_FENCE"
ANSWER_SECONDS = 120.0  # a worker whose database is away for longer has lost the job anyhow
YES = b"y"


class JobTakenOver(RuntimeError):
    """The job was given to another worker: nothing more may be written. For programs to raise after `still_mine`."""


def emit(
    *,
    progress: float | None = None,
    message: str | None = None,
    metrics: Mapping[str, float] | None = None,
    artefact: Mapping[str, str] | None = None,
    log: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Tell the worker, as one line of JSON on standard output.

    Args:
        progress: how far, 0…1.
        message: what is being done now.
        metrics: points of the live curves: `step` (an integer) and a number for each curve.
        artefact: `path` of a file to keep (absolute, or from the folder the child was started in) and its `name`.
        log: a line for the job's log. Whatever else is printed becomes one, too.
        result: what the job ends with, shown on its page. The last one counts.
    """
    said = {"progress": progress, "message": message, "metrics": metrics, "artefact": artefact}
    said |= {"log": log, "result": result}
    _write({name: value for name, value in said.items() if value is not None})


def _write(line: Mapping[str, Any]) -> None:
    sys.stdout.flush()  # what was printed before comes before
    rest = json.dumps(line).encode() + b"\n"
    while rest:
        rest = rest[os.write(1, rest) :]


def job_id() -> str | None:
    """The job this process works for; None when it was started by hand."""
    return os.environ.get(JOB_VARIABLE)


def fence() -> int | None:
    """The fencing number of this start; a folder named after it belongs to this start alone."""
    number = os.environ.get(FENCE_VARIABLE)
    return int(number) if number else None


def still_mine() -> bool:
    """Ask the worker, and through it the database, whether this process may still write. False if it cannot answer.

    Ask before each checkpoint takes its place. One process of a group asks, and tells the others.
    """
    if job_id() is None:
        return True
    _write({"ask": "still mine"})
    ready, _, _ = select.select([0], [], [], ANSWER_SECONDS)
    return bool(ready) and os.read(0, 1) == YES  # end of file: the worker has gone
