"""Ordinal Bradley-Terry with ties: the probability of each vote −3 … +3 given a difference of scores.

P(vote ≤ k) = σ(c_k − margin), with thresholds −c₃, −c₂, −c₁, c₁, c₂, c₃; so P(a) + P(tie) + P(b) = 1, and swapping the
sides mirrors the probabilities. Source: as earshot.estimation.ordinal, which fits the same likelihood to systems.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 3  # votes are −MOST … +MOST
LEVELS = 2 * MOST + 1
STARTING_THRESHOLDS = (0.5, 1.4, 2.4)  # logits


def vote_log_probabilities(margin: Tensor, thresholds: Tensor) -> Tensor:
    """Log-probability of each of the 7 votes, −3 first: (…, H, 7).

    Args:
        margin: score of a minus score of b, (…, H).
        thresholds: 0 < c₁ < c₂ < c₃ of each head, (H, 3).
    Raises:
        ValueError: if margin and thresholds have not the same number of heads.
    """
    if margin.shape[-1] != thresholds.shape[0]:
        raise ValueError(
            f"The margins have {margin.shape[-1]} heads, the thresholds {thresholds.shape[0]}; give one row per head."
        )
    cuts = torch.cat([-thresholds.flip(1), thresholds], dim=1)  # (H, 6)
    distance = cuts - margin[..., None]  # (…, H, 6)
    below, above = F.logsigmoid(distance), F.logsigmoid(-distance)
    width = torch.log(-torch.expm1(cuts[:, :-1] - cuts[:, 1:]))  # (H, 5): log(1 − e^−(u − l))
    inner = below[..., 1:] + above[..., :-1] + width
    return torch.cat([below[..., :1], inner, above[..., -1:]], dim=-1)


def ordinal_loss(margin: Tensor, thresholds: Tensor, votes: Tensor, is_scored: Tensor) -> Tensor:
    """Negative log-likelihood of the votes in nats, summed over scored ones and divided by *all* places of the batch.

    So the mean over two halves of a batch is that of the whole, whatever is missing where: two processes with half a
    batch each take the same step as one.

    Args:
        margin: (B, H). votes: (B, H) int64, −3 … +3, anything where not scored. is_scored: (B, H) bool.
    """
    log_probability = vote_log_probabilities(margin, thresholds)  # (B, H, 7)
    place = torch.where(is_scored, votes + MOST, 0)[..., None]
    taken = log_probability.gather(-1, place).squeeze(-1)  # (B, H)
    return -torch.where(is_scored, taken, 0.0).sum() / taken.numel()


def centering_penalty(scores_a: Tensor, scores_b: Tensor) -> Tensor:
    """Mean square of the pair's mean score, (): differences alone leave the level free, and a free level drifts."""
    return ((scores_a + scores_b) / 2).square().mean()


def preference(margin: Tensor, first_threshold: Tensor) -> Tensor:
    """P(a beats b) + ½ P(tie), same shape as `margin`; swapped sides give one minus it."""
    return 0.5 * (torch.sigmoid(margin - first_threshold) + torch.sigmoid(margin + first_threshold))
