"""The boards of a study: per dimension a ranking, plain means, agreement and the ceiling. See docs/ranking.md."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.core.cache import cache
from django.db.models import Count, Max, Q
from django.utils import timezone

from annotation.models import Dimension, Judgment, Pair, QualityVerdict, Score, Study, System
from annotation.models.judgments import JudgmentQuerySet
from annotation.services.qualification.standing import withdrawn_from
from earshot import estimation

CACHE_SECONDS = (
    24 * 3600
)  # a board is found again by what it was made from, so it never goes stale; this only tidies up
FORM = 1  # of what is cached; raise it when the dataclasses below change


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
    """The study's board from its counted judgments on regular pairs, without those that failed quality control.

    It is cached under the judgments it was made from, so it is always the newest.
    """
    judgments = Judgment.objects.counted().filter(lease__pair__study=study, lease__pair__kind=Pair.Kind.REGULAR)
    withdrawn = sorted(withdrawn_from(study))
    if withdrawn:
        judgments = judgments.exclude(lease__annotator__in=withdrawn)
    failed = Q(quality__verdict=QualityVerdict.Verdict.FAIL)
    facts = judgments.aggregate(
        n=Count("pk"),
        n_failed=Count("pk", filter=failed),
        newest=Max("submitted_at"),
        decided=Max("quality__decided_at"),
    )
    made_from = repr([*sorted(facts.items()), *withdrawn])
    key = f"board:{FORM}:{study.pk}:{hashlib.sha256(made_from.encode()).hexdigest()[:32]}"
    board: StudyBoard | None = cache.get(key)
    if board is None:
        names = dict(System.objects.values_list("pk", "name"))
        counted = judgments.exclude(failed)
        board = StudyBoard(
            dimensions=tuple(_dimension_board(dimension, counted, names) for dimension in study.dimensions.all()),
            n_judgments=facts["n"] - facts["n_failed"],
            n_failed=facts["n_failed"],
            newest_at=facts["newest"],
            made_at=timezone.now(),
        )
        cache.set(key, board, CACHE_SECONDS)
    return board


@dataclass(frozen=True)
class Columns:
    """The votes on one dimension as columns of database keys, each (n,)."""

    system_a: npt.NDArray[np.int64]
    system_b: npt.NDArray[np.int64]
    value: npt.NDArray[np.int64]
    rater: npt.NDArray[np.int64]
    scenario: npt.NDArray[np.int64]
    pair: npt.NDArray[np.int64]
    side: npt.NDArray[np.int64]


def _read_columns(dimension: Dimension, judgments: JudgmentQuerySet) -> tuple[Columns, int]:
    """Votes of two different systems that are numbers, and how many answers were none."""
    scores = Score.objects.filter(dimension=dimension, judgment__in=judgments)
    fields = (
        "judgment__lease__pair__dialogue_a__system",
        "judgment__lease__pair__dialogue_b__system",
        "value",
        "judgment__lease__annotator",
        "judgment__lease__pair__scenario",
        "judgment__lease__pair",
        "judgment__lease__side_left",
    )
    numbers = scores.filter(kind=Score.Kind.SCORED).order_by().values_list(*fields)
    rows = [(*row[:-1], 1 if row[-1] == "a" else -1) for row in numbers.iterator(10_000) if row[0] != row[1]]
    table = np.array(rows, dtype=np.int64).reshape(-1, len(fields))
    return Columns(*table.T), scores.exclude(kind=Score.Kind.SCORED).count()


def _dimension_board(dimension: Dimension, judgments: JudgmentQuerySet, names: dict[int, str]) -> DimensionBoard:
    votes, n_not_scored = _read_columns(dimension, judgments)
    ranking = estimation.fit_ordinal_bradley_terry(
        votes.system_a, votes.system_b, votes.value, votes.rater, votes.scenario, votes.side
    )
    means = estimation.mean_cmos(votes.system_a, votes.system_b, votes.value, votes.rater, votes.scenario)
    return DimensionBoard(
        key=dimension.key,
        name=dimension.name,
        rows=_rows(ranking, means, names),
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


def _rows(
    ranking: estimation.Board, means: tuple[estimation.MeanScore, ...], names: dict[int, str]
) -> tuple[BoardRow, ...]:
    mean_of = {mean.system: mean for mean in means}
    rows = []
    for standing in ranking.standings:
        mean = mean_of[standing.system]
        rows.append(
            BoardRow(
                system=names[int(str(standing.system))],
                rank=standing.rank,
                strength=standing.strength,
                low=standing.low,
                high=standing.high,
                cmos=mean.mean,
                cmos_low=mean.low,
                cmos_high=mean.high,
                n_votes=standing.n_votes,
            )
        )
    return tuple(rows)
