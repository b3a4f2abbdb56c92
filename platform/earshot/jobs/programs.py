"""The programs of the learning side as a job starts them: their command, the folder they resume in, what they lack.

The web side knows them by name only (`python -m rewardmodel train …`): it never imports torch.
"""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

NEEDED = ("torch", "torchaudio", "transformers", "safetensors")


def command(module: str, *arguments: object, spread: bool = False) -> list[str]:
    """The command that runs `python -m module arguments`.

    Args:
        spread: over EARSHOT_TRAIN_PROCESSES processes of this machine, by torchrun, where that is more than one. Only
            for what can be spread: a training, not an evaluation.
    """
    program = [module, *map(str, arguments)]
    if not spread or settings.TRAIN_PROCESSES == 1:
        return [sys.executable, "-m", *program]
    # --standalone: a meeting point of its own on a free port, so that two jobs on one machine do not meet.
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(settings.TRAIN_PROCESSES)]
    return [sys.executable, "-m", *launcher, "-m", *program]


def require_learning_side() -> None:
    """Raises: ValueError, a sentence for the job's page, where the learning side is not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(
            f"This worker cannot train: {missing[0]} is not installed beside it. Install the learning side "
            "(pip install .[train]; `make run` does it in the background, unless EARSHOT_SKIP_TRAIN is set) or start a "
            "gpu worker, then start this job again."
        )


def run_folder(job_id: Any) -> Path:
    """A job's own folder on this machine: it outlives a killed worker, so that the next start goes on in it."""
    folder = Path(settings.DATA_DIR) / "runs" / str(job_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_folder() -> Path:
    """What programs measured once and may measure again, such as the features of a sound; may be deleted any time."""
    folder = Path(settings.DATA_DIR) / "cache-learning"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_run_folder(job_id: Any) -> None:
    """When all of it is kept by hash; a folder that cannot be removed harms nobody."""
    shutil.rmtree(run_folder(job_id), ignore_errors=True)
