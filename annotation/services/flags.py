"""Flags: what annotators tell the adjudicator about a pair, and what became of it. The pair goes on as it was."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Flag, Lease, Membership
from annotation.services import leases
from earshot.accounts.models import User
from earshot.accounts.services import record_action

LONGEST_TEXT = 1000  # characters


@transaction.atomic
def flag_pair(lease: Lease, *, kind: str, note: str, at: datetime) -> Flag:
    """Flag the pair of a lease. A second flag of one kind changes the note of the first, and opens it again.

    Raises:
        ValidationError: for an unknown kind, too long a note, or whoever no longer belongs to the study.
    """
    study = lease.pair.study
    is_member = Membership.objects.filter(study=study, user=lease.annotator).exists()
    if lease.has_seat or not is_member:  # an adjudicator need not be an annotator
        leases.check_belongs(lease.annotator, study)
    if kind not in Flag.Kind.values:
        raise ValidationError(_("Say what is wrong: choose one of the reasons."))
    told = {"note": _fitting(note), "created_at": at, "resolved_at": None, "resolved_by": None}
    flag, _is_new = Flag.objects.update_or_create(lease=lease, kind=kind, defaults=told)
    record_action(lease.annotator, "study.pair_flagged", study, pair=lease.pair_id, kind=kind)
    return flag


@transaction.atomic
def resolve(flag: Flag, *, resolution: str, by: User, at: datetime) -> None:
    """Close a flag with a sentence that says what was found or done.

    Raises:
        ValidationError: without a sentence, with too long a one, or if it is resolved already.
    """
    resolution = _fitting(resolution)
    if not resolution:
        raise ValidationError(_("Say in a sentence what was found or done, then resolve the flag."))
    still_open = Flag.objects.filter(pk=flag.pk, resolved_at__isnull=True)
    if not still_open.update(resolved_at=at, resolved_by=by, resolution=resolution):
        raise ValidationError(_("This flag is resolved already. Reopen it to say something else."))
    _record(flag, "study.flag_resolved", by=by, resolution=resolution)


@transaction.atomic
def reopen(flag: Flag, *, by: User) -> None:
    """Open a resolved flag again; its sentence stays until it is resolved anew. An open one stays open."""
    resolved = Flag.objects.filter(pk=flag.pk, resolved_at__isnull=False)
    if resolved.update(resolved_at=None, resolved_by=None):
        _record(flag, "study.flag_reopened", by=by)


def _fitting(text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise ValidationError(
            _("This has %(n)d characters; at most %(most)d fit.") % {"n": len(text), "most": LONGEST_TEXT}
        )
    return text


def _record(flag: Flag, action: str, *, by: User, **detail: str) -> None:
    pair = flag.lease.pair
    record_action(by, action, pair.study, pair=pair.pk, kind=flag.kind, **detail)
