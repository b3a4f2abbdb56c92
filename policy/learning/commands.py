"""What each command does: load, work, save. The options come from cli.py."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from earshot.jobs.child import emit
from policy.learning import distributed
from policy.learning.analysis import analysing_ahead
from policy.learning.bank import BANK, Bank, load_bank
from policy.learning.checkpoint import content_hash, load_checkpoint
from policy.learning.choosing import evaluation_scenarios, overlap_with, steering_scenarios, trained_on, training_texts
from policy.learning.cli import STOPPED, settings_of, write_report
from policy.learning.evaluation import EvaluationConfig, Judges, Speakers, Truth, evaluate
from policy.learning.hearing import RenderedSound, SurrogateSound, Workers
from policy.learning.heldout import HeldOut
from policy.learning.reward import PreferenceReward, RewardModels
from policy.learning.rounds import Practice, RoundConfig, train_round
from policy.learning.sampling import sample, uniforms
from policy.learning.scenarios import EMOTIONS, Scenario, draw_scenarios, scenarios_from_manifest
from policy.learning.speaking import Rollout, write_rollouts
from policy.learning.stream import PromptEncoder
from policy.learning.supervised import ScenarioDraw, SupervisedConfig, train_supervised
from policy.learning.surrogate import Surrogate
from rewardmodel.learning.checkpoint import CONFIG_FILE, WEIGHTS_FILE
from rewardmodel.learning.checkpoint import load_checkpoint as load_reward_checkpoint
from rewardmodel.learning.scoring import LoadedRewardModel, load_reward_model


@dataclass(frozen=True)
class World:
    """The practice world as the commands need it."""

    bank: Bank
    encoder: PromptEncoder

    def draw(self, part: str, texts: Sequence[str] | None = None) -> ScenarioDraw:
        """A seed to one scenario of each text of a part, or of the named texts."""

        def drawn(seed: int) -> list[Scenario]:
            found = draw_scenarios(self.bank, None if texts else part, 1, seed)
            return [scenario for scenario in found if not texts or scenario.text.text_id in texts]

        return drawn

    def workers(self, options: argparse.Namespace) -> Workers:
        """--workers processes in all that hear, shared by the processes that train."""
        return Workers(self.bank.folder, options.cache, max(1, options.workers // distributed.world()))

    def chosen(self, options: argparse.Namespace) -> list[Scenario]:
        """The scenarios of --scenarios, or drawn by --part, --per-text and --seed."""
        if options.scenarios:
            return scenarios_from_manifest(options.scenarios, self.bank)
        return draw_scenarios(self.bank, options.part, options.per_text, options.seed)


def open_world(options: argparse.Namespace) -> World:
    """One thread, unless OMP_NUM_THREADS asks for more: the model is small, and threads get in each other's way."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    emit(message="Reading the practice bank")
    bank = load_bank(options.bank or BANK)
    return World(bank, PromptEncoder(Surrogate(bank, options.cache).delivery))


def run_train(options: argparse.Namespace) -> int:
    """The supervised start."""
    with distributed.process_group():
        world = open_world(options)
        config = SupervisedConfig(**settings_of(options, SupervisedConfig))
        with analysing_ahead(world.bank.folder, options.cache if distributed.world() == 1 else None):
            result = train_supervised(config, options.out, world.draw("train"), world.encoder, world.bank.content_hash)
        if distributed.rank() == 0:
            emit(progress=1.0, message="The supervised start is finished", result=result)
    return 0


def run_round(options: argparse.Namespace) -> int:
    """One round of reinforcement learning."""
    with distributed.process_group():
        world = open_world(options)
        start = load_checkpoint(options.policy)
        config = RoundConfig(**settings_of(options, RoundConfig), weight_plan=options.plan_weight)
        with world.workers(options) as workers:
            result = train_round(config, options.out, start, _practice(options, world, workers))
        if distributed.rank() == 0:
            emit(progress=1.0, message=result["stopped"] or "The round is finished", result=result)
    if result["stopped"] and distributed.rank() == 0:
        print(result["stopped"], file=sys.stderr)
    return 0 if result["step"] else STOPPED


