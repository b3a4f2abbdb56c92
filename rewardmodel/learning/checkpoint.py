"""A reward model's folder: model.safetensors and config.json, written in one step, read without running any code."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from rewardmodel.learning.features import FEATURE_VERSION
from rewardmodel.learning.model import RewardModel, RewardModelConfig

FORMAT = "earshot-reward-model"
FORMAT_VERSION = 2  # 2: melody weighted by amplitude, overall made of the dimensions; models of 1 would score wrongly
WEIGHTS_FILE, CONFIG_FILE, REPORT_FILE = "model.safetensors", "config.json", "report.json"
SOURCES = ("rewardmodel.learning", "earshot.acoustics")  # what hears and learns


@dataclass(frozen=True, eq=False)
class Checkpoint:
    model: RewardModel
    training: Mapping[str, Any]  # seed, snapshot, hash of the code, scenarios trained on, figures


def save_checkpoint(folder: Path, model: RewardModel, training: Mapping[str, Any]) -> None:
    """Write weights, then configuration; a folder with a config.json is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    draft = folder / f"{WEIGHTS_FILE}.draft"
    save_file(weights, draft)
    sync_file(draft)
    draft.replace(folder / WEIGHTS_FILE)
    thresholds = dict(zip(model.config.dimensions, model.thresholds.tolist(), strict=True))
    values = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "feature_version": FEATURE_VERSION,
        "model": asdict(model.config),
        "thresholds": thresholds,  # for readers; the weights hold them too
        "training": training,
    }
    write_json(folder / CONFIG_FILE, values)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Raises ValueError if the folder is no reward model, or one of another version."""
    try:
        values = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder} has no readable {CONFIG_FILE} ({error}). Choose a reward model's folder."
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f"{folder / CONFIG_FILE} does not say that it is an {FORMAT}. Choose a reward model's folder.")
    found = (values.get("format_version"), values.get("feature_version"))
    if found != (FORMAT_VERSION, FEATURE_VERSION):
        raise ValueError(
            f"The reward model in {folder} has format and features {found}; this version reads "
            f"{(FORMAT_VERSION, FEATURE_VERSION)}. Train it again."
        )
    try:
        model = RewardModel(_read_config(values["model"]))
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (OSError, SafetensorError, RuntimeError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"The reward model in {folder} cannot be loaded ({reason}). Fetch it again.") from error
    model.eval()
    return Checkpoint(model, values.get("training", {}))


@lru_cache(maxsize=1)
def code_hash() -> str:
    """SHA-256, in hex, of the code that decides what is heard and learned, as it was when this was first asked."""
    digest = hashlib.sha256()
    for package in SOURCES:
        folder = Path(str(import_module(package).__file__)).parent
        for path in sorted(folder.glob("*.py")):
            content = path.read_bytes()
            digest.update(f"{package} {path.name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _read_config(values: Mapping[str, Any]) -> RewardModelConfig:
    rows = {name: tuple(map(tuple, values[name])) for name in ("descriptor_mean", "descriptor_scale")}
    return RewardModelConfig(**{**values, **rows, "dimensions": tuple(values["dimensions"])})


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """In one step, readable, the same bytes for the same values. Raises ValueError for NaN and infinity."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    sync_file(draft)
    draft.replace(path)


def sync_file(path: Path) -> None:
    """Wait until the file is on the disk, so that a power cut leaves no empty file under the final name."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
