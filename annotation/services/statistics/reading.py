"""A study's counting judgments as arrays, read once for everything that is computed from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.models import Dimension, Judgment, Pair, Score, Study
from annotation.models.judgments import JudgmentQuerySet
from annotation.queries.counting import counting_judgments
from annotation.services.qualification.standing import withdrawn_from

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
CHUNK_ROWS = 10_000
NOT_SCORED = {Score.Kind.BOTH_BAD: 100, Score.Kind.CANNOT_TELL: 101}  # beside −3 … +3 in `value`
NOT_ANSWERED = 127


@dataclass(frozen=True)
class PairFacts:
    """What the pairs are, one row per pair; keys of the database, each (m,)."""

    pair: Ints
    scenario: Ints
    dialogue_a: Ints
    dialogue_b: Ints
    system_a: Ints
    system_b: Ints
    kind: npt.NDArray[np.str_]
    check_of: Ints  # of a repeat: the pair it repeats; else 0
    expected: Floats  # of a check: the value it should get on overall; else nan
    seconds: Floats  # both sides together


@dataclass(frozen=True)
class StudyVotes:
    """One row per judgment, each (n,); `value` is (n, dimensions) in the study's order, overall last."""

    dimensions: tuple[Dimension, ...]
    judgment: Ints
    row: Ints  # of its pair in `pairs`
    rater: Ints
    side: Ints  # +1 where dialogue a was on the left, −1 where it was on the right
    first: Ints  # +1 where dialogue a was heard first, −1 where b was
    judging_seconds: Floats  # nan where it is not known
    value: npt.NDArray[np.int8]  # −3 … +3 positive favours a, or one of NOT_SCORED
    pairs: PairFacts

    def __len__(self) -> int:
        return len(self.judgment)

    @property
    def scenario(self) -> Ints:
        return self.pairs.scenario[self.row]

    @property
    def pair(self) -> Ints:
        return self.pairs.pair[self.row]

    @property
    def audio_seconds(self) -> Floats:
        return self.pairs.seconds[self.row]

    def where(self, mask: Bools) -> "StudyVotes":
        """The same of some of the judgments."""
        names = ("judgment", "row", "rater", "side", "first", "judging_seconds", "value")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})

    def is_scored(self, place: int) -> Bools:
        """Which judgments gave a number on the dimension, on a pair of two different systems."""
        differs = (self.pairs.system_a != self.pairs.system_b)[self.row]
        return np.asarray((np.abs(self.value[:, place]) <= 3) & differs)

    def columns(self, place: int) -> "Columns":
        """The votes on one dimension that are numbers."""
        kept = self.is_scored(place)
        row = self.row[kept]
        return Columns(
            system_a=self.pairs.system_a[row],
            system_b=self.pairs.system_b[row],
            value=self.value[kept, place].astype(np.int64),
            rater=self.rater[kept],
            scenario=self.pairs.scenario[row],
            pair=self.pairs.pair[row],
            side=self.side[kept],
            row=row,
        )

    def n_of(self, place: int, kind: Score.Kind) -> int:
        """How often a dimension was answered with this kind, one of NOT_SCORED."""
        return int((self.value[:, place] == NOT_SCORED[kind]).sum())

    def n_not_scored(self, place: int) -> int:
        return sum(self.n_of(place, kind) for kind in NOT_SCORED)


@dataclass(frozen=True)
class Columns:
    """The votes on one dimension as columns of database keys, each (n,)."""

    system_a: Ints
    system_b: Ints
    value: Ints
    rater: Ints
    scenario: Ints
    pair: Ints
    side: Ints
    row: Ints  # of its pair in the study's facts of pairs

    def __len__(self) -> int:
        return len(self.value)

    def for_ranking(self) -> tuple[Ints, ...]:
        """The columns in the order in which every ranking takes them."""
        return self.system_a, self.system_b, self.value, self.rater, self.scenario, self.side


def read_votes(study: Study) -> StudyVotes:
    """The counting judgments of the study with their scores, in the order in which they were made."""
    return read_judgments(study, counting_judgments(study))


