"""Agreeing to a study, and taking it back."""

from datetime import datetime

from django.db import transaction

from annotation.models import Consent, Study
from annotation.services import leases
from annotation.services.qualification.consent_text import text_for_reader, version_of
from annotation.services.queue import posterior
from annotation.services.queue.seats import recount_seats
from earshot.accounts.models import User
from earshot.accounts.services import record_action


def give_consent(user: User, study: Study, *, at: datetime) -> Consent:
    """Agree to the present text. Agreeing twice is the same as once."""
    consent, is_new = Consent.objects.get_or_create(
        study=study,
        user=user,
        version=version_of(study),
        withdrawn_at=None,
        defaults={"text": text_for_reader(study), "given_at": at},
    )
    if is_new:  # whoever withdrew before has votes that count again
        recount_seats(study, of_rater=user.pk)
        posterior.follow_change(study)
    return consent


def withdraw_consent(user: User, study: Study, *, at: datetime) -> bool:
    """Take every consent to the study back, and hand back what was lent. False if none stood.

    Judgments stay where they are: boards and later snapshots leave them out (`standing.withdrawn_from`).
    """
    with transaction.atomic():
        standing = Consent.objects.filter(study=study, user=user, withdrawn_at__isnull=True)
        if not standing.update(withdrawn_at=at):
            return False
        leases.release_all(user, study)
        record_action(user, "study.consent_withdrawn", study)
    # After the commit, as it holds the rows of pairs in an order of its own: two who withdraw at once must not wait
    # for each other's.
    recount_seats(study, of_rater=user.pk)
    posterior.follow_change(study)
    return True
