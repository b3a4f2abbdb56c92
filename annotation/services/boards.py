"""The boards of a study: per dimension a ranking, plain means, agreement and the ceiling. See docs/ranking.md."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Max, Q
from django.utils import timezone

from annotation.models import Dimension, QualityVerdict, Study, System
from annotation.queries.counting import counting_judgments, judgments_in_time
from annotation.services.statistics.reading import Columns, read_votes
from earshot import estimation


@dataclass(frozen=True)
class BoardRow:
    """One system on one dimension. Strengths in logits (mean 0), CMOS on −3 … +3; None is "cannot say yet"."""

    system: str
    rank: int | None
    strength: float | None
    low: float | None
    high: float | None
    cmos: float | None
    cmos_low: float | None
    cmos_high: float | None
    n_votes: int
    rank_low: int | None = None  # the best and the worst place that it may really have
    rank_high: int | None = None


@dataclass(frozen=True)
class DimensionBoard:
    key: str
    name: str
    rows: tuple[BoardRow, ...]  # strongest first
    reason: str  # why something above is None; empty if nothing is
    side_intercept: estimation.SideIntercept | None  # logits by which the left side is favoured
    thresholds: tuple[float, ...] | None
    agreement: estimation.Agreement
    ceiling: estimation.Ceiling
    n_votes: int  # numbers: not "both bad", not "cannot tell"
    n_not_scored: int
    n_raters: int
    n_pairs: int
    n_scenarios: int


@dataclass(frozen=True)
class StudyBoard:
    """All dimensions, overall last, and how fresh they are."""

    dimensions: tuple[DimensionBoard, ...]
    n_judgments: int  # that counted
    n_failed: int  # left out: quality control failed them
    newest_at: datetime | None  # when the newest of them was submitted
    made_at: datetime

    @property
    def overall(self) -> DimensionBoard | None:
        return self.dimensions[-1] if self.dimensions else None


def study_board(study: Study) -> StudyBoard:
    """The study's board, computed now from the judgments that count; pages show what a job has kept of it."""
    votes = read_votes(study)
    names = dict(System.objects.values_list("pk", "name"))
    failed = Q(quality__verdict=QualityVerdict.Verdict.FAIL)
    return StudyBoard(
        dimensions=tuple(
            dimension_board(dimension, votes.columns(place), votes.n_not_scored(place), names)[0]
            for place, dimension in enumerate(votes.dimensions)
        ),
        n_judgments=len(votes),
        n_failed=judgments_in_time(study).filter(failed).count(),
        newest_at=counting_judgments(study).aggregate(newest=Max("submitted_at"))["newest"],
        made_at=timezone.now(),
    )


def board_of(kept: Mapping[str, Any]) -> DimensionBoard:
    """A board from one dimension of what is kept of it (`services.statistics`)."""
    plain = {field.name: kept[field.name] for field in fields(DimensionBoard)}
    side, thresholds = kept["side_intercept"], kept["thresholds"]
    return DimensionBoard(
        **{
            **plain,
            "rows": tuple(BoardRow(**row) for row in kept["rows"]),
            "side_intercept": None if side is None else estimation.SideIntercept(**side),
            "thresholds": None if thresholds is None else tuple(math.inf if cut is None else cut for cut in thresholds),
            "agreement": estimation.Agreement(**kept["agreement"]),
            "ceiling": estimation.Ceiling(**kept["ceiling"]),
        }
    )


def dimension_board(
    dimension: Dimension, votes: Columns, n_not_scored: int, names: Mapping[int, str]
) -> tuple[DimensionBoard, estimation.Board]:
    """One dimension's board, and the fit behind it."""
    systems = systems_of(votes, names)
    ranking = estimation.fit_ordinal_bradley_terry(*votes.for_ranking(), systems=systems)
    means = estimation.mean_cmos(*votes.for_ranking()[:5], systems=systems)
    board = DimensionBoard(
        key=dimension.key,
        name=dimension.name,
        rows=_rows(ranking, {str(mean.system): mean for mean in means}),
        reason=ranking.reason,
        side_intercept=ranking.side_intercept,
        thresholds=ranking.thresholds,
        agreement=estimation.krippendorff_alpha(votes.pair, votes.value, votes.scenario),
        ceiling=estimation.ceiling_from_votes(votes.pair, votes.value, votes.scenario),
        n_votes=ranking.n_votes,
        n_not_scored=n_not_scored,
        n_raters=ranking.n_raters,
        n_pairs=len(np.unique(votes.pair)),
        n_scenarios=ranking.n_scenarios,
    )
    return board, ranking


class NamedSystem(int):
    """A system by its primary key, which is what votes are counted by, that calls itself by its name."""

    name: str

    def __new__(cls, pk: int, name: str) -> "NamedSystem":
        system = super().__new__(cls, pk)
        system.name = name
        return system

    def __str__(self) -> str:
        return self.name


def systems_of(votes: Columns, names: Mapping[int, str]) -> list[NamedSystem]:
    """The systems that have votes, so that boards, and the reasons on them, call them by name."""
    found = np.unique(np.concatenate([votes.system_a, votes.system_b]))
    return [NamedSystem(pk, names[pk]) for pk in found.tolist()]


def _rows(ranking: estimation.Board, mean_of: Mapping[str, estimation.MeanScore]) -> tuple[BoardRow, ...]:
    rows = []
    for standing in ranking.standings:
        mean = mean_of[str(standing.system)]
        rows.append(
            BoardRow(
                system=str(standing.system),
                rank=standing.rank,
                strength=standing.strength,
                low=standing.low,
                high=standing.high,
                cmos=mean.mean,
                cmos_low=mean.low,
                cmos_high=mean.high,
                n_votes=standing.n_votes,
                rank_low=standing.rank_low,
                rank_high=standing.rank_high,
            )
        )
    return tuple(rows)
