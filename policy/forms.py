"""The forms by which admins make a first policy, have one speak, and start a round."""

from dataclasses import fields
from itertools import combinations
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from policy.models import PolicyCheckpoint
from policy.services import names, scenarios
from policy.services.plans import HELD_OUT, MOST_SEED, TRAIN, RoundPlan, SpeechPlan
from rewardmodel.models import RewardModelRun


def _seed_field() -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=MOST_SEED,
        initial=1,
        help_text=_("The same seed and choices give the same result, bit by bit."),
    )


def _free(name: str) -> str:
    """Raises: ValidationError, if the name is in use or asked for."""
    names.refuse_taken(name)
    return name


class PolicyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=200,
        help_text=_("The system under which its dialogues stand. Annotators never see it."),
    )
    seed = _seed_field()
    steps = forms.IntegerField(
        label=_("Steps"),
        min_value=1,
        max_value=100_000,
        required=False,
        help_text=_("Of the supervised start. Empty: as many as the program finds fitting."),
    )

    def clean_name(self) -> str:
        return _free(self.cleaned_data["name"])


class SpeechForm(forms.Form):
    part = forms.ChoiceField(
        label=_("Practice texts"),
        choices=[
            (TRAIN, _("for training: what reward models and rounds learn from")),
            (HELD_OUT, _("held out: what new and old policies are compared on")),
        ],
        widget=forms.RadioSelect,
        initial=TRAIN,
    )
    per_text = forms.IntegerField(
        label=_("Scenarios of each text"),
        min_value=1,
        max_value=64,
        initial=4,
        help_text=_("A scenario is a text and what the user feels in each exchange."),
    )
    samples = forms.IntegerField(
        label=_("Dialogues of each scenario"),
        min_value=1,
        max_value=64,
        initial=4,
        help_text=_("Two or more can be compared with each other."),
    )
    seed = _seed_field()
    title = forms.CharField(
        label=_("Title of a study of them"),
        max_length=200,
        required=False,
        help_text=_(
            "All pairs of dialogues of one scenario. Annotators see the title: name no system. Empty: no study."
        ),
    )
    overlap = forms.IntegerField(label=_("Judgments per pair"), min_value=1, max_value=100, initial=1)
    is_simulated = forms.BooleanField(
        label=_("Simulated raters judge there"),
        required=False,
        help_text=_("Then every number that comes of it is marked as simulated."),
    )
    start = forms.BooleanField(label=_("Start the study at once"), required=False)

    @property
    def plan(self) -> SpeechPlan:
        chosen = self.cleaned_data
        return SpeechPlan(**{name: chosen[name] for name in ("part", "per_text", "samples", "seed")})

    @property
    def study(self) -> dict[str, Any] | None:
        chosen = self.cleaned_data
        if not chosen["title"]:
            return None
        return {name: chosen[name] for name in ("title", "overlap", "is_simulated", "start")}


