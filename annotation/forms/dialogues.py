"""Forms about dialogues and the systems that spoke them."""

from typing import Any, cast

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from annotation.models import Dialogue, Scenario, System, Turn


class DialogueFilterForm(forms.Form):
    """What a researcher looks for. Every field may be empty; a value that nothing has finds nothing."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": _("id, topic or spoken words")}),
    )
    scenario = forms.CharField(label=_("Scenario"), required=False, max_length=200)
    system = forms.ModelChoiceField(System.objects.all(), label=_("System"), required=False, empty_label=_("all"))
    language = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        languages = Scenario.objects.order_by("language").values_list("language", flat=True).distinct()
        choice = cast(forms.ChoiceField, self.fields["language"])
        choice.choices = [("", _("all")), *((tag, tag) for tag in languages)]

    def filtered(self, dialogues: "QuerySet[Dialogue]") -> "QuerySet[Dialogue]":
        """Call after is_valid(); fields that are wrong filter nothing."""
        wanted = self.cleaned_data
        if words := wanted.get("q"):
            spoken = Turn.objects.filter(dialogue=OuterRef("pk"), text__icontains=words)
            dialogues = dialogues.filter(
                Q(dialogue_id__icontains=words) | Q(scenario__topic__icontains=words) | Exists(spoken)
            )
        if scenario := wanted.get("scenario"):
            dialogues = dialogues.filter(scenario__scenario_id=scenario)
        if system := wanted.get("system"):
            dialogues = dialogues.filter(system=system)
        if language := wanted.get("language"):
            dialogues = dialogues.filter(scenario__language=language)
        return dialogues


class SystemForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = System
        fields = ["description"]
        labels = {"description": _("Description")}
        help_texts = {"description": _("For researchers: what it is, how it was made. Annotators never see it.")}
        widgets = {"description": forms.Textarea(attrs={"rows": 5})}
