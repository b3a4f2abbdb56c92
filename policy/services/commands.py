"""The command lines of `python -m policy`, in one place: the only words between the web side and the learning side."""

from collections.abc import Sequence
from pathlib import Path

from earshot.jobs import programs
from policy.services.plans import SpeechPlan


def train(out: Path, *, seed: int, steps: int | None) -> list[str]:
    """The supervised start."""
    more: list[object] = [] if steps is None else ["--steps", steps]
    return programs.command("policy", "train", "--out", out, "--seed", seed, *more, spread=True)


def update(
    policy: Path,
    reward_models: Sequence[Path],
    out: Path,
    *,
    steps: int,
    seed: int,
    kl_target: float,
    scenarios: Path | None,
    held_out_reward_model: Path | None,
) -> list[str]:
    """One round of reinforcement learning, on scenarios of a manifest or drawn from the practice texts."""
    arguments: list[object] = ["--policy", policy]
    for model in reward_models:
        arguments += ["--reward-model", model]
    arguments += ["--part", "train"] if scenarios is None else ["--scenarios", scenarios]
    arguments += ["--out", out, "--steps", steps, "--seed", seed, "--kl-target", kl_target]
    if held_out_reward_model is not None:
        arguments += ["--held-out-reward-model", held_out_reward_model]
    return programs.command("policy", "round", *arguments, spread=True)


def speak(policy: Path, out: Path, *, system: str, plan: SpeechPlan, scenarios: Path | None) -> list[str]:
    """Dialogues of a policy as a manifest folder."""
    drawn: list[object] = ["--part", plan.part, "--per-text", plan.per_text]
    which = drawn if scenarios is None else ["--scenarios", scenarios]
    more: list[object] = ["--samples", plan.samples, "--seed", plan.seed, "--out", out, "--system", system]
    return programs.command("policy", "speak", policy, *which, *more)


def evaluate(
    policy: Path, reference: Path, reward_models: Sequence[Path], out: Path, *, seed: int, scenarios: Path | None
) -> list[str]:
    """New against reference on held-out scenarios: gain in reward and KL."""
    arguments: list[object] = [policy, "--reference", reference]
    for model in reward_models:
        arguments += ["--reward-model", model]
    arguments += ["--part", "held_out"] if scenarios is None else ["--scenarios", scenarios]
    return programs.command("policy", "evaluate", *arguments, "--seed", seed, "--out", out)
