"""What the listening room posts, as a form (skip) and as JSON (heartbeats, drafts). Wrong types are refused."""

import math
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from rest_framework import serializers

from annotation.models import TurnMark
from annotation.services.judgments import MOST_MARKS, SCALE, ShownMark, ShownScore
from annotation.services.listening import SIDES, Beat

LONGEST_SECONDS = 24 * 3600.0
MOST_STRETCHES = 100  # one heartbeat covers five seconds
LARGEST_NUMBER = 2**31 - 1
MOST_STALLS = 10_000
MOST_TURNS = 100_000
FASTEST_RATE = 16.0  # what browsers allow


class SkipForm(forms.Form):
    REASONS = (
        ("sound", gettext_lazy("The sound does not play or is broken")),
        ("language", gettext_lazy("I do not understand the language")),
        ("content", gettext_lazy("I would rather not listen to this")),
        ("other", gettext_lazy("Something else")),
    )
    reason = forms.ChoiceField(choices=REASONS, widget=forms.RadioSelect, label=gettext_lazy("Reason"))
    note = forms.CharField(max_length=250, required=False, label=gettext_lazy("In your words"))

    def sentence(self) -> str:
        """The reason as it is stored: the choice in the original language, and the rater's own words after it."""
        with override(settings.LANGUAGE_CODE):
            choice = str(dict(self.REASONS)[self.cleaned_data["reason"]])
        note = self.cleaned_data["note"].strip()
        return f"{choice}: {note}" if note else choice


class Number(serializers.Field[float, Any, float, Any]):
    """A finite JSON number in a range. DRF's own FloatField takes strings, true and 1e999."""

    def __init__(self, *, low: float = 0.0, high: float = LONGEST_SECONDS, **options: Any) -> None:
        self.low, self.high = low, high
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            raise serializers.ValidationError(_("must be a number, not %(value)s.") % {"value": shown(data)})
        if not self.low <= data <= self.high:
            raise serializers.ValidationError(
                _("is %(value)s but must be between %(low)s and %(high)s.")
                % {"value": shown(data), "low": self.low, "high": self.high}
            )
        return float(data)

    def to_representation(self, value: float) -> float:
        return value


class WholeNumber(Number):
    def to_internal_value(self, data: Any) -> int:
        number = super().to_internal_value(data)
        if not isinstance(data, int):
            raise serializers.ValidationError(_("must be a whole number, not %(value)s.") % {"value": shown(data)})
        return int(number)


class Flag(serializers.Field[bool, Any, bool, Any]):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(_("must be true or false, not %(value)s.") % {"value": shown(data)})
        return data

    def to_representation(self, value: bool) -> bool:
        return value


class Words(serializers.Field[str, Any, str, Any]):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(_("must be text, not %(value)s.") % {"value": shown(data)})
        if "\0" in data:
            raise serializers.ValidationError(_("holds a null character, which cannot be stored. Remove it."))
        return data

    def to_representation(self, value: str) -> str:
        return value


class Stretches(serializers.Field[list[list[float]], Any, list[list[float]], Any]):
    """[[from, to], …] in seconds."""

    second = Number()

    def to_internal_value(self, data: Any) -> list[list[float]]:
        if not isinstance(data, list):
            raise serializers.ValidationError(
                _("must be a list of [from, to], not %(value)s.") % {"value": shown(data)}
            )
        if len(data) > MOST_STRETCHES:
            raise serializers.ValidationError(
                _("has %(n)d stretches; a heartbeat takes at most %(most)d.") % {"n": len(data), "most": MOST_STRETCHES}
            )
        return [self._stretch(each) for each in data]

    def _stretch(self, data: Any) -> list[float]:
        if not isinstance(data, list) or len(data) != 2:
            raise serializers.ValidationError(_("holds %(value)s, which is no [from, to].") % {"value": shown(data)})
        start, end = (self.second.to_internal_value(each) for each in data)
        if end < start:
            raise serializers.ValidationError(
                _("holds a stretch that ends at %(end)s s, before it starts at %(start)s s.")
                % {"start": start, "end": end}
            )
        return [start, end]

    def to_representation(self, value: list[list[float]]) -> list[list[float]]:
        return value


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


