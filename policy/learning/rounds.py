"""One round of reinforcement learning: rollouts, rewards, update, and every few steps a measurement on scenarios apart.

Every random draw is made from the seed and the step (see sampling.py), so the state to resume from holds no generator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policy.learning import distributed, guards
from policy.learning.checkpoint import Checkpoint, code_version, ids_hash, save_checkpoint
from policy.learning.grpo import RolloutRecord, combined_advantages, groups_without_spread, policy_loss
from policy.learning.heldout import HeldOut
from policy.learning.kl import KLWeight, k3
from policy.learning.model import ProsodyPolicy, chosen_log_probs, token_entropy
from policy.learning.resume import RunFolder
from policy.learning.reward import OVERALL, PLAN, Reply, RewardFunction
from policy.learning.sampling import Sampled, sample, uniforms
from policy.learning.scenarios import Scenario
from policy.learning.stream import PromptEncoder, is_plan
from policy.learning.supervised import ScenarioDraw, fresh_scenarios


@dataclass(frozen=True)
class RoundConfig:
    """One round. The weights are relative to each other; each component is standardised within its group first."""

    seed: int = 0
    steps: int = 40
    groups: int = 8  # scenarios a step
    group_size: int = 8  # rollouts of each
    references: int = 4  # replies of the frozen reference that each rollout is compared with
    algorithm: str = "grpo"
    learning_rate: float = 5e-4
    clip: float = 0.2
    largest_gradient: float = 1.0  # norm
    kl_target: float = 0.1  # nats per token, measured on held-out scenarios
    kl_stop: float = 1.6  # times the target: the hard stop
    weight_overall: float = 1.0
    weight_dimension: float = 0.5  # of each dimension of the rubric
    weight_plan: float = 0.3
    plan_gradient: bool = True  # whether the plan's tokens are trained
    rendered_steps: int = 2  # the last ones, on rendered sound
    measure_every: int = 5  # steps; each measurement hears rendered sound


@dataclass(frozen=True)
class Practice:
    """Where a round's scenarios and rewards come from.

    Args:
        draw: a seed to a fresh set of training scenarios.
        held_out: the scenarios apart, with what is measured on them.
        reward, rendered_reward: a RewardFunction for most steps, and one for the last ones.
    """

    draw: ScenarioDraw
    encoder: PromptEncoder
    held_out: HeldOut
    reward: RewardFunction
    rendered_reward: RewardFunction | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)  # bank, reward models, snapshots


@dataclass
class Progress:
    """All of a round that changes, and is resumed."""

    policy: ProsodyPolicy
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    kl: KLWeight
    step: int = 0
    rewards: list[float] = field(default_factory=list)  # on held-out scenarios, by measurement
    held_out_rewards: list[float] = field(default_factory=list)  # by the held-out reward model
    good: dict[str, Any] = field(default_factory=dict)  # weights, step and figures of the last good checkpoint
    stopped: str = ""

    def state(self) -> dict[str, Any]:
        """What torch.load with weights_only gives back."""
        return {
            **{"model": self.policy.state_dict(), "optimiser": self.optimiser.state_dict()},
            **{"schedule": self.schedule.state_dict(), "kl": asdict(self.kl)},
            **{"step": self.step, "rewards": self.rewards, "held_out_rewards": self.held_out_rewards},
            **{"good": self.good, "stopped": self.stopped},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.policy.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.kl = KLWeight(**state["kl"])
        self.step, self.good, self.stopped = state["step"], state["good"], state["stopped"]
        self.rewards, self.held_out_rewards = list(state["rewards"]), list(state["held_out_rewards"])


def train_round(config: RoundConfig, out: Path, start: Checkpoint, practice: Practice) -> dict[str, Any]:
    """Train from `start`, which is the frozen reference too, or go on where a killed run stopped.

    Returns:
        The run's result: hash and figures of the last good checkpoint, which is in `out`, and `stopped`: the sentence
        of the guard that ended the run, or that says why nothing was good, or nothing. `step` is 0 if nothing was.
    Raises:
        ValueError: if `out` was begun with other settings, or there are more processes than groups.
    """
    distributed.refuse_too_many(config.groups, f"{config.groups} groups of rollouts")
    settings = {"kind": config.algorithm, **asdict(config), "parent": start.content_hash, **practice.lineage}
    run = RunFolder(out, {**settings, "code": code_version()})
    progress = _begin(config, start)
    if state := run.load():
        progress.restore(state)
    reference = start.policy.eval().requires_grad_(False)
    while progress.step < config.steps and not progress.stopped:
        metrics = _step(config, progress, reference, practice)
        if not progress.stopped:
            progress.step += 1
            if progress.step % config.measure_every == 0 or progress.step == config.steps:
                metrics |= _measure(config, progress, reference, practice)
        message = f"Round: step {progress.step} of {config.steps}"
        run.tell(progress.step, config.steps, progress.stopped or message, _finite(metrics))
        if progress.stopped or progress.step % config.measure_every == 0 or progress.step == config.steps:
            run.save(progress.state())
    return _finish(config, out, run, progress, start, practice)


def _begin(config: RoundConfig, start: Checkpoint) -> Progress:
    policy = ProsodyPolicy(start.policy.config)
    policy.load_state_dict(start.policy.state_dict())
    optimiser = torch.optim.AdamW(policy.parameters(), lr=config.learning_rate, weight_decay=0.0)

    def rate(step: int) -> float:  # three steps of warm-up, then a straight line down to a tenth
        return min((step + 1) / 3, 1 - 0.9 * step / config.steps)

    progress = Progress(
        policy, optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, rate), KLWeight(config.kl_target)
    )
    progress.good = {"model": start.policy.state_dict(), "step": 0, "figures": {}}
    return progress


def _step(config: RoundConfig, progress: Progress, reference: ProsodyPolicy, practice: Practice) -> dict[str, float]:
    """One update; sets `progress.stopped` instead of taking a step that a guard forbids."""
    policy, step = progress.policy, progress.step
    record, values = _roll_out(config, progress, reference, practice)
    rewards = _of_the_whole_batch(record.rewards, config.group_size)
    weights = reward_weights(config, rewards)
    advantages = combined_advantages(rewards, weights, config.group_size, config.algorithm)
    own = torch.cat(distributed.share(list(advantages.view(-1, config.group_size))))
    distribution = policy.train().log_probs(record.prompts, record.ids)
    log_probs = chosen_log_probs(distribution, record.ids)
    masked = record.mask[0].sum().item() * config.groups * config.group_size
    loss = policy_loss(log_probs, record, own, clip=config.clip, kl_weight=progress.kl.weight, n_tokens=int(masked))
    progress.optimiser.zero_grad()
    torch.autograd.backward(loss)
    distributed.sum_gradients(policy)
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), config.largest_gradient)
    entropy, divergence = token_entropy(distribution.detach()), k3(log_probs.detach(), record.reference_log_probs)
    told_by_tokens = torch.stack([entropy.mean(1), divergence.mean(1)], dim=1).view(-1, config.group_size, 2)
    tokens = distributed.gathered(told_by_tokens).flatten(0, 1)  # (B, 2)
    parts = distributed.gathered(torch.tensor([[loss.item(), values["disagreement"], values["repetition"]]])).double()
    told = {name: rewards[name] for name, weight in weights.items() if weight and name != PLAN}
    metrics = {
        **{"loss": parts[:, 0].sum().item(), "gradient_norm": float(norm), "kl_weight": progress.kl.weight},
        **{"entropy": tokens[:, 0].mean().item(), "kl_k3": tokens[:, 1].mean().item()},
        **{f"reward_{name}": component.mean().item() for name, component in rewards.items()},
        "groups_without_spread": groups_without_spread(told, config.group_size),
        **{"disagreement": parts[:, 1].mean().item(), "repetition": parts[:, 2].mean().item()},
    }
    metrics["plan_accuracy"] = metrics.pop(f"reward_{PLAN}")
    metrics["reward"] = metrics.get(f"reward_{OVERALL}", next(iter(rewards.values())).mean().item())
    progress.stopped = _stop_sentence(step + 1, guards.found(metrics))
    if not progress.stopped:
        progress.optimiser.step()
        progress.schedule.step()
    return metrics


def _of_the_whole_batch(rewards: Mapping[str, Tensor], group_size: int) -> dict[str, Tensor]:
    """Each component of all processes, (B,), group by group in the scenarios' order."""
    groups = torch.stack(list(rewards.values()), dim=-1).view(-1, group_size, len(rewards))
    whole = distributed.gathered(groups).flatten(0, 1)  # (B, components)
    return dict(zip(rewards, whole.unbind(-1), strict=True))


