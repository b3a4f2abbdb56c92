"""Several processes under torchrun or accelerate launch; a process alone needs none of it."""

import os
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist

from earshot.jobs.child import emit


def start_processes() -> None:
    """Join the group that torchrun started, on gloo without a GPU."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group(backend())


def backend() -> str:
    return "nccl" if torch.cuda.is_available() else "gloo"


def end_processes() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def is_first_process() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def process_count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def first_process_says(answer: bool) -> bool:
    """What the first process knows, told to all."""
    if not dist.is_initialized():
        return answer
    told = [answer]
    dist.broadcast_object_list(told, src=0)
    return told[0]


def report(progress: float, message: str, metrics: Mapping[str, Any] | None = None) -> None:
    """Tell the worker how far the run is; one process speaks for all."""
    if is_first_process():
        emit(progress=round(progress, 4), message=message, metrics=metrics)
