"""How many raters a pair still wants: its overlap of votes that count, less what is lent at the moment."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from annotation.models import Lease, Pair, Study
from annotation.queries.counting import counting_judgments
from annotation.services.queue import agreeing

BATCH = 500  # pairs; their rows are held meanwhile
HELD = Q(state__in=Lease.HELD, purpose=Lease.Purpose.JUDGING)


def recount_seats(study: Study, *, of_rater: int | None = None, pairs: Collection[int] | None = None) -> int:
    """Give seats back for votes that do not count any more, and take them again, as far as there are any. Pairs whose
    votes agree, or do not any more, are closed and opened likewise.

    To be called when a rater is excluded or taken back, or a consent is withdrawn or given again. Where the votes came
    in meanwhile, a pair may have more than its overlap: seats never go below 0.

    Args:
        of_rater: a user's primary key; only pairs that they were lent.
        pairs: primary keys; only these. Neither: all regular pairs of the study.
    Returns:
        how many pairs changed.
    """
    chosen = Pair.objects.filter(study=study, kind=Pair.Kind.REGULAR)
    if of_rater is not None:
        chosen = chosen.filter(leases__annotator=of_rater)
    if pairs is not None:
        chosen = chosen.filter(pk__in=pairs)
    keys = list(chosen.order_by("pk").values_list("pk", flat=True))
    batches = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    changed = sum(_recount(study, batch) for batch in batches)
    agreeing.settle_all(study, pairs=keys)
    return changed


@transaction.atomic
def _recount(study: Study, keys: list[int]) -> int:
    # Whoever takes or gives a seat changes the pair's row with the lease: held here, no seat is counted twice or lost.
    # Always in the same order, so that two recounts never wait for each other.
    rows = list(Pair.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
    # Votes and leases in one statement: between two, a submit would be counted as both, or as neither.
    votes = counting_judgments(study).filter(lease__pair=OuterRef("pk")).order_by().values("lease__pair")
    lent = Lease.objects.filter(HELD, pair=OuterRef("pk")).order_by().values("pair")
    taken = Coalesce(Subquery(votes.annotate(n=Count("pk")).values("n")), 0) + Coalesce(
        Subquery(lent.annotate(n=Count("pk")).values("n")), 0
    )
    n_taken = dict(Pair.objects.filter(pk__in=keys).order_by().values_list("pk", taken))
    changed = 0
    for pair in rows:
        seats = max(0, study.overlap - n_taken[pair.pk])
        changed += Pair.objects.filter(pk=pair.pk).exclude(seats_left=seats).update(seats_left=seats)
    return changed