class BeatSerializer(serializers.Serializer[Beat]):
    sequence = WholeNumber(low=1, high=LARGEST_NUMBER)
    side = serializers.ChoiceField(choices=SIDES)
    played = Stretches()
    media_time = Number()
    rate = Number(high=FASTEST_RATE, default=1.0)
    volume = Number(high=1.0, default=1.0)
    muted = Flag(default=False)
    visible = Flag(default=True)
    stalls = WholeNumber(high=MOST_STALLS, default=0)
    stalled_seconds = Number(default=0.0)

    def beat(self) -> Beat:
        return Beat(**self.validated_data)


class ScoresField(serializers.Field[dict[str, ShownScore | None], Any, Any, Any]):
    """{dimension: {"kind": …, "value": …} or null}; null takes an answer back."""

    def to_internal_value(self, data: Any) -> dict[str, ShownScore | None]:
        if not isinstance(data, dict) or len(data) > 50:
            raise serializers.ValidationError(_("must map each dimension to its answer."))
        return {key: self._score(key, each) for key, each in data.items()}

    def _score(self, key: str, data: Any) -> ShownScore | None:
        if data is None:
            return None
        if not isinstance(data, dict) or set(data) - {"kind", "value"} or not isinstance(data.get("kind"), str):
            raise serializers.ValidationError(
                _("has %(value)s for '%(key)s'; send {kind, value} or null.")
                % {"key": shown(key), "value": shown(data)}
            )
        value = data.get("value")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value not in SCALE):
            raise serializers.ValidationError(
                _("has %(value)s for '%(key)s'; use a whole number from -3 to 3.")
                % {"key": shown(key), "value": shown(value)}
            )
        return ShownScore(kind=data["kind"], value=value)

    def to_representation(self, value: Any) -> Any:
        return value


class MarkSerializer(serializers.Serializer[ShownMark]):
    side = serializers.ChoiceField(choices=SIDES)
    turn = WholeNumber(high=MOST_TURNS)
    seconds = Number()
    polarity = serializers.ChoiceField(choices=TurnMark.Polarity.values)
    dimension = Words(default="")
    note = Words(default="")


class MarksField(serializers.Field[list[ShownMark], Any, Any, Any]):
    """All the marks of a judgment: they replace those of before."""

    def to_internal_value(self, data: Any) -> list[ShownMark]:
        if not isinstance(data, list):
            raise serializers.ValidationError(_("must be a list of marks, not %(value)s.") % {"value": shown(data)})
        if len(data) > MOST_MARKS:
            raise serializers.ValidationError(
                _("has %(n)d marks; a judgment takes at most %(most)d.") % {"n": len(data), "most": MOST_MARKS}
            )
        return [self._mark(number, each) for number, each in enumerate(data, start=1)]

    def _mark(self, number: int, data: Any) -> ShownMark:
        serializer = MarkSerializer(data=data)
        unknown = sorted(set(data) - set(serializer.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError(
                _("mark %(number)d has %(unknown)s, which no mark has.")
                % {"number": number, "unknown": ", ".join(unknown)}
            )
        if not serializer.is_valid():
            raise serializers.ValidationError(
                _("mark %(number)d: %(problem)s") % {"number": number, "problem": sentence_of(serializer.errors)}
            )
        return ShownMark(**serializer.validated_data)

    def to_representation(self, value: Any) -> Any:
        return value


class DraftSerializer(serializers.Serializer[Any]):
    scores = ScoresField(required=False)
    confidence = WholeNumber(low=1, high=5, required=False)
    reason = Words(required=False)
    marks = MarksField(required=False)


class SubmitSerializer(serializers.Serializer[Any]):
    go_on = Flag(default=True)
    answers = DraftSerializer(required=False)  # what is not saved yet: one request for the last answer and the submit


def sentence_of(errors: Any) -> str:
    """Errors of a serializer as text: 'played must be …'."""
    if isinstance(errors, dict):
        parts = []
        for field, messages in errors.items():
            said = " ".join(str(message) for message in messages) if isinstance(messages, list) else str(messages)
            parts.append(said if field == "non_field_errors" else f"{field}: {said}")
        return " ".join(parts)
    return str(errors)
