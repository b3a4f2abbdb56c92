"""The job of a reward model: unpack the snapshot, train and evaluate as a child, register. Safe to kill and to rerun.

Everything under construction stands in the job's run folder; the learning side goes on there by the same command.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation.models import Snapshot
from annotation.models.studies import OVERALL
from earshot.accounts.services import record_action
from earshot.formats.bundles import hash_files, pack_files, unpack_files
from earshot.jobs import artefacts, programs
from earshot.jobs.children import run_child
from earshot.jobs.services import RunningJob
from rewardmodel.models import RewardModelRun
from rewardmodel.services.runs import why_not_measured

MODEL_FILES = ("config.json", "model.safetensors")  # what the model is: its content hash
FILES = (*MODEL_FILES, "report.json")  # what is kept of it; resume state stays outside
TRAINING, EVALUATING, PROBING = (0.05, 0.75), (0.75, 0.85), (0.85, 0.97)  # shares of the progress bar


def run_training(held: RunningJob) -> None:
    """Train and register the model that the job asks for; a run that is registered is left as it is.

    Raises:
        ValueError: where the learning side is missing, or it refuses the snapshot, in a sentence for the job's page.
    """
    run = RewardModelRun.objects.select_related("snapshot", "evaluation_snapshot").get(pk=held.arguments["run"])
    if not run.is_registered:
        programs.require_learning_side()
        _train_and_register(held, run)
    held.result = {"run": run.pk, "content_hash": run.content_hash, "overall": _overall(run)}
    programs.remove_run_folder(held.id)


def _train_and_register(held: RunningJob, run: RewardModelRun) -> None:
    folder = programs.run_folder(held.id)
    held.report(0.0, "Unpacking the snapshot")
    snapshot = unpack_snapshot(run.snapshot, folder)
    apart = unpack_snapshot(run.evaluation_snapshot, folder) if run.evaluation_snapshot else snapshot
    model = folder / "model"
    with held.stretch(*TRAINING):
        run_child(held, train_command(run, snapshot, model, watch=apart))
    cache = ("--cache", programs.cache_folder())
    if reason := why_not_measured(run.snapshot, run.evaluation_snapshot):
        held.write_log(reason)
        (model / "report.json").write_text(json.dumps({"heads": {}, "not_measured": reason}), encoding="utf-8")
    else:
        with held.stretch(*EVALUATING):
            run_child(held, measure_command("evaluate", model, apart, *cache))
    if run.parameters.get("probes", True):
        with held.stretch(*PROBING):
            run_child(held, measure_command("probe", model, apart, "--out", model / "probes.json", *cache))
    held.report(0.98, "Registering")
    register(held, run, model)


def train_command(run: RewardModelRun, snapshot: Path, model: Path, *, watch: Path) -> list[str]:
    arguments: list[object] = [snapshot, "--out", model, "--seed", run.parameters["seed"]]
    if "epochs" in run.parameters:
        arguments += ["--epochs", run.parameters["epochs"]]
    if run.evaluation_snapshot is not None:
        arguments += ["--split", "all", "--watch", watch]
    arguments += ["--cache", programs.cache_folder()]
    return programs.command("rewardmodel", "train", *arguments, spread=True)


def measure_command(what: str, model: Path, snapshot: Path, *more: object) -> list[str]:
    return programs.command("rewardmodel", what, model, snapshot, *more)


def unpack_snapshot(snapshot: Snapshot, folder: Path) -> Path:
    """The snapshot's folder on this machine; it appears whole or not at all."""
    with artefacts.local_copy(snapshot.archive_sha256) as archive:
        return unpack_files(archive, folder / f"snapshot-{snapshot.content_id[:12]}")


def unpack_model(run: RewardModelRun, folder: Path) -> Path:
    """A registered model's folder on this machine."""
    with artefacts.local_copy(run.archive_sha256) as archive:
        return unpack_files(archive, folder / f"reward-model-{run.content_hash[:12]}")


def _overall(run: RewardModelRun) -> dict[str, Any]:
    """What scripts want to know of a finished training."""
    told = run.report.get("heads", {}).get(OVERALL, {})
    accuracy, ceiling = told.get("accuracy") or {}, told.get("ceiling") or {}
    return {
        "accuracy": accuracy.get("value"),
        "accuracy_low": accuracy.get("low"),
        "accuracy_high": accuracy.get("high"),
        "ceiling": ceiling.get("value"),
    }


def register(held: RunningJob, run: RewardModelRun, model: Path) -> None:
    """Keep the model's files by hash and complete its row, as the job's holder.

    Raises:
        ValueError: if a file is missing, or the model does not say that it was trained on the run's snapshot.
    """
    content_hash = hash_files(model, MODEL_FILES)
    config, report = read_json(model / "config.json"), read_json(model / "report.json")
    trained_on = config.get("training", {}).get("snapshot")
    if trained_on != run.snapshot.content_id:
        raise ValueError(
            f"The model says that it was trained on snapshot {trained_on}, but the run asked for "
            f"{run.snapshot.content_id}. It is not registered; start a new run."
        )
    if (model / "probes.json").exists():
        report["probes"] = read_json(model / "probes.json")
    packed = model.with_name("model.zip")
    pack_files(model, FILES, packed)
    held.check()
    kept = {"archive_sha256": artefacts.put_file(packed), "size_bytes": packed.stat().st_size}
    with transaction.atomic():
        held.lock()
        for name, value in {
            "content_hash": content_hash,
            "config": config,
            "report": report,
            "code_version": version("earshot"),
            "registered_at": timezone.now(),
            **kept,
        }.items():
            setattr(run, name, value)
        run.save()
        record_action(run.created_by, "reward_model.registered", run, content_hash=content_hash)


def read_json(path: Path) -> dict[str, Any]:
    """Raises: ValueError, if the file is no JSON object that a database can keep."""

    def refuse(number: str) -> None:
        raise ValueError(f"{path.name} holds {number}, which is no number. Train again with another seed.")

    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} holds no JSON object. Train again.")
    return values
