"""The form by which researchers describe a study, in sections as they think of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from annotation.forms.fields import GroupsField, OneInField, QuotasField
from annotation.models import Study
from annotation.models.studies import CHECK_RATE
from annotation.queries.counting import judgments_in_time


@dataclass(frozen=True)
class Section:
    title: Any
    help: Any
    names: tuple[str, ...]


SECTIONS = (
    Section(
        _("What is asked"),
        _("The questions themselves are the rubric, on a page of its own."),
        ("title", "description", "instructions", "content_warning", "language"),
    ),
    Section(
        _("Who listens"),
        _("People are added on the page People, and put into groups there."),
        ("eligible_groups", "is_simulated"),
    ),
    Section(
        _("How they listen"),
        _("What a rater meets is the same for every vote, so it stays as it is once there are votes."),
        ("listening_policy", "coverage_wanted", "transcript_policy", "question_layout"),
    ),
    Section(
        _("How pairs are lent"),
        _("A pair is lent to one rater at a time, as long as there is a sign of life."),
        ("overlap", "selection", "uniform_floor", "check_rate", "lease_factor", "lease_minimum_seconds"),
    ),
    Section(
        _("When it is enough"),
        _("Without these, the study is done when every pair has its judgments."),
        ("agreeing_votes_enough", "half_width_enough", "raters_at_least"),
    ),
    Section(
        _("Budget"),
        _(
            "What is empty has no limit. When judgments or hours are used up the study pauses, and its page says why; "
            "a rater or a group at its limit is lent nothing more."
        ),
        ("judgments_at_most", "hours_at_most", "pairs_per_rater", "group_quotas"),
    ),
)

MOST_OVERLAP = 1000  # more distinct raters nobody has
LABELS = {
    "language": _("Language of the dialogues"),
    "listening_policy": _("Listening"),
    "coverage_wanted": _("Share of the speech to be heard"),
    "transcript_policy": _("Transcript"),
    "question_layout": _("Questions"),
    "selection": _("Which pair is next"),
    "uniform_floor": _("Share of the picks that is uniform all the same"),
    "lease_factor": _("A lease lasts the pair's length times"),
    "lease_minimum_seconds": _("and at least, in seconds"),
    "agreeing_votes_enough": _("Agreeing votes that close a pair"),
    "half_width_enough": _("Half width of the intervals, in logits"),
    "raters_at_least": _("… and at least so many raters"),
    "judgments_at_most": _("Judgments at most"),
    "hours_at_most": _("Hours of sound at most"),
    "pairs_per_rater": _("Pairs per rater at most"),
}
HELP = {
    "title": _("Researchers and annotators see it."),
    "description": _("For researchers: what this study is to find out."),
    "instructions": _("For annotators: shown before the first pair. Name no system here."),
    "content_warning": _("For annotators: what may be hard to hear. They read it before any sound and may skip."),
    "language": _("As the scenarios name it, such as en or de. Only dialogues of this language are paired."),
    "overlap": _("How many distinct raters judge each pair. 3 is a good start."),
    "listening_policy": _("What a rater must have heard before the questions open."),
    "transcript_policy": _("Words on the screen pull attention from the voice; after the first listen is mild."),
    "question_layout": _(
        "One after another, each answer is given before the next question is seen, so answers colour each "
        "other less. All on one page is quicker, and raters more easily answer them alike."
    ),
    "coverage_wanted": _("From 0 to 1, per side; 0.98 leaves room for a clipped breath."),
    "selection": _("Adaptive needs fewer votes to tell neighbours apart. The chance of each pick is kept with it."),
    "uniform_floor": _("Of adaptive picks, above 0 and up to 1; 0.1 keeps every pair possible."),
    "lease_factor": _("How long a pair is lent after the last sign of life."),
    "is_simulated": _("Then simulated raters may judge here, and every number is marked as simulated."),
    "agreeing_votes_enough": _(
        "When so many raters prefer the same side and nobody the other, the pair takes no more. Empty: never early."
    ),
    "half_width_enough": _(
        "When the 95 % interval of every system on overall is at most this wide to either side, the study pauses. "
        "Such as 0.3. Plan it before the first vote: a width chosen after looking claims more than it knows."
    ),
    "raters_at_least": _("Before a width says that it is enough. Few raters make intervals that are too short."),
    "judgments_at_most": _("Of regular pairs; checks come on top."),
    "hours_at_most": _("Both sides of every pair that was lent to be heard."),
    "pairs_per_rater": _("So that a few busy raters do not speak for all."),
}


class StudyForm(forms.ModelForm):  # type: ignore[type-arg]
    eligible_groups = GroupsField(
        label=_("Groups that may judge"),
        required=False,
        max_length=500,
        help_text=_("With commas between, such as native, expert. Empty: everybody who is added."),
    )
    group_quotas = QuotasField(
        label=_("Judgments per group at most"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("A line for each group that has a limit, such as native: 300."),
    )
    check_rate = OneInField(
        label=_("One pair in so many is a check"),
        required=False,
        initial=CHECK_RATE,
        help_text=_("6 is the protocol's. A rater cannot tell a check. Empty: none."),
    )

    class Meta:
        model = Study
        fields = [name for section in SECTIONS for name in section.names]
        labels = LABELS
        help_texts = HELP
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "instructions": forms.Textarea(attrs={"rows": 4}),
            "content_warning": forms.Textarea(attrs={"rows": 2}),
            "listening_policy": forms.RadioSelect,
            "transcript_policy": forms.RadioSelect,
            "question_layout": forms.RadioSelect,
            "selection": forms.RadioSelect,
        }

    @property
    def sections(self) -> Iterator[tuple[Section, list[forms.BoundField]]]:
        """The page's fieldsets: each with its fields."""
        for section in SECTIONS:
            yield section, [self[name] for name in section.names]

    def clean_coverage_wanted(self) -> float:
        share = cast(float, self.cleaned_data["coverage_wanted"])
        if not 0 <= share <= 1:
            raise ValidationError(_("%(share)s is no share. Use a number from 0 to 1.") % {"share": share})
        return share

    def clean_overlap(self) -> int:
        overlap = cast(int, self.cleaned_data["overlap"])
        if not 1 <= overlap <= MOST_OVERLAP:
            raise ValidationError(_("Each pair needs 1 to %(most)d judgments.") % {"most": MOST_OVERLAP})
        if self.instance.pk and self.instance.pairs.exists() and overlap != self.instance.overlap:
            raise ValidationError(
                _("Pairs were made with %(now)d judgments each. Copy the study to change that.")
                % {"now": self.initial["overlap"]}
            )
        return overlap

    def clean_lease_factor(self) -> float:
        factor = cast(float, self.cleaned_data["lease_factor"])
        if not 1 <= factor <= 100:
            raise ValidationError(
                _("%(n)s times its length is no time to hear a pair in. Use 1 to 100; 3 is a good start.")
                % {"n": factor}
            )
        return factor

    def clean_lease_minimum_seconds(self) -> int:
        seconds = cast(int, self.cleaned_data["lease_minimum_seconds"])
        if not 60 <= seconds <= 86_400:
            raise ValidationError(_("%(n)d s cannot be. Use 60 s to 86,400 s, a day.") % {"n": seconds})
        return seconds

    def clean_uniform_floor(self) -> float:
        share = cast(float, self.cleaned_data["uniform_floor"])
        if not 0 < share <= 1:
            raise ValidationError(
                _("%(share)s cannot be: some picks must stay uniform. Use a number above 0 and up to 1, such as 0.1.")
                % {"share": share}
            )
        return share

    def clean_half_width_enough(self) -> float | None:
        width = cast(float | None, self.cleaned_data["half_width_enough"])
        if width is not None and not 0.01 <= width <= 10:
            raise ValidationError(
                _("%(width)s logits would stop it never or at once. Use a number such as 0.3, or leave it empty.")
                % {"width": width}
            )
        return width

    def clean_raters_at_least(self) -> int:
        raters = cast(int, self.cleaned_data["raters_at_least"])
        if raters < 2:
            raise ValidationError(_("One rater alone says nothing about others. Use 2 or more; 5 is a good start."))
        return raters

    def clean_hours_at_most(self) -> float | None:
        hours = cast(float | None, self.cleaned_data["hours_at_most"])
        if hours is not None and not 0 < hours < float("inf"):
            raise ValidationError(_("%(n)s hours is no budget. Use more than 0, or leave it empty.") % {"n": hours})
        return hours

    def clean_pairs_per_rater(self) -> int | None:
        return self._one_or_more("pairs_per_rater")

    def clean_judgments_at_most(self) -> int | None:
        most = self._one_or_more("judgments_at_most")
        if most is not None and self.instance.pk and "judgments_at_most" in self.changed_data:
            given = judgments_in_time(self.instance).count()
            if most < given:
                raise ValidationError(
                    _("%(given)d judgments were given already. Use %(given)d or more; to end it now, finish it.")
                    % {"given": given}
                )
        return most

    def _one_or_more(self, name: str) -> int | None:
        number = cast(int | None, self.cleaned_data[name])
        if number == 0:
            raise ValidationError(_("Use 1 or more, or leave it empty for no limit."))
        return number

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        agreeing, overlap = data.get("agreeing_votes_enough"), data.get("overlap")
        if agreeing is not None and agreeing < 2:
            self.add_error("agreeing_votes_enough", _("One vote agrees with itself. Use 2 or more, or leave it empty."))
        elif agreeing is not None and overlap is not None and agreeing > overlap:
            self.add_error(
                "agreeing_votes_enough",
                _("%(n)d is more than the %(overlap)d judgments of a pair, so it never comes. Use at most %(overlap)d.")
                % {"n": agreeing, "overlap": overlap},
            )
        self._check_quotas(data)
        return data

    def _check_quotas(self, data: dict[str, Any]) -> None:
        eligible, quotas = data.get("eligible_groups"), data.get("group_quotas")
        strangers = [name for name in quotas or {} if eligible and name not in eligible]
        if strangers:
            self.add_error(
                "group_quotas",
                _("%(names)s may not judge here. Add it to the groups that may judge, or take its quota out.")
                % {"names": ", ".join(strangers)},
            )