def _roll_out(
    config: RoundConfig, progress: Progress, reference: ProsodyPolicy, practice: Practice
) -> tuple[RolloutRecord, dict[str, float]]:
    """This process's share of the step's groups."""
    step = progress.step
    scenarios = fresh_scenarios(practice.draw, config.groups, config.seed, "round", step)
    mine = distributed.share(range(config.groups))
    own = [scenarios[group] for group in mine]
    once = practice.encoder.encode(own)
    prompts = once.repeated(config.group_size)

    def chance(rows: int, what: str) -> Tensor:
        drawn = [uniforms(rows, once.n_exchanges, config.seed, what, step, group) for group in mine]
        return torch.cat(drawn)

    sampled = sample(progress.policy.eval(), prompts, chance(config.group_size, "rollouts"))
    others = sample(reference, once.repeated(config.references), chance(config.references, "references"))
    is_rendered = practice.rendered_reward is not None and step >= config.steps - config.rendered_steps
    reward_of = practice.rendered_reward if is_rendered and practice.rendered_reward else practice.reward
    rewards = reward_of(replies(own, sampled), replies(own, others))
    with torch.no_grad():
        reference_log_probs = chosen_log_probs(reference.log_probs(prompts, sampled.ids), sampled.ids)
    owner = is_plan(prompts.n_exchanges)
    trained = torch.ones_like(owner) if config.plan_gradient else ~owner
    record = RolloutRecord(
        prompts=prompts,
        ids=sampled.ids,
        mask=trained.expand(len(prompts), -1),
        is_plan=owner,
        old_log_probs=sampled.log_probs,
        reference_log_probs=reference_log_probs,
        rewards={name: torch.from_numpy(value).float() for name, value in rewards.components.items()},
        group_size=config.group_size,
    )
    return record, {"disagreement": rewards.disagreement, "repetition": guards.repetition(sampled.codes)}


