"""What researchers read about a study: how far it is, who judged, and the boards as pictures with a sentence."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Judgment, Lease, Pair, Score, Study
from annotation.models.studies import OVERALL
from annotation.services.boards import DimensionBoard, StudyBoard
from annotation.services.qualification.standing import withdrawn_from
from earshot.accounts.models import User

State = Lease.State


def _per_study(rows: "QuerySet[Any]", to_study: str, aggregate: Any) -> Coalesce:
    """A figure per study by a subquery, so that joins of different tables do not multiply each other."""
    counted = rows.filter(**{to_study: OuterRef("pk")}).order_by().values(to_study).annotate(figure=aggregate)
    return Coalesce(Subquery(counted.values("figure")), 0)


def with_progress(studies: "QuerySet[Study]") -> "QuerySet[Study]":
    """Adds n_pairs, n_counted, n_wanted and last_vote_at to each study, in one query for all."""
    submitted = Judgment.objects.counted()
    last = submitted.filter(lease__pair__study=OuterRef("pk")).order_by("-submitted_at").values("submitted_at")[:1]
    n_seated = _per_study(Lease.objects.filter(state__in=Lease.SEATED), "pair__study", Count("pk"))
    return studies.annotate(
        n_pairs=_per_study(Pair.objects.all(), "study", Count("pk")),
        n_counted=_per_study(submitted, "lease__pair__study", Count("pk")),
        n_wanted=_per_study(Pair.objects.all(), "study", Sum("seats_left")) + n_seated,
        last_vote_at=Subquery(last),
    )


@dataclass(frozen=True)
class RaterRow:
    name: str
    is_simulated: bool
    n_counted: int
    n_late: int
    n_skipped: int
    mean_judging_seconds: float | None
    last_at: datetime | None


@dataclass(frozen=True)
class SideBalance:
    """How often dialogue a was shown left, and the left side was heard first, among leases that hold a seat."""

    n: int
    a_left: int
    left_first: int

    @property
    def sentence(self) -> str:
        if not self.n:
            return _("Nothing was lent yet.")
        return _("Dialogue a was on the left in %(a)d of %(n)d, the left side was heard first in %(f)d of %(n)d.") % {
            "a": self.a_left,
            "n": self.n,
            "f": self.left_first,
        }


@dataclass(frozen=True)
class Progress:
    leases: dict[str, int]  # by state
    raters: list[RaterRow]
    sides: SideBalance
    skip_reasons: list[tuple[str, int]]


def progress_of(study: Study) -> Progress:
    leases = Lease.objects.filter(pair__study=study)
    by_state = Counter(dict(leases.order_by().values_list("state").annotate(Count("pk"))))
    seated = leases.filter(state__in=Lease.SEATED)
    sides = seated.aggregate(
        n=Count("pk"), a_left=Count("pk", filter=Q(side_left="a")), left_first=Count("pk", filter=Q(heard_first="left"))
    )
    reasons = leases.filter(state=State.SKIPPED).order_by().values_list("skip_reason").annotate(n=Count("pk"))
    return Progress(
        leases={state.value: by_state[state.value] for state in State},
        raters=_raters(study),
        sides=SideBalance(**sides),
        skip_reasons=list(reasons.order_by("-n", "skip_reason")[:8]),
    )


def _raters(study: Study) -> list[RaterRow]:
    rows = (
        User.objects.filter(leases__pair__study=study)
        .exclude(pk__in=withdrawn_from(study))
        .annotate(
            n_counted=Count("leases", filter=Q(leases__pair__study=study, leases__state=State.SUBMITTED)),
            n_late=Count("leases", filter=Q(leases__pair__study=study, leases__state=State.LATE)),
            n_skipped=Count("leases", filter=Q(leases__pair__study=study, leases__state=State.SKIPPED)),
            mean_judging=Avg("leases__judgment__judging_seconds", filter=Q(leases__pair__study=study)),
            last_at=Max("leases__submitted_at", filter=Q(leases__pair__study=study)),
        )
        .order_by("-n_counted", "email")
    )
    return [
        RaterRow(
            name=str(row),
            is_simulated=row.is_simulated,
            n_counted=row.n_counted,
            n_late=row.n_late,
            n_skipped=row.n_skipped,
            mean_judging_seconds=None if row.is_simulated else row.mean_judging,
            last_at=row.last_at,
        )
        for row in rows
    ]


def pairs_of(study: Study) -> "QuerySet[Pair]":
    """Pairs with n_counted and mean_overall (positive favours a), without the judgments of withdrawn consents."""
    withdrawn = withdrawn_from(study)
    counted = Judgment.objects.counted().filter(lease__pair=OuterRef("pk")).exclude(lease__annotator__in=withdrawn)
    per_pair = counted.order_by().values("lease__pair")
    overall = Score.objects.filter(
        judgment__lease__pair=OuterRef("pk"),
        judgment__submitted_at__isnull=False,
        judgment__is_late=False,
        dimension__key=OVERALL,
        kind=Score.Kind.SCORED,
    ).exclude(judgment__lease__annotator__in=withdrawn)
    mean = overall.order_by().values("judgment__lease__pair").annotate(mean=Avg("value")).values("mean")
    return (
        study.pairs.select_related("scenario", "dialogue_a__system", "dialogue_b__system")
        .defer("dialogue_a__speech", "dialogue_b__speech", "dialogue_a__meta", "dialogue_b__meta")
        .annotate(
            n_counted=Coalesce(Subquery(per_pair.annotate(n=Count("pk")).values("n")), 0),
            mean_overall=Subquery(mean),
            n_seats=F("n_counted") + F("seats_left"),
        )
    )


@dataclass(frozen=True)
class BoardPicture:
    """A board as templates/_chart.html draws it, with the sentence that says what is seen."""

    key: str
    name: str
    sentence: str
    chart: dict[str, Any] | None  # None: nothing to draw yet
    board: DimensionBoard


def pictures_of(board: StudyBoard) -> list[BoardPicture]:
    """Overall first: it is what one looks for."""
    pictures = [
        BoardPicture(each.key, each.name, sentence_for(each), chart_of(each), each) for each in board.dimensions
    ]
    return [*pictures[-1:], *pictures[:-1]]


def chart_of(board: DimensionBoard) -> dict[str, Any] | None:
    rows = [
        {
            "label": row.system,
            "estimate": row.strength,
            "low": row.low,
            "high": row.high,
            "note": ngettext("%(n)d vote", "%(n)d votes", row.n_votes) % {"n": row.n_votes},
        }
        for row in board.rows
        if row.strength is not None
    ]
    if not rows or any(row["low"] is None or row["high"] is None for row in rows):
        return None  # an estimate is never shown without its interval
    return {
        "kind": "interval",
        # xgettext:no-python-format
        "x": {"label": _("strength in logits, 95 % intervals")},
        "reference": {"value": 0, "label": _("mean of all")},
        "rows": rows,
    }


def sentence_for(board: DimensionBoard) -> str:
    """What the picture shows, or why it cannot be said yet."""
    if board.reason:
        return _("Cannot say yet: %(reason)s.") % {"reason": board.reason}
    first = [row.system for row in board.rows if row.rank == 1]
    separated = board.rows and len(first) == 1
    if separated:
        return _(
            "%(system)s stands above all others (%(n)d votes of %(raters)d raters on %(scenarios)d scenarios)."
        ) % {
            "system": first[0],
            "n": board.n_votes,
            "raters": board.n_raters,
            "scenarios": board.n_scenarios,
        }
    return _("%(systems)s cannot be told apart at the top yet (%(n)d votes of %(raters)d raters).") % {
        "systems": ", ".join(first),
        "n": board.n_votes,
        "raters": board.n_raters,
    }
