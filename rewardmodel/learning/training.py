"""Training a reward model on a snapshot: read, hear, train, save. See docs/reward-model.md.

A killed run goes on from its last checkpoint and ends with the same bytes as an unbroken one.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewardmodel.learning.batch import SIDES, Batch, collate, exchanges_of, is_there
from rewardmodel.learning.checkpoint import CONFIG_FILE, code_hash, save_checkpoint, write_json
from rewardmodel.learning.descriptors import SMALLEST_SCALES
from rewardmodel.learning.distributed import is_first_process, process_count, start_processes
from rewardmodel.learning.examples import Collator, Noise, TrainingSequence, VoteTable
from rewardmodel.learning.judgments import (
    Judgments,
    NoJudgments,
    audio_of_dialogues,
    load_features,
    places_of,
    read_judgments,
)
from rewardmodel.learning.model import RewardModel, RewardModelConfig
from rewardmodel.learning.pairwise import PairwiseModel
from rewardmodel.learning.running import RUN_FOLDER, Schedule, ask_still_mine, loss_without_noise, run_trainer
from rewardmodel.learning.watching import Watched


@dataclass(frozen=True)
class TrainingConfig:
    """One training run; saved in config.json beside the weights."""

    seed: int = 0
    epochs: int = 25
    batch: int = 64  # judgments a step, over all processes
    learning_rate: float = 1.5e-2  # peak, after the warm-up
    weight_decay: float = 2.0
    descriptor_noise: float = 0.1  # in standard deviations
    word_loss: float = 0.3  # share of words not heard in training
    frame_noise: float = 0.3  # in 10 dB, per turn and channel
    centering: float = 0.01  # weight of the mean score's square
    checkpoint_steps: int = 100  # what a kill can cost
    shuffle_labels: int | None = None  # seed of the control with shuffled votes
    split: str = "train"


def train(
    snapshot: Path, out: Path, config: TrainingConfig, *, cache: Path | None = None, watch: Path | None = None
) -> Mapping[str, Any]:
    """Train on `snapshot` and leave the reward model in `out`; return the figures that stand in its config.json.

    Called again after a kill, it goes on; called again when all is done, it returns at once.

    Args:
        watch: a snapshot whose accuracy is a live curve, but for scenarios that are trained on; if left out, the
            scenarios of `snapshot` itself that are not. Nothing is chosen by it: the model is the same without.
    Raises:
        ValueError, SnapshotError: for what cannot be trained on, or a folder that holds another run.
        JobTakenOver: before anything is put in its place, if another worker has the job.
    """
    start_processes()
    judgments = read_judgments(snapshot, config.split)
    identity = {"snapshot": judgments.snapshot.manifest.id, "code": code_hash(), **asdict(config)}
    finished = _claim_folder(out, identity)
    if finished is not None:
        return finished
    cache = cache or out / RUN_FOLDER / "cache"
    features = load_features(judgments, cache=cache, progress=(0.0, 0.25))
    apart = _watched(judgments, watch or snapshot, cache) if is_first_process() else None
    if config.shuffle_labels is not None:
        judgments = judgments.with_shuffled_votes(config.shuffle_labels)
    dialogues = collate([exchanges_of(each) for each in features], torch.float16)
    model = build_model(judgments.dimensions, dialogues, config.seed)
    figures = _fit(model, judgments, dialogues, config, out, apart)
    training = {**identity, "scenarios": judgments.scenarios, "figures": figures, "left_out": judgments.left_out}
    ask_still_mine()
    if is_first_process():
        save_checkpoint(out, model, training)
        shutil.rmtree(out / RUN_FOLDER)
    return training


def _watched(judgments: Judgments, snapshot: Path, cache: Path) -> Watched | None:
    """Judgments on scenarios that are not trained on; None if there are none.

    Every rubric's last dimension is the overall one, so any snapshot can be watched.

    Raises:
        ValueError, SnapshotError: if the snapshot cannot be read, or its dialogues not be heard.
    """
    try:
        others = read_judgments(snapshot, "all")
    except NoJudgments:
        return None
    trained = set(judgments.scenarios)
    judged = tuple(each for each in others.judged if each.scenario_id not in trained)
    if not judged:
        return None
    others = replace(others, judged=judged)
    features = load_features(others, cache=cache, progress=(0.25, 0.3))
    dialogues = collate([exchanges_of(each) for each in features], torch.float16)
    return Watched("held_out_accuracy", dialogues, vote_table(others))


def _claim_folder(out: Path, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Begin, or go on with, the run of this identity; the result of one that has finished."""
    if (out / CONFIG_FILE).is_file():
        training: Mapping[str, Any] = json.loads((out / CONFIG_FILE).read_text(encoding="utf-8")).get("training", {})
        if any(training.get(key) != value for key, value in identity.items() if key != "code"):
            raise ValueError(f"{out} holds a reward model of another run. Choose an empty folder.")
        return training  # of whatever code: it is finished
    settings = out / RUN_FOLDER / "settings.json"
    if settings.is_file():
        begun = json.loads(settings.read_text(encoding="utf-8"))
        if begun != {**identity, "code": begun.get("code")}:
            raise ValueError(f"{out} holds an unfinished run of other settings. Repeat them, or take another folder.")
        if begun["code"] != identity["code"]:
            raise ValueError(
                f"{out} holds an unfinished run of other code, which might learn something else from here on. "
                "Go on with the version that began it, or take another folder."
            )
    elif is_first_process():
        settings.parent.mkdir(parents=True, exist_ok=True)
        write_json(settings, identity)
    return None


