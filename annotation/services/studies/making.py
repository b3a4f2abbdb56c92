"""Studies: make one, change its rules, copy it to its next version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models import Dimension, Membership, Study
from annotation.models.studies import OVERALL, OVERALL_POSITION
from annotation.rubric import DEFAULT_RUBRIC
from earshot.accounts.models import User
from earshot.accounts.services import record_action

FIXED_BY_VOTES = {  # later votes would be another measurement
    "language": gettext_lazy("language"),
    "eligible_groups": gettext_lazy("groups that may judge"),
    "is_simulated": gettext_lazy("simulation"),
    "listening_policy": gettext_lazy("listening"),
    "coverage_wanted": gettext_lazy("share of the speech to be heard"),
    "transcript_policy": gettext_lazy("transcript"),
    "question_layout": gettext_lazy("layout of the questions"),
    "agreeing_votes_enough": gettext_lazy("agreeing votes that are enough"),
}


@transaction.atomic
def create_study(*, title: str, by: User | None, at: datetime, **fields: object) -> Study:
    """A draft study with the default rubric; its maker becomes a researcher of it.

    A simulated one has no checks unless they are asked for: its raters hear nothing.
    """
    if fields.get("is_simulated"):
        fields.setdefault("check_rate", 0.0)
    study = Study(title=title, created_by=by, created_at=at, **fields)
    study.full_clean(exclude=["created_by"])
    study.save()
    for position, (key, name, question) in enumerate(DEFAULT_RUBRIC):
        Dimension.objects.create(
            study=study,
            key=key,
            name=name,
            question=question,
            position=OVERALL_POSITION if key == OVERALL else position,
        )
    if by is not None:
        Membership.objects.create(study=study, user=by, role=Membership.Role.RESEARCHER)
    record_action(by, "study.created", study)
    return study


@transaction.atomic
def change_study(study: Study, *, changed: Sequence[str], by: User | None) -> None:
    """Save what a form changed.

    Raises:
        ValidationError: if votes were given and what is changed would make later votes another measurement.
    """
    fixed = [str(words) for name, words in FIXED_BY_VOTES.items() if name in changed]
    if fixed and study.has_votes:
        raise ValidationError(
            _("Study '%(study)s' has votes, so this stays as it is: %(fields)s. Copy it to a new version to change it.")
            % {"study": study, "fields": ", ".join(fixed)}
        )
    if changed:
        study.save(update_fields=list(changed))  # nothing else: it may have been paused meanwhile
        record_action(by, "study.changed", study, fields=list(changed))


@transaction.atomic
def copy_study(study: Study, *, by: User | None, at: datetime) -> Study:
    """The next version: same rules, rubric and members, no pairs and no votes; its rubric can be changed."""
    newest = Study.objects.filter(title=study.title, is_pilot=False).order_by("-version").first()
    version = newest.version + 1 if newest else study.version
    copy = duplicate(study, by=by, at=at, version=version, is_pilot=False)
    record_action(by, "study.copied", copy, parent=str(study))
    return copy


def duplicate(study: Study, *, by: User | None, at: datetime, annotators: bool = True, **changed: Any) -> Study:
    """A draft with the rules, the rubric and the people of `study`, without its pairs and votes; `changed` differs."""
    copy = Study.objects.get(pk=study.pk)
    copy.pk = None
    copy.state, copy.stopped_because, copy.pair_designs = Study.State.DRAFT, "", []
    copy.parent, copy.created_by, copy.created_at = study, by, at
    for name, value in changed.items():
        setattr(copy, name, value)
    copy.save()
    for dimension in study.dimensions.all():
        dimension.pk = None
        dimension.study = copy
        dimension.save()
    people = study.memberships.all() if annotators else study.memberships.filter(role=Membership.Role.RESEARCHER)
    Membership.objects.bulk_create(
        Membership(study=copy, user_id=each.user_id, role=each.role, group=each.group) for each in people
    )
    return copy
