"""The few things that several processes of one training must do together (torchrun with gloo, on CPUs).

Every process holds the whole model and works on its share of the rows; gradients are sums over all rows divided by the
number of all rows, so that one process and many take the same step, up to rounding.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

Item = TypeVar("Item")


@contextmanager
def process_group() -> Iterator[None]:
    """Join the group that torchrun made, if there is one, and leave it at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def refuse_too_many(items: int, what: str) -> None:
    """Raises ValueError if there are more processes than `items` to share: one of them would have nothing to do."""
    if world() > items:
        raise ValueError(
            f"{world()} processes cannot share {what}; start {items} at most (EARSHOT_TRAIN_PROCESSES, or torchrun's "
            "--nproc-per-node)."
        )


def rank() -> int:
    """This process's number, 0 if it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(items: Sequence[Item]) -> list[Item]:
    """This process's share: every world-th item."""
    return list(items[rank() :: world()])


def sum_gradients(model: nn.Module) -> None:
    """Replace each gradient by its sum over the processes."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    first = 0
    for gradient in gradients:
        gradient.copy_(flat[first : first + gradient.numel()].view_as(gradient))
        first += gradient.numel()


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in the order that `share` dealt them from: (B, …) of every process, equal on all."""
    if world() == 1:
        return rows
    parts: list[Tensor | None] = [None] * world()
    distributed.all_gather_object(parts, rows)
    whole = [part for part in parts if part is not None]
    dealt = rows.new_zeros(sum(len(part) for part in whole), *rows.shape[1:])
    for number, part in enumerate(whole):
        dealt[number :: world()] = part
    return dealt


def agreed(answer: bool) -> bool:
    """What the first process says; the others ask nobody."""
    if world() == 1:
        return answer
    said = torch.tensor([answer], dtype=torch.int64)
    distributed.broadcast(said, 0)
    return bool(said.item())
