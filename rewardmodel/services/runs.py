"""Asking for a reward model: what it will cost, then a row and a job."""

import math
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
from django.core.exceptions import ValidationError
from django.db import transaction

from annotation.models import Snapshot
from annotation.services import snapshots
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun

KIND = "rewardmodel.train"
LAST_RUNS = 5  # that tell how long the next one takes
# Without runs before: a rule for two cores, rounded up from what `make loop` took (docs/loop.md).
SECONDS_AT_LEAST = 15.0
SECONDS_PER_AUDIO_HOUR = 45.0
SECONDS_PER_1000_JUDGMENTS = 10.0
MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Size:
    """How much there is to learn from."""

    n_judgments: int
    n_pairs: int
    n_dialogues: int
    audio_hours: float

    @property
    def audio_words(self) -> str:
        if self.audio_hours >= 1:
            return f"{self.audio_hours:.1f} hours"
        minutes = math.ceil(self.audio_hours * 60)
        return "1 minute" if minutes == 1 else f"{minutes} minutes"

    @property
    def stated_seconds(self) -> float:
        """The rule for a machine on which nothing was trained yet."""
        heard = self.audio_hours * SECONDS_PER_AUDIO_HOUR
        return SECONDS_AT_LEAST + heard + self.n_judgments / 1000 * SECONDS_PER_1000_JUDGMENTS


@dataclass(frozen=True)
class Estimate:
    size: Size
    seconds: float
    basis: str  # where the time comes from, for people


def size_of(snapshot: Snapshot) -> Size:
    pairs = pa.BufferReader(snapshots.open_member(snapshot, "pairs.parquet"))
    table = parquet.read_table(pairs, columns=["dialogue_a", "dialogue_b", "seconds_a", "seconds_b"])
    seconds: dict[str, float] = {}
    for side in "ab":
        named = zip(table[f"dialogue_{side}"].to_pylist(), table[f"seconds_{side}"].to_pylist(), strict=True)
        seconds |= dict(named)
    return Size(
        n_judgments=snapshot.counts["in"],
        n_pairs=table.num_rows,
        n_dialogues=len(seconds),
        audio_hours=sum(seconds.values()) / 3600,
    )


def estimate_run(snapshot: Snapshot) -> Estimate:
    """Before anything is started: from the last trainings here, scaled by their judgments, else by a stated rule."""
    size = size_of(snapshot)
    done = RewardModelRun.objects.registered().filter(job__state=Job.State.SUCCEEDED)
    paces = []  # seconds a judgment
    for run in done.select_related("job", "snapshot")[:LAST_RUNS]:
        elapsed = run.job.elapsed if run.job is not None else None
        if elapsed is not None:
            paces.append(elapsed.total_seconds() / max(run.snapshot.counts["in"], 1))
    if not paces:
        basis = "no training was done here yet: a rule for two cores"
        return Estimate(size, size.stated_seconds, basis)
    last = "the last training" if len(paces) == 1 else f"the last {len(paces)} trainings"
    seconds = sum(paces) / len(paces) * size.n_judgments
    return Estimate(size, max(seconds, SECONDS_AT_LEAST), f"by {last} here")


@transaction.atomic
def request_run(
    snapshot: Snapshot,
    *,
    by: User | None,
    name: str = "",
    seed: int = 1,
    epochs: int | None = None,
    probes: bool = True,
    evaluate_on: Snapshot | None = None,
    tell_worker: bool = True,
) -> RewardModelRun:
    """Hand a training on the snapshot to a worker.

    Args:
        probes: whether the finished model is probed, too: loudness, silence, sides, vocoder.
        evaluate_on: another snapshot to measure on; then every scenario of the first one is trained on.
        tell_worker: False where the caller runs the job itself.
    Raises:
        ValidationError: for a seed or a number of epochs that cannot be, or a snapshot that is to measure itself.
    """
    if not 0 <= seed <= MOST_SEED:
        raise ValidationError(f"The seed {seed} is out of range. Use a whole number from 0 to {MOST_SEED}.")
    if epochs is not None and epochs < 1:
        raise ValidationError(f"{epochs} epochs train nothing. Use at least 1, or leave it empty.")
    if evaluate_on == snapshot:
        raise ValidationError("A model is not measured on what it was trained on. Choose another snapshot, or none.")
    parameters: dict[str, Any] = {"seed": seed} | ({} if epochs is None else {"epochs": epochs})
    if not probes:
        parameters["probes"] = False
    name = name.strip() or f"{snapshot.name}, seed {seed}"
    run = RewardModelRun.objects.create(
        name=name[:200], snapshot=snapshot, evaluation_snapshot=evaluate_on, parameters=parameters, created_by=by
    )
    run.job = jobs.enqueue(
        KIND,
        {"run": run.pk},
        title=f"Reward model: {run.name}",
        queue=Job.Queue.GPU,
        created_by=by,
        tell_worker=tell_worker,
    )
    run.save(update_fields=["job"])
    record_action(by, "reward_model.started", run, snapshot=str(snapshot), **parameters)
    return run
