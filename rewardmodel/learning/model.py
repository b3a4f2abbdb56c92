"""The reward model: features of a dialogue → one score per dimension of the rubric, in logits.

An ideal-point model (Coombs, 1964) with a learned context. What the user says, and how, becomes a few numbers per
exchange; a small transformer lets the exchanges see each other. From this context come ideal points for how the reply
is spoken, and for how it changes from the reply before. The distances to them, averaged over the exchanges, give the
scores. The reply's words are not read: how it is said is judged, and both sides of a pair often say the same, so words
could only be learned by heart. Plainer models did learn their dialogues by heart: see docs/reward-model.md.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rewardmodel.learning.batch import NO_WORD, SIDES, Batch
from rewardmodel.learning.features import DESCRIPTORS, FRAME_CHANNELS
from rewardmodel.learning.loss import STARTING_THRESHOLDS

LARGEST_DESCRIPTOR = 3.0  # in standard deviations; what lies further out says no more
FIRST_GATE = 0.1  # frames and the look at other exchanges begin quiet: they have the most to learn by heart
FIRST_PART = 0.0  # of each dimension in overall, before softplus: 0.69
USER, REPLY = range(SIDES)


@dataclass(frozen=True)
class RewardModelConfig:
    """All that is needed to build the module again; kept in config.json."""

    dimensions: tuple[str, ...]  # one head each; "overall" is the last
    descriptor_mean: tuple[tuple[float, ...], ...] = field(default=((0.0,) * len(DESCRIPTORS),) * SIDES)
    descriptor_scale: tuple[tuple[float, ...], ...] = field(default=((1.0,) * len(DESCRIPTORS),) * SIDES)
    context_width: int = 8  # what is known of the user in one exchange; narrow, or texts are learned by heart
    context_layers: int = 1  # of the transformer over exchanges
    attention_heads: int = 2
    ideals: int = 24  # ideal points within replies, and as many between them
    word_width: int = 16
    frame_width: int = 8  # what the frames of one turn are brought down to
    width: int = 64


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
        self.frames = FrameEncoder(config.frame_width)
        self.context = ContextEncoder(len(DESCRIPTORS) + config.word_width, config)
        self.gate = nn.Parameter(torch.full((config.frame_width,), FIRST_GATE))
        n_reply = len(DESCRIPTORS) + config.frame_width
        self.within = IdealPoints(n_reply, config.context_width, config.ideals)
        self.between = IdealPoints(n_reply, 2 * config.context_width, config.ideals)
        self.mix = nn.Linear(2 * config.ideals + n_reply, config.width)
        self.heads = nn.Linear(config.width, len(config.dimensions))
        self.parts = nn.Parameter(torch.full((len(config.dimensions) - 1,), FIRST_PART))
        with torch.no_grad():  # at first overall is what the dimensions make it
            self.heads.weight[-1] = 0.0
        steps = torch.diff(torch.tensor(STARTING_THRESHOLDS), prepend=torch.zeros(1))
        self.threshold_steps = nn.Parameter(torch.log(torch.expm1(steps)).repeat(len(config.dimensions), 1))

    @property
    def thresholds(self) -> Tensor:
        """0 < c₁ < c₂ < c₃ of each head, (H, 3)."""
        return nn.functional.softplus(self.threshold_steps).cumsum(dim=1)

    def forward(self, batch: Batch) -> Tensor:
        described = self.normalise(batch.descriptors)  # (B, E, SIDES, D)
        user = torch.cat([described[:, :, USER], self.words(batch.words[:, :, USER])], dim=-1)
        context = self.context(user, batch.mask)  # (B, E, context_width)
        frames = self.frames(batch.frames[:, :, REPLY]) * self.gate
        reply = torch.cat([described[:, :, REPLY], frames], dim=-1)  # (B, E, n_reply)
        off = self.within(reply, context)  # (B, E, ideals)
        off_change = self.between(reply - _before(reply), torch.cat([context, _before(context)], dim=-1))
        off_change = off_change * _is_later(batch.mask)[..., None]  # the first reply changes from none
        mixed = self.mix(torch.cat([off, off_change, reply], dim=-1))  # (B, E, width)
        weight = batch.mask[..., None].to(mixed.dtype)
        pooled = (mixed * weight).sum(dim=1) / weight.sum(dim=1)  # (B, width): the mean over exchanges
        return self._with_overall(self.heads(pooled))

    def _with_overall(self, heads: Tensor) -> Tensor:
        """(B, H): the last head, overall, is a weighted sum of the dimensions and what they leave over.

        So a vote on a dimension teaches overall too, and the other way round: a point of accuracy with few votes
        (docs/reward-model.md).
        """
        dimensions, rest = heads[:, :-1], heads[:, -1:]
        parts = nn.functional.softplus(self.parts)
        return torch.cat([dimensions, rest + (dimensions * parts).sum(dim=1, keepdim=True)], dim=1)

    def normalise(self, descriptors: Tensor) -> Tensor:
        """In standard deviations of the training dialogues, per side, within ± LARGEST_DESCRIPTOR; 0 where none are."""
        scaled = (descriptors - self.descriptor_mean) / self.descriptor_scale
        is_there = (descriptors != 0).any(dim=-1, keepdim=True)
        return scaled.clamp(-LARGEST_DESCRIPTOR, LARGEST_DESCRIPTOR) * is_there


def _before(exchanges: Tensor) -> Tensor:
    """Of every exchange (B, E, n) the one before it; of the first, itself."""
    return torch.cat([exchanges[:, :1], exchanges[:, :-1]], dim=1)


def _is_later(mask: Tensor) -> Tensor:
    """1 for every exchange but the first: (B, E)."""
    later = mask.clone()
    later[:, 0] = False
    return later.to(torch.get_default_dtype())


class IdealPoints(nn.Module):
    """Distances of directions of `given` to points that depend on `context`: (…, n), (…, m) → (…, k), each ≥ 0.

    √(1 + z²) − 1 is z²/2 near the point and grows linearly far from it: what is far off is not ever worse.
    """

    def __init__(self, n_given: int, n_context: int, count: int) -> None:
        super().__init__()
        self.directions = nn.Linear(n_given, count)
        self.points = nn.Linear(n_context, count, bias=False)

    def forward(self, given: Tensor, context: Tensor) -> Tensor:
        off: Tensor = self.directions(given) - self.points(context)
        return torch.sqrt(1 + off.square()) - 1


class ContextEncoder(nn.Module):
    """What the user says and how, (B, E, n) → (B, E, context_width) within ±1; each exchange has seen all others."""

    def __init__(self, n_user: int, config: RewardModelConfig) -> None:
        super().__init__()
        width = config.context_width
        self.narrow = nn.Linear(n_user, width)
        layer = nn.TransformerEncoderLayer(
            width, config.attention_heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        with torch.no_grad():  # at first every exchange speaks for itself
            layer.linear2.weight.mul_(FIRST_GATE)
            layer.self_attn.out_proj.weight.mul_(FIRST_GATE)
        self.over_exchanges = nn.TransformerEncoder(layer, config.context_layers, enable_nested_tensor=False)

    def forward(self, user: Tensor, mask: Tensor) -> Tensor:
        seen: Tensor = self.over_exchanges(self.narrow(user), src_key_padding_mask=~mask)
        return torch.tanh(seen)


class WordBag(nn.Module):
    """The sum of the words' vectors over the root of their number: (…, W) → (…, width)."""

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
