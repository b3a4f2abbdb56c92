"""Examples to hear beside a question: short sounds that show what better and worse mean, in the reader's language."""

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Dimension, Study
from annotation.services.renditions import write_rendition
from annotation.services.studies.rubric import refuse_rubric_change
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.acoustics.decoding import AudioError, read_sound
from earshot.acoustics.levels import constant_gain_db, measure_level
from earshot.jobs import artefacts

LONGEST_SECONDS = 30  # as the excerpts of the training
MOST_EXAMPLES = 24  # of one question, in all languages


def add_example(
    study: Study, key: str, sound: Path, *, side: str, language: str, words: str, by: User | None
) -> dict[str, Any]:
    """Keep a short sound as an example of the question `key`, mono and at the level of all dialogues.

    Args:
        side: "better" or "worse".
        words: what to listen for, in `language`.
    Raises:
        ValidationError: if the file is no sound that can be used, or answers were given under this rubric.
    """
    refuse_rubric_change(study)
    sha256, seconds = _keep_sound(sound)
    example = {"language": language, "side": side, "words": words, "sha256": sha256, "seconds": round(seconds, 1)}
    with transaction.atomic():
        dimension = _locked(study, key)
        if len(dimension.examples) >= MOST_EXAMPLES:
            raise ValidationError(
                _("'%(name)s' has %(n)d examples, which is the most. Remove one first.")
                % {"name": dimension.name, "n": MOST_EXAMPLES}
            )
        _change(dimension, [*dimension.examples, example], by)
    return example


@transaction.atomic
def remove_example(study: Study, key: str, place: int, sha256: str, *, by: User | None) -> None:
    """Take out the example at this place if it is still this sound.

    Raises:
        ValidationError: if it is not there any more, or answers were given under this rubric.
    """
    dimension = _locked(study, key)
    if place >= len(dimension.examples) or dimension.examples[place]["sha256"] != sha256:
        raise ValidationError(_("This example is no longer there. Look at the list again."))
    _change(dimension, dimension.examples[:place] + dimension.examples[place + 1 :], by)


def _locked(study: Study, key: str) -> Dimension:
    refuse_rubric_change(Study.objects.select_for_update().get(pk=study.pk))
    return study.dimensions.get(key=key)


def _change(dimension: Dimension, examples: list[dict[str, Any]], by: User | None) -> None:
    dimension.examples = examples
    dimension.save(update_fields=["examples"])
    record_action(by, "study.rubric_changed", dimension.study, dimensions=[dimension.key])


def _keep_sound(path: Path) -> tuple[str, float]:
    """The SHA-256 of the sound as browsers play it, and its seconds."""
    try:
        sound = read_sound(path, max_seconds=LONGEST_SECONDS)
        gain_db = constant_gain_db(measure_level(sound.samples, sound.rate), settings.TARGET_LUFS)
    except AudioError as error:
        raise ValidationError(str(error)) from None
    with tempfile.TemporaryDirectory(dir=artefacts.scratch_folder()) as folder:
        wav = Path(folder) / "example.wav"
        write_rendition(sound.samples, sound.rate, gain_db, wav)
        return artefacts.put_file(wav), sound.seconds