def read_with_checks(study: Study) -> tuple[StudyVotes, Bools]:
    """All judgments in time of raters whose consent stands, checks and excluded raters too, and which of them count."""
    judgments = Judgment.objects.counted().filter(lease__study=study)
    if withdrawn := sorted(withdrawn_from(study)):
        judgments = judgments.exclude(lease__annotator__in=withdrawn)
    votes = read_judgments(study, judgments)
    counting = counting_judgments(study).order_by().values_list("pk", flat=True).iterator(CHUNK_ROWS)
    return votes, np.isin(votes.judgment, np.fromiter(counting, dtype=np.int64))


def read_judgments(study: Study, judgments: JudgmentQuerySet) -> StudyVotes:
    """Some judgments of the study as arrays."""
    fields = {
        "judgment": ("pk", "i8"),
        "pair": ("lease__pair_id", "i8"),
        "rater": ("lease__annotator_id", "i8"),
        "left": ("lease__side_left", "U1"),
        "first": ("lease__heard_first", "U5"),
        "seconds": ("judging_seconds", "f8"),
    }
    pairs = read_pairs(study)
    table = _table(judgments.order_by("pk"), fields)
    side = np.where(table["left"] == "a", 1, -1)
    dimensions = tuple(study.dimensions.all())
    return StudyVotes(
        dimensions=dimensions,
        judgment=table["judgment"],
        row=np.searchsorted(pairs.pair, table["pair"]),
        rater=table["rater"],
        side=side,
        first=np.where(table["first"] == "left", side, -side),
        judging_seconds=table["seconds"],
        value=_read_values(dimensions, table["judgment"]),
        pairs=pairs,
    )


def read_pairs(study: Study) -> PairFacts:
    fields = {
        "pair": ("pk", "i8"),
        "scenario": ("scenario_id", "i8"),
        "dialogue_a": ("dialogue_a_id", "i8"),
        "dialogue_b": ("dialogue_b_id", "i8"),
        "system_a": ("dialogue_a__system_id", "i8"),
        "system_b": ("dialogue_b__system_id", "i8"),
        "kind": ("kind", "U12"),
        "check_of": ("check_of_id", "i8"),
        "expected": ("expected_value", "f8"),
        "seconds_a": ("dialogue_a__seconds", "f8"),
        "seconds_b": ("dialogue_b__seconds", "f8"),
    }
    table = _table(Pair.objects.filter(study=study).order_by("pk"), fields)
    same = {name: table[name] for name in fields if not name.startswith("seconds")}
    return PairFacts(**same, seconds=table["seconds_a"] + table["seconds_b"])


def _table(rows: Any, fields: Mapping[str, tuple[str, str]]) -> Any:
    """Rows of a query as an array with named columns. None becomes nan, or 0 in a column of whole numbers.

    Args: fields: by column, the field that it holds and numpy's name of its type.
    """
    paths, kinds = zip(*fields.values(), strict=True)
    empty = [float("nan") if kind == "f8" else 0 for kind in kinds]
    full = (
        tuple(empty[place] if value is None else value for place, value in enumerate(row)) if None in row else row
        for row in rows.values_list(*paths).iterator(CHUNK_ROWS)
    )
    return np.fromiter(full, dtype=np.dtype(list(zip(fields, kinds, strict=True))))


def _read_values(dimensions: tuple[Dimension, ...], judgment: Ints) -> npt.NDArray[np.int8]:
    values = np.full((len(judgment), len(dimensions)), NOT_ANSWERED, dtype=np.int8)
    if not len(judgment):
        return values
    for place, dimension in enumerate(dimensions):
        fields = {"id": ("judgment_id", "i8"), "value": ("value", "f8"), "kind": ("kind", "U12")}
        table = _table(Score.objects.filter(dimension=dimension).order_by(), fields)
        found = np.searchsorted(judgment, table["id"]).clip(max=len(judgment) - 1)
        known = judgment[found] == table["id"]
        value = np.nan_to_num(table["value"], nan=NOT_ANSWERED).astype(np.int8)
        for kind, code in NOT_SCORED.items():
            value[table["kind"] == kind.value] = code
        values[found[known], place] = value[known]
    return values