def replies(scenarios: Sequence[Scenario], sampled: Sampled) -> list[Reply]:
    """Rollouts of a batch whose prompts were repeated: equally many for each scenario."""
    each = len(sampled.ids) // len(scenarios)
    owners = [scenario for scenario in scenarios for _ in range(each)]
    return [Reply(*said) for said in zip(owners, sampled.plan, sampled.codes, strict=True)]


def reward_weights(config: RoundConfig, components: Mapping[str, object]) -> dict[str, float]:
    """Overall, each dimension of the rubric, and the plan."""
    weights = dict.fromkeys(components, config.weight_dimension)
    return weights | {
        name: weight
        for name, weight in ((OVERALL, config.weight_overall), (PLAN, config.weight_plan))
        if name in weights
    }


def _measure(config: RoundConfig, progress: Progress, reference: ProsodyPolicy, practice: Practice) -> dict[str, float]:
    """Measure on held-out scenarios, correct the KL weight, and keep the weights if they are good."""
    values = practice.held_out.measure(progress.policy.eval(), reference, progress.step)
    progress.rewards.append(values["held_out_reward"])
    if "held_out_model_reward" in values:
        progress.held_out_rewards.append(values["held_out_model_reward"])
        values["held_out_fall"] = guards.held_out_fall(
            progress.rewards, progress.held_out_rewards, values["held_out_model_error"]
        )
    kl = values["kl_nats_per_token"]
    limit = guards.kl_guard(config.kl_target, config.kl_stop * config.kl_target)
    progress.stopped = _stop_sentence(progress.step, guards.found(values, [limit]))
    progress.kl = progress.kl.after(kl)
    if not progress.stopped and kl <= config.kl_target:
        weights = {name: tensor.clone() for name, tensor in progress.policy.state_dict().items()}
        progress.good = {"model": weights, "step": progress.step, "figures": values}
    return values


def _nothing_good(config: RoundConfig, out: Path, measured: Sequence[float]) -> str:
    nearest = f"the nearest: {min(measured):.3g}" if measured else "there were none"
    return (
        f"None of {len(measured)} measurements lay within the KL target of {config.kl_target:g} nats per token "
        f"({nearest}), so {out} holds the weights that the round began with. Give the weight of the divergence more "
        "steps, or allow a larger --kl-target."
    )


def _stop_sentence(step: int, broken: str) -> str:
    return f"Stopped at step {step}. {broken}" if broken else ""


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    # The curves are JSON, which has no word for what is not a number; the guard's sentence names it.
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _finish(
    config: RoundConfig, out: Path, run: RunFolder, progress: Progress, start: Checkpoint, practice: Practice
) -> dict[str, Any]:
    progress.policy.load_state_dict(progress.good["model"])
    figures = {"step": progress.good["step"], **progress.good["figures"]}
    stopped = progress.stopped
    if not stopped and not figures["step"]:
        found = [line["kl_nats_per_token"] for line in run.metrics if "kl_nats_per_token" in line]
        stopped = _nothing_good(config, out, found)
    texts = sorted({scenario.text.text_id for scenario in practice.draw(0)})
    lineage = {
        **{"kind": config.algorithm, "parent": start.content_hash, "seed": config.seed, "settings": asdict(config)},
        **{"scenarios": ids_hash(texts), "texts": texts},
        **{"code": code_version(), "figures": figures, "stopped": stopped, **practice.lineage},
    }
    run.ask_still_mine()
    digest = save_checkpoint(out, progress.policy, lineage) if distributed.rank() == 0 else ""
    return {"checkpoint": digest, "stopped": stopped, **figures}
