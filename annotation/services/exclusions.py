"""Excluding a rater from a study: a filter that every number follows at once, and that can be lifted again.

No judgment is changed or deleted. annotation.queries.counting leaves out whose exclusion stands.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotation.models import Exclusion, Lease, Study
from annotation.services import leases
from annotation.services.queue import posterior
from annotation.services.queue.seats import recount_seats
from annotation.services.statistics.keeping import follow_change
from earshot.accounts.models import User
from earshot.accounts.services import record_action

LONGEST_REASON = 1000  # characters


def exclude(study: Study, rater: User, *, reason: str, by: User, at: datetime) -> Exclusion:
    """Let the rater's judgments in this study count nowhere while this stands.

    Their seats are given back, so that other raters may have the pairs; what they hold now is given back too.

    Raises:
        ValidationError: without a reason, with too long a one, for somebody who had no pair of the study, or who is
            excluded already.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise ValidationError(
            _("Say in at most %(most)d characters why; the rater may ask, and others will read it.")
            % {"most": LONGEST_REASON}
        )
    if not Lease.objects.filter(study=study, annotator=rater).exists():
        raise ValidationError(_("%(rater)s had no pair of this study.") % {"rater": rater})
    try:
        with transaction.atomic():
            exclusion = Exclusion.objects.create(
                study=study, rater=rater, reason=reason, excluded_by=by, excluded_at=at
            )
            record_action(by, "study.rater_excluded", study, rater=rater.email, reason=reason)
    except IntegrityError:
        raise ValidationError(_("%(rater)s is excluded already.") % {"rater": rater}) from None
    leases.release_all(rater, study)
    recount_seats(study, of_rater=rater.pk)
    follow_change(study)
    posterior.follow_change(study)
    return exclusion


def lift(exclusion: Exclusion, *, by: User, at: datetime) -> None:
    """Let the rater's judgments count again, exactly as before. A lifted one stays lifted."""
    with transaction.atomic():
        standing = Exclusion.objects.filter(pk=exclusion.pk, lifted_at__isnull=True)
        if not standing.update(lifted_at=at, lifted_by=by):
            return
        record_action(by, "study.exclusion_lifted", exclusion.study, rater=exclusion.rater.email)
    recount_seats(exclusion.study, of_rater=exclusion.rater_id)
    follow_change(exclusion.study)
    posterior.follow_change(exclusion.study)
