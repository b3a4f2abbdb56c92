"""The rubric as one form per dimension, in the order that the page shows."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _

from annotation.models import Dimension
from annotation.models.studies import OVERALL
from annotation.queries.questions import DEGREES

RUBRIC_FIELDS = ("key", "name", "question", "help_text", "weight", "anchors")
ANCHOR_FIELDS = ("anchor_3", "anchor_2", "anchor_1", "anchor_0")  # from much better to about the same
LONGEST_ANCHOR = 60  # characters: it stands in one seventh of the page


def anchor_field(place: int) -> forms.CharField:
    words = DEGREES[place]
    return forms.CharField(
        label=words, max_length=LONGEST_ANCHOR, required=False, widget=forms.TextInput(attrs={"placeholder": words})
    )


class DimensionForm(forms.ModelForm):  # type: ignore[type-arg]
    position = forms.IntegerField(
        label=_("Place"),
        min_value=1,
        max_value=99,
        error_messages={"min_value": _("From 1 to 99."), "max_value": _("From 1 to 99.")},
    )
    anchor_3 = anchor_field(0)
    anchor_2 = anchor_field(1)
    anchor_1 = anchor_field(2)
    anchor_0 = anchor_field(3)

    class Meta:
        model = Dimension
        fields = ("key", "name", "question", "help_text", "weight")
        labels = {"key": _("Key"), "help_text": _("Help"), "weight": _("Weight")}
        help_texts = {
            "help_text": _("What to listen for."),
        }
        error_messages = {"key": {"invalid": _("Letters a to z, digits, _ and - only.")}}
        widgets = {"question": forms.Textarea(attrs={"rows": 2}), "help_text": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = dict(zip(ANCHOR_FIELDS, self.initial.get("anchors") or [], strict=False))
        self.initial = {**self.initial, **own}

    @property
    def anchor_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ANCHOR_FIELDS]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        anchors = [data.get(name, "") for name in ANCHOR_FIELDS]
        if any(anchors) and not all(anchors):
            self.add_error(None, _("A scale of its own needs all four phrases. Fill them all, or none."))
        data["anchors"] = anchors if all(anchors) else []
        return data


class BaseRubricFormSet(BaseFormSet):  # type: ignore[type-arg]
    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].label = _("Remove this dimension when the rubric is saved")

    def clean(self) -> None:
        if OVERALL not in {row.cleaned_data.get("key") for row in self.kept()}:
            raise ValidationError(_("A rubric ends with the dimension 'overall'; add it back."))

    def kept(self) -> list[Any]:
        return [row for row in self.forms if row.cleaned_data.get("key") and not row.cleaned_data.get("DELETE")]

    def rows(self) -> list[dict[str, object]]:
        """In their order, overall last."""
        return [{name: row.cleaned_data[name] for name in RUBRIC_FIELDS} for row in in_order(self.kept())]

    def drafts(self) -> list[dict[str, Any]]:
        """What can be read so far, of a form that need not be valid; dimensions without a question are left out."""
        asked = [row for row in self.forms if row.cleaned_data.get("question") and not row.cleaned_data.get("DELETE")]
        empty = {"key": "", "name": "", "question": "", "help_text": "", "weight": 1.0, "anchors": []}
        return [{name: row.cleaned_data.get(name, empty[name]) for name in RUBRIC_FIELDS} for row in in_order(asked)]


def in_order(rows: list[Any]) -> list[Any]:
    """By place, overall last; those without a place before it."""
    return sorted(
        rows, key=lambda row: (row.cleaned_data.get("key") == OVERALL, row.cleaned_data.get("position") or 100)
    )


RubricFormSet = formset_factory(
    DimensionForm, formset=BaseRubricFormSet, extra=1, max_num=12, can_delete=True, can_delete_extra=False
)
