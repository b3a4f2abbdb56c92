"""What is measured while a policy is trained, on scenarios that it is not trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from policy.learning.kl import divergence_of
from policy.learning.model import ProsodyPolicy
from policy.learning.reward import OVERALL, PLAN, Reply, RewardFunction
from policy.learning.sampling import sample, uniforms
from policy.learning.scenarios import Scenario
from policy.learning.stream import PromptEncoder

Listening = Callable[[Sequence[Reply]], Mapping[str, float]]


@dataclass(frozen=True)
class HeldOut:
    """Fresh rollouts of held-out scenarios at every measurement, compared with the same reference replies.

    Args:
        reward: what is trained on; `held_out_reward`: a reward model that is not, if there is one.
        listening: measures rendered replies for the guards of guards.py, if there is a renderer.
    """

    scenarios: Sequence[Scenario]
    encoder: PromptEncoder
    seed: int
    reward: RewardFunction
    held_out_reward: RewardFunction | None = None
    listening: Listening | None = None
    rollouts: int = 4  # of each scenario
    heard: int = 4  # rendered replies

    def measure(self, policy: ProsodyPolicy, reference: ProsodyPolicy, step: int) -> dict[str, float]:
        """Divergence (whole, of the plan, of the codes), entropy, rewards, the plan's accuracy, and guards' values.

        Rewards are mean probabilities of beating the reference, without the caution that is trained with.
        """
        once = self.encoder.encode(self.scenarios)
        prompts = once.repeated(self.rollouts)
        rows, exchanges = len(prompts), once.n_exchanges
        kl, sampled = divergence_of(policy, reference, prompts, uniforms(rows, exchanges, self.seed, "apart", step))
        others = sample(reference, prompts, uniforms(rows, exchanges, self.seed, "apart references"))
        owners = [scenario for scenario in self.scenarios for _ in range(self.rollouts)]
        said, said_by_reference = (
            [Reply(*row) for row in zip(owners, found.plan, found.codes, strict=True)] for found in (sampled, others)
        )
        rewards = self.reward(said, said_by_reference).means
        values = {
            "kl_nats_per_token": kl.total,
            "kl_plan": kl.plan,
            "kl_codes": kl.codes,
            "entropy": kl.entropy,
            "held_out_reward": float(_overall(rewards).mean()),
            "held_out_plan_accuracy": float(rewards[PLAN].mean()),
            "plan_loss": _sure_loss(rewards[PLAN], np.array([reply.plan_score for reply in said_by_reference])),
        }
        if self.held_out_reward:
            judged = _overall(self.held_out_reward(said, said_by_reference).means)
            values["held_out_model_reward"] = float(judged.mean())
            values["held_out_model_error"] = standard_error(judged, len(self.scenarios))
        if self.listening:
            chosen = torch.linspace(0, rows - 1, min(self.heard, rows)).long().tolist()
            values |= self.listening([said[row] for row in chosen])
        return values


def _sure_loss(new: np.ndarray, old: np.ndarray) -> float:
    """How far the mean of `new` lies below that of `old`, (B,) each, less two standard errors: a few plans scatter."""
    lost = old - new
    return float(lost.mean() - 2 * lost.std(ddof=1) / np.sqrt(len(lost)))


def standard_error(values: np.ndarray, n_scenarios: int) -> float:
    """Of the mean of (B,) values, equally many for each scenario and side by side: those of one hang together."""
    means = values.reshape(n_scenarios, -1).mean(1)
    return float(means.std(ddof=1) / np.sqrt(n_scenarios))


def _overall(components: Mapping[str, np.ndarray]) -> np.ndarray:
    names = [name for name in components if name != PLAN]
    return components[OVERALL if OVERALL in components else names[-1]]
