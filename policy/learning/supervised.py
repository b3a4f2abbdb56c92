"""The supervised start: a varied prior that is weakly conditional on the emotion.

A prior blind to emotion stands still for long in reinforcement learning, and one without variety has nothing to choose
from. So the demonstrations follow the emotion only a little: DIRECTIONS shifts the middle of broad distributions over
the levels by less than their spread. Their plan is right PLAN_RIGHT of the time, and their codes follow the plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policy.learning import distributed
from policy.learning.checkpoint import code_version, ids_hash, save_checkpoint
from policy.learning.codes import LEVELS
from policy.learning.model import PolicyConfig, ProsodyPolicy, chosen_log_probs, new_policy, token_entropy
from policy.learning.resume import RunFolder
from policy.learning.sampling import derived_seed, sample, uniforms
from policy.learning.scenarios import EMOTIONS, Scenario
from policy.learning.stream import N_PHRASES, PromptEncoder, Prompts, arcs_of, is_plan, tokens_of

PLAN_RIGHT = 0.85
# Shift of the mean level by emotion of the user: pitch, range, pace, energy, pause. Everyday opinion, kept small.
DIRECTIONS = {
    "calm": (0.0, 0.0, 0.0, 0.0, 0.0),
    "joy": (0.8, 0.6, 0.4, 0.6, -0.3),
    "sadness": (-0.8, -0.4, -0.4, -0.6, 0.4),
    "worry": (-0.3, -0.2, -0.2, -0.2, 0.0),
    "anger": (-0.5, -0.3, -0.1, -0.4, 0.2),
}
SPREADS = (1.6, 1.2, 1.2, 1.2, 1.1)  # standard deviation of the demonstrated levels

ScenarioDraw = Callable[[int], Sequence[Scenario]]  # a seed to a fresh set of scenarios


@dataclass(frozen=True)
class SupervisedConfig:
    """One supervised start."""

    seed: int = 0
    steps: int = 100
    batch: int = 32  # dialogues a step
    learning_rate: float = 6e-3  # peak; one cycle
    weight_decay: float = 0.01
    save_every: int = 25  # steps between states to resume from
    model: PolicyConfig = field(default_factory=PolicyConfig)


def level_probabilities() -> list[np.ndarray]:
    """For each of the five codes (emotions, levels): the demonstrations' distribution, a cut-off discretised normal."""
    directions = np.array([DIRECTIONS[emotion] for emotion in EMOTIONS])  # (E, 5)
    tables = []
    for code, size in enumerate(LEVELS):
        distance = np.arange(size)[None, :] - (size - 1) / 2 - directions[:, code, None]  # (E, levels)
        weight = np.exp(-0.5 * (distance / SPREADS[code]) ** 2)
        tables.append(weight / weight.sum(1, keepdims=True))
    return tables


def demonstrations(arcs: np.ndarray, seed: int) -> Tensor:
    """(B, G) token ids of one demonstrated reply for each arc (B, T) of emotions' numbers."""
    random = np.random.default_rng(seed)
    other = (arcs + random.integers(1, len(EMOTIONS), arcs.shape)) % len(EMOTIONS)
    plan = np.where(random.random(arcs.shape) < PLAN_RIGHT, arcs, other)  # (B, T)
    levels = []
    for table in level_probabilities():
        cumulative = table[plan].cumsum(-1)[:, :, None, :-1]  # (B, T, 1, levels − 1)
        levels.append((random.random((*arcs.shape, N_PHRASES, 1)) > cumulative).sum(-1))
    return tokens_of(plan, np.stack(levels, axis=-1))


def supervised_loss(policy: ProsodyPolicy, prompts: Prompts, ids: Tensor, n_total: int) -> tuple[Tensor, Tensor]:
    """Sum of the negative log-likelihoods divided by `n_total` tokens, and the mean entropy in nats (detached)."""
    log_probs = policy.log_probs(prompts, ids)
    entropy = token_entropy(log_probs.detach()).mean()
    return -chosen_log_probs(log_probs, ids).sum() / n_total, entropy


