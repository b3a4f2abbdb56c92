"""Judgments in all dimensions as arrays, the form in which every figure about raters takes them."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from earshot.estimation.votes import MAX_VALUE, Column, Floats, Ints, number


@dataclass(frozen=True)
class Judged:
    """One row per judgment, n in all. Raters, pairs and systems are numbered from 0."""

    raters: tuple[Hashable, ...]  # the names behind the numbers, sorted
    rater: Ints  # (n,)
    pair: Ints  # (n,)
    system_a: Ints  # (n,)
    system_b: Ints  # (n,)
    n_systems: int
    side: Ints  # +1 where a was on the left, −1 where it was on the right, (n,)
    values: Floats  # −3 … +3, positive favours a, NaN where the answer is no number; (n, dimensions)
    judging_seconds: Floats  # from opening to submitting, NaN where unknown, (n,)
    audio_seconds: Floats  # of both sides together, NaN where unknown, (n,)

    def __len__(self) -> int:
        return len(self.rater)


def code_judged(
    rater: Column,
    pair: Column,
    system_a: Column,
    system_b: Column,
    side: Column,
    values: Column,
    *,
    judging_seconds: Column | None = None,
    audio_seconds: Column | None = None,
) -> Judged:
    """Check the columns and number what they name.

    Args:
        rater, pair, system_a, system_b: any labels that can be sorted, (n,).
        side: +1 where a was shown on the left, −1 where it was on the right, (n,).
        values: −3 … +3, positive favours a; NaN (or None) for "both bad", "cannot tell" and what was not asked. One
            row per judgment, one column per dimension; (n, dimensions).
    Raises:
        ValueError: for columns of unequal length, or a value off the scale.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"values has the shape {table.shape}. Give one row per judgment, one column per dimension.")
    n = len(table)
    seconds = [np.full(n, np.nan) if each is None else each for each in (judging_seconds, audio_seconds)]
    lengths = {len(column) for column in (rater, pair, system_a, system_b, side, *seconds)} | {n}
    if len(lengths) != 1:
        raise ValueError(f"The columns have {sorted(lengths)} rows. Give every column one entry per judgment.")
    known = table[~np.isnan(table)]
    if (wrong := known[~np.isin(known, np.arange(-MAX_VALUE, MAX_VALUE + 1))]).size:
        raise ValueError(f"There is a value of {wrong[0]:g}; values are whole numbers −3 … +3, or NaN.")
    if (sides := np.setdiff1d(np.asarray(side), [-1, 1])).size:
        raise ValueError(f"There is a side of {sides[0]!r}; a side is +1 (a was on the left) or −1.")
    systems = number(np.concatenate([np.asarray(system_a), np.asarray(system_b)]))
    return Judged(
        raters=tuple(np.unique(np.asarray(rater)).tolist()) if n else (),
        rater=number(rater),
        pair=number(pair),
        system_a=systems[:n],
        system_b=systems[n:],
        n_systems=int(systems.max()) + 1 if n else 0,
        side=np.asarray(side, dtype=np.int64),
        values=table,
        judging_seconds=_seconds(seconds[0]),
        audio_seconds=_seconds(seconds[1]),
    )


def total_by(code: Ints, column: npt.NDArray[Any], n: int) -> Floats:
    """Sum of a column for each of n codes, (n,)."""
    return np.bincount(code, column, minlength=n).astype(np.float64)


def _seconds(column: Column) -> npt.NDArray[Any]:
    return np.asarray(column, dtype=np.float64)
