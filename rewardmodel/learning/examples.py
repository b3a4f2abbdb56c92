"""The order and the noise of training, as pure functions of the seed: nothing is remembered between steps.

A training of N epochs is one long sequence of examples. Example v is always the same judgment with the same noise, so a
run that goes on after a kill, or is shared by two processes, sees what an unbroken one sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rewardmodel.learning.batch import NO_WORD, Batch, is_there


@dataclass(frozen=True, eq=False)
class VoteTable:
    """n judgments as arrays; a and b index a list of dialogues."""

    a: npt.NDArray[np.int64]  # (n,)
    b: npt.NDArray[np.int64]
    side: npt.NDArray[np.int64]  # +1 where a was on the left
    votes: npt.NDArray[np.int64]  # (n, H)
    is_scored: npt.NDArray[np.bool_]  # (n, H)

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class Noise:
    """What keeps the model from learning its few dialogues by heart."""

    descriptor_sd: float  # in the descriptors' standard deviations
    word_loss: float  # share of words that are not heard
    frame_sd: float  # in the frames' unit of 10 dB


class TrainingSequence(Dataset[tuple[int, int]]):
    """Places of judgments, epoch after epoch, each epoch in its own order; a rest smaller than a batch is left out."""

    def __init__(self, n_judgments: int, *, batch: int, epochs: int, seed: int) -> None:
        self.n_judgments, self.seed = n_judgments, seed
        self.per_epoch = n_judgments // batch * batch
        self.length = self.per_epoch * epochs
        if not self.length:
            raise ValueError(f"{n_judgments} judgments do not fill a batch of {batch}. Collect more, or lower --batch.")
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> tuple[int, int]:
        """(place in the sequence, place of the judgment)."""
        epoch, within = divmod(place, self.per_epoch)
        return place, int(self._order(epoch)[within])

    def _shuffle(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_judgments)


@dataclass(frozen=True, eq=False)
class Collator:
    """From places to tensors: both dialogues of every judgment, with their noise, and the votes.

    The noise of a step is drawn for the whole batch at once, then each process takes its own rows.
    """

    dialogues: Batch  # every dialogue there is
    table: VoteTable
    noise: Noise
    descriptor_scale: Tensor  # (SIDES, D)
    seed: int
    batch: int  # over all processes

    def __call__(self, places: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        rows = np.array([row for _, row in places])
        step = places[0][0] // self.batch
        within = np.array([place for place, _ in places]) - step * self.batch
        own = torch.from_numpy(np.concatenate([within, within + self.batch]))  # of the step's 2·batch dialogues
        chosen = torch.from_numpy(np.concatenate([self.table.a[rows], self.table.b[rows]]))
        rng = np.random.default_rng([self.seed, step])
        descriptors = self.dialogues.descriptors[chosen]
        known = is_there(descriptors)[..., None]  # (2·rows, E, SIDES, 1): a turn that is not there has no noise either
        return {
            "frames": self._tilt(self.dialogues.frames[chosen].float(), known, rng, own),
            "descriptors": self._shake(descriptors, known, rng, own),
            "words": self._lose(self.dialogues.words[chosen], rng, own),
            "mask": self.dialogues.mask[chosen],
            "side": torch.from_numpy(self.table.side[rows]),
            "votes": torch.from_numpy(self.table.votes[rows]),
            "is_scored": torch.from_numpy(self.table.is_scored[rows]),
        }

    def _tilt(self, frames: Tensor, known: Tensor, rng: np.random.Generator, own: Tensor) -> Tensor:
        """Another microphone for every turn: each channel a little louder or quieter."""
        drawn = rng.standard_normal((2 * self.batch, *frames.shape[1:3], 1, frames.shape[4]), dtype=np.float32)
        return frames + self.noise.frame_sd * torch.from_numpy(drawn)[own] * known[..., None]

    def _shake(self, descriptors: Tensor, known: Tensor, rng: np.random.Generator, own: Tensor) -> Tensor:
        drawn = rng.standard_normal((2 * self.batch, *descriptors.shape[1:]), dtype=np.float32)
        return descriptors + self.noise.descriptor_sd * self.descriptor_scale * torch.from_numpy(drawn)[own] * known

    def _lose(self, words: Tensor, rng: np.random.Generator, own: Tensor) -> Tensor:
        drawn = rng.random((2 * self.batch, *words.shape[1:]), dtype=np.float32)
        return torch.where(torch.from_numpy(drawn)[own] < self.noise.word_loss, NO_WORD, words)
