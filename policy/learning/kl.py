"""How far a policy has moved from its frozen reference, and the weight that holds it there.

Two different things are called KL and are kept apart:
- k3, the estimator inside the loss: exp(r) − r − 1 with r = log π_ref(token) − log π(token), of the taken tokens alone;
- the exact divergence Σ π (log π − log π_ref) over the full masked vocabulary at temperature 1, averaged over the
  generated tokens of fresh rollouts on held-out scenarios. It is what is reported, aimed at and stopped on.
Both in nats per token. Source of k3: Schulman (2020), "Approximating KL divergence".
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.learning.model import ProsodyPolicy, token_entropy
from policy.learning.sampling import Sampled, sample
from policy.learning.stream import Prompts, is_plan

SMOOTHING = 0.6  # of a new slope in the running mean
AIM = 0.85  # of the target: what is measured scatters, and the target is a ceiling
FASTEST = 0.35  # ln of the largest change of the weight by one measurement
EAGER_UP, EAGER_DOWN = 0.8, 1.0  # ln of the weight, per unit of relative error
LIGHTEST, HEAVIEST = 0.03, 3.0


@dataclass(frozen=True)
class Divergence:
    """Nats per generated token: over all tokens, over the plan's and over the speech codes'; entropy the same way."""

    total: float
    plan: float
    codes: float
    entropy: float


def k3(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """Schulman's unbiased, never negative estimate of each taken token's KL, same shape."""
    log_ratio = reference_log_probs - log_probs
    return log_ratio.exp() - log_ratio - 1


def exact_kl(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """(B, G) nats, of two (B, G, V) masked log-probabilities; what both forbid counts nothing."""
    finite, reference = log_probs.clamp(min=-1e9), reference_log_probs.clamp(min=-1e9)  # 0 · inf is not a number
    return (finite.exp() * (finite - reference)).sum(-1)


@torch.no_grad()
def divergence_of(
    policy: ProsodyPolicy, reference: ProsodyPolicy, prompts: Prompts, chance: Tensor
) -> tuple[Divergence, Sampled]:
    """The exact divergence on fresh rollouts of `policy`, one for each prompt, and those rollouts."""
    sampled = sample(policy, prompts, chance)
    log_probs = policy.log_probs(prompts, sampled.ids)
    kl = exact_kl(log_probs, reference.log_probs(prompts, sampled.ids)).double()  # (B, G)
    plan = is_plan(prompts.n_exchanges)
    entropy = token_entropy(log_probs).mean().item()
    found = Divergence(kl.mean().item(), kl[:, plan].mean().item(), kl[:, ~plan].mean().item(), entropy)
    return found, sampled


@dataclass(frozen=True)
class KLWeight:
    """The weight of the k3 term, moved a little in log space after each measurement.

    It looks one measurement ahead, along a smoothed slope: a weight that follows the divergence itself falls while the
    policy still stands near its reference, and is too light when it arrives at the target. The first weight is about
    the slope of reward over divergence at 4 nats a dialogue, where standardised rewards grow like √(2 KL).
    """

    target: float  # nats per token
    weight: float = 0.2
    last: float = 0.0  # measured
    slope: float = 0.0  # between measurements, smoothed

    def after(self, measured: float) -> "KLWeight":
        """The weight for the next steps."""
        slope = SMOOTHING * (measured - self.last) + (1 - SMOOTHING) * self.slope
        error = (measured + slope) / (AIM * self.target) - 1
        eager = EAGER_UP if error > 0 else EAGER_DOWN
        change = min(FASTEST, max(-FASTEST, eager * error))
        weight = min(HEAVIEST, max(LIGHTEST, self.weight * math.exp(change)))
        return KLWeight(self.target, weight, measured, slope)
