"""Forms of becoming an annotator: the link, the account behind it, and what a study asks before the first pair."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotation.models import Study
from earshot.accounts.models import User

LONGEST_INVITATION = timedelta(days=366)


def in_two_weeks() -> date:
    return (timezone.now() + timedelta(days=14)).date()


class InvitationForm(forms.Form):
    note = forms.CharField(
        label=_("Note"), max_length=200, help_text=_("For you: whom the link is for, such as 'second-year students'.")
    )
    max_uses = forms.IntegerField(label=_("How many people"), min_value=1, max_value=100_000, initial=1)
    last_day = forms.DateField(
        label=_("Last day"),
        initial=in_two_weeks,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The link opens until midnight (UTC)."),
    )

    def clean_last_day(self) -> date:
        day = cast(date, self.cleaned_data["last_day"])
        today = timezone.now().date()
        if day < today:
            raise ValidationError(_("%(day)s is over. Choose today or a later day.") % {"day": day})
        if day > today + LONGEST_INVITATION:
            raise ValidationError(_("A link lasts a year at most. Choose an earlier day."))
        return day

    def values(self) -> dict[str, Any]:
        end = datetime.combine(self.cleaned_data["last_day"] + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
        return {"note": self.cleaned_data["note"], "max_uses": self.cleaned_data["max_uses"], "expires_at": end}


class JoinForm(forms.Form):
    """An account for whoever opens an invitation without one."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Researchers of the study see it."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("E-mail address"),
        help_text=_("What you sign in with."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        help_text=_("At least 10 characters."),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("password"):
            person = User(email=data.get("email", ""), name=data.get("name", ""))
            try:
                validate_password(data["password"], person)
            except ValidationError as error:
                self.add_error("password", error)
        return data


class EntryForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a study asks of people before their first pair, and what crowd workers leave with."""

    completion_url = forms.URLField(
        label=_("Link back"),
        required=False,
        assume_scheme="https",
        max_length=200,
        help_text=_("Where crowd workers go with the code, such as the completion link of their site."),
    )

    class Meta:
        model = Study
        fields = [
            "entry",
            "consent_text",
            "shows_agreement",
            "pairs_per_participant",
            "completion_code",
            "completion_url",
        ]
        labels = {
            "entry": _("Before the first pair"),
            "consent_text": _("Consent"),
            "shows_agreement": _("Annotators see how often they agree with gold pairs"),
            "pairs_per_participant": _("Pairs per crowd worker"),
            "completion_code": _("Completion code"),
        }
        help_texts = {
            "entry": _("Simulated raters are never asked."),
            "consent_text": _(
                "Empty: the usual text, in the reader's language. Who agreed to another text is asked again."
            ),
            "pairs_per_participant": _("Then they get the code. Empty: as long as pairs are open to them."),
            "completion_code": _("Shown when their pairs are done."),
        }
        widgets = {"entry": forms.RadioSelect, "consent_text": forms.Textarea(attrs={"rows": 8})}

    def clean_pairs_per_participant(self) -> int | None:
        number = cast(int | None, self.cleaned_data["pairs_per_participant"])
        if number == 0:
            raise ValidationError(_("Give at least 1 pair, or leave it empty."))
        return number
