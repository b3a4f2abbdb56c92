"""The training loop: transformers' Trainer, with checkpoints that take their place in one step."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from earshot.jobs.child import JobTakenOver, still_mine
from rewardmodel.learning.checkpoint import sync_file
from rewardmodel.learning.distributed import backend, first_process_says, is_first_process, process_count, report
from rewardmodel.learning.examples import Collator, Noise, TrainingSequence
from rewardmodel.learning.model import RewardModel
from rewardmodel.learning.pairwise import PairwiseModel
from rewardmodel.learning.watching import AT_ONCE, WATCH_EVERY, Watched, live_accuracy

RUN_FOLDER = "run"  # resume state: never leaves the machine, is gone when the model is saved
DRAFTS = "drafts"
REPORT_EVERY = 10  # steps
WARM_UP = 0.1  # share of the steps
# Some gradients are nought but for rounding (the keys' bias, for one). A smaller epsilon would make whole steps of it,
# and two processes would not train the same model as one.
ADAM_EPSILON = 1e-6


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; `batch` counts judgments over all processes."""

    batch: int
    learning_rate: float
    weight_decay: float
    checkpoint_steps: int
    seed: int


def run_trainer(
    model: PairwiseModel,
    sequence: TrainingSequence,
    collator: Collator,
    *,
    folder: Path,
    schedule: Schedule,
    watched: Sequence[Watched] = (),
) -> None:
    """Train `model` in place, going on from the folder's last checkpoint if there is one.

    Args:
        watched: whose accuracy is told beside the loss.
    Raises:
        JobTakenOver: before a checkpoint takes its place, if another worker has the job.
    """
    if schedule.batch % process_count():
        raise ValueError(
            f"A batch of {schedule.batch} judgments cannot be shared by {process_count()} processes. "
            "Choose a multiple as --batch."
        )
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,  # the sequence holds all epochs
        per_device_train_batch_size=schedule.batch // process_count(),
        train_sampling_strategy="sequential",
        learning_rate=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        adam_epsilon=ADAM_EPSILON,
        lr_scheduler_type="cosine",
        warmup_steps=WARM_UP,
        max_grad_norm=1.0,
        logging_steps=REPORT_EVERY,
        save_strategy="steps",
        save_steps=schedule.checkpoint_steps,
        seed=schedule.seed,
        use_cpu=not torch.cuda.is_available(),  # without it, processes on CPUs would not find each other
        ddp_backend=backend() if process_count() > 1 else None,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )
    trainer = AtomicTrainer(model=model, args=arguments, train_dataset=sequence, data_collator=collator)
    assert trainer.args.world_size == process_count()
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(JobReport(model.reward, watched))
    last = last_checkpoint(folder)
    shutil.rmtree(folder / DRAFTS, ignore_errors=True)
    trainer.train(resume_from_checkpoint=str(last) if last else None)


def loss_without_noise(model: PairwiseModel, collator: Collator) -> float:
    """The loss of every judgment that was trained on, nats. What the trainer logs depends on where a run was broken."""
    quiet = replace(collator, noise=Noise(descriptor_sd=0.0, word_loss=0.0, frame_sd=0.0), batch=AT_ONCE)
    device, n_judgments, total = model.left_side.device, len(collator.table), 0.0
    model.eval()
    with torch.no_grad():
        for first in range(0, n_judgments, AT_ONCE):
            rows = range(first, min(first + AT_ONCE, n_judgments))
            examples = {name: value.to(device) for name, value in quiet([(row, row) for row in rows]).items()}
            total += model(**examples)["loss"].item() * len(rows)
    return total / n_judgments


class AtomicTrainer(Trainer):
    """A checkpoint is written among the drafts, flushed, and renamed; the one before it then goes."""

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """Matrices alone: a threshold or a bias that is drawn to nought would say something untrue."""
        return [
            name for name, value in model.named_parameters() if value.ndim > 1 and not name.endswith("threshold_steps")
        ]

    def _get_output_dir(self, trial: Any) -> str:
        return str(Path(self.args.output_dir or ".") / DRAFTS)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        ask_still_mine()
        if is_first_process():
            draft = Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"
            place_checkpoint(draft, Path(self._get_output_dir(trial)).parent)
        self.accelerator.wait_for_everyone()


def ask_still_mine() -> None:
    """Raises JobTakenOver if this process may no longer write; one process asks for all."""
    if not first_process_says(still_mine() if is_first_process() else False):
        raise JobTakenOver("The job was given to another worker; this one stops and writes nothing more.")


def place_checkpoint(draft: Path, folder: Path) -> None:
    """Move a whole checkpoint to its place in `folder`, then remove the older ones."""
    for path in draft.iterdir():
        sync_file(path)
    older = [path for path in folder.glob("checkpoint-*") if path.name != draft.name]
    shutil.rmtree(folder / draft.name, ignore_errors=True)
    draft.rename(folder / draft.name)
    for path in older:
        shutil.rmtree(path)


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the most steps; None at the beginning."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return found[-1] if found else None


class JobReport(TrainerCallback):
    """Progress and the curves of the job's page."""

    def __init__(self, model: RewardModel, watched: Sequence[Watched]) -> None:
        self.model = model
        self.watched = watched

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        control.should_log |= state.global_step == state.max_steps  # the curves go to the very end
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs and "loss" in logs:
            curves = {"step": state.global_step, "loss": logs["loss"], "gradient_norm": float(logs["grad_norm"])}
            is_last = state.global_step == state.max_steps
            if is_first_process() and (is_last or state.global_step % WATCH_EVERY == 0):
                found = {each.curve: live_accuracy(self.model, each) for each in self.watched}
                curves |= {name: value for name, value in found.items() if value is not None}
            share = state.global_step / state.max_steps
            report(0.3 + 0.65 * share, f"step {state.global_step} of {state.max_steps}", curves)
