"""Votes as arrays of whole numbers, the form in which every estimate takes them."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = Sequence[Any] | npt.NDArray[Any]
MAX_VALUE = 3  # the scale is −3 … +3
DENSE = 4  # whole numbers that span up to so many times their count are counted, others sorted


@dataclass(frozen=True)
class Votes:
    """One row per scored judgment; all arrays are (n,). Systems, raters and scenarios are numbered from 0."""

    systems: tuple[Hashable, ...]  # the names behind the numbers
    system_a: Ints
    system_b: Ints
    value: Ints  # −3 … +3, positive favours a
    rater: Ints
    scenario: Ints
    side: Ints | None  # +1 where a was on the left, −1 where it was on the right
    covariates: Floats | None = None  # (n, k): what else differs between the sides, a − b

    def __len__(self) -> int:
        return len(self.value)

    @property
    def n_raters(self) -> int:
        return count_distinct(self.rater)

    @property
    def n_scenarios(self) -> int:
        return count_distinct(self.scenario)


def count_distinct(codes: Ints) -> int:
    return int(codes.max()) + 1 if len(codes) else 0


def code_votes(
    system_a: Column,
    system_b: Column,
    value: Column,
    rater: Column,
    scenario: Column,
    side: Column | None = None,
    *,
    covariates: Column | None = None,
    systems: Sequence[Hashable] | None = None,
) -> Votes:
    """Check the columns and number what they name.

    Args:
        system_a, system_b, rater, scenario: any labels that can be sorted; whole numbers are fastest.
        value: −3 … +3, positive favours a; leave out votes that are not a number ("both bad", "cannot tell").
        side: +1 where a was shown on the left, −1 where it was on the right.
        covariates: what else differs between the sides, a − b, (n, k).
        systems: the systems to report and their order; by default those that have votes, sorted.
    Raises:
        ValueError: for columns of unequal length, a value off the scale, a pair of one system with itself, a covariate
            that is not a number.
    """
    columns = [system_a, system_b, value, rater, scenario, side, covariates]
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) != 1:
        raise ValueError(f"The columns have {sorted(lengths)} rows. Give every column one entry per vote.")
    names, codes = _number_systems(np.asarray(system_a), np.asarray(system_b), systems)
    coded = Votes(
        systems=names,
        system_a=codes[0],
        system_b=codes[1],
        value=_whole(value, "value", range(-MAX_VALUE, MAX_VALUE + 1)),
        rater=number(rater),
        scenario=number(scenario),
        side=None if side is None else _whole(side, "side", (-1, 1)),
        covariates=None if covariates is None else _finite(covariates),
    )
    if (same := np.flatnonzero(coded.system_a == coded.system_b)).size:
        raise ValueError(
            f"Vote {same[0]} compares {names[coded.system_a[same[0]]]!r} with itself. Leave such votes out."
        )
    return coded


def number(labels: Column) -> Ints:
    """Labels as whole numbers from 0, in sorted order."""
    return distinct(labels)[1]


def distinct(labels: Column) -> tuple[npt.NDArray[Any], Ints]:
    """The different labels, sorted, and the place of each label among them (n,)."""
    array = np.asarray(labels)
    if not array.size:
        return array, np.zeros(0, dtype=np.int64)
    if array.dtype.kind in "iu":
        lowest = array.min()
        span = int(array.max()) - int(lowest) + 1
        if span <= DENSE * array.size:  # counting a million whole numbers takes a tenth of the time of sorting them
            offset = (array - lowest).astype(np.int64)
            is_there = np.zeros(span, dtype=np.bool_)
            is_there[offset] = True
            return np.flatnonzero(is_there) + lowest, (np.cumsum(is_there) - 1)[offset]
    found, place = np.unique(array, return_inverse=True)
    return found, place.astype(np.int64)


def _number_systems(
    first: npt.NDArray[Any], second: npt.NDArray[Any], systems: Sequence[Hashable] | None
) -> tuple[tuple[Hashable, ...], Ints]:
    found, codes = distinct(np.concatenate([first, second]))
    names = tuple(found.tolist())
    if systems is not None:
        place = {name: index for index, name in enumerate(systems)}
        if unknown := [name for name in names if name not in place]:
            raise ValueError(f"There are votes on {unknown[0]!r}, which is not among the {len(place)} systems given.")
        codes = np.array([place[name] for name in names], dtype=np.int64)[codes]
        names = tuple(systems)
    return names, codes.reshape(2, -1)


def _whole(column: Column, name: str, allowed: Sequence[int]) -> Ints:
    array = np.asarray(column)
    if (wrong := np.flatnonzero(~np.isin(array, list(allowed)))).size:
        raise ValueError(
            f"{name}[{wrong[0]}] is {array[wrong[0]]!r}; it must be one of {', '.join(map(str, allowed))}."
        )
    return array.astype(np.int64)


def _finite(covariates: Column) -> Floats:
    table = np.asarray(covariates, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"The covariates have shape {table.shape}. Give a row per vote and a column per covariate.")
    if (wrong := np.argwhere(~np.isfinite(table))).size:
        row, column = wrong[0]
        raise ValueError(
            f"Covariate {column} of vote {row} is {table[row, column]}. Leave out votes on pairs where it is unknown."
        )
    return table
