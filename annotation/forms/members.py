"""Forms by which researchers name the people of a study, and the groups of its raters."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from annotation.forms.fields import LONGEST_GROUP, clean_group
from annotation.models import Membership
from earshot.accounts.models import User


def group_field(**options: Any) -> forms.CharField:
    field = forms.CharField(label=_("Rater group"), max_length=LONGEST_GROUP, required=False, **options)
    field.widget.attrs["list"] = "rater-groups"
    return field


class MemberForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"))
    role = forms.ChoiceField(label=_("As"), choices=Membership.Role.choices)
    group = group_field(help_text=_("Of annotators, such as native. Boards can be read by group."))

    def clean_email(self) -> str:
        email = cast(str, self.cleaned_data["email"])
        self.user = User.objects.filter(email__iexact=email, is_active=True).first()
        if self.user is None:
            raise ValidationError(_("Nobody signs in as %(email)s. An admin can add them first.") % {"email": email})
        return email

    def clean_group(self) -> str:
        return clean_group(self.cleaned_data["group"])


class GroupForm(forms.Form):
    """One group for several annotators at once."""

    group = group_field()
    members = forms.TypedMultipleChoiceField(required=False, coerce=int)
    everybody = forms.BooleanField(label=_("all annotators, also those on other pages"), required=False)

    def __init__(self, *args: Any, known: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.TypedMultipleChoiceField, self.fields["members"]).choices = [(pk, str(pk)) for pk in known]

    def clean_group(self) -> str:
        return clean_group(self.cleaned_data["group"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "members" in data and not data["members"] and not data.get("everybody"):
            raise ValidationError(_("Nobody is chosen. Tick the people, or all annotators."))
        return data
