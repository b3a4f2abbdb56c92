"""A study's own words in the reader's language: what its researchers wrote for it, else the original."""

from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotation.models import Dimension, Study
from annotation.rubric import default_words

LANGUAGES: dict[str, str] = settings.KNOWN_LANGUAGES  # each by its own name
STUDY_TEXTS = ("title", "instructions", "content_warning", "consent_text")
DIMENSION_TEXTS = ("name", "question", "help_text", "anchors")


def in_language(row: Study | Dimension, field: str, language: str) -> Any:
    """The row's text in a language of LANGUAGES; the original where nothing was written for that language.
    The default rubric speaks every language by itself.

    Where the original is empty nothing is asked or said, in no language.
    """
    original = getattr(row, field)
    written = original and row.translations.get(language, {}).get(field)
    return written or default_words(original, language)


def reader_language() -> str:
    """The language of the page that is being made, as LANGUAGES names it: zh-cn and zh-tw read zh-hans."""
    code = (get_language() or "en").lower().replace("_", "-").split("-")[0]
    code = "zh-hans" if code == "zh" else code
    return code if code in LANGUAGES else "en"


def for_reader(row: Study | Dimension, field: str) -> Any:
    """Like `in_language`, for whoever reads the page that is being made."""
    return in_language(row, field, reader_language())


def title_for_reader(study: Study) -> str:
    """The study's title as its annotators read it; later versions say which they are."""
    title = str(for_reader(study, "title"))
    if study.version == 1:
        return title
    return _("%(title)s (version %(version)d)") % {"title": title, "version": study.version}
