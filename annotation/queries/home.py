"""What an annotator reads about the own work: time listened, the sheet for pay, agreement with gold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from annotation.models import (
    Attempt,
    Consent,
    Enrolment,
    Heartbeat,
    Judgment,
    ListeningLog,
    QualityVerdict,
    Step,
    Study,
)
from annotation.models.pairs import UNDO_TIME
from earshot.accounts.models import User

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Listened:
    """Seconds of sound that the server credited: today (UTC), in the last seven days, ever."""

    today: float
    week: float
    total: float


def midnight_before(at: datetime) -> datetime:
    """When the day of `at` began (UTC)."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def time_listened(user: User, *, at: datetime) -> Listened:
    # Heartbeats of this week's leases alone: in a year there are hundreds of thousands, and the logs have their sum.
    week = Heartbeat.objects.filter(
        lease__annotator=user, lease__last_heartbeat_at__gt=at - WEEK, received_at__gt=at - WEEK
    )
    seconds = week.aggregate(
        today=Sum("credited_seconds", filter=Q(received_at__gte=midnight_before(at))), week=Sum("credited_seconds")
    )
    logs = ListeningLog.objects.filter(lease__annotator=user).aggregate(total=Sum("seconds_played"))
    return Listened(**{name: value or 0.0 for name, value in {**seconds, **logs}.items()})


@dataclass(frozen=True)
class SheetRow:
    """One day in one study; what was listened to a pair on the day before stands under that day."""

    day: date
    study: str
    pairs: int  # submitted on this day
    seconds_listened: float
    judging_seconds: float  # from opening to submitting, of those pairs


def sheet_rows(user: User) -> list[SheetRow]:
    """The person's work by day (UTC) and study, oldest first; skipped pairs count with what was listened."""
    heard = Heartbeat.objects.filter(lease__annotator=user).order_by()
    listened = heard.annotate(day=TruncDate("received_at")).values_list("day", "lease__pair__study")
    seconds = {(day, study): each for day, study, each in listened.annotate(Sum("credited_seconds"))}
    submitted = Judgment.objects.submitted().filter(lease__annotator=user).order_by()
    judged = submitted.annotate(day=TruncDate("submitted_at")).values_list("day", "lease__pair__study")
    pairs = {(day, study): rest for day, study, *rest in judged.annotate(Count("pk"), Sum("judging_seconds"))}
    keys = sorted({*seconds, *pairs})
    studies = Study.objects.in_bulk({study for _day, study in keys})
    rows = []
    for day, study in keys:
        n_pairs, judging_seconds = pairs.get((day, study), (0, 0.0))
        rows.append(
            SheetRow(day, str(studies[study]), n_pairs, seconds.get((day, study)) or 0.0, judging_seconds or 0.0)
        )
    return rows


@dataclass(frozen=True)
class Agreement:
    n_right: int
    n_gold: int


def agreement_with_gold(user: User, studies: Iterable[Study], *, at: datetime) -> Agreement | None:
    """How often the person agreed with known verdicts: test pairs, and gold pairs of studies that show it.

    Gold pairs count from the next day on (UTC), when they cannot be undone any more: a number that moved with a submit
    would say which pair was a check. None where no study shows it, or none was judged.
    """
    shown = [study.pk for study in studies if study.shows_agreement]
    if not shown:
        return None
    tests = Attempt.objects.filter(user=user, study__in=shown, step=Step.GOLD, ended_at__isnull=False)
    of_tests = tests.aggregate(right=Sum("n_right"), n=Sum("n_trials"))
    n_right, n_gold = of_tests["right"] or 0, of_tests["n"] or 0
    verdicts = QualityVerdict.objects.filter(judgment__lease__annotator=user, judgment__lease__pair__study__in=shown)
    verdicts = verdicts.filter(judgment__submitted_at__lt=midnight_before(at) - UNDO_TIME)
    for checks in verdicts.filter(judgment__lease__pair__kind="gold").values_list("checks", flat=True):
        verdict = checks.get("gold", ["unknown"])[0]
        n_gold += verdict != QualityVerdict.Verdict.UNKNOWN
        n_right += verdict == QualityVerdict.Verdict.PASS
    return Agreement(n_right, n_gold) if n_gold else None


def past_consents(user: User, shown: Iterable[Study]) -> "QuerySet[Consent]":
    """Consents that stand to studies which the work page does not show: over, or left."""
    standing = Consent.objects.filter(user=user, withdrawn_at__isnull=True).exclude(study__in=list(shown))
    return standing.select_related("study").order_by("-given_at")


def participant_studies(user: User) -> set[int]:
    """The studies, by primary key, to which the person came from a crowd site."""
    return set(Enrolment.objects.filter(user=user).exclude(participant="").values_list("study", flat=True))
