"""The voice that asks, late in a dialogue, for a certain answer: who heard it gives that one (a spoken check).

It says which dialogue is to be called much better by "this one, which you hear now" or "the other one", never by a
letter or a side, so that it stays true whichever side the dialogue is on.
"""

from annotation.material.shipped import LANGUAGES, material_language, recorded, table
from annotation.material.stimulus import Stimulus

WISHES = {"this": 3, "other": -3}  # what to answer on overall; positive favours the dialogue in which it is heard


def speaks(language: str) -> bool:
    """Whether the wishes were recorded in this language, not only in one that serves it."""
    served = material_language(language)
    return served in LANGUAGES and served.split("-")[0] == language.lower().replace("_", "-").split("-")[0]


def spoken_wish(language: str, wish: str) -> Stimulus:
    """The recording of a wish at −23 LUFS.

    Raises:
        ValueError: for another wish than those of WISHES.
    """
    if wish not in WISHES:
        raise ValueError(f"There is no wish {wish!r}; choose from {', '.join(WISHES)}.")
    served = material_language(language)
    return recorded(served, table(served)["spoken"][wish])


def words_of_wish(language: str, wish: str) -> str:
    words: str = table(material_language(language))["spoken"][wish]["words"]
    return words
