"""The command lines of `python -m policy`, in one place: the only words between the web side and the learning side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earshot.jobs import programs
from policy.services.plans import HELD_OUT, TRAIN, RoundPlan, SpeechPlan

TRUTH = "earshot.demo.listener:utilities"  # by which simulated raters judge; no model reads it


@dataclass(frozen=True)
class RoundFolders:
    """Where a round's inputs stand on this machine, and where it writes."""

    start: Path
    reward_models: Sequence[Path]
    held_out_reward_model: Path | None
    new: Path
    report: Path

    def judges(self) -> list[object]:
        arguments: list[object] = []
        for model in self.reward_models:
            arguments += ["--reward-model", model]
        if self.held_out_reward_model is not None:
            arguments += ["--held-out-reward-model", self.held_out_reward_model]
        return arguments


def train(out: Path, *, seed: int, steps: int | None) -> list[str]:
    """The supervised start."""
    more: list[object] = [] if steps is None else ["--steps", steps]
    return programs.command("policy", "train", "--out", out, "--seed", seed, *more, *_cache(), spread=True)


def update(folders: RoundFolders, plan: RoundPlan, scenarios: Path | None) -> list[str]:
    """One round of reinforcement learning, on scenarios of a manifest or drawn from the practice texts."""
    arguments: list[object] = ["--policy", folders.start, *folders.judges(), *_which(scenarios, TRAIN)]
    arguments += ["--out", folders.new, "--steps", plan.steps, "--seed", plan.seed, "--kl-target", plan.kl_target]
    return programs.command("policy", "round", *arguments, *_cache(), spread=True)


def evaluate(folders: RoundFolders, plan: RoundPlan, scenarios: Path | None, *, is_simulated: bool) -> list[str]:
    """New against reference on held-out scenarios: gain in reward and KL; in truth, too, where raters are simulated."""
    arguments: list[object] = [folders.new, "--reference", folders.start, *folders.judges()]
    arguments += [*_which(scenarios, HELD_OUT), "--per-text", plan.per_text, "--seed", plan.seed]
    arguments += ["--truth", TRUTH] if is_simulated else []
    return programs.command("policy", "evaluate", *arguments, "--out", folders.report, *_cache())


def speak(policy: Path, out: Path, *, system: str, plan: SpeechPlan, scenarios: Path | None) -> list[str]:
    """Dialogues of a policy as a manifest folder."""
    arguments: list[object] = [policy, *_which(scenarios, plan.part), "--per-text", plan.per_text]
    arguments += ["--samples", plan.samples, "--seed", plan.seed, "--out", out, "--system", system]
    return programs.command("policy", "speak", *arguments, *_cache())


def compare(before: Path, after: Path, out: Path) -> list[str]:
    """The sound of two manifest folders of the same scenarios, by instruments that no model reads."""
    return programs.command("policy", "compare", before, after, "--out", out)


def _which(scenarios: Path | None, part: str) -> list[object]:
    return ["--part", part] if scenarios is None else ["--scenarios", scenarios]


def _cache() -> list[object]:
    return ["--cache", programs.cache_folder()]
