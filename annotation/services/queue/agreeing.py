"""When a pair has votes enough because they agree. What was closed so opens again when its votes change."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q

from annotation.models import Pair, Score, Study
from annotation.models.studies import OVERALL
from annotation.queries.counting import counting_judgments

AGREED = "agreeing_votes_enough"  # Pair.closed_because of a pair that its own votes closed


def after_undo(pair: Pair) -> None:
    if not Pair.objects.filter(pk=pair.pk, is_open=True).exists():
        settle(pair)


@transaction.atomic
def settle(pair: Pair) -> None:
    """Close the pair if its votes agree by the study's rule; open it again if that rule closed it and they do not now.

    The row is held meanwhile: of two votes that come at once the later one sees both.
    """
    locked = Pair.objects.select_for_update(of=("self",)).select_related("study").get(pk=pair.pk)
    if locked.is_open and has_agreeing_votes(locked):
        Pair.objects.filter(pk=pair.pk).update(is_open=False, closed_because=AGREED)
    elif locked.closed_because == AGREED and not has_agreeing_votes(locked):
        Pair.objects.filter(pk=pair.pk).update(is_open=True, closed_because="")


def has_agreeing_votes(pair: Pair) -> bool:
    """Whether so many raters as the study asks prefer one side on overall, and nobody the other, or neither.

    A tie is another opinion. "Both bad" and "cannot tell" are none: they neither agree nor disagree.
    """
    wanted = pair.study.agreeing_votes_enough
    counted = counting_judgments(pair.study).filter(lease__pair=pair)
    overall = Score.objects.filter(judgment__in=counted, dimension__key=OVERALL, kind=Score.Kind.SCORED)
    signs = [(value > 0) - (value < 0) for value in overall.values_list("value", flat=True) if value is not None]
    return bool(wanted) and len(signs) >= (wanted or 0) and abs(sum(signs)) == len(signs)


def settle_all(study: Study, *, pairs: Collection[int]) -> None:
    """Of these pairs, by primary key, every one that agreement has closed, or could."""
    chosen = Pair.objects.filter(study=study, pk__in=pairs).order_by("pk")
    if not study.agreeing_votes_enough:
        chosen = chosen.filter(closed_because=AGREED)  # the rule was taken back
    for pair in chosen.filter(Q(is_open=True) | Q(closed_because=AGREED)):
        settle(pair)
