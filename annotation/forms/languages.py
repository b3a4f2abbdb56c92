"""What annotators read of a study, in further languages: one field per text and language, empty for the original."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.forms.rubric import LONGEST_ANCHOR
from annotation.models import Dimension, Study
from annotation.queries.questions import DEGREES
from annotation.queries.wording import DIMENSION_TEXTS, LANGUAGES, STUDY_TEXTS
from annotation.rubric import default_words

LABELS = {
    "title": gettext_lazy("Title"),
    "instructions": gettext_lazy("Instructions"),
    "content_warning": gettext_lazy("Content warning"),
    "consent_text": gettext_lazy("Consent"),
    "name": gettext_lazy("Name"),
    "question": gettext_lazy("Question"),
    "help_text": gettext_lazy("Help"),
}
LONG_TEXTS = {"instructions", "content_warning", "consent_text", "question", "help_text"}
LONGEST_INSTRUCTIONS = 20_000  # characters


@dataclass(frozen=True)
class Text:
    """One row of the page: a text of the study or of a dimension, and its fields by language."""

    row: Study | Dimension
    field: str
    place: int | None  # of an anchor, from much better to about the same
    prefix: str  # of its fields' names

    @property
    def label(self) -> str:
        return str(LABELS[self.field] if self.place is None else DEGREES[self.place]).capitalize()

    @property
    def original(self) -> str:
        return self._pick(getattr(self.row, self.field))

    def written(self, language: str) -> str:
        return self._pick(self.row.translations.get(language, {}).get(self.field))

    def _pick(self, value: Any) -> str:
        if self.place is None:
            return value or ""
        return value[self.place] if value else ""

    def name(self, language: str) -> str:
        return f"{self.prefix}-{self.field}{'' if self.place is None else self.place}-{language}"

    @property
    def longest(self) -> int:
        if self.place is not None:
            return LONGEST_ANCHOR
        return getattr(self.row._meta.get_field(self.field), "max_length", None) or LONGEST_INSTRUCTIONS


def texts_of(row: Study | Dimension, fields: tuple[str, ...], prefix: str) -> list[Text]:
    """The texts of a study or a dimension that have an original."""
    texts = []
    for field in fields:
        places: tuple[int | None, ...] = (0, 1, 2, 3) if field == "anchors" else (None,)
        if getattr(row, field):
            texts += [Text(row, field, place, prefix) for place in places]
    return texts


class LanguagesForm(forms.Form):
    """A field for each text in each language. `fixed`: the dimensions' words can be read only."""

    def __init__(self, *args: Any, study: Study, fixed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.texts = {"": texts_of(study, STUDY_TEXTS, "study")}
        self.dimensions = {each.key: each for each in study.dimensions.all()}
        for key, dimension in self.dimensions.items():
            self.texts[key] = texts_of(dimension, DIMENSION_TEXTS, f"dimension-{key}")
        for key, texts in self.texts.items():
            for text in texts:
                self._add_fields(text, is_fixed=fixed and key != "")

    def _add_fields(self, text: Text, *, is_fixed: bool) -> None:
        for language, name in LANGUAGES.items():
            attrs = {"lang": language, "aria-label": f"{text.label}, {name}"}
            if (unwritten := default_words(text.original, language)) != text.original:
                attrs["placeholder"] = unwritten  # the default rubric is read in this language by itself
            widget = forms.Textarea(attrs | {"rows": 2}) if text.field in LONG_TEXTS else forms.TextInput(attrs)
            self.fields[text.name(language)] = forms.CharField(
                label=name,
                required=False,
                max_length=text.longest,
                initial=text.written(language),
                widget=widget,
                disabled=is_fixed,
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for texts in self.texts.values():
            places = [text for text in texts if text.field == "anchors"]
            for language in LANGUAGES:
                given = [bool(data.get(text.name(language))) for text in places]
                if any(given) and not all(given):
                    first = places[given.index(False)].name(language)
                    self.add_error(first, _("A scale in this language needs all four phrases, or none."))
        return data

    def rows(self) -> Iterator[tuple[str, list[tuple[Text, list[forms.BoundField]]]]]:
        """What the page shows: a heading (empty for the study itself), then its texts with a field per language."""
        for key, texts in self.texts.items():
            heading = self.dimensions[key].name if key else ""
            yield heading, [(text, [self[text.name(language)] for language in LANGUAGES]) for text in texts]

    def translations(self, key: str = "") -> dict[str, dict[str, Any]]:
        """What was written about the study itself, or about a dimension: {"ja": {"title": …}}."""
        written: dict[str, dict[str, Any]] = {}
        for language in LANGUAGES:
            given: dict[str, Any] = {}
            for text in self.texts[key]:
                words = self.cleaned_data[text.name(language)]
                if words and text.place is not None:
                    given.setdefault("anchors", []).append(words)
                elif words:
                    given[text.field] = words
            if given:
                written[language] = given
        return written
