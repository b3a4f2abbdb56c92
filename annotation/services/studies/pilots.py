"""Pilots: a small trial of a study with a few of its pairs. Its votes stay apart, so the study can still change."""

import random
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Membership, Pair, Study
from annotation.services.studies.making import duplicate
from annotation.services.studies.states import change_state
from earshot.accounts.models import User
from earshot.accounts.services import record_action

MOST_VOTES_A_PAIR = 2  # a pilot tries the study out; it measures nothing
WITHOUT_LIMITS: dict[str, Any] = {  # a pilot ends with its few pairs
    "agreeing_votes_enough": None,
    "half_width_enough": None,
    "judgments_at_most": None,
    "hours_at_most": None,
    "pairs_per_rater": None,
    "eligible_groups": [],  # whoever is added to it may judge
    "group_quotas": {},
    "selection": Study.Selection.UNIFORM,
}


@transaction.atomic
def pilot_study(
    study: Study, *, n_pairs: int, overlap: int, annotators: bool, myself: bool, by: User, at: datetime, seed: int
) -> Study:
    """A running copy of `study` with `n_pairs` of its regular pairs, drawn by `seed`, and no limits of its own.

    Args:
        overlap: distinct raters a pair, 1 or 2.
        annotators: whether the annotators of the study judge in it; its researchers read it in any case.
        myself: whether `by` judges in it.
    Raises:
        ValidationError: if the study is a pilot itself, or has fewer regular pairs.
    """
    if study.is_pilot:
        raise ValidationError(_("'%(study)s' is a pilot itself. Make a pilot of its study.") % {"study": study})
    if not 1 <= overlap <= MOST_VOTES_A_PAIR:
        raise ValidationError(_("A pilot takes 1 or 2 judgments per pair, not %(n)d.") % {"n": overlap})
    drawn = _draw_pairs(study, n_pairs, seed)
    record = {"design": "pilot", "pairs": len(drawn), "seed": seed, "at": at.isoformat()}
    pilot = duplicate(
        study,
        by=by,
        at=at,
        annotators=annotators,
        is_pilot=True,
        overlap=overlap,
        pair_designs=[record],
        **WITHOUT_LIMITS,
    )
    for pair in drawn:
        pair.pk, pair.study, pair.seats_left, pair.created_at = None, pilot, overlap, at
        pair.is_open, pair.closed_because = True, ""
    Pair.objects.bulk_create(drawn)
    if myself:
        Membership.objects.get_or_create(study=pilot, user=by, role=Membership.Role.ANNOTATOR)
    record_action(by, "study.piloted", pilot, parent=str(study), pairs=len(drawn))
    change_state(pilot, Study.State.RUNNING, by=by)
    return pilot


def _draw_pairs(study: Study, n_pairs: int, seed: int) -> list[Pair]:
    known = list(study.pairs.filter(kind=Pair.Kind.REGULAR).order_by("pk").values_list("pk", flat=True))
    if not 1 <= n_pairs <= len(known):
        raise ValidationError(
            _("Study '%(study)s' has %(known)d pairs, so a pilot of %(n)d cannot be drawn. Choose from 1 to %(known)d.")
            % {"study": study, "known": len(known), "n": n_pairs}
        )
    return list(Pair.objects.filter(pk__in=random.Random(seed).sample(known, n_pairs)).order_by("pk"))
