from typing import Any, ClassVar

from allauth.account import forms as allauth
from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from earshot.accounts.models import Role, User

Labels = dict[str, str | Promise]


class UserForm(forms.ModelForm):  # type: ignore[type-arg]  # no [] at run time
    class Meta:
        model = User
        fields = ("name", "role", "is_active")
        help_texts = {
            "role": _("Annotators judge; researchers run studies, too; admins also manage people and systems."),
            "is_active": _("Without it the person is signed out at once. Their judgments stay."),
        }


class NewUserForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), help_text=_("What they sign in with."))
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.ANNOTATOR)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(
                _("%(email)s has an account already. Look for it in the list of users."), params={"email": email}
            )
        return email


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # no [] at run time
    language = forms.ChoiceField(label=_("Language"), required=False)

    class Meta:
        model = User
        fields = ("name", "language")
        help_texts: dict[str, Any] = {"name": _("Shown to researchers and admins instead of your address.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(settings.LANGUAGES) == 1:
            del self.fields["language"]
        else:
            self.fields["language"].choices = [("", _("As the browser asks for")), *settings.LANGUAGES]  # type: ignore[attr-defined]


class InOurWords(forms.Form):
    """Put before a form of allauth: our labels, and no placeholders, which would only say the label again."""

    labels: ClassVar[Labels]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in self.labels.items():
            self.fields[name].label = label  # type: ignore[assignment]  # lazy words are as good as words
            self.fields[name].widget.attrs.pop("placeholder", None)


ADDRESS: Labels = {"email": _("E-mail address")}
NEW_PASSWORD: Labels = {"password1": _("New password"), "password2": _("New password again")}


class LoginForm(InOurWords, allauth.LoginForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = {"login": _("E-mail address"), "password": _("Password")}


class AddEmailForm(InOurWords, allauth.AddEmailForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = ADDRESS


class ResetPasswordForm(InOurWords, allauth.ResetPasswordForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = ADDRESS


class ResetPasswordKeyForm(InOurWords, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = NEW_PASSWORD


class SetPasswordForm(InOurWords, allauth.SetPasswordForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = NEW_PASSWORD


class ChangePasswordForm(InOurWords, allauth.ChangePasswordForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = {"oldpassword": _("Current password"), **NEW_PASSWORD}


class ReauthenticateForm(InOurWords, allauth.ReauthenticateForm):  # type: ignore[misc]
    labels: ClassVar[Labels] = {"password": _("Password")}