def train_supervised(
    config: SupervisedConfig, out: Path, draw: ScenarioDraw, encoder: PromptEncoder, bank_hash: str
) -> dict[str, Any]:
    """Train from fresh weights, or go on where a killed run stopped; write the checkpoint to `out`.

    Args:
        draw: a seed to a fresh set of training scenarios; called until a batch is full.
    Returns:
        The run's result: the checkpoint's hash and its figures.
    Raises:
        ValueError: if the loss is not finite, `out` was begun with other settings, or there are more processes than
            dialogues of a batch.
    """
    distributed.refuse_too_many(config.batch, f"a batch of {config.batch} dialogues")
    settings = {"kind": "supervised", **asdict(config), "bank": bank_hash, "code": code_version()}
    run = RunFolder(out, settings)
    policy = new_policy(config.model, derived_seed(config.seed, "weights"))
    optimiser = torch.optim.AdamW(policy.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=config.steps)
    step = 0
    if state := run.load():
        policy.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        step = state["step"]
    while step < config.steps:
        metrics = _step(config, step, policy, optimiser, draw, encoder)
        schedule.step()
        step += 1
        run.tell(step, config.steps, f"Supervised start: step {step} of {config.steps}", metrics)
        if step % config.save_every == 0 or step == config.steps:
            states = {"model": policy.state_dict(), "optimiser": optimiser.state_dict()}
            run.save({"step": step, **states, "schedule": schedule.state_dict()})
    return _finish(config, out, run, policy, draw, encoder, bank_hash)


def _step(
    config: SupervisedConfig,
    step: int,
    policy: ProsodyPolicy,
    optimiser: torch.optim.Optimizer,
    draw: ScenarioDraw,
    encoder: PromptEncoder,
) -> dict[str, float]:
    scenarios = fresh_scenarios(draw, config.batch, config.seed, "supervised", step)
    ids = demonstrations(arcs_of(scenarios), derived_seed(config.seed, "demonstrations", step))
    mine = distributed.share(range(len(scenarios)))
    prompts = encoder.encode([scenarios[row] for row in mine])
    loss, entropy = supervised_loss(policy.train(), prompts, ids[mine], ids.numel())
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    distributed.sum_gradients(policy)
    whole = distributed.gathered(torch.stack([loss.detach(), entropy * len(mine) / len(ids)])[None]).sum(0)
    if not torch.isfinite(whole).all():
        raise ValueError(f"The loss is {whole[0].item()} at step {step + 1}; lower the learning rate.")
    torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimiser.step()
    return {"loss": whole[0].item(), "entropy": whole[1].item()}


def _finish(
    config: SupervisedConfig,
    out: Path,
    run: RunFolder,
    policy: ProsodyPolicy,
    draw: ScenarioDraw,
    encoder: PromptEncoder,
    bank_hash: str,
) -> dict[str, Any]:
    scenarios = fresh_scenarios(draw, 64, config.seed, "figures")
    prompts = encoder.encode(scenarios)
    sampled = sample(policy.eval(), prompts, uniforms(len(prompts), prompts.n_exchanges, config.seed, "figures"))
    with torch.no_grad():
        entropy = token_entropy(policy.log_probs(prompts, sampled.ids))
    figures = {
        "loss": run.metrics[-1]["loss"],
        "plan_accuracy": float((sampled.plan == arcs_of(scenarios)).mean()),
        "entropy": float(entropy[:, ~is_plan(prompts.n_exchanges)].mean()),
    }
    texts = sorted({scenario.text.text_id for scenario in draw(0)})
    lineage = {
        **{"kind": "supervised", "parent": None, "bank": bank_hash, "seed": config.seed, "settings": asdict(config)},
        **{"scenarios": ids_hash(texts), "texts": texts, "code": code_version()},
        "figures": figures,
    }
    run.ask_still_mine()
    digest = save_checkpoint(out, policy, lineage) if distributed.rank() == 0 else ""
    return {"checkpoint": digest, **figures}


def fresh_scenarios(draw: ScenarioDraw, count: int, *labels: str | int) -> list[Scenario]:
    """`count` scenarios, shuffled, that depend on the labels alone: texts × random arcs, drawn anew for each step."""
    found: list[Scenario] = []
    turn = 0
    while len(found) < count:
        drawn = list(draw(derived_seed(*labels, "arcs", turn)))
        order = np.random.default_rng(derived_seed(*labels, "order", turn)).permutation(len(drawn))
        found += [drawn[index] for index in order]
        turn += 1
    return found[:count]