def _practice(options: argparse.Namespace, world: World, workers: Workers) -> Practice:
    texts = training_texts(options, world.bank)
    steering = steering_scenarios(world.bank, options.seed, options.per_text, trained_on(_judges(options)))
    models = [load_reward_model(folder) for folder in options.reward_model]
    apart = load_reward_model(options.held_out_reward_model) if options.held_out_reward_model else None
    quick, rendered = SurrogateSound(workers), RenderedSound(workers)
    reward = PreferenceReward(RewardModels(models, quick))
    held_out = HeldOut(
        scenarios=steering,
        encoder=world.encoder,
        seed=options.seed,
        reward=reward,
        held_out_reward=PreferenceReward(RewardModels([apart], quick)) if apart else None,
        listening=rendered.listen,
    )
    return Practice(
        draw=world.draw(options.part, texts),
        encoder=world.encoder,
        held_out=held_out,
        reward=reward,
        rendered_reward=PreferenceReward(RewardModels(models, rendered)),
        lineage={
            "bank": world.bank.content_hash,
            "reward_models": [_origin(folder) for folder in options.reward_model],
            "held_out_reward_model": _origin(options.held_out_reward_model) if apart else None,
            "steering_scenarios": [scenario.scenario_id for scenario in steering],
        },
    )


def _judges(options: argparse.Namespace) -> list[Path]:
    """The folders of all reward models, of the one that gives no reward too."""
    return [*options.reward_model, *([options.held_out_reward_model] if options.held_out_reward_model else [])]


def _origin(folder: Path) -> dict[str, Any]:
    """A reward model's hash, and the snapshot it was trained on."""
    training = load_reward_checkpoint(folder).training
    return {"hash": content_hash(folder, (CONFIG_FILE, WEIGHTS_FILE)), "snapshot": training.get("snapshot")}


def run_speak(options: argparse.Namespace) -> int:
    """Rollouts as a dialogue manifest."""
    world = open_world(options)
    checkpoint = load_checkpoint(options.policy)
    scenarios = world.chosen(options)
    prompts = world.encoder.encode(scenarios)
    rollouts = []
    for number in range(options.samples):
        chance = uniforms(len(prompts), prompts.n_exchanges, options.seed, "speak", number)
        said = sample(checkpoint.policy, prompts, chance)
        rollouts += [
            Rollout(scenario, codes, tuple(EMOTIONS[emotion] for emotion in plan), number)
            for scenario, plan, codes in zip(scenarios, said.plan, said.codes, strict=True)
        ]
    write_rollouts(
        options.out,
        rollouts,
        bank=world.bank,
        system=options.system,
        meta={"seed": options.seed, "checkpoint": checkpoint.content_hash},
        cache_dir=options.cache,
        workers=options.workers,
        report=_tell,
    )
    emit(result={"dialogues": len(rollouts), "scenarios": len(scenarios), "checkpoint": checkpoint.content_hash})
    return 0


def run_evaluate(options: argparse.Namespace) -> int:
    """New against reference."""
    world = open_world(options)
    known = trained_on(_judges(options))
    scenarios = evaluation_scenarios(options, world.bank, known)
    new, reference = load_checkpoint(options.policy), load_checkpoint(options.reference)
    config = EvaluationConfig(**settings_of(options, EvaluationConfig), best_of=not options.no_best_of)
    models: list[LoadedRewardModel] = [load_reward_model(folder) for folder in options.reward_model]
    apart = load_reward_model(options.held_out_reward_model) if options.held_out_reward_model else None
    judges = Judges(models, apart, truth_of(options.truth) if options.truth else None)
    with world.workers(options) as workers:
        sounds = RenderedSound(workers), SurrogateSound(workers)
        speakers = Speakers(new.policy, reference.policy, world.encoder, *sounds)
        report = evaluate(config, scenarios, speakers, judges, _tell)
    report |= {
        **overlap_with(known, scenarios),
        "policy": new.content_hash,
        "reference": reference.content_hash,
        "reward_models": [_origin(folder)["hash"] for folder in options.reward_model],
        "stopped_by": new.lineage.get("stopped", ""),
    }
    write_report(options.out, report)
    shown = ("kl_nats_per_token", "reward_before", "reward_after", "n_scenarios")
    gains = {name: report[name]["value"] for name in report if name.endswith("_gain_sd")}
    emit(progress=1.0, message="Evaluated", result={**{name: report[name] for name in shown}, **gains})
    return 0


def _tell(progress: float, message: str) -> None:
    emit(progress=round(progress, 4), message=message)


def truth_of(name: str) -> Truth:
    """The function that `module:function` names.

    Raises:
        ValueError: if there is none.
    """
    module, _, function = name.partition(":")
    try:
        found: Truth = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"There is no truth {name!r} ({error}); write module:function of (delivery, arc).") from error
    return found
