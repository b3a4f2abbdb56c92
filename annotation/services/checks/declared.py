"""What researchers decide about checks: a pair on which all agree is gold; a check is taken out, or put back."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotation.models import Pair, Score
from annotation.models.studies import OVERALL
from annotation.queries.counting import counting_judgments
from annotation.services.checks.making import CHECK_SEATS
from earshot.accounts.models import User
from earshot.accounts.services import record_action

FEWEST_AGREEING = 3
TAKEN_OUT = "taken out"


def agreed_value(pair: Pair) -> int | None:
    """What a copy of the pair would be expected to get on overall, ±2 or ±3; None unless its votes agree clearly.

    At least three votes count, and all are for one side: a tie, or one for the other, is no agreement.
    """
    counted = counting_judgments(pair.study).filter(lease__pair=pair)
    overall = Score.objects.filter(judgment__in=counted, dimension__key=OVERALL)
    values = list(overall.values_list("value", flat=True))
    numbers = [value for value in values if value]
    if len(numbers) < FEWEST_AGREEING or len(numbers) < len(values) or min(numbers) * max(numbers) < 0:
        return None
    mean = sum(numbers) / len(numbers)
    size = 3 if abs(mean) >= 2.5 else 2
    return size if mean > 0 else -size


@transaction.atomic
def declare_gold(pair: Pair, *, by: User, at: datetime) -> Pair:
    """A copy of the pair as gold, for raters who have not had the pair itself.

    Raises:
        ValidationError: if it is a check itself, its votes do not agree clearly, or it is gold already.
    """
    if pair.kind != Pair.Kind.REGULAR:
        raise ValidationError(_("This pair is a check already."))
    expected = agreed_value(pair)
    if expected is None:
        raise ValidationError(
            _("At least %(n)d votes that count must all be for one side of the pair; then it can be gold.")
            % {"n": FEWEST_AGREEING}
        )
    if declared_of(pair) is not None:
        raise ValidationError(_("This pair is gold already. It stands among the study's checks."))
    check = Pair.objects.create(
        study=pair.study,
        scenario=pair.scenario,
        dialogue_a=pair.dialogue_a,
        dialogue_b=pair.dialogue_b,
        kind=Pair.Kind.GOLD,
        check_of=pair,
        expected_value=expected,
        treatment={"kind": "agreed"},
        level_lufs=pair.level_lufs,
        seats_left=CHECK_SEATS,
        created_at=at,
    )
    record_action(by, "study.gold_declared", pair.study, pair=pair.pk, expected=expected)
    return check


def declared_of(pair: Pair) -> Pair | None:
    """The gold copy of a regular pair, if it was declared gold."""
    return Pair.objects.filter(check_of=pair, kind=Pair.Kind.GOLD, treatment__kind="agreed").first()


@transaction.atomic
def take_out(check: Pair, *, by: User) -> None:
    """Lend a check to nobody any more; what was judged of it stays judged."""
    if _checks(check).filter(is_open=True).update(is_open=False, closed_because=TAKEN_OUT):
        record_action(by, "study.check_taken_out", check.study, pair=check.pk)


@transaction.atomic
def put_back(check: Pair, *, by: User) -> None:
    if _checks(check).filter(is_open=False, closed_because=TAKEN_OUT).update(is_open=True, closed_because=""):
        record_action(by, "study.check_put_back", check.study, pair=check.pk)


def _checks(check: Pair) -> "QuerySet[Pair]":
    return Pair.objects.filter(pk=check.pk).exclude(kind=Pair.Kind.REGULAR)
