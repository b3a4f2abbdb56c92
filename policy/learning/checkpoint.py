"""A checkpoint: model.safetensors, config.json and lineage.json in one folder, named by the hash of their content.

lineage.json is written last and holds the hashes of the other two: a folder without it is no checkpoint, and one whose
files do not match it is refused.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from policy.learning.model import PolicyConfig, ProsodyPolicy

FORMAT, VERSION = "earshot-policy-checkpoint", 1
WEIGHTS, CONFIG, LINEAGE = "model.safetensors", "config.json", "lineage.json"
FILES = (WEIGHTS, CONFIG, LINEAGE)
SOURCES = ("policy.learning", "rewardmodel.learning", "earshot.acoustics")  # what trains, rewards and sounds
LINEAGE_KEYS = {
    "format",
    "version",
    "kind",
    "parent",
    "bank",
    "scenarios",
    "seed",
    "settings",
    "code",
    "figures",
    "files",
}


@dataclass(frozen=True)
class Checkpoint:
    """A policy read from its folder, with where it came from."""

    policy: ProsodyPolicy
    lineage: Mapping[str, Any]
    content_hash: str


def save_checkpoint(folder: Path, policy: ProsodyPolicy, lineage: Mapping[str, Any]) -> str:
    """Write the three files, each under another name first; return the checkpoint's content hash."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LINEAGE).unlink(missing_ok=True)  # while the others change, there is no checkpoint
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in policy.state_dict().items()}
    write_whole(folder / WEIGHTS, save(weights))
    write_whole(folder / CONFIG, _json({"format": FORMAT, "version": VERSION, "model": policy.config.to_json()}))
    files = {name: _sha256(folder / name) for name in (WEIGHTS, CONFIG)}
    write_whole(folder / LINEAGE, _json({"format": FORMAT, "version": VERSION, **lineage, "files": files}))
    return content_hash(folder, FILES)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ValueError: if the folder holds none, if its files were changed, or if they are of another format.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder} is no policy checkpoint: it lacks {', '.join(missing)}. Give a finished one.")
    lineage, config = _read_json(folder / LINEAGE), _read_json(folder / CONFIG)
    if lacking := LINEAGE_KEYS - set(lineage):
        raise ValueError(f"{folder / LINEAGE} lacks {', '.join(sorted(lacking))}; take one whose lineage is whole.")
    if (lineage["format"], lineage["version"]) != (FORMAT, VERSION):
        found = f"{lineage['format']!r}, version {lineage['version']!r}"
        raise ValueError(f"{folder} is {found}, but this code reads {FORMAT!r}, version {VERSION}; train it again.")
    for name in (WEIGHTS, CONFIG):
        if lineage["files"].get(name) != _sha256(folder / name):
            raise ValueError(f"{folder / name} is not the file that {LINEAGE} names; fetch the checkpoint again.")
    try:
        policy = ProsodyPolicy(PolicyConfig(**config["model"]))
        policy.load_state_dict(load((folder / WEIGHTS).read_bytes()))
    except (SafetensorError, RuntimeError, TypeError, KeyError) as error:
        raise ValueError(f"{folder} does not hold a policy of this code ({error}); train it again.") from error
    return Checkpoint(policy.eval(), lineage, content_hash(folder, FILES))


def content_hash(folder: Path, names: Sequence[str]) -> str:
    """SHA-256, in hex, over the name, length and bytes of these files of a folder.

    Raises:
        ValueError: if one is missing.
    """
    digest = hashlib.sha256()
    for name in sorted(names):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} has no {name}; give a finished one.")
        content = (folder / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def ids_hash(ids: Sequence[str]) -> str:
    """SHA-256, in hex, of a set of names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(set(ids))).encode()).hexdigest()


def code_version() -> dict[str, str]:
    """The package's version, and the hash of the code that decides weights, reward and sound."""
    folders = {name: Path(str(import_module(name).__file__)).parent for name in SOURCES}
    hashes = {
        name: content_hash(folder, [path.name for path in folder.glob("*.py")]) for name, folder in folders.items()
    }
    try:
        package = version("earshot")
    except PackageNotFoundError:  # run from a checkout that is not installed
        package = "not installed"
    return {"package": package, "sources": hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()}


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place all at once: whoever reads it, after whatever crash, finds the old one or the new one."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); fetch the checkpoint again.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds {type(found).__name__}, not an object; fetch the checkpoint again.")
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
