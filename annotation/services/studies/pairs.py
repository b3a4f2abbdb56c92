"""Regular pairs of a study, made of dialogues at one level."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotation.models import Dialogue, Pair, Study
from annotation.services import renditions
from earshot.accounts.models import User
from earshot.accounts.services import record_action

Dialogues = tuple[Dialogue, Dialogue]


def add_pairs(
    study: Study,
    dialogues: Sequence[Dialogues],
    *,
    by: User | None = None,
    design: Mapping[str, Any] | None = None,
) -> list[Pair]:
    """Make regular pairs, both sides at one level: the lower of the two masters'.

    Args:
        design: how they came about, to be kept with the study.
    Raises:
        ValidationError: if the two dialogues of a pair answer different scenarios, the study is finished, or somebody
            else added one of the pairs meanwhile.
    """
    if study.state == Study.State.FINISHED:
        raise ValidationError(
            _("Study '%(study)s' is finished and takes no more pairs. Reopen it, or copy it.") % {"study": study}
        )
    pairs = [_regular_pair(study, one, other) for one, other in dialogues]
    # Sound first: it takes seconds each, and a transaction would keep everybody else from writing (SQLite).
    for pair in pairs:
        for dialogue in (pair.dialogue_a, pair.dialogue_b):
            if abs(dialogue.level_lufs - pair.level_lufs) > renditions.LEVEL_TOLERANCE_LU:
                renditions.ensure_rendition(dialogue, pair.level_lufs)
    _store_pairs(study, pairs, by=by, design=design)
    return pairs


def _regular_pair(study: Study, one: Dialogue, other: Dialogue) -> Pair:
    if one.scenario_id != other.scenario_id:
        raise ValidationError(
            _("%(one)s and %(other)s answer different scenarios and cannot be compared.") % {"one": one, "other": other}
        )
    return Pair(
        study=study,
        scenario=one.scenario,
        dialogue_a=one,
        dialogue_b=other,
        level_lufs=common_level(one, other),
        seats_left=study.overlap,
    )


def _store_pairs(
    study: Study, pairs: Sequence[Pair], *, by: User | None, design: Mapping[str, Any] | None = None
) -> None:
    try:
        with transaction.atomic():
            Pair.objects.bulk_create(pairs, batch_size=1000)
            if pairs:
                record_action(by, "study.pairs_added", study, pairs=len(pairs))
            if pairs and design is not None:
                _keep_design(study, design)
    except IntegrityError:
        raise ValidationError(
            _("Some of these pairs were added meanwhile. Look at the pairs, then add the rest.")
        ) from None


def _keep_design(study: Study, design: Mapping[str, Any]) -> None:
    locked = Study.objects.select_for_update().get(pk=study.pk)
    study.pair_designs = [*locked.pair_designs, dict(design)]
    study.save(update_fields=["pair_designs"])


def common_level(one: Dialogue, other: Dialogue) -> float:
    """The level for both sides in LUFS: if the target would clip one of them, both are lowered."""
    return round(min(one.level_lufs, other.level_lufs), 1)
