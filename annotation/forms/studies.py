"""Forms by which researchers describe studies, choose pairs and name members."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _

from annotation.models import Dimension, Membership, Study, System
from annotation.models.studies import OVERALL
from annotation.queries.questions import DEGREES
from earshot.accounts.models import User


class StudyForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Study
        fields = [
            "title",
            "description",
            "instructions",
            "content_warning",
            "language",
            "overlap",
            "listening_policy",
            "coverage_wanted",
            "transcript_policy",
            "question_layout",
            "lease_factor",
            "lease_minimum_seconds",
            "is_simulated",
        ]
        labels = {
            "language": _("Language of the dialogues"),
            "listening_policy": _("Listening"),
            "coverage_wanted": _("Share of the speech to be heard"),
            "transcript_policy": _("Transcript"),
            "question_layout": _("Questions"),
            "lease_factor": _("A lease lasts the pair's length times"),
            "lease_minimum_seconds": _("and at least, in seconds"),
        }
        help_texts = {
            "title": _("Researchers and annotators see it."),
            "description": _("For researchers: what this study is to find out."),
            "instructions": _("For annotators: shown before the first pair. Name no system here."),
            "content_warning": _(
                "For annotators: what may be hard to hear. They read it before any sound and may skip."
            ),
            "language": _("As the scenarios name it, such as en or de. Only dialogues of this language are paired."),
            "overlap": _("How many distinct raters judge each pair. 3 is a good start."),
            "listening_policy": _("What a rater must have heard before the questions open."),
            "transcript_policy": _(
                "Words on the screen pull attention from the voice; after the first listen is mild."
            ),
            "question_layout": _(
                "One after another, each answer is given before the next question is seen, so answers colour each "
                "other less. All on one page is quicker, and raters more easily answer them alike."
            ),
            "coverage_wanted": _("From 0 to 1, per side; 0.98 leaves room for a clipped breath."),
            "lease_factor": _("How long a pair is lent after the last sign of life."),
            "is_simulated": _("Then simulated raters may judge here, and every number is marked as simulated."),
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "instructions": forms.Textarea(attrs={"rows": 4}),
            "content_warning": forms.Textarea(attrs={"rows": 2}),
            "listening_policy": forms.RadioSelect,
            "transcript_policy": forms.RadioSelect,
            "question_layout": forms.RadioSelect,
        }

    def clean_coverage_wanted(self) -> float:
        share = cast(float, self.cleaned_data["coverage_wanted"])
        if not 0 <= share <= 1:
            raise ValidationError(_("%(share)s is no share. Use a number from 0 to 1.") % {"share": share})
        return share

    def clean_overlap(self) -> int:
        overlap = cast(int, self.cleaned_data["overlap"])
        if overlap < 1:
            raise ValidationError(_("Each pair needs at least 1 judgment."))
        if self.instance.pk and self.instance.pairs.exists() and overlap != self.instance.overlap:
            raise ValidationError(
                _("Pairs were made with %(now)d judgments each. Copy the study to change that.")
                % {"now": self.initial["overlap"]}
            )
        return overlap


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
        widgets = {"question": forms.TextInput(), "help_text": forms.Textarea(attrs={"rows": 2})}

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
        ordered = sorted(
            self.kept(), key=lambda row: (row.cleaned_data["key"] == OVERALL, row.cleaned_data["position"])
        )
        return [{name: row.cleaned_data[name] for name in RUBRIC_FIELDS} for row in ordered]


RubricFormSet = formset_factory(
    DimensionForm, formset=BaseRubricFormSet, extra=1, max_num=12, can_delete=True, can_delete_extra=False
)


class PairsForm(forms.Form):
    """Which systems meet."""

    systems = forms.ModelMultipleChoiceField(
        System.objects.none(), label=_("Systems"), widget=forms.CheckboxSelectMultiple, required=True
    )
    reference = forms.ModelChoiceField(
        System.objects.none(),
        label=_("Against a reference"),
        required=False,
        empty_label=_("no: all pairs of systems"),
        help_text=_("With a reference, each other system meets only it: fewer votes, a weaker comparison of the rest."),
    )

    def __init__(self, *args: Any, study: Study, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        spoken = System.objects.filter(dialogues__scenario__language=study.language).distinct()
        for name in ("systems", "reference"):
            cast(forms.ModelChoiceField, self.fields[name]).queryset = spoken  # type: ignore[type-arg]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        systems, reference = data.get("systems"), data.get("reference")
        if systems is not None and len(systems) < 2:
            self.add_error("systems", _("A pair needs two systems. Choose at least 2."))
        elif systems is not None and reference is not None and reference not in systems:
            self.add_error("reference", _("The reference is not among the chosen systems. Tick it above."))
        return data


class MemberForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"))
    role = forms.ChoiceField(label=_("As"), choices=Membership.Role.choices)

    def clean_email(self) -> str:
        email = cast(str, self.cleaned_data["email"])
        self.user = User.objects.filter(email__iexact=email, is_active=True).first()
        if self.user is None:
            raise ValidationError(_("Nobody signs in as %(email)s. An admin can add them first.") % {"email": email})
        return email
