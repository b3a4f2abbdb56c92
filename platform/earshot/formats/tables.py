"""From snapshot rows to Arrow tables in canonical order and values, every value checked, and back."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import NoneType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import pyarrow as pa

from earshot.formats.canonical import BATCH_ROWS, canonical_float, canonical_time
from earshot.formats.snapshot_rows import KEYS, ROW_TYPES, Row, ScoreRow, SnapshotError

Tables: TypeAlias = Mapping[str, Iterable[Row] | pa.Table]

SCORES = range(-3, 4)
_INT64 = range(-(2**63), 2**63)
_ARROW_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple: pa.list_(pa.string()),
    datetime: pa.timestamp("us", tz="UTC"),
}


def to_tables(tables: Tables) -> dict[str, pa.Table]:
    """All five tables, canonical. Rows are taken in batches, so an iterable may stream them from a database.

    Raises:
        SnapshotError: if a table is missing or unknown, a value is not what its column holds, or a key comes twice.
    """
    if set(tables) != set(ROW_TYPES):
        raise SnapshotError(
            f"A snapshot has the tables {sorted(ROW_TYPES)}; {sorted(tables)} were given. Give all five."
        )
    return {name: _to_table(name, tables[name]) for name in sorted(ROW_TYPES)}


def rows_of(name: str, table: pa.Table) -> Iterator[Row]:
    """The rows of a table, as the dataclass of that table."""
    make: Callable[..., Row] = ROW_TYPES[name]
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        for values in batch.to_pylist():
            if name == "judgments":
                values["quality_reasons"] = tuple(values["quality_reasons"])
            yield make(**values)


def schema_of(name: str) -> pa.Schema:
    """The Arrow schema of a table, taken from its row's type hints."""
    columns = [(column, *_read_hint(hint)) for column, hint in get_type_hints(ROW_TYPES[name]).items()]
    return pa.schema([pa.field(column, _ARROW_TYPES[kind], optional) for column, kind, optional, _ in columns])


def _to_table(name: str, rows: Iterable[Row] | pa.Table) -> pa.Table:
    schema = schema_of(name)
    if isinstance(rows, pa.Table):
        if not rows.schema.equals(schema):
            raise SnapshotError(f"The table {name!r} has not the columns of this version. Make it with this version.")
        rows = rows_of(name, rows)
    checks = [_column_check(name, column, hint) for column, hint in get_type_hints(ROW_TYPES[name]).items()]
    batches = []
    for batch in _batches(rows):
        _check_rows(name, batch)
        columns = [
            pa.array([check(row) for row in batch], field.type) for check, field in zip(checks, schema, strict=True)
        ]
        batches.append(pa.record_batch(columns, schema=schema))
    table = pa.Table.from_batches(batches, schema).sort_by([(key, "ascending") for key in KEYS[name]])
    if name != "marks":
        _refuse_repeats(name, table)
    return table.combine_chunks()


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


def _check_rows(name: str, rows: list[Row]) -> None:
    """What one column alone cannot tell."""
    for row in rows:
        if not isinstance(row, ROW_TYPES[name]):
            raise SnapshotError(f"Table {name!r} holds a {type(row).__name__}; use {ROW_TYPES[name].__name__}.")
        if isinstance(row, ScoreRow) and (row.kind == "scored") != (row.value in SCORES):
            raise SnapshotError(
                f"Score {row.value!r} of kind {row.kind!r} at {_key_of(name, row)}. "
                "A scored one has a value from −3 to 3, any other has none."
            )


def _refuse_repeats(name: str, table: pa.Table) -> None:
    counted = table.group_by(list(KEYS[name])).aggregate([([], "count_all")])
    for row in counted.to_pylist():
        if row["count_all"] > 1:
            key = tuple(row[column] for column in KEYS[name])
            raise SnapshotError(f"{row['count_all']} rows of {name!r} have the key {key}. Give each row once.")


def _column_check(name: str, column: str, hint: Any) -> Callable[[Row], object]:
    """The function that takes the column's canonical value out of a row, or raises SnapshotError."""
    kind, optional, options = _read_hint(hint)
    wanted = " or ".join(map(repr, options)) or kind.__name__

    def check(row: Row) -> object:
        value = getattr(row, column)
        if value is None and optional:
            return None
        canonical = _canonical(value, kind)
        if canonical is None or (options and canonical not in options):
            raise SnapshotError(f"{name}.{column} is {value!r} at {_key_of(name, row)}; it must be {wanted}.")
        return canonical

    return check


def _canonical(value: object, kind: type) -> object:
    """`value` in canonical form, or None if it is not of this kind."""
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return canonical_float(value)
    if kind is datetime and isinstance(value, datetime):
        return canonical_time(value)
    if kind is int:
        return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None
    if kind is str:
        return value if isinstance(value, str) and _is_unicode(value) else None
    if kind is tuple and isinstance(value, tuple):
        return list(value) if all(isinstance(text, str) and _is_unicode(text) for text in value) else None
    return value if kind is bool and isinstance(value, bool) else None


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _key_of(name: str, row: Row) -> tuple[object, ...]:
    return tuple(getattr(row, column) for column in KEYS[name])


def _read_hint(hint: Any) -> tuple[type, bool, tuple[str, ...]]:
    """A column's type hint as (python type, may it be None, the values that it may have or none)."""
    arms = get_args(hint) if NoneType in get_args(hint) else (hint,)
    arm = next(each for each in arms if each is not NoneType)
    if get_origin(arm) is Literal:
        return str, NoneType in arms, get_args(arm)
    return get_origin(arm) or arm, NoneType in arms, ()
