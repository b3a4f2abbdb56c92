"""The update: one rollout record, and the losses that are computed on it. Pure functions on tensors.

Sources: GRPO, Shao et al. (2024), arXiv 2402.03300; RLOO, Ahmadian et al. (2024), arXiv 2402.14740.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.learning.kl import k3
from policy.learning.stream import Prompts

SMALLEST_SPREAD = 1e-6  # of a component within a group: below it, the component says nothing there
TELLING_SPREAD = 0.01  # standard deviation of a probability within a group: below it, there is nothing to choose from
ALGORITHMS = ("grpo", "rloo")


@dataclass(frozen=True)
class RolloutRecord:
    """B rollouts in groups of one scenario each, which stand together."""

    prompts: Prompts
    ids: Tensor  # (B, G)
    mask: Tensor  # (B, G) bool: the tokens that get a gradient
    is_plan: Tensor  # (G,) bool: the owner of each token, the plan or the speech codes
    old_log_probs: Tensor  # (B, G) of the taken tokens, under the policy they were sampled from
    reference_log_probs: Tensor  # (B, G) of the same tokens, under the frozen reference
    rewards: Mapping[str, Tensor]  # component to (B,)
    group_size: int


def grpo_advantages(rewards: Tensor, group_size: int) -> Tensor:
    """(B,) rewards standardised within their groups (population standard deviation); 0 in a group without spread."""
    groups = _in_groups(rewards, group_size)
    spread = groups.std(1, correction=0, keepdim=True)
    standard = (groups - groups.mean(1, keepdim=True)) / spread.clamp(min=SMALLEST_SPREAD)
    return torch.where(spread > SMALLEST_SPREAD, standard, 0.0).flatten()


def rloo_advantages(rewards: Tensor, group_size: int) -> Tensor:
    """(B,) each reward minus the mean of the others in its group, in the rewards' own unit."""
    groups = _in_groups(rewards, group_size)
    return ((groups - groups.mean(1, keepdim=True)) * (group_size / (group_size - 1))).flatten()


def _standardised_rloo(rewards: Tensor, group_size: int) -> Tensor:
    spread = rewards.std(correction=0)  # ()
    if spread <= SMALLEST_SPREAD:
        return torch.zeros_like(rewards)
    return rloo_advantages(rewards / spread, group_size)


def combined_advantages(
    rewards: Mapping[str, Tensor], weights: Mapping[str, float], group_size: int, algorithm: str = "grpo"
) -> Tensor:
    """(B,) the weighted mean of the components' advantages: each is standardised first, or the widest one wins.

    GRPO standardises within the group, RLOO by the standard deviation of the batch: B is the whole batch, of all
    processes.

    Raises:
        ValueError: if a weight names no component, all weights are zero, or there is no such algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"There is no algorithm {algorithm!r}; choose one of {', '.join(ALGORITHMS)}.")
    if unknown := sorted(set(weights) - set(rewards)):
        raise ValueError(f"No reward is called {unknown[0]!r}; give weights for {', '.join(sorted(rewards))}.")
    total = sum(weights.values())
    if total <= 0:
        raise ValueError(f"The weights {dict(weights)} sum to {total}; give at least one above 0.")
    advantages_of = grpo_advantages if algorithm == "grpo" else _standardised_rloo
    parts = [weight * advantages_of(rewards[name], group_size) for name, weight in weights.items() if weight]
    return torch.stack(parts).sum(0) / total


def policy_loss(
    log_probs: Tensor, record: RolloutRecord, advantages: Tensor, *, clip: float, kl_weight: float, n_tokens: int
) -> Tensor:
    """Clipped policy gradient plus kl_weight · k3, summed over the masked tokens and divided by `n_tokens`.

    Args:
        log_probs: (B, G) of the taken tokens under the policy being trained.
        advantages: (B,), the same for every token of a rollout.
        clip: how far the probability ratio may move from 1.
        n_tokens: masked tokens of the whole batch, over all processes.
    Returns:
        () in nats.
    """
    ratio = (log_probs - record.old_log_probs).exp()  # (B, G)
    gain = advantages[:, None]
    surrogate = torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)
    per_token = kl_weight * k3(log_probs, record.reference_log_probs) - surrogate
    return (per_token * record.mask).sum() / n_tokens


def groups_without_spread(probabilities: Mapping[str, Tensor], group_size: int) -> float:
    """Share of the groups in which every rollout is about as good as every other: they teach nothing.

    Args:
        probabilities: component to (B,): those that are rewarded and are probabilities of beating the reference.
    """
    if not probabilities:
        return 0.0
    spreads = [_in_groups(values, group_size).std(1, correction=0) for values in probabilities.values()]
    return float((torch.stack(spreads).amax(0) < TELLING_SPREAD).float().mean())


def _in_groups(values: Tensor, group_size: int) -> Tensor:
    if group_size < 2 or len(values) % group_size:
        raise ValueError(f"{len(values)} rollouts are no groups of {group_size}; sample at least 2 for each scenario.")
    return values.view(-1, group_size)