def build_model(dimensions: tuple[str, ...], dialogues: Batch, seed: int) -> RewardModel:
    """A fresh model whose descriptors are normalised by the turns of these dialogues."""
    described = [dialogues.descriptors[dialogues.mask][:, side] for side in range(SIDES)]
    turns = [each[is_there(each)].double() for each in described]  # each (turns, D)
    turns = [each if len(each) else torch.zeros(1, each.shape[1]).double() for each in turns]
    mean = torch.stack([each.mean(dim=0) for each in turns])  # (SIDES, D)
    spread = torch.stack([each.std(dim=0, correction=0) for each in turns])
    scale = torch.maximum(spread, torch.tensor(SMALLEST_SCALES))
    torch.manual_seed(seed)
    return RewardModel(RewardModelConfig(dimensions, descriptor_mean=_rounded(mean), descriptor_scale=_rounded(scale)))


def _rounded(table: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(value, 6) for value in row) for row in table.tolist())


def _fit(
    model: RewardModel,
    judgments: Judgments,
    dialogues: Batch,
    config: TrainingConfig,
    out: Path,
    apart: Watched | None,
) -> dict[str, Any]:
    table = vote_table(judgments)
    batch = min(config.batch, len(table) // process_count() * process_count())  # few judgments still make a batch
    sequence = TrainingSequence(len(table), batch=batch, epochs=config.epochs, seed=config.seed)
    noise = Noise(config.descriptor_noise, config.word_loss, config.frame_noise)
    pairwise = PairwiseModel(model, config.centering)
    schedule = Schedule(batch, config.learning_rate, config.weight_decay, config.checkpoint_steps, config.seed)
    collator = Collator(dialogues, table, noise, model.descriptor_scale.clone(), config.seed, batch)
    run_trainer(
        pairwise,
        sequence,
        collator,
        folder=out / RUN_FOLDER,
        schedule=schedule,
        watched=[Watched("accuracy", dialogues, table), *([apart] if apart else [])],
    )
    return {
        "judgments": len(table),
        "scored": dict(zip(judgments.dimensions, table.is_scored.sum(axis=0).tolist(), strict=True)),
        "dialogues": len(dialogues),
        "steps": len(sequence) // batch,
        "loss_without_noise": round(loss_without_noise(pairwise, collator), 6),
        "left_side": dict(zip(judgments.dimensions, pairwise.left_side.detach().tolist(), strict=True)),
    }


def vote_table(judgments: Judgments) -> VoteTable:
    """The judgments as arrays; dialogues are numbered in the order of `audio_of_dialogues`."""
    a, b = places_of(judgments, list(audio_of_dialogues(judgments)))
    votes, is_scored = judgments.vote_table()
    side = np.array([each.side for each in judgments.judged], np.int64)
    return VoteTable(a, b, side, votes, is_scored)
