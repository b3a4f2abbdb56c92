"""A language for tests in which every translated sentence stands in ⟦ ⟧: what stands outside was never translated."""

import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

READ_ALOUD = {"aria-label", "title", "placeholder", "alt"}
SHOWN_BY_SCRIPTS = {"data-key-label", "data-key-group", "data-confirm", "data-confirm-yes", "data-label", "data-copied"}
NOT_SENTENCES = {"script", "style", "code", "kbd", "pre"}
ENGLISH = re.compile(r"[A-Za-z]{2,}")
# Names, units and formats are the same in every language.
ANYWHERE = re.compile(
    r"Earshot|English|\S+@\S+|https?://\S+|\b(UTC|Hz|kHz|kB|MB|GB|dB|LUFS|dBTP|FLAC|CSV|SHA-256|KL|min)\b"
)


def in_marks(words: str) -> str:
    return f"⟦{words.split(chr(4))[-1]}⟧"  # chr(4): before it stands the context


def marked_language(language: str) -> SimpleNamespace:
    """What django.utils.translation.trans_real.translation() returns for a language."""
    return SimpleNamespace(
        gettext=in_marks,
        ngettext=lambda one, many, number: in_marks(one if number == 1 else many),
        to_language=lambda: language,
        language=lambda: language,
    )


def strings_in(words: Any) -> list[str]:
    if isinstance(words, dict):
        return [text for value in words.values() for text in strings_in(value)]
    return [str(words)]


class Sentences(HTMLParser):
    """Collects what a person reads of a page, in the order of the page: text, and attributes that are read or shown."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self.words_of_scripts: list[str] = []
        self._script = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._script = given.get("id") or "" if tag == "script" else ""
        if tag not in {"meta", "link", "input", "img", "br", "hr"}:
            self.open.append("in another language" if "lang" in given and tag != "html" else tag)
        self.attributes += [value for name, value in attrs if name in READ_ALOUD | SHOWN_BY_SCRIPTS and value]

    def handle_endtag(self, tag: str) -> None:
        self._script = ""
        if self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self._script.endswith("words"):
            self.words_of_scripts += strings_in(json.loads(data))
        if not NOT_SENTENCES.union({"in another language"}) & set(self.open):
            self.texts.append(data)


def outside_marks(text: str) -> str:
    kept, depth = [], 0
    for letter in text:
        depth += (letter == "⟦") - (letter == "⟧")
        if depth == 0 and letter != "⟧":
            kept.append(letter)
    return "".join(kept)


def untranslated(html: str, *, names: str = "(?!)") -> list[str]:
    """The English of a page in the marked language: pieces of text, of attributes, of the words for its scripts.

    `names` is a pattern of what the page shows of its data.
    """
    page = Sentences()
    page.feed(html)
    pieces = outside_marks("\n".join(page.texts)).split("\n")
    for text in [*page.attributes, *page.words_of_scripts]:
        pieces.append(outside_marks(text))
    return [piece.strip() for piece in pieces if ENGLISH.search(re.sub(names, "", ANYWHERE.sub("", piece)))]
