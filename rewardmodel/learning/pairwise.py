"""What is trained: both sides of a pair through the same model, and the loss of their difference."""

import torch
from torch import Tensor, nn

from rewardmodel.learning.batch import Batch
from rewardmodel.learning.loss import centering_penalty, ordinal_loss
from rewardmodel.learning.model import RewardModel

SIDE_RIDGE = 0.1  # keeps the side's weight at nought where votes say little about it


class PairwiseModel(nn.Module):
    """The reward model beside what only votes have: a liking for the left side, per head. It is not part of a score."""

    def __init__(self, reward: RewardModel, centering: float) -> None:
        super().__init__()
        self.reward = reward
        self.left_side = nn.Parameter(torch.zeros(len(reward.config.dimensions)))
        self.centering = centering

    def forward(
        self,
        frames: Tensor,
        descriptors: Tensor,
        words: Tensor,
        mask: Tensor,
        side: Tensor,
        votes: Tensor,
        is_scored: Tensor,
    ) -> dict[str, Tensor]:
        """The first four hold 2B dialogues, all sides a before all sides b; the others are (B, …)."""
        scores = self.reward(Batch(frames, descriptors, words, mask))  # (2B, H)
        score_a, score_b = scores.chunk(2)
        margin = score_a - score_b + self.left_side * side[:, None]
        loss = ordinal_loss(margin, self.reward.thresholds, votes, is_scored)
        loss = loss + self.centering * centering_penalty(score_a, score_b)
        return {"loss": loss + SIDE_RIDGE * self.left_side.square().mean()}
