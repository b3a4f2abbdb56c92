"""On which pairs raters disagree, and what was decided about them. Told so that it does not say for which side."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Avg, Count, F, FloatField, Q, QuerySet
from django.db.models.functions import Cast

from annotation.models import Adjudication, Judgment, Pair, Score, Study, StudyStatistics
from annotation.models.studies import OVERALL
from annotation.queries.counting import counting_judgments, raters_left_out

MOST_SHOWN = 50
FEWEST_VOTES = 2
MANY_JUDGMENTS = 20_000  # from here on the list is worked out at most every …, or when others are left out
KEPT_SECONDS = 600


@dataclass(frozen=True)
class DisputedPair:
    """A pair by how far the votes on overall lie apart. `larger` and `smaller` say how many are for either side."""

    pair: Pair
    n_votes: int
    larger: int
    smaller: int
    n_same: int
    spread: float  # standard deviation of the votes, in steps of the scale


def most_disputed(study: Study) -> list[DisputedPair]:
    """At most 50 regular pairs without an adjudication, those first whose votes that count lie furthest apart."""
    rows = _kept_rows(study)
    pairs = Pair.objects.select_related("scenario").filter(adjudication__isnull=True)
    found = pairs.in_bulk([row["pair"] for row in rows])
    return [
        DisputedPair(
            pair=found[row["pair"]],
            n_votes=row["n"],
            larger=max(row["for_a"], row["for_b"]),
            smaller=min(row["for_a"], row["for_b"]),
            n_same=row["n"] - row["for_a"] - row["for_b"],
            spread=math.sqrt(max(0.0, row["square"] - row["mean"] ** 2)),
        )
        for row in rows
        if row["pair"] in found
    ]


def _kept_rows(study: Study) -> list[dict[str, Any]]:
    if not StudyStatistics.objects.filter(study=study, n_judgments__gte=MANY_JUDGMENTS).exists():
        return _rows(study)
    left_out = hashlib.sha256(str(sorted(raters_left_out(study))).encode()).hexdigest()
    key = f"disputed:{study.pk}:{study.created_at:%Y%m%d%H%M%S%f}:{left_out}"
    rows: list[dict[str, Any]] | None = cache.get(key)
    if rows is None:
        rows = _rows(study)
        cache.set(key, rows, KEPT_SECONDS)
    return rows


def _rows(study: Study) -> list[dict[str, Any]]:
    scores = Score.objects.filter(
        judgment__in=counting_judgments(study), dimension__key=OVERALL, kind=Score.Kind.SCORED
    )
    value = Cast(F("value"), FloatField())
    by_pair = (
        scores.order_by()
        .values(pair=F("judgment__lease__pair"))
        .annotate(
            n=Count("pk"),
            for_a=Count("pk", filter=Q(value__gt=0)),
            for_b=Count("pk", filter=Q(value__lt=0)),
            mean=Avg(value),
            square=Avg(value * value),
        )
    )
    disputed = by_pair.filter(n__gte=FEWEST_VOTES, square__gt=F("mean") * F("mean") + 1e-9)
    furthest_apart = disputed.order_by(F("mean") * F("mean") - F("square"), "pair")[:MOST_SHOWN]
    return [dict(row) for row in furthest_apart]


def adjudications_of(study: Study) -> "QuerySet[Adjudication]":
    """With all that a list shows of them."""
    whole = Adjudication.objects.select_related("pair__scenario", "requested_by", "adjudicator", "lease__judgment")
    return whole.filter(pair__study=study)


def adjudication_of(pair: Pair) -> Adjudication | None:
    whole = Adjudication.objects.select_related("requested_by", "adjudicator", "lease__annotator")
    return whole.filter(pair=pair).first()


def decided_by(adjudication: Adjudication) -> Judgment | None:
    """The adjudicator's judgment, with its scores; None before it is submitted."""
    if adjudication.lease_id is None:
        return None
    submitted = Judgment.objects.submitted().filter(lease=adjudication.lease_id)
    return submitted.select_related("lease__annotator", "quality").prefetch_related("scores", "marks__turn").first()
