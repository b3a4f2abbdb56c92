"""The rubric that a new study begins with: in every language of the interface, unlike what researchers write."""

from typing import Any

from django.utils.translation import gettext, gettext_noop, override

DEFAULT_RUBRIC = (  # key, name, question
    (
        "prosody",
        gettext_noop("Prosody"),
        gettext_noop("In which dialogue do melody, rhythm and stress of the voices fit better what is being said?"),
    ),
    (
        "emotional_continuity",
        gettext_noop("Emotional continuity"),
        gettext_noop("In which dialogue do the feelings follow more believably from turn to turn?"),
    ),
    (
        "immersion",
        gettext_noop("Immersion"),
        gettext_noop("In which dialogue do timing, pauses and replies make you feel more present in the conversation?"),
    ),
    (
        "overall",
        gettext_noop("Overall"),
        gettext_noop("All in all: which of the two dialogues would you rather be in?"),
    ),
)
_WORDS = {words for _key, *texts in DEFAULT_RUBRIC for words in texts}


def default_words(text: Any, language: str) -> Any:
    """A name or question of the default rubric in this language; any other text as it is."""
    if not isinstance(text, str) or text not in _WORDS:
        return text
    with override(language):
        return gettext(text)
