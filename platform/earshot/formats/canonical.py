"""The canonical form of a snapshot's values, and the content id that is computed from its rows.

One value has one form: floats are rounded to 9 significant digits (−0 becomes 0), times are UTC with microseconds, a
row is compact JSON with sorted keys, rows are sorted by their key. So the order in which rows arrive, the database
and the machine make no difference to the id.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pyarrow as pa

from earshot.formats.snapshot_rows import DERIVED_COLUMNS, ROW_TYPES, SnapshotError

SIGNIFICANT_DIGITS = 9
BATCH_ROWS = 4_096


def hash_tables(tables: Mapping[str, pa.Table], filter: Mapping[str, object]) -> str:
    """The sha256 (hex) of the canonical rows of all five tables and of the filter, nothing else."""
    digest = hashlib.sha256()
    for name in sorted(ROW_TYPES):
        digest.update(f"table {name}\n".encode())
        for row in hashed_rows(name, tables[name]):
            digest.update(row_json(row) + b"\n")
    digest.update(b"filter " + canonical_json(filter))
    return digest.hexdigest()


def hashed_rows(name: str, table: pa.Table) -> Iterator[dict[str, object]]:
    """The rows that count for the id, in the table's order, without the derived columns."""
    counted = table.drop_columns(sorted(DERIVED_COLUMNS.get(name, ())))
    for batch in counted.to_batches(max_chunksize=BATCH_ROWS):
        yield from batch.to_pylist()


def row_json(row: Mapping[str, object]) -> bytes:
    """Canonical JSON of a row whose values are canonical already, as those of `to_tables` are: four times as fast."""
    try:
        return _ROW_ENCODER.encode(row).encode("utf-8")
    except ValueError as error:  # a table from outside may hold NaN
        raise SnapshotError(f"The row {str(row)[:200]} has no canonical form ({error}). Fetch it again.") from error


def canonical_json(value: object) -> bytes:
    """Compact JSON with sorted keys, UTF-8. Raises SnapshotError for what has no such form."""
    try:
        plain = _plain(value)
        text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise SnapshotError(f"{str(value)[:200]!r} has no canonical form ({error}). Use plain JSON values.") from error


def canonical_float(value: float) -> float:
    """`value` to 9 significant digits. Raises SnapshotError if it is not finite."""
    if not math.isfinite(value):
        raise SnapshotError(f"{value} is no finite number. Leave the value out (None) where it is not known.")
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0  # + 0.0 turns −0.0 into 0.0


def canonical_time(value: datetime) -> datetime:
    """`value` in UTC. Raises SnapshotError if it has no time zone."""
    if value.tzinfo is None:
        raise SnapshotError(f"The time {value.isoformat()} has no time zone. Give it as UTC.")
    return value.astimezone(UTC)


def time_text(value: datetime) -> str:
    return canonical_time(value).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pseudonym(secret: bytes, rater_id: str) -> str:
    """A rater's name in one family of snapshots: without the family's secret nobody can lead it back to a person."""
    if len(secret) < 16:
        raise ValueError(f"The family's secret has {len(secret)} bytes; use at least 16 random ones.")
    return "r-" + hmac.new(secret, rater_id.encode(), hashlib.sha256).hexdigest()[:16]


def _time_of_row(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no value of a row")
    return time_text(value)


_ROW_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_time_of_row
)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return canonical_float(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key is not a text")
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