class RoundForm(forms.Form):
    policy = forms.ModelChoiceField(
        PolicyCheckpoint.objects.none(),
        label=_("Policy"),
        empty_label=_("Choose one"),
        help_text=_("Where the update starts, and the reference that the new policy is compared with."),
    )
    reward_models = forms.ModelMultipleChoiceField(
        RewardModelRun.objects.none(),
        label=_("Reward models"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "With several, the reward is their mean less their disagreement: a trick that fools one pays little."
        ),
    )
    held_out_reward_model = forms.ModelChoiceField(
        RewardModelRun.objects.none(),
        label=_("Held-out reward model"),
        required=False,
        empty_label=_("none"),
        help_text=_(
            "It gives no reward. The round stops if it falls while the others rise. Best trained on other votes: one "
            "of the same snapshot errs as the others do."
        ),
    )
    system = forms.CharField(
        label=_("Name of the new policy"),
        max_length=200,
        help_text=_("The system under which its dialogues stand. Annotators never see it."),
    )
    steps = forms.IntegerField(label=_("Steps"), min_value=1, max_value=100_000, initial=RoundPlan.steps)
    kl_target = forms.FloatField(
        label=_("KL target, nats per token"),
        min_value=0.001,
        max_value=10,
        initial=RoundPlan.kl_target,
        help_text=_("How far the new policy may go from the reference on held-out scenarios."),
    )
    seed = _seed_field()
    catalogue = forms.TypedChoiceField(
        label=_("Scenarios"),
        choices=[
            ("", _("drawn from the practice texts")),
            ("yes", _("those of the catalogue with the tag practice: train to learn on, held_out to compare on")),
        ],
        coerce=bool,
        required=False,
        widget=forms.RadioSelect,
        initial="",
    )
    tag = forms.ChoiceField(
        label=_("Tag of the catalogue's scenarios"),
        required=False,
        help_text=_("A set of scenarios: only those with this tag. Offered are tags that both parts have."),
    )
    per_text = forms.IntegerField(
        label=_("Held-out scenarios of each text"),
        min_value=1,
        max_value=64,
        initial=RoundPlan.per_text,
        help_text=_("Where they are drawn. New and reference speak the same ones."),
    )
    samples = forms.IntegerField(
        label=_("Dialogues of each held-out scenario"),
        min_value=1,
        max_value=64,
        initial=RoundPlan.samples,
        help_text=_("Of each policy. Each of the new policy's meets one of the reference's."),
    )
    overlap = forms.IntegerField(label=_("Judgments per pair"), min_value=1, max_value=100, initial=RoundPlan.overlap)
    start_study = forms.BooleanField(
        label=_("Start the study at once"),
        required=False,
        help_text=_("Else it is a draft that you can look at first."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        policies = PolicyCheckpoint.objects.select_related("system")
        ready = RewardModelRun.objects.registered().select_related("snapshot")
        for name, rows in (("policy", policies), ("reward_models", ready), ("held_out_reward_model", ready)):
            cast(forms.ModelChoiceField, self.fields[name]).queryset = rows  # type: ignore[type-arg]
        tags = scenarios.tags_to_choose()
        cast(forms.ChoiceField, self.fields["tag"]).choices = [("", _("any")), *((tag, tag) for tag in tags)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        held_out, models = cleaned.get("held_out_reward_model"), list(cleaned.get("reward_models", []))
        if held_out in models:
            self.add_error("held_out_reward_model", _("It gives the reward already. Choose another, or none."))
        elif held_out is not None and (copied := next(filter(held_out.is_same_as, models), None)):
            sentence = _("It is bit by bit '%(copied)s', which gives the reward. Choose another, or none.")
            self.add_error("held_out_reward_model", sentence % {"copied": copied})
        for model, other in combinations(sorted(models, key=lambda model: model.pk), 2):
            if model.is_same_as(other):
                sentence = _("'%(other)s' is bit by bit '%(model)s', so it is no second opinion. Choose one of them.")
                self.add_error("reward_models", sentence % {"other": other, "model": model})
        if cleaned.get("tag") and not cleaned.get("catalogue"):
            self.add_error("tag", _("A tag chooses among scenarios of the catalogue. Choose those above, or no tag."))
        return cleaned

    def clean_system(self) -> str:
        return _free(self.cleaned_data["system"])

    @property
    def judges(self) -> list[RewardModelRun]:
        held_out = self.cleaned_data["held_out_reward_model"]
        return [*self.cleaned_data["reward_models"], *([held_out] if held_out else [])]

    @property
    def held_out_shares_votes(self) -> bool:
        """Whether the held-out model learned from the votes that taught another: then both err alike."""
        held_out = self.cleaned_data["held_out_reward_model"]
        votes = {model.snapshot.content_id for model in self.cleaned_data["reward_models"]}
        return held_out is not None and held_out.snapshot.content_id in votes

    @property
    def plan(self) -> RoundPlan:
        chosen = {field.name: self.cleaned_data[field.name] for field in fields(RoundPlan)}
        return RoundPlan(**{**chosen, "catalogue": bool(chosen["catalogue"])})
