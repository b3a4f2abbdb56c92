"""Forms by which researchers choose which systems meet, and draw a pilot."""

import random
from collections import Counter
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from annotation.models import Scenario, Study, System
from annotation.services.studies import Design, Kind


class PairsForm(forms.Form):
    """A design: which systems meet in which scenarios. `design()` after it was found valid."""

    kind = forms.ChoiceField(label=_("Design"), choices=Kind.choices, initial=Kind.ALL, widget=forms.RadioSelect)
    systems = forms.ModelMultipleChoiceField(
        System.objects.none(), label=_("Systems"), widget=forms.CheckboxSelectMultiple, required=True
    )
    reference = forms.ModelChoiceField(
        System.objects.none(),
        label=_("Reference"),
        required=False,
        empty_label=_("choose one"),
        help_text=_("Each other system meets only it: fewer votes, a weaker comparison of the rest."),
    )
    systems_per_scenario = forms.IntegerField(
        label=_("Systems per scenario"),
        required=False,
        min_value=2,
        max_value=1000,
        help_text=_("All pairs of so many systems, others in every scenario. Fill this or the next."),
    )
    pairs_per_scenario = forms.IntegerField(
        label=_("Pairs per scenario"), required=False, min_value=1, max_value=10_000
    )
    tags = forms.MultipleChoiceField(
        label=_("Only scenarios with one of these tags"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: all scenarios."),
    )
    scenarios_at_most = forms.IntegerField(
        label=_("Scenarios at most"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("Drawn by chance from those. Empty: all."),
    )
    n_raters = forms.IntegerField(
        label=_("Raters who share the work"),
        required=False,
        min_value=1,
        max_value=100_000,
        help_text=_("Only for the preview: how long it takes each of them."),
    )
    seed = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, study: Study, n_raters: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        spoken = System.objects.filter(dialogues__scenario__language=study.language).distinct()
        for name in ("systems", "reference"):
            cast(forms.ModelChoiceField, self.fields[name]).queryset = spoken  # type: ignore[type-arg]
        cast(forms.MultipleChoiceField, self.fields["tags"]).choices = tags_of(study.language)
        if not cast(forms.MultipleChoiceField, self.fields["tags"]).choices:
            del self.fields["tags"]
        self.fields["n_raters"].initial = self._n_raters = n_raters
        self.fields["seed"].initial = random.randint(1, 2**31 - 1)
        self.systems_to_begin_with = list(spoken.values_list("pk", flat=True)[:MOST_TICKED])
        self.fields["systems"].initial = self.systems_to_begin_with

    @property
    def raters(self) -> int:
        """Who share the work: as written, else as many as the study has."""
        return (self.cleaned_data["n_raters"] if self.is_bound else None) or self._n_raters

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        systems, kind = data.get("systems"), data.get("kind")
        if systems is not None and len(systems) < 2:
            self.add_error("systems", _("A pair needs two systems. Choose at least 2."))
        if kind == Kind.REFERENCE and systems is not None:
            self._check_reference(data.get("reference"), list(systems))
        if kind == Kind.BLOCKS and systems is not None:
            self._check_blocks(data, len(systems))
        return data

    def _check_reference(self, reference: System | None, systems: list[System]) -> None:
        if "reference" in self.errors:
            return
        if reference is None:
            self.add_error("reference", _("Choose the system that each other one meets."))
        elif reference not in systems:
            self.add_error("reference", _("The reference is not among the chosen systems. Tick it above."))

    def _check_blocks(self, data: dict[str, Any], n_systems: int) -> None:
        sizes = [data.get("systems_per_scenario"), data.get("pairs_per_scenario")]
        if not {"systems_per_scenario", "pairs_per_scenario"} & set(self.errors) and sum(map(bool, sizes)) != 1:
            self.add_error(
                "systems_per_scenario", _("Say how many systems, or how many pairs, a scenario has: one of the two.")
            )
        elif sizes[0] and sizes[0] > n_systems:
            self.add_error(
                "systems_per_scenario",
                ValidationError(
                    _("%(n)d systems per scenario are more than the %(all)d chosen. Use at most %(all)d."),
                    params={"n": sizes[0], "all": n_systems},
                ),
            )

    def design(self) -> Design:
        """What was chosen, or stands there to begin with; what another design asks is left out."""
        if not self.is_bound:
            return Design(Kind.ALL, tuple(sorted(self.systems_to_begin_with)))
        data = self.cleaned_data
        kind = Kind(data["kind"])
        is_blocks = kind == Kind.BLOCKS
        return Design(
            kind=kind,
            systems=tuple(sorted(system.pk for system in data["systems"])),
            reference=data["reference"].pk if kind == Kind.REFERENCE else None,
            systems_per_scenario=data["systems_per_scenario"] if is_blocks else None,
            pairs_per_scenario=data["pairs_per_scenario"] if is_blocks else None,
            tags=tuple(data.get("tags", ())),
            scenarios_at_most=data["scenarios_at_most"],
            seed=data["seed"] or 1,
        )


MOST_TICKED = 12  # systems that are ticked to begin with


def tags_of(language: str) -> list[tuple[str, str]]:
    """The tags of this language's scenarios, as choices with their number, the most frequent first."""
    counts: Counter[str] = Counter()
    for tags in Scenario.objects.filter(language=language).order_by().values_list("tags", flat=True):
        counts.update({str(tag) for tag in tags})
    return [(tag, f"{tag} ({n})") for tag, n in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]


class PilotForm(forms.Form):
    n_pairs = forms.IntegerField(
        label=_("Pairs"), min_value=1, max_value=200, initial=10, help_text=_("Drawn by chance.")
    )
    overlap = forms.TypedChoiceField(
        label=_("Judgments per pair"), choices=[(1, "1"), (2, "2")], coerce=int, initial=1, widget=forms.RadioSelect
    )
    annotators = forms.BooleanField(
        label=_("The annotators of the study judge in it"),
        required=False,
        help_text=_("They then know some of its pairs. Others are added on the pilot's own page People."),
    )
    myself = forms.BooleanField(label=_("I judge in it"), required=False, initial=True)
