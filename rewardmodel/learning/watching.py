"""Accuracy as a live curve: how often the model foretells decided votes, on what it learns from and on what not.

Watching changes nothing: no noise is drawn, no gradient taken, and nothing is chosen by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rewardmodel.learning.batch import Batch
from rewardmodel.learning.examples import VoteTable
from rewardmodel.learning.model import RewardModel

WATCH_EVERY = 50  # steps
AT_ONCE = 256  # dialogues


@dataclass(frozen=True, eq=False)
class Watched:
    """Dialogues, the votes on them, and the name of the curve."""

    curve: str
    dialogues: Batch
    table: VoteTable


def live_accuracy(model: RewardModel, watched: Watched) -> float | None:
    """Share of decided votes on the last head (overall) whose side has the higher score; None without such votes."""
    votes = np.where(watched.table.is_scored[:, -1], watched.table.votes[:, -1], 0)
    decided = votes != 0
    if not decided.any():
        return None
    was_training, device = model.training, model.thresholds.device
    model.eval()
    with torch.no_grad():
        parts = [model(part)[:, -1].cpu() for part in _parts(watched.dialogues, device)]
    model.train(was_training)
    scores = torch.cat(parts).double().numpy()  # (dialogues,)
    margin = scores[watched.table.a] - scores[watched.table.b]
    return float((0.5 + 0.5 * np.sign(margin[decided]) * np.sign(votes[decided])).mean())


def _parts(dialogues: Batch, device: torch.device) -> Iterator[Batch]:
    """So many at a time on the model's device: the whole need not fit there."""
    for first in range(0, len(dialogues), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        yield Batch(
            dialogues.frames[part].to(device).float(),
            dialogues.descriptors[part].to(device),
            dialogues.words[part].to(device),
            dialogues.mask[part].to(device),
        )
