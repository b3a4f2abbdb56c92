"""What holds for a person now: their consent, each step's state, and what is missing before the next pair."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.material import material_language
from annotation.models import Attempt, Consent, Enrolment, Judgment, Lease, Membership, Step, Study
from annotation.queries.wording import title_for_reader
from annotation.services.qualification import rules
from annotation.services.qualification.consent_text import version_of
from annotation.services.queue import limits
from earshot.accounts.models import User

State = Literal["passed", "missing", "open", "wait"]
ALL_LENT = gettext_lazy("These are all the pairs of '%(study)s' that were agreed with you. Thank you.")
JUDGED = (Lease.State.SUBMITTED, Lease.State.LATE)


@dataclass(frozen=True)
class StepStanding:
    """A step of one person: passed until `until`, open to begin or to go on, or to be tried again at `until`."""

    step: Step
    state: State
    until: datetime | None = None
    last: Attempt | None = None  # the newest attempt, also one that failed or no longer holds
    is_refresher: bool = False  # passed before, and asked again


@dataclass(frozen=True)
class Standing:
    study: Study
    consent: Consent | None  # that stands, to the present text
    withdrew_at: datetime | None  # where none stands and one was taken back
    steps: tuple[StepStanding, ...]
    is_all_lent: bool = False  # a crowd worker's agreed number of pairs is judged, or judged and open …
    is_done: bool = False  # … and judged
    limit: str = ""  # why a quota or a budget of the study leaves nothing for them, as a sentence

    @property
    def needs_consent(self) -> bool:
        is_asked = self.study.entry != Study.Entry.NONE or self.withdrew_at is not None
        return is_asked and self.consent is None

    @property
    def next_step(self) -> StepStanding | None:
        """What to do now: the first step that is not passed, or another check of the device while that one waits."""
        left = [each for each in self.steps if each.state != "passed"]
        if not left or left[0].state != "wait":
            return left[0] if left else None
        others = (each for each in left if each.state != "wait" and each.step in rules.DEVICE_STEPS)
        return next(others, left[0])

    @property
    def may_judge(self) -> bool:
        return not (self.needs_consent or self.next_step or self.is_done or self.limit)

    @property
    def n_passed(self) -> int:
        return sum(each.state == "passed" for each in self.steps)

    @property
    def session_until(self) -> datetime | None:
        """When the first of the steps that hold for a session ends."""
        return self._first_end(of_session=True)

    @property
    def long_until(self) -> datetime | None:
        """When the first of the others ends."""
        return self._first_end(of_session=False)

    def _first_end(self, *, of_session: bool) -> datetime | None:
        passed = [each for each in self.steps if rules.RULES[each.step].of_session == of_session]
        return min((each.until for each in passed if each.state == "passed" and each.until), default=None)

    def problem(self) -> str:
        """What is missing before the next pair, as a sentence; nothing if it may be lent."""
        names = {"study": title_for_reader(self.study)}
        if self.withdrew_at:
            return _("You withdrew your consent to study '%(study)s'. Agree again to go on.") % names
        if self.needs_consent:
            return _("Study '%(study)s' asks for your consent before its first pair.") % names
        if self.is_done:
            return ALL_LENT % names
        if self.limit:
            return self.limit
        if self.next_step:
            return _("Before the next pair of '%(study)s': %(step)s.") % {**names, "step": self.next_step.step.label}
        return ""


def check_entry(annotator: User, study: Study, *, at: datetime) -> None:
    """Raises: ValidationError, which says what is missing, unless the person consented and qualified as it asks."""
    asks = study.entry != Study.Entry.NONE or study.pairs_per_participant is not None
    if annotator.is_simulated or not asks:
        return
    found = standing_of(annotator, study, at=at)
    problem = found.problem() or (found.is_all_lent and ALL_LENT % {"study": title_for_reader(study)})
    if problem:
        raise ValidationError(problem)


def withdrawn_from(study: Study) -> set[int]:
    """The people, by primary key, who took their consent to the study back and did not agree again.

    The one place that says whose judgments boards and new snapshots leave out.
    """
    consents = Consent.objects.filter(study=study)
    standing = consents.filter(withdrawn_at__isnull=True)
    return set(consents.exclude(user__in=standing.values("user")).values_list("user", flat=True))


def headphones_checked(lease: str) -> "QuerySet[Attempt, Any]":
    """For a subquery: whether the check of headphones that held when a lease was opened was passed.

    Args:
        lease: the path to the lease from the rows of the outer query.
    """
    opened_at = OuterRef(f"{lease}__opened_at")
    checks = Attempt.objects.filter(user=OuterRef(f"{lease}__annotator"), step=Step.HEADPHONES)
    holding = checks.filter(ended_at__lte=opened_at, ended_at__gt=opened_at - rules.DEVICE_CHECK)
    return holding.order_by("-ended_at").values("passed")[:1]


def standing_of(user: User, study: Study, *, at: datetime) -> Standing:
    return standings_of(user, [study], at=at)[study.pk]


def standings_of(user: User, studies: Sequence[Study], *, at: datetime) -> dict[int, Standing]:
    """Of one person in each of the studies, by primary key; as many queries for ten studies as for one, unless they
    have quotas or budgets."""
    consents: dict[int, list[Consent]] = {}
    for consent in Consent.objects.filter(user=user, study__in=studies):
        consents.setdefault(consent.study_id, []).append(consent)
    asks = any(study.entry != Study.Entry.NONE for study in studies)
    attempts = list(Attempt.objects.filter(user=user)) if asks else []
    last_judged = _last_judged(user) if attempts else None
    counts = _counts_of_limited(user, studies)
    closed = _limits_reached(user, studies)
    found = {}
    for study in studies:
        mine = consents.get(study.pk, [])
        stands = [consent for consent in mine if consent.withdrawn_at is None]
        found[study.pk] = Standing(
            study=study,
            consent=next((consent for consent in stands if consent.version == version_of(study)), None),
            withdrew_at=mine[0].withdrawn_at if mine and not stands else None,
            steps=tuple(
                step_standing(step, attempts, user, material_language(study.language), last_judged=last_judged, at=at)
                for step in rules.steps_of(study)
            ),
            is_all_lent=study.pk in counts and sum(counts[study.pk]) >= (study.pairs_per_participant or 0),
            is_done=study.pk in counts and counts[study.pk][0] >= (study.pairs_per_participant or 0),
            limit=closed.get(study.pk, ""),
        )
    return found


def _last_judged(user: User) -> datetime | None:
    submitted = Judgment.objects.submitted().filter(lease__annotator=user)
    return submitted.order_by("-submitted_at").values_list("submitted_at", flat=True).first()


def _counts_of_limited(user: User, studies: Iterable[Study]) -> dict[int, tuple[int, int]]:
    """How many pairs were judged, and are open, in the studies that agreed on a number with this crowd worker."""
    limited = [study.pk for study in studies if study.pairs_per_participant is not None]
    if not limited:
        return {}
    workers = Enrolment.objects.filter(user=user, study__in=limited).exclude(participant="").values("study")
    leases = Lease.objects.held_by(user).filter(pair__study__in=workers).order_by()
    rows = leases.values_list("pair__study").annotate(
        judged=Count("pk", filter=Q(state__in=JUDGED)), live=Count("pk", filter=Q(state=Lease.State.LIVE))
    )
    return {study: (judged, live) for study, judged, live in rows}


def _limits_reached(user: User, studies: Iterable[Study]) -> dict[int, str]:
    limited = [study for study in studies if limits.has_limit(study)]
    if not limited:
        return {}
    mine = Membership.objects.filter(user=user, study__in=limited, role=Membership.Role.ANNOTATOR)
    groups = dict(mine.values_list("study", "group"))
    return {study.pk: limits.refusal(user, study, group=groups.get(study.pk, "")) for study in limited}


def step_standing(
    step: Step,
    attempts: Iterable[Attempt],
    user: User,
    language: str,
    *,
    last_judged: datetime | None,
    at: datetime,
) -> StepStanding:
    """The state of one step, from all attempts of the person (newest first)."""
    rule = rules.RULES[step]
    mine = [each for each in attempts if each.step == step and (each.language == language or not rule.of_language)]
    last = mine[0] if mine else None
    ended = [each for each in mine if each.ended_at is not None]
    passed = next((each for each in ended if each.passed), None)
    if passed is not None:
        until = holds_until(passed, user, last_judged=last_judged)
        if until > at:
            return StepStanding(step, "passed", until, last)
    if last is not None and last.ended_at is None:
        return StepStanding(step, "open", None, last, is_refresher=passed is not None)
    retry_at = may_try_at(step, ended)
    if retry_at is not None and retry_at > at:
        return StepStanding(step, "wait", retry_at, last)
    return StepStanding(step, "missing", None, last, is_refresher=passed is not None)


def holds_until(passed: Attempt, user: User, *, last_judged: datetime | None) -> datetime:
    """When a passed attempt ends to hold: at sign-in for the device, after a week away for the training."""
    assert passed.ended_at is not None, "passed, so it ended"
    rule = rules.RULES[Step(passed.step)]
    if rule.of_session:
        if user.last_login is not None and user.last_login > passed.ended_at:  # another session, maybe another device
            return passed.ended_at
        return passed.ended_at + rules.DEVICE_CHECK
    until = passed.ended_at + rules.QUALIFICATION
    if passed.step == Step.TRAINING:
        last_there = max(passed.ended_at, last_judged or passed.ended_at)
        return min(until, last_there + rules.AWAY)
    return until


def may_try_at(step: Step, ended: Sequence[Attempt]) -> datetime | None:
    """When the step may be tried (again) after attempts that ended, newest first; None: at any time."""
    if not ended or ended[0].passed:
        return None
    assert ended[0].ended_at is not None, "they ended"
    if step != Step.GOLD:
        return ended[0].ended_at + rules.WAIT
    wait_over = ended[0].ended_at + rules.GOLD_WAIT
    if len(ended) < rules.GOLD_ATTEMPTS:
        return wait_over
    oldest = ended[rules.GOLD_ATTEMPTS - 1].ended_at
    assert oldest is not None, "they ended"
    return max(wait_over, oldest + rules.QUALIFICATION)
