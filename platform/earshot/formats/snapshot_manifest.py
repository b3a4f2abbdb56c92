"""manifest.json of a snapshot: what it holds, where it comes from, and the hash of every file beside it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from earshot.formats.snapshot_rows import SnapshotError

MANIFEST_FILE = "manifest.json"
FORMAT = "earshot-snapshot"
FORMAT_VERSION = 1
SPLIT_RULE = "first 8 bytes of sha256(scenario_id) as a share of 2^64: below 0.8 train, below 0.9 validation, else test"
Split: TypeAlias = Literal["train", "validation", "test"]
SHA256 = re.compile(r"[0-9a-f]{64}")
_HASH_CHUNK = 1 << 20


@dataclass(frozen=True)
class SnapshotManifest:
    """`id` depends on the rows and the filter only; everything else here is derived or tells where they come from."""

    id: str
    created_at: str
    code_version: str
    parent: str | None
    rubric: Mapping[str, Any]
    filter: Mapping[str, Any]
    counts: Mapping[str, Any]  # {"in": 120, "out": {"reason": 7}}
    splits: Mapping[str, Any]  # {"rule": …, "train": [scenario_id, …], "validation": […], "test": […]}
    dimensions: tuple[str, ...]  # keys, in the rubric's order; "overall" last
    tables: Mapping[str, int]  # rows of each table
    files: Mapping[str, Mapping[str, Any]]  # path in the folder → {"sha256": …, "bytes": …}

    def to_json(self) -> str:
        values = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "SnapshotManifest":
        """Raises SnapshotError if the text is not what `to_json` writes."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SnapshotError(f"{MANIFEST_FILE} is not JSON ({error}). Fetch the snapshot again.") from error
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise SnapshotError(f"{MANIFEST_FILE} does not say that it is an {FORMAT}. Choose a snapshot's folder.")
        version = values.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise SnapshotError(
                f"The snapshot has format {version}; this version reads {FORMAT_VERSION}. Update Earshot."
            )
        _check_kinds(values)
        values["dimensions"] = tuple(values["dimensions"])
        return cls(**values)


def split_of(scenario_id: str) -> Split:
    """The split of a scenario. It depends on the id alone, so no later snapshot moves a scenario."""
    share = int.from_bytes(hashlib.sha256(scenario_id.encode()).digest()[:8], "big") / 2**64
    if share < 0.8:
        return "train"
    return "validation" if share < 0.9 else "test"


def splits_of(scenario_ids: Iterable[str]) -> dict[str, Any]:
    """The manifest's `splits`: the rule and the scenarios of each split."""
    splits: dict[str, Any] = {"rule": SPLIT_RULE, "train": [], "validation": [], "test": []}
    for scenario_id in sorted(set(scenario_ids)):
        splits[split_of(scenario_id)].append(scenario_id)
    return splits


def file_entry(path: Path) -> dict[str, Any]:
    """The sha256 and size of a file, read in chunks."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": size}


def _check_kinds(values: dict[str, Any]) -> None:
    kinds: dict[str, type | tuple[type, ...]] = dict.fromkeys(
        ("rubric", "filter", "counts", "splits", "tables", "files"), dict
    )
    kinds |= {"id": str, "created_at": str, "code_version": str, "parent": (str, type(None)), "dimensions": list}
    if set(values) != set(kinds):
        odd = sorted(set(values) ^ set(kinds))
        raise SnapshotError(f"{MANIFEST_FILE} lacks or adds the fields {odd}. Fetch the snapshot again.")
    for key, kind in kinds.items():
        if not isinstance(values[key], kind):
            raise SnapshotError(f"{MANIFEST_FILE} has a {type(values[key]).__name__} as {key!r}. Fetch it again.")
    for name, entry in values["files"].items():
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or "\0" in name or not all(part.strip(".") for part in parts):
            raise SnapshotError(f"{MANIFEST_FILE} lists {name!r}, which leads out of the folder. Do not use it.")
        if not isinstance(entry, dict) or not SHA256.fullmatch(str(entry.get("sha256"))):
            raise SnapshotError(f"{MANIFEST_FILE} gives no sha256 for {name!r}. Fetch the snapshot again.")
