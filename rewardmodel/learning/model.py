"""The reward model: features of a dialogue → one score per dimension of the rubric, in logits.

Each exchange (a user turn and its reply) becomes one token that also holds its difference to the exchange before; a
small transformer lets the exchanges see each other; their mean gives the scores.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rewardmodel.learning.batch import NO_WORD, SIDES, Batch
from rewardmodel.learning.features import DESCRIPTORS, FRAME_CHANNELS
from rewardmodel.learning.loss import STARTING_THRESHOLDS

LARGEST_DESCRIPTOR = 3.0  # in standard deviations; what lies further out says no more


@dataclass(frozen=True)
class RewardModelConfig:
    """All that is needed to build the module again; kept in config.json."""

    dimensions: tuple[str, ...]  # one head each; "overall" is the last
    descriptor_mean: tuple[tuple[float, ...], ...] = field(default=((0.0,) * len(DESCRIPTORS),) * SIDES)
    descriptor_scale: tuple[tuple[float, ...], ...] = field(default=((1.0,) * len(DESCRIPTORS),) * SIDES)
    width: int = 64  # of an exchange's token
    layers: int = 1  # of the transformer
    attention_heads: int = 4
    word_width: int = 16
    frame_width: int = 8  # what the frames of one turn are brought down to


class RewardModel(nn.Module):
    """`forward(batch)` gives scores (B, H). `thresholds` (H, 3) belong to the loss, and are learned with it."""

    descriptor_mean: Tensor
    descriptor_scale: Tensor

    def __init__(self, config: RewardModelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("descriptor_mean", torch.tensor(config.descriptor_mean), persistent=False)
        self.register_buffer("descriptor_scale", torch.tensor(config.descriptor_scale), persistent=False)
        self.words = WordBag(config.word_width)
        self.turn_frames = FrameEncoder(config.frame_width)
        n_turn = len(DESCRIPTORS) + config.word_width
        self.exchange = nn.Sequential(
            nn.Linear(2 * SIDES * n_turn + SIDES * config.frame_width, config.width),
            nn.GELU(),
            nn.Linear(config.width, config.width),
        )
        layer = nn.TransformerEncoderLayer(
            config.width, config.attention_heads, 2 * config.width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.over_exchanges = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.heads = nn.Linear(config.width, len(config.dimensions))
        start = torch.tensor(STARTING_THRESHOLDS)
        steps = torch.diff(start, prepend=torch.zeros(1))
        self.threshold_steps = nn.Parameter(torch.log(torch.expm1(steps)).repeat(len(config.dimensions), 1))

    @property
    def thresholds(self) -> Tensor:
        """0 < c₁ < c₂ < c₃ of each head, (H, 3)."""
        return nn.functional.softplus(self.threshold_steps).cumsum(dim=1)

    def forward(self, batch: Batch) -> Tensor:
        described = self.normalise(batch.descriptors)  # (B, E, SIDES, D)
        turns = torch.cat([described, self.words(batch.words)], dim=-1).flatten(2)  # (B, E, SIDES·n)
        before = torch.cat([turns[:, :1], turns[:, :-1]], dim=1)  # the first exchange differs from none
        frames = self.turn_frames(batch.frames).flatten(2)  # (B, E, SIDES·frame_width)
        tokens = self.exchange(torch.cat([turns, turns - before, frames], dim=-1))  # (B, E, width)
        mixed = self.over_exchanges(tokens, src_key_padding_mask=~batch.mask)
        weight = batch.mask[..., None].to(mixed.dtype)
        pooled = (mixed * weight).sum(dim=1) / weight.sum(dim=1)  # (B, width)
        scores: Tensor = self.heads(pooled)
        return scores

    def normalise(self, descriptors: Tensor) -> Tensor:
        """In standard deviations of the training dialogues, per side, within ± LARGEST_DESCRIPTOR."""
        scaled = (descriptors - self.descriptor_mean) / self.descriptor_scale
        return scaled.clamp(-LARGEST_DESCRIPTOR, LARGEST_DESCRIPTOR)


class WordBag(nn.Module):
    """The mean of the words' vectors, each weighted by how much its word tells: (…, W) → (…, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(NO_WORD + 1, width, padding_idx=NO_WORD)
        nn.init.normal_(self.vectors.weight, std=0.3)
        with torch.no_grad():
            self.vectors.weight[NO_WORD] = 0.0

    def forward(self, words: Tensor) -> Tensor:
        count = (words != NO_WORD).sum(dim=-1, keepdim=True).clamp_min(1)
        bag: Tensor = self.vectors(words).sum(dim=-2) / count.sqrt()
        return bag


class FrameEncoder(nn.Module):
    """The frames of a turn, (…, TURN_FRAMES, FRAME_CHANNELS) → (…, width): two convolutions, then the mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(FRAME_CHANNELS, 2 * width, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(2 * width, width, 3, stride=2, padding=1),
            nn.GELU(),
        )

    def forward(self, frames: Tensor) -> Tensor:
        flat = frames.flatten(0, -3).transpose(1, 2)  # (N, FRAME_CHANNELS, TURN_FRAMES)
        encoded: Tensor = self.layers(flat).mean(dim=-1)
        return encoded.reshape(*frames.shape[:-2], -1)
