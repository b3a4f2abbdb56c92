"""The form by which a researcher asks for a snapshot."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.models import QualityVerdict, Study
from annotation.services.snapshots import SnapshotFilter, default_filter, rater_pseudonyms


class SnapshotForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=200, help_text=_("What people will call it."))
    quality = forms.MultipleChoiceField(
        label=_("Quality verdicts taken in"),
        choices=QualityVerdict.Verdict.choices,
        initial=["pass", "unknown"],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Unknown: a check could not run. It is no fail."),
    )
    dimensions = forms.MultipleChoiceField(label=_("Dimensions"), widget=forms.CheckboxSelectMultiple)
    include_late = forms.BooleanField(label=_("Take in judgments submitted after their lease"), required=False)
    include_simulated = forms.BooleanField(
        label=_("Take in simulated judgments"), required=False, help_text=_("They are always marked as simulated.")
    )
    since = forms.DateField(
        label=_("First day"), required=False, widget=forms.DateInput({"type": "date"}), help_text=_("UTC")
    )
    until = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput({"type": "date"}), help_text=_("UTC, included")
    )
    excluded_raters = forms.MultipleChoiceField(
        label=_("Leave out raters"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = list(study.dimensions.values_list("key", "name"))
        self.fields["dimensions"].choices = asked  # type: ignore[attr-defined]
        self.fields["dimensions"].initial = [key for key, _name in asked]
        self.fields["include_simulated"].initial = study.is_simulated
        raters = sorted(rater_pseudonyms(study).items(), key=lambda entry: str(entry[1]))
        self.fields["excluded_raters"].choices = [(name, str(user)) for name, user in raters]  # type: ignore[attr-defined]
        self.fields["excluded_raters"].initial = default_filter(study).excluded_raters
        if not raters:
            del self.fields["excluded_raters"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day comes before the first. Choose a later one, or leave it empty."))
        return cleaned

    @property
    def filter(self) -> SnapshotFilter:
        chosen = self.cleaned_data
        last: date | None = chosen["until"]
        return SnapshotFilter(
            quality=tuple(chosen["quality"]),
            include_late=chosen["include_late"],
            include_simulated=chosen["include_simulated"],
            dimensions=tuple(chosen["dimensions"]),
            since=_midnight(chosen["since"]),
            until=_midnight(last + timedelta(days=1)) if last else None,
            excluded_raters=tuple(chosen.get("excluded_raters", ())),
        )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
