"""The rubric: the questions of a study in their order, with what annotators read of them in every language."""

from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Dimension, Score, Study, TurnMark
from annotation.models.studies import OVERALL, OVERALL_POSITION
from annotation.queries.wording import DIMENSION_TEXTS
from earshot.accounts.models import User
from earshot.accounts.services import record_action


def has_answers(study: Study) -> bool:
    """Whether anybody has answered one of its questions, or marked a turn for one: then its rubric stays as it is."""
    scores = Score.objects.filter(dimension__study=study)
    return scores.exists() or TurnMark.objects.filter(dimension__study=study).exists()


def refuse_rubric_change(study: Study) -> None:
    """Raises: ValidationError, if votes, or answers of drafts, were given under this rubric."""
    if study.has_votes:
        raise ValidationError(
            _("Study '%(study)s' has votes, so its rubric stays as it is. Copy the study to a new version instead.")
            % {"study": study}
        )
    if has_answers(study):
        raise ValidationError(
            _(
                "Study '%(study)s' has answers that are not submitted yet, so its rubric stays as it is. "
                "Copy the study to a new version instead."
            )
            % {"study": study}
        )


@transaction.atomic
def save_dimensions(study: Study, rows: Sequence[dict[str, object]], *, by: User) -> list[Dimension]:
    """Replace the rubric by these rows (key, name, question, help_text, weight, anchors), in order; overall goes last.

    What was written in further languages, and the examples to hear, stay with its key. Returned are the dimensions of
    which that is now a translation of other words.

    Raises:
        ValidationError: if the study has votes, a key comes twice, or overall is missing.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    refuse_rubric_change(study)
    keys = [str(row["key"]) for row in rows]
    if len(set(keys)) != len(keys):
        raise ValidationError(
            _("Each dimension needs a key of its own; one comes twice: %(keys)s.") % {"keys": ", ".join(keys)}
        )
    if OVERALL not in keys:
        raise ValidationError(_("A rubric ends with the dimension 'overall'; add it back."))
    before = {dimension.key: dimension for dimension in study.dimensions.all()}
    study.dimensions.all().delete()
    outdated = []
    for position, row in enumerate(rows):
        dimension = Dimension(study=study, **row)
        dimension.position = OVERALL_POSITION if dimension.key == OVERALL else position
        known = before.get(dimension.key)
        dimension.translations = known.translations if known else {}
        dimension.examples = known.examples if known else []
        dimension.full_clean()
        dimension.save()
        if known and known.translations and texts_of(known) != texts_of(dimension):
            outdated.append(dimension)
    record_action(by, "study.rubric_changed", study, dimensions=keys)
    return outdated


def texts_of(dimension: Dimension) -> list[object]:
    """What annotators read of it, in the original."""
    return [getattr(dimension, field) for field in DIMENSION_TEXTS]


Translations = Mapping[str, Mapping[str, object]]  # {"ja": {"title": …}}


@transaction.atomic
def save_translations(study: Study, own: Translations, dimensions: Mapping[str, Translations], *, by: User) -> None:
    """Replace what is written in further languages: of the study itself, and of its dimensions by their keys.

    Raises:
        ValidationError: if words of a dimension change although answers were given under this rubric.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    changed = [
        each for each in study.dimensions.filter(key__in=dimensions) if each.translations != dimensions[each.key]
    ]
    if changed:
        refuse_rubric_change(study)
    for dimension in changed:
        dimension.translations = dict(dimensions[dimension.key])
        dimension.save(update_fields=["translations"])
    if not changed and study.translations == own:
        return
    study.translations = dict(own)
    study.save(update_fields=["translations"])
    languages = sorted({*own, *(code for each in changed for code in each.translations)})
    record_action(by, "study.translated", study, languages=languages)
