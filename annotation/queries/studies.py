"""What researchers read about a study: how far it is, and its pairs. Its statistics: annotation.queries.statistics."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Case, Count, F, OuterRef, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan

from annotation.models import Lease, Pair, Score, Study, StudyStatistics
from annotation.models.studies import OVERALL
from annotation.queries.counting import counting_judgments, counting_of_each, judged_leases

State = Lease.State
COUNTED_EACH_TIME = 5_000  # judgments; beyond it those of the statistics and what came since
HELD = (State.RESERVED, State.LIVE)


def _per_study(rows: "QuerySet[Any]", to_study: str, aggregate: Any) -> Coalesce:
    """A figure per study by a subquery, so that joins of different tables do not multiply each other."""
    counted = rows.filter(**{to_study: OuterRef("pk")}).order_by().values(to_study).annotate(figure=aggregate)
    return Coalesce(Subquery(counted.values("figure")), 0)


def with_progress(studies: "QuerySet[Study]") -> "QuerySet[Study]":
    """Adds n_pairs, n_counted, n_wanted and last_vote_at to each study, in one query for all.

    Every figure comes from an index, and a large study's votes are not counted again: a list of studies with millions
    of votes is read at once.
    """
    regular = Pair.objects.filter(kind=Pair.Kind.REGULAR)
    lent = Lease.objects.filter(state__in=HELD, purpose=Lease.Purpose.JUDGING, pair__kind=Pair.Kind.REGULAR)
    judged = Lease.objects.filter(study=OuterRef("pk"), submitted_at__isnull=False).order_by("-submitted_at")
    return studies.annotate(
        n_pairs=_per_study(regular, "study", Count("pk")),
        n_counted=_n_counted(),
        n_wanted=F("n_counted")
        + _per_study(regular, "study", Sum("seats_left"))
        + _per_study(lent, "study", Count("pk")),
        last_vote_at=Subquery(judged.values("submitted_at")[:1]),
    )


def _n_counted() -> Case:
    """Exact in small studies. In large ones: as of the last update, and whatever came since."""
    kept = StudyStatistics.objects.filter(study=OuterRef("pk"), stratum="").exclude(made_from="")
    n_kept = Coalesce(Subquery(kept.values("n_judgments")[:1]), 0)
    since = StudyStatistics.objects.filter(study=OuterRef(OuterRef("pk")), stratum="").values("newest_at")[:1]
    newer = judged_leases().filter(submitted_at__gt=Subquery(since))
    return Case(
        When(GreaterThan(n_kept, COUNTED_EACH_TIME), then=n_kept + _per_study(newer, "study", Count("pk"))),
        default=_per_study(counting_of_each(), "lease__study", Count("pk")),
    )


@dataclass(frozen=True)
class Progress:
    leases: dict[str, int]  # by state, but for those that were submitted
    skip_reasons: list[tuple[str, int]]


def progress_of(study: Study) -> Progress:
    """What is lent now, and what became of it other than a judgment."""
    leases = Lease.objects.filter(study=study, purpose=Lease.Purpose.JUDGING)
    states = [state for state in State if state != State.SUBMITTED]
    by_state = Counter(dict(leases.filter(state__in=states).order_by().values_list("state").annotate(Count("pk"))))
    reasons = leases.filter(state=State.SKIPPED).order_by().values_list("skip_reason").annotate(n=Count("pk"))
    return Progress(
        leases={state.value: by_state[state.value] for state in states},
        skip_reasons=list(reasons.order_by("-n", "skip_reason")[:8]),
    )


def pairs_of(study: Study) -> "QuerySet[Pair]":
    """Pairs with n_counted and mean_overall (positive favours a), from the judgments that count."""
    counting = counting_judgments(study).order_by()
    per_pair = counting.filter(lease__pair=OuterRef("pk")).values("lease__pair")
    overall = Score.objects.filter(
        judgment__in=counting.filter(lease__pair=OuterRef(OuterRef("pk"))).values("pk"),
        dimension__key=OVERALL,
        kind=Score.Kind.SCORED,
    )
    mean = overall.order_by().values("dimension__key").annotate(mean=Avg("value")).values("mean")
    return (
        study.pairs.select_related("scenario", "dialogue_a__system", "dialogue_b__system")
        .defer("dialogue_a__speech", "dialogue_b__speech", "dialogue_a__meta", "dialogue_b__meta")
        .annotate(
            n_counted=Coalesce(Subquery(per_pair.annotate(n=Count("pk")).values("n")), 0),
            mean_overall=Subquery(mean),
            n_seats=F("n_counted") + F("seats_left"),
        )
    )
