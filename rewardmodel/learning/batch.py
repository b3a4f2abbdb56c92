"""Dialogues of unequal length as one batch of exchanges: an assistant turn with the user turn that it answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rewardmodel.learning.features import DESCRIPTORS, FRAME_CHANNELS, TURN_FRAMES, DialogueFeatures
from rewardmodel.learning.words import WORD_BUCKETS

NO_WORD = WORD_BUCKETS  # fills up the shorter turns
SIDES = 2  # user, assistant


@dataclass(frozen=True, eq=False)
class Exchanges:
    """One dialogue of E exchanges. A reply without a user turn before it has zeros on the user's side."""

    frames: Tensor  # (E, SIDES, TURN_FRAMES, FRAME_CHANNELS) float16
    descriptors: Tensor  # (E, SIDES, D)
    words: Tensor  # (E, SIDES, W) int16, NO_WORD where there is none

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, eq=False)
class Batch:
    """B dialogues of at most E exchanges."""

    frames: Tensor  # (B, E, SIDES, TURN_FRAMES, FRAME_CHANNELS)
    descriptors: Tensor  # (B, E, SIDES, D)
    words: Tensor  # (B, E, SIDES, W) int64
    mask: Tensor  # (B, E) bool: where an exchange is

    def __len__(self) -> int:
        return len(self.mask)


def is_there(descriptors: Tensor) -> Tensor:
    """Which turns there are, (…, D) → (…,) bool: a reply without a user turn before it has zeros on the user's side."""
    return (descriptors != 0).any(dim=-1)


def exchanges_of(features: DialogueFeatures) -> Exchanges:
    """Pair every assistant turn with the last user turn before it."""
    replies = np.flatnonzero(~features.is_user)
    users = np.array([_last(features.is_user[:reply]) for reply in replies])
    places = np.stack([users, replies], axis=1)  # (E, SIDES), −1 where there is none
    found_at = torch.from_numpy(places >= 0)
    longest = max(1, max(len(words) for words in features.words))
    words = np.full((len(features) + 1, longest), NO_WORD, dtype=np.int16)  # the last row stands for −1
    for turn, found in enumerate(features.words):
        words[turn, : len(found)] = found
    frames = torch.from_numpy(features.frames)[places] * found_at[..., None, None]
    return Exchanges(
        frames=frames,
        descriptors=torch.from_numpy(features.descriptors)[places] * found_at[..., None],
        words=torch.from_numpy(words)[places],
    )


def _last(is_user: np.ndarray) -> int:
    users = np.flatnonzero(is_user)
    return int(users[-1]) if len(users) else -1


def collate(dialogues: Sequence[Exchanges], frame_type: torch.dtype = torch.float32) -> Batch:
    """Bring dialogues to one length, on the CPU."""
    n, longest = len(dialogues), max(map(len, dialogues))
    n_words = max(dialogue.words.shape[-1] for dialogue in dialogues)
    frames = torch.zeros(n, longest, SIDES, TURN_FRAMES, FRAME_CHANNELS, dtype=frame_type)
    descriptors = torch.zeros(n, longest, SIDES, len(DESCRIPTORS))
    words = torch.full((n, longest, SIDES, n_words), NO_WORD, dtype=torch.int64)
    mask = torch.zeros(n, longest, dtype=torch.bool)
    for row, dialogue in enumerate(dialogues):
        frames[row, : len(dialogue)] = dialogue.frames
        descriptors[row, : len(dialogue)] = dialogue.descriptors
        words[row, : len(dialogue), :, : dialogue.words.shape[-1]] = dialogue.words
        mask[row, : len(dialogue)] = True
    return Batch(frames, descriptors, words, mask)
