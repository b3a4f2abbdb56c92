"""The people of a study as researchers read them: role, group, consent, and what they qualified in until when."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from annotation.material import material_language
from annotation.models import Attempt, Consent, Judgment, Lease, Membership, Pair, Step, Study, StudyStatistics
from annotation.queries.counting import judged_leases
from annotation.queries.studies import COUNTED_EACH_TIME
from annotation.services.qualification import rules
from annotation.services.qualification.consent_text import version_of
from annotation.services.qualification.standing import JUDGED, StepStanding, step_standing

Role = Membership.Role
CROWD_SITE = "@participant.invalid"  # ends the address of who came by a crowd site and has none


@dataclass(frozen=True)
class Person:
    membership: Membership
    steps: tuple[StepStanding, ...]  # none of researchers and of simulated raters
    consent: str  # "given", "withdrawn", "missing"; empty where none is asked
    is_eligible: bool  # by group

    @property
    def is_annotator(self) -> bool:
        return self.membership.role == Role.ANNOTATOR

    @property
    def is_from_crowd(self) -> bool:
        return self.membership.user.email.endswith(CROWD_SITE)

    @property
    def n_passed(self) -> int:
        return sum(each.state == "passed" for each in self.steps)

    @property
    def is_qualified(self) -> bool:
        return self.n_passed == len(self.steps)

    @property
    def until(self) -> datetime | None:
        """When the first of the passed steps ends to hold that last longer than a session."""
        lasting = [each for each in self.steps if each.state == "passed" and not rules.RULES[each.step].of_session]
        return min((each.until for each in lasting if each.until), default=None)


def n_annotators(study: Study) -> int:
    return study.memberships.filter(role=Role.ANNOTATOR).count()


def annotators_of(study: Study) -> list[int]:
    """The primary keys of their memberships."""
    return list(study.memberships.filter(role=Role.ANNOTATOR).order_by().values_list("pk", flat=True))


def groups_of(study: Study) -> list[str]:
    """The names of the groups that its annotators are in, or that its rules name."""
    used = study.memberships.filter(role=Role.ANNOTATOR).exclude(group="").order_by()
    return sorted({*used.values_list("group", flat=True).distinct(), *study.eligible_groups, *study.group_quotas})


def people_of(study: Study, memberships: Sequence[Membership], *, at: datetime) -> list[Person]:
    """These members with their standing; as many queries for thirty as for one."""
    judging = [each.user_id for each in memberships if each.role == Role.ANNOTATOR]
    steps = rules.steps_of(study)
    attempts = _attempts_of(judging, steps)
    last_judged = _last_judged(judging) if Step.TRAINING in steps else {}
    consents = _consents_of(judging, study) if study.entry != Study.Entry.NONE else {}
    language = material_language(study.language)
    people = []
    for membership in memberships:
        user = membership.user
        asked = membership.role == Role.ANNOTATOR and not user.is_simulated
        standing = tuple(
            step_standing(step, attempts.get(user.pk, []), user, language, last_judged=last_judged.get(user.pk), at=at)
            for step in (steps if asked else ())
        )
        consent = consents.get(user.pk, "missing") if asked and study.entry != Study.Entry.NONE else ""
        is_eligible = not study.eligible_groups or membership.group in study.eligible_groups
        people.append(Person(membership, standing, consent, is_eligible))
    return people


def _attempts_of(users: Sequence[int], steps: Sequence[Step]) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = {}
    if users and steps:
        for attempt in Attempt.objects.filter(user__in=users, step__in=steps):  # newest first
            found.setdefault(attempt.user_id, []).append(attempt)
    return found


def _last_judged(users: Sequence[int]) -> dict[int, datetime]:
    submitted = Judgment.objects.submitted().filter(lease__annotator__in=users).order_by()
    return dict(submitted.values_list("lease__annotator").annotate(Max("submitted_at")))


def _consents_of(users: Sequence[int], study: Study) -> dict[int, str]:
    version, found = version_of(study), dict[int, str]()
    for consent in Consent.objects.filter(user__in=users, study=study).order_by("given_at", "pk"):
        if consent.withdrawn_at is not None:
            found[consent.user_id] = "withdrawn"
        elif consent.version == version:
            found[consent.user_id] = "given"
    return found


@dataclass(frozen=True)
class Group:
    name: str  # empty: in none
    n_people: int
    n_judgments: int  # on regular pairs
    most: int | None  # its quota
    is_eligible: bool

    @property
    def is_full(self) -> bool:
        return self.most is not None and self.n_judgments >= self.most


def group_rows(study: Study) -> list[Group]:
    """Each rater group with its people and judgments; nothing where the study knows no groups."""
    names = groups_of(study)
    if not names:
        return []
    annotators = study.memberships.filter(role=Role.ANNOTATOR).order_by()
    people = dict(annotators.values_list("group").annotate(Count("pk")))
    judged = _judged_by_group(study)
    shown = [*names, ""] if people.get("") else names
    return [
        Group(
            name=name,
            n_people=people.get(name, 0),
            n_judgments=judged.get(name, 0),
            most=study.group_quotas.get(name),
            is_eligible=not study.eligible_groups or name in study.eligible_groups,
        )
        for name in shown
    ]


def _judged_by_group(study: Study) -> dict[str, int]:
    """As quotas count them: judged, in time or late. By rater first, so that no vote is joined with memberships."""
    group_of = dict(study.memberships.filter(role=Role.ANNOTATOR).values_list("user", "group"))
    found: dict[str, int] = {}
    for user, n in _judged_by_rater(study).items():
        if user in group_of:
            found[group_of[user]] = found.get(group_of[user], 0) + n
    return found


def _judged_by_rater(study: Study) -> Counter[int]:
    """Exact in small studies. In large ones: as of the statistics, in time, and whatever came since."""
    judged = Lease.objects.filter(
        study=study, state__in=JUDGED, purpose=Lease.Purpose.JUDGING, pair__kind=Pair.Kind.REGULAR
    )
    found: Counter[int] = Counter()
    kept = StudyStatistics.objects.filter(study=study, stratum="", n_judgments__gt=COUNTED_EACH_TIME).first()
    if kept is not None and kept.newest_at is not None:
        found.update({row["rater"]: row["n"] for row in kept.payload["raters"]})
        judged = judged_leases().filter(study=study, submitted_at__gt=kept.newest_at)
    found.update(dict(judged.order_by().values_list("annotator").annotate(Count("pk"))))
    return found
