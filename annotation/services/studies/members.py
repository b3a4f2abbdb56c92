"""People of a study: who reads its numbers, who judges, and in which rater group."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Membership, Study
from annotation.services import leases
from annotation.services.queue import limits
from earshot.accounts.models import User
from earshot.accounts.services import record_action


@transaction.atomic
def add_member(study: Study, user: User, role: str, *, by: User | None, group: str = "") -> Membership:
    if role == Membership.Role.RESEARCHER and not user.is_researcher:
        raise ValidationError(
            _("%(user)s has the role annotator. An admin can make them a researcher first.") % {"user": user}
        )
    membership, is_new = Membership.objects.get_or_create(
        study=study, user=user, role=role, defaults={"group": group if role == Membership.Role.ANNOTATOR else ""}
    )
    if is_new:
        record_action(by, "study.member_added", study, member=user.email, role=role)
    elif group and role == Membership.Role.ANNOTATOR and membership.group != group:
        set_group(study, group, memberships=[membership.pk], by=by)
    return membership


@transaction.atomic
def remove_member(membership: Membership, *, by: User | None) -> None:
    """End a membership; judgments stay.

    Raises:
        ValidationError: if nobody would be left to read the study.
    """
    study = Study.objects.select_for_update().get(pk=membership.study_id)
    researchers = study.memberships.filter(role=Membership.Role.RESEARCHER)
    if membership.role == Membership.Role.RESEARCHER and researchers.count() == 1:
        raise ValidationError(
            _("%(user)s is the last researcher of '%(study)s'. Add another one first.")
            % {"user": membership.user, "study": study}
        )
    membership.delete()
    if membership.role == Membership.Role.ANNOTATOR:
        leases.release_all(membership.user, study)
    record_action(by, "study.member_removed", study, member=membership.user.email, role=membership.role)


@transaction.atomic
def set_group(study: Study, group: str, *, memberships: Collection[int] | None, by: User | None) -> int:
    """Put annotators of the study into a rater group (empty: into none). Returns how many were moved.

    Args:
        memberships: their primary keys; None: all annotators of the study.
    """
    chosen = study.memberships.filter(role=Membership.Role.ANNOTATOR)
    if memberships is not None:
        chosen = chosen.filter(pk__in=memberships)
    moved = chosen.exclude(group=group).update(group=group)
    if moved:
        limits.follow_groups(study)
        record_action(by, "study.group_set", study, group=group, members=moved)
    return moved
