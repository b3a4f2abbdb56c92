"""What researchers say about checks, raters and disputed pairs."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.material.wishes import speaks
from annotation.models import Study
from annotation.services.adjudication import LONGEST_REASON
from annotation.services.checks.making import MOST_ASKED, Numbers, default_numbers


class ChecksForm(forms.Form):
    """How many checks of each kind to make; as many as one rater meets, unless something else is asked for."""

    n_gold = forms.IntegerField(
        min_value=0, max_value=MOST_ASKED, label=_("Gold"),
        help_text=_("One side is made clearly worse: late replies, and a flat voice or an unsteady level."),
    )  # fmt: skip
    n_identical = forms.IntegerField(
        min_value=0, max_value=MOST_ASKED, label=_("Identical"),
        help_text=_("One dialogue against itself, with other pauses."),
    )  # fmt: skip
    n_spoken = forms.IntegerField(
        min_value=0, max_value=MOST_ASKED, label=_("Spoken"),
        help_text=_("Late in one side a voice asks for a certain answer."),
    )  # fmt: skip

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": vars(default_numbers(study))} | kwargs)
        if not speaks(study.language):
            self.fields["n_spoken"].disabled = True
            self.fields["n_spoken"].initial = 0
            self.fields["n_spoken"].help_text = _("The voice speaks English, Japanese and Chinese only.")

    @property
    def numbers(self) -> Numbers:
        return Numbers(**self.cleaned_data)


class ReasonForm(forms.Form):
    """Why somebody is excluded, or a pair adjudicated."""

    reason = forms.CharField(
        max_length=LONGEST_REASON, label=_("Why"), widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say why: it stands beside the decision.")},
    )  # fmt: skip
