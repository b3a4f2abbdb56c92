"""The form by which a researcher asks for a reward model."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from annotation.models import Snapshot, Study
from earshot.accounts.models import User
from rewardmodel.services.runs import MOST_SEED, refuse_unfit


class RunForm(forms.Form):
    snapshot = forms.ModelChoiceField(
        Snapshot.objects.none(),
        label=_("Snapshot"),
        empty_label=_("Choose one"),
        help_text=_("Its dimensions become the heads of the model; overall is always one."),
    )
    evaluate_on = forms.ModelChoiceField(
        Snapshot.objects.none(),
        label=_("Measure on"),
        required=False,
        empty_label=_("scenarios of the same snapshot that it is not trained on"),
        help_text=_("Another snapshot, of other scenarios. Then the model learns from every scenario of the first."),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=200,
        required=False,
        help_text=_("What people will call it. Empty: the snapshot's name and the seed."),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=MOST_SEED,
        initial=1,
        help_text=_("The same snapshot and seed give the same model. Another seed gives a second opinion."),
    )
    epochs = forms.IntegerField(
        label=_("Epochs"),
        min_value=1,
        max_value=10_000,
        required=False,
        help_text=_("How often every judgment is seen. Empty: as many as the program finds fitting."),
    )

    probes = forms.BooleanField(
        label=_("Probe the finished model"),
        required=False,
        initial=True,
        help_text=_("What loudness, silence, swapped sides and the vocoder make of its scores. Takes a little longer."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        readable = Snapshot.objects.filter(study__in=Study.objects.readable_by(user)).select_related("study")
        for name in ("snapshot", "evaluate_on"):
            cast(forms.ModelChoiceField, self.fields[name]).queryset = readable  # type: ignore[type-arg]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("evaluate_on") is not None and cleaned.get("evaluate_on") == cleaned.get("snapshot"):
            self.add_error("evaluate_on", _("The model is trained on this one. Choose another, or leave it."))
        elif cleaned.get("snapshot") is not None and "evaluate_on" in cleaned:
            try:
                refuse_unfit(cleaned["snapshot"], cleaned["evaluate_on"])
            except ValidationError as error:
                self.add_error("snapshot" if cleaned["evaluate_on"] is None else "evaluate_on", error)
        return cleaned
