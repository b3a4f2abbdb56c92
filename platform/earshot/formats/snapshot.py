"""The dataset snapshot: immutable tables of judgments with their sound. See docs/formats.md.

manifest.json README.md judgments.parquet scores.parquet marks.parquet pairs.parquet turns.parquet
aggregates.parquet audio/<sha256>.flac
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from earshot.formats.aggregates import AGGREGATES_SCHEMA
from earshot.formats.canonical import hash_tables, hashed_rows, pseudonym, row_json
from earshot.formats.snapshot_card import CardFacts
from earshot.formats.snapshot_manifest import MANIFEST_FILE, SnapshotManifest, file_entry, split_of
from earshot.formats.snapshot_rows import (
    KEYS,
    ROW_TYPES,
    JudgmentRow,
    MarkRow,
    PairRow,
    Row,
    ScoreRow,
    SnapshotError,
    TurnRow,
)
from earshot.formats.snapshot_writing import write_snapshot
from earshot.formats.tables import Tables, rows_of, schema_of, to_tables

__all__ = [
    "CardFacts",
    "JudgmentRow",
    "MarkRow",
    "PairRow",
    "Row",
    "ScoreRow",
    "Snapshot",
    "SnapshotError",
    "SnapshotManifest",
    "TableDiff",
    "TurnRow",
    "content_id",
    "diff_snapshots",
    "pseudonym",
    "read_snapshot",
    "split_of",
    "write_snapshot",
]


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on disk. Tables are read when they are asked for."""

    folder: Path
    manifest: SnapshotManifest

    def table(self, name: str) -> pa.Table:
        """One of the five tables, or "aggregates". Raises SnapshotError if it cannot be read or has other columns."""
        if name not in (*ROW_TYPES, "aggregates"):
            raise SnapshotError(f"There is no table {name!r}. Tables: {', '.join(sorted(ROW_TYPES))}, aggregates.")
        schema = AGGREGATES_SCHEMA if name == "aggregates" else schema_of(name)
        try:
            table = pq.read_table(self.folder / f"{name}.parquet", partitioning=None)
        except (pa.ArrowException, OSError) as error:
            raise SnapshotError(f"{name}.parquet cannot be read ({error}). Fetch the snapshot again.") from error
        if not table.schema.equals(schema):
            raise SnapshotError(f"{name}.parquet has not the columns of this format. Fetch the snapshot again.")
        return table

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of one of the five tables, as their dataclass, in canonical order."""
        return rows_of(name, self.table(name))

    def audio_path(self, sha256: str) -> Path:
        if f"audio/{sha256}.flac" not in self.manifest.files:
            raise SnapshotError(f"The snapshot holds no sound {sha256!r}. Take a hash from its pairs.")
        return self.folder / "audio" / f"{sha256}.flac"


@dataclass(frozen=True)
class TableDiff:
    """Keys of the rows that only the later snapshot has, only the earlier one has, or both have with other values."""

    added: tuple[tuple[object, ...], ...]
    removed: tuple[tuple[object, ...], ...]
    changed: tuple[tuple[object, ...], ...]


def content_id(tables: Tables, filter: Mapping[str, object]) -> str:
    """The sha256 (hex) of the canonical rows of all five tables and of the filter, nothing else.

    Raises:
        SnapshotError: if a table is missing, a value is not what its column holds, or a key comes twice.
    """
    return hash_tables(to_tables(tables), filter)


def read_snapshot(folder: Path, *, verify: bool = True) -> Snapshot:
    """Open the snapshot in `folder`.

    Args:
        verify: hash every file and compute the content id again. Without it only manifest.json is read.
    Raises:
        SnapshotError: if it is no snapshot, a file is missing, changed or not listed, or the id does not fit the rows.
    """
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(
            f"{folder} has no readable {MANIFEST_FILE} ({error}). Choose a snapshot's folder."
        ) from error
    snapshot = Snapshot(folder, SnapshotManifest.from_json(text))
    if verify:
        _verify_files(snapshot)
        computed = hash_tables({name: snapshot.table(name) for name in ROW_TYPES}, snapshot.manifest.filter)
        if computed != snapshot.manifest.id:
            raise SnapshotError(
                f"The rows have the id {computed}, not {snapshot.manifest.id}. Fetch the snapshot again."
            )
    return snapshot


def diff_snapshots(earlier: Snapshot, later: Snapshot) -> dict[str, TableDiff]:
    """What `later` adds, leaves out and changes, table by table."""
    return {name: _diff_table(name, earlier.table(name), later.table(name)) for name in sorted(ROW_TYPES)}


def _verify_files(snapshot: Snapshot) -> None:
    for name, expected in sorted(snapshot.manifest.files.items()):
        path = snapshot.folder / name
        if path.is_symlink() or not path.is_file():
            raise SnapshotError(f"The file {name!r} is missing. Fetch the snapshot again.")
        found = file_entry(path)
        if found != expected:
            raise SnapshotError(
                f"The file {name!r} has the hash {found['sha256']}, not {expected['sha256']}. Fetch it again."
            )
    present = {path.relative_to(snapshot.folder).as_posix() for path in snapshot.folder.rglob("*") if path.is_file()}
    foreign = sorted(present - set(snapshot.manifest.files) - {MANIFEST_FILE})
    if foreign:
        raise SnapshotError(f"The folder holds {foreign[0]!r}, which the snapshot does not list. Take it out.")


def _diff_table(name: str, earlier: pa.Table, later: pa.Table) -> TableDiff:
    if earlier.equals(later):
        return TableDiff((), (), ())
    before, after = _rows_by_key(name, earlier), _rows_by_key(name, later)
    return TableDiff(
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed=tuple(key for key in after if key in before and after[key] != before[key]),
    )


def _rows_by_key(name: str, table: pa.Table) -> dict[tuple[object, ...], list[bytes]]:
    rows: dict[tuple[object, ...], list[bytes]] = {}
    for row in hashed_rows(name, table):
        rows.setdefault(tuple(row[column] for column in KEYS[name]), []).append(row_json(row))
    return rows
