"""What the checks say of a study's raters, as researchers read it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotation.models import Exclusion, Judgment, Lease, Pair, QualityVerdict, Study
from annotation.queries.counting import excluded_from
from annotation.services.checks import MADE
from annotation.services.quality import CHECK_NAMES
from earshot.accounts.models import User
from earshot.estimation.sequential import MIN_FAILED, Check, Outcome, SequentialTest, unfair_checks, weigh_checks

UNFAIR_SECONDS = 60  # for which it is kept which checks are unfair: all raters' outcomes are read for it
GUESSING_OF_SLIGHT_GOLD = 3 / 7  # where ±2 is expected and ±1 … ±3 are right
PLANNED_SHARE_EXCLUDED = 0.12  # 41,873 of 357,651 judgments in one public collection
CHECK_KINDS = tuple(CHECK_NAMES)


@dataclass(frozen=True)
class TakenCheck:
    """One judgment of a check: which pair, by whom, and what became of it."""

    pair: int
    rater: int
    kind: str  # gold, identical, repeat or spoken
    outcome: Outcome
    expected: int | None
    judgment: int


def checks_taken(study: Study, raters: Iterable[int] | None = None) -> list[TakenCheck]:
    """In the order in which they were submitted; adjudications and late ones are none."""
    counted = Judgment.objects.counted().filter(lease__study=study, lease__pair__kind__in=CHECK_KINDS)
    if raters is not None:
        counted = counted.filter(lease__annotator__in=list(raters))
    fields = ("lease__pair", "lease__annotator", "lease__pair__kind", "lease__pair__expected_value", "pk")
    rows = counted.order_by("submitted_at", "pk").values_list(*fields, "quality__checks")
    return [
        TakenCheck(pair, rater, CHECK_NAMES[kind], _outcome(checks, CHECK_NAMES[kind]), expected, pk)
        for pair, rater, kind, expected, pk, checks in rows
    ]


def _outcome(checks: dict[str, list[Any]] | None, name: str) -> Outcome:
    outcome: Outcome = (checks or {}).get(name, ["unknown"])[0]
    return outcome


def unfair_pairs(study: Study) -> set[int]:
    """Checks, by primary key of the pair, that more than half of five or more raters fail."""
    key = f"unfair-checks:{study.pk}:{study.created_at:%Y%m%d%H%M%S%f}"
    found: set[int] | None = cache.get(key)
    if found is None:
        found = unfair_among(checks_taken(study))
        cache.set(key, found, UNFAIR_SECONDS)
    return found


def unfair_among(taken: Sequence[TakenCheck]) -> set[int]:
    """Likewise, of checks that were read already: all that were taken in the study."""
    unfair = unfair_checks([each.pair for each in taken], [each.outcome for each in taken])
    return {each.pair for each in taken if each.pair in unfair}


def as_checks(taken: Iterable[TakenCheck], unfair: set[int]) -> list[Check]:
    """For the sequential test."""
    return [
        Check(
            each.kind,
            each.outcome,
            is_fair=each.pair not in unfair,
            guessing=GUESSING_OF_SLIGHT_GOLD if each.kind == "gold" and abs(each.expected or 0) == 2 else None,
        )
        for each in taken
    ]


@dataclass(frozen=True)
class RaterChecks:
    """A rater with what their checks say, and the exclusion that stands, if one does."""

    rater: User
    n_judged: int
    passed: dict[str, int]  # by kind of check
    failed: dict[str, int]
    test: SequentialTest
    exclusion: Exclusion | None

    @property
    def is_suggested(self) -> bool:
        """Whether to exclude them is suggested: they answer as one who guesses, and failed two fair checks or more."""
        return self.test.verdict == "fail" and self.exclusion is None

    @property
    def has_few_failed(self) -> bool:
        """Whether fairness asks to wait: work that was done is not refused before two fair checks were failed."""
        return self.test.n_failed < MIN_FAILED

    @property
    def kinds(self) -> list[tuple[str, int, int]]:
        """(kind, passed, taken with an outcome) of each kind that was taken."""
        return [
            (name, self.passed.get(name, 0), self.passed.get(name, 0) + self.failed.get(name, 0))
            for name in CHECK_NAMES.values()
            if name in self.passed or name in self.failed
        ]


def raters_of(study: Study) -> "QuerySet[User]":
    """Who was ever lent a pair to judge."""
    lent = Lease.objects.filter(study=study, annotator=OuterRef("pk"), purpose=Lease.Purpose.JUDGING)
    return User.objects.filter(Exists(lent))


def with_checks(raters: Iterable[User], study: Study) -> list[RaterChecks]:
    """What the checks say of these raters, in three queries for all of them."""
    raters = list(raters)
    keys = [rater.pk for rater in raters]
    taken: dict[int, list[TakenCheck]] = defaultdict(list)
    for each in checks_taken(study, keys):
        taken[each.rater].append(each)
    submitted = Lease.objects.filter(study=study, state=Lease.State.SUBMITTED, purpose=Lease.Purpose.JUDGING)
    judged = dict(submitted.filter(annotator__in=keys).order_by().values_list("annotator").annotate(Count("pk")))
    standing = Exclusion.objects.filter(study=study, lifted_at__isnull=True, rater__in=keys)
    excluded = {each.rater_id: each for each in standing.select_related("excluded_by")}
    unfair = unfair_pairs(study)
    return [_row(rater, taken[rater.pk], judged.get(rater.pk, 0), excluded.get(rater.pk), unfair) for rater in raters]


def _row(
    rater: User, taken: list[TakenCheck], n_judged: int, exclusion: Exclusion | None, unfair: set[int]
) -> RaterChecks:
    by_outcome = {
        outcome: dict(Counter(each.kind for each in taken if each.outcome == outcome)) for outcome in ("pass", "fail")
    }
    return RaterChecks(
        rater=rater,
        n_judged=n_judged,
        passed=by_outcome["pass"],
        failed=by_outcome["fail"],
        test=weigh_checks(as_checks(taken, unfair)),
        exclusion=exclusion,
    )


@dataclass(frozen=True)
class ExclusionRate:
    """How many of those who judged are excluded now."""

    n_excluded: int
    n_raters: int

    @property
    def share(self) -> float:
        return self.n_excluded / self.n_raters if self.n_raters else 0.0

    @property
    def is_high(self) -> bool:
        """Above what is planned for, by two raters or more: the task may be at fault, not they."""
        return self.n_excluded >= 2 and self.share > PLANNED_SHARE_EXCLUDED


def exclusion_rate(study: Study) -> ExclusionRate:
    return ExclusionRate(len(excluded_from(study)), raters_of(study).count())


def checks_of(study: Study) -> "QuerySet[Pair]":
    """Gold, identical and spoken checks with n_judged, n_passed and n_failed, counted for the rows that are read alone.

    Repeats are left out: there may be as many as pairs, and what became of them is told with each rater.
    """
    judged = Lease.objects.filter(pair=OuterRef("pk"), state=Lease.State.SUBMITTED, purpose=Lease.Purpose.JUDGING)
    return (
        study.pairs.filter(kind__in=MADE)
        .select_related("scenario", "dialogue_a__system", "dialogue_b__system")
        .defer("dialogue_a__speech", "dialogue_b__speech", "dialogue_a__meta", "dialogue_b__meta")
        .annotate(
            n_judged=_counted(judged),
            n_passed=_counted(judged.filter(judgment__quality__verdict=QualityVerdict.Verdict.PASS)),
            n_failed=_counted(judged.filter(judgment__quality__verdict=QualityVerdict.Verdict.FAIL)),
        )
    )


def _counted(leases: "QuerySet[Lease]") -> Coalesce:
    of_pair = leases.order_by().values("pair").annotate(n=Count("pk"))
    return Coalesce(Subquery(of_pair.values("n")), 0)
