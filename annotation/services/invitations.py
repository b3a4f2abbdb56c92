"""Links that make people annotators of a study: made and withdrawn by its researchers, opened by anybody."""

import re
import secrets
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotation.models import Enrolment, Invitation, Membership, Study
from annotation.queries.wording import title_for_reader
from annotation.services import studies
from earshot.accounts.models import Role, User
from earshot.accounts.services import add_user, record_action

PARTICIPANT_NAMES = ("participant", "PROLIFIC_PID")  # in the address by which a crowd site sends its people
_PARTICIPANT = re.compile(r"[A-Za-z0-9_.@:-]{1,100}")


@transaction.atomic
def make_invitation(study: Study, *, by: User, note: str, max_uses: int, expires_at: datetime) -> Invitation:
    invitation = Invitation.objects.create(
        study=study, note=note, max_uses=max_uses, expires_at=expires_at, created_by=by
    )
    record_action(by, "study.invitation_made", study, people=max_uses, until=f"{expires_at:%Y-%m-%d}", note=note)
    return invitation


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, by: User, at: datetime) -> None:
    """The link opens nothing any more; who came by it stays. Withdrawing twice is the same as once."""
    if Invitation.objects.filter(pk=invitation.pk, withdrawn_at__isnull=True).update(withdrawn_at=at):
        record_action(by, "study.invitation_withdrawn", invitation.study, note=str(invitation))


def is_participant(text: str) -> bool:
    """Whether this can be an id of a crowd site: letters, digits and a few signs, at most 100."""
    return _PARTICIPANT.fullmatch(text) is not None


def join(invitation: Invitation, user: User, *, at: datetime, participant: str = "") -> Enrolment:
    """Make the person an annotator of the invitation's study. Who is one already uses up no place.

    Raises:
        ValidationError: if the link is closed, or a researcher removed the person from the study.
    """
    try:
        return _join(invitation, user, at=at, participant=participant)
    except IntegrityError:  # another link of the study was first: now they are in it
        return _join(invitation, user, at=at, participant=participant)


@transaction.atomic
def _join(invitation: Invitation, user: User, *, at: datetime, participant: str) -> Enrolment:
    Invitation.objects.select_for_update().get(pk=invitation.pk)  # of two tabs of one person the second finds them in
    enrolment = Enrolment.objects.filter(study=invitation.study_id, user=user).first()
    is_member = Study.objects.judged_by(user).filter(pk=invitation.study_id).exists()
    if enrolment is not None:
        if not is_member:
            raise ValidationError(
                _("You were taken out of study '%(study)s'. Ask its researcher.")
                % {"study": title_for_reader(invitation.study)}
            )
        return enrolment
    if not is_member:
        _take_place(invitation, at=at)
        studies.add_member(invitation.study, user, Membership.Role.ANNOTATOR, by=invitation.created_by)
    return Enrolment.objects.create(
        study=invitation.study, user=user, invitation=invitation, participant=participant, joined_at=at
    )


def _take_place(invitation: Invitation, *, at: datetime) -> None:
    if invitation.closed_because(at) or not invitation.take_place(at):
        raise ValidationError(_("This link is not open any more. Ask whoever gave it to you for a new one."))


@transaction.atomic
def join_with_new_account(invitation: Invitation, *, name: str, email: str, password: str, at: datetime) -> User:
    """An account for a stranger, as if an admin had added them, who then joins.

    Raises:
        ValidationError: if the link is closed, or the address has an account.
    """
    refusal = _("No account could be made with these details. If you have one, sign in, then open the link again.")
    if has_account(email):
        raise ValidationError(refusal)
    try:
        with transaction.atomic():
            user = _add_annotator(invitation, email=email, name=name)
    except IntegrityError:  # the same form was sent twice, and the other was first
        raise ValidationError(refusal) from None
    user.set_password(password)
    user.save(update_fields=["password"])
    join(invitation, user, at=at)
    return user


def has_account(email: str) -> bool:
    return User.objects.filter(email__iexact=email).exists()


def join_as_participant(invitation: Invitation, participant: str, *, at: datetime) -> User:
    """The account of this id in the study; a new one, with neither address nor password, the first time.

    Raises:
        ValidationError: for an id that cannot be one, a closed link, or somebody who was removed.
    """
    if not is_participant(participant):
        raise ValidationError(_("The participant id in the address cannot be read. Open your site's link again."))
    try:
        with transaction.atomic():
            return _participant(invitation, participant, at=at)
    except IntegrityError:  # the same id in another tab was first
        return Enrolment.objects.get(study=invitation.study_id, participant=participant).user


def _participant(invitation: Invitation, participant: str, *, at: datetime) -> User:
    known = Enrolment.objects.select_related("user").filter(study=invitation.study_id, participant=participant).first()
    if known is not None:
        if not known.user.is_active:
            raise ValidationError(_("This participant may not sign in any more. Ask the researcher of the study."))
        if known.user.role != Role.ANNOTATOR or known.user.has_usable_password():  # whoever has the link knows the id
            raise ValidationError(_("This participant may not sign in by this link any more. Sign in with a password."))
        join(invitation, known.user, at=at)
        return known.user
    address = f"{secrets.token_hex(8)}@participant.invalid"  # RFC 2606: never anybody's
    user = _add_annotator(invitation, email=address, name=participant)
    join(invitation, user, at=at, participant=participant)
    return user


def _add_annotator(invitation: Invitation, *, email: str, name: str) -> User:
    by = invitation.created_by
    return add_user(email, name=name, role=Role.ANNOTATOR, by=by)  # without a password nobody can sign in to it
