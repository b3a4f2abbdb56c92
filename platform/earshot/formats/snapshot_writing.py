"""Writing a snapshot: the same rows, card and sounds give the same bytes in every file."""

import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from earshot.formats.aggregates import aggregate
from earshot.formats.canonical import canonical_json, hash_tables, time_text
from earshot.formats.snapshot_card import CardFacts, dataset_card
from earshot.formats.snapshot_manifest import (
    MANIFEST_FILE,
    SHA256,
    SnapshotManifest,
    file_entry,
    split_of,
    splits_of,
)
from earshot.formats.snapshot_rows import SnapshotError
from earshot.formats.tables import Tables, to_tables

Sound: TypeAlias = Path | Callable[[], BinaryIO]

OVERALL = "overall"
ROW_GROUP_ROWS = 65_536
_COPY_CHUNK = 1 << 20


def write_snapshot(
    folder: Path,
    tables: Tables,
    *,
    rubric: Mapping[str, object],
    filter: Mapping[str, object],
    counts: Mapping[str, object],
    code_version: str,
    parent: str | None,
    audio: Mapping[str, Sound],
    created_at: datetime,
    card: CardFacts | None = None,
) -> SnapshotManifest:
    """Write the snapshot into `folder`, which must not exist yet, and return its manifest.

    All work is done in `<folder>.partial`, which is renamed at the end: killed and called again, it goes on with the
    sounds that are already there. `audio` maps the sha256 of each FLAC file to the file or to a function that opens it.

    Raises:
        SnapshotError: if a row is bad, two tables do not fit together, or a sound is missing or not what its hash says.
    """
    if folder.exists():
        raise SnapshotError(f"There is already something at {folder}. A snapshot is immutable: choose another folder.")
    arrow = to_tables(tables)
    dimensions = _dimensions(rubric)
    _check_references(arrow, dimensions)
    wanted = sorted({*arrow["pairs"]["audio_sha256_a"].to_pylist(), *arrow["pairs"]["audio_sha256_b"].to_pylist()})
    arrow["pairs"] = _with_splits(arrow["pairs"])
    partial = folder.with_name(folder.name + ".partial")
    written = [_put_sound(partial, sha256, audio) for sha256 in wanted]
    written += [_put_table(partial, name, table) for name, table in sorted(arrow.items())]
    written.append(_put_table(partial, "aggregates", aggregate(arrow["judgments"], arrow["scores"])))
    manifest = SnapshotManifest(
        id=hash_tables(arrow, filter),
        created_at=time_text(created_at),
        code_version=code_version,
        parent=parent,
        rubric=rubric,
        filter=filter,
        counts=counts,
        splits=splits_of(arrow["pairs"]["scenario_id"].to_pylist()),
        dimensions=dimensions,
        tables={name: table.num_rows for name, table in arrow.items()},
        files={},
    )
    written.append(_put_text(partial, "README.md", dataset_card(manifest, card or CardFacts())))
    return _finish(partial, folder, manifest, written)


def _finish(partial: Path, folder: Path, manifest: SnapshotManifest, written: list[Path]) -> SnapshotManifest:
    for path in [path for path in partial.rglob("*") if path.is_file() and path not in set(written)]:
        path.unlink()  # left by an earlier attempt with other rows
    files = {path.relative_to(partial).as_posix(): file_entry(path) for path in sorted(written)}
    complete = SnapshotManifest(**{**vars(manifest), "files": files})
    _put_text(partial, MANIFEST_FILE, complete.to_json())
    partial.rename(folder)
    return complete


def _dimensions(rubric: Mapping[str, object]) -> tuple[str, ...]:
    canonical_json(rubric)
    listed = rubric.get("dimensions")
    if not isinstance(listed, list | tuple) or not all(isinstance(each, Mapping) and "key" in each for each in listed):
        raise SnapshotError('The rubric names no dimensions. Give it "dimensions": [{"key": "prosody", …}, …].')
    keys = [str(each["key"]) for each in listed]
    if len(set(keys)) < len(keys):
        raise SnapshotError(f"The rubric names a dimension twice: {keys}. Give each key once.")
    return (*(key for key in keys if key != OVERALL), OVERALL)


def _check_references(tables: Mapping[str, pa.Table], dimensions: tuple[str, ...]) -> None:
    pairs, judgments = tables["pairs"], tables["judgments"]
    dialogues = pa.chunked_array([*pairs["dialogue_a"].chunks, *pairs["dialogue_b"].chunks], pa.string())
    _check_known("judgments", judgments["pair_id"], pairs["pair_id"])
    _check_known("scores", tables["scores"]["judgment_id"], judgments["judgment_id"])
    _check_known("scores", tables["scores"]["dimension"], pa.array(dimensions))
    _check_known("marks", tables["marks"]["judgment_id"], judgments["judgment_id"])
    _check_known("marks", tables["marks"]["dialogue_id"], dialogues)
    _check_known("turns", tables["turns"]["dialogue_id"], dialogues)
    for column in ("audio_sha256_a", "audio_sha256_b"):
        for sha256 in pairs[column].to_pylist():
            if not SHA256.fullmatch(sha256):
                raise SnapshotError(f"pairs.{column} is {sha256!r}; it must be a sha256, 64 hexadecimal digits.")


def _check_known(name: str, used: pa.ChunkedArray, known: pa.ChunkedArray | pa.Array) -> None:
    unknown = used.filter(pc.invert(pc.is_in(used, value_set=pc.unique(known))))
    if len(unknown):
        raise SnapshotError(
            f"{len(unknown)} rows of {name!r} name {unknown[0].as_py()!r} and the like, "
            "which stand in no other table. Add those rows, or leave these out."
        )


def _with_splits(pairs: pa.Table) -> pa.Table:
    splits = pa.array([split_of(scenario_id) for scenario_id in pairs["scenario_id"].to_pylist()], pa.string())
    column = pairs.schema.get_field_index("split")
    return pairs.set_column(column, pairs.schema.field(column), splits)


def _put_table(partial: Path, name: str, table: pa.Table) -> Path:
    path = partial / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=ROW_GROUP_ROWS, compression="zstd", compression_level=3)
    return path


def _put_text(partial: Path, name: str, text: str) -> Path:
    path = partial / name
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _put_sound(partial: Path, sha256: str, audio: Mapping[str, Sound]) -> Path:
    path = partial / "audio" / f"{sha256}.flac"
    if path.exists() and file_entry(path)["sha256"] == sha256:
        return path
    if sha256 not in audio:
        raise SnapshotError(f"The sound {sha256} is named by a pair but was not given. Add it to `audio`.")
    path.parent.mkdir(parents=True, exist_ok=True)
    source = audio[sha256]
    unfinished = path.with_suffix(".copying")
    digest = hashlib.sha256()
    try:
        with source.open("rb") if isinstance(source, Path) else source() as stream, unfinished.open("wb") as copy:
            while chunk := stream.read(_COPY_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
    except OSError as error:
        raise SnapshotError(f"The sound {sha256} cannot be copied ({error}). Restore the file.") from error
    if digest.hexdigest() != sha256:
        raise SnapshotError(f"The sound {sha256} has really the hash {digest.hexdigest()}. Restore the file.")
    os.replace(unfinished, path)
    return path
