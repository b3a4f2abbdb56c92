"""What an annotator says to flag a pair, and a researcher to resolve the flag."""

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from annotation.models import Flag
from annotation.services.flags import LONGEST_TEXT


class FlagForm(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "flag-%s"} | kwargs)  # the room has other forms with a note

    kind = forms.ChoiceField(
        choices=[(value, capfirst(words)) for value, words in Flag.Kind.choices],
        widget=forms.RadioSelect,
        label=_("What is wrong?"),
        error_messages={"required": _("Choose what is wrong.")},
    )
    note = forms.CharField(
        max_length=LONGEST_TEXT,
        required=False,
        label=_("In your words"),
        help_text=_("Which dialogue and which turn, if it is in one place."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ResolutionForm(forms.Form):
    resolution = forms.CharField(
        max_length=LONGEST_TEXT,
        label=_("What was found or done"),
        error_messages={"required": _("Say in a sentence what was found or done, then resolve the flag.")},
    )
