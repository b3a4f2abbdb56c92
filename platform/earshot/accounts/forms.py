from typing import Any, ClassVar

from allauth.account import forms as allauth
from django import forms

from earshot.accounts.models import Role, User


class UserForm(forms.ModelForm):  # type: ignore[type-arg]  # no [] at run time
    class Meta:
        model = User
        fields = ("name", "role", "is_active")
        help_texts = {
            "role": "Annotators judge; researchers run studies, too; admins also manage people and systems.",
            "is_active": "Without it the person is signed out at once. Their judgments stay.",
        }


class NewUserForm(forms.Form):
    email = forms.EmailField(label="E-mail address", help_text="What they sign in with.")
    name = forms.CharField(label="Name", max_length=120, required=False)
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.ANNOTATOR)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(f"{email} has an account already. Look for it in the list of users.")
        return email


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # no [] at run time
    class Meta:
        model = User
        fields = ("name",)
        help_texts: dict[str, Any] = {"name": "Shown to researchers and admins instead of your address."}


class InOurWords(forms.Form):
    """Put before a form of allauth: our labels, and no placeholders, which would only say the label again."""

    labels: ClassVar[dict[str, str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in self.labels.items():
            self.fields[name].label = label
            self.fields[name].widget.attrs.pop("placeholder", None)


ADDRESS = {"email": "E-mail address"}
NEW_PASSWORD = {"password1": "New password", "password2": "New password again"}


class LoginForm(InOurWords, allauth.LoginForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = {"login": "E-mail address", "password": "Password"}


class AddEmailForm(InOurWords, allauth.AddEmailForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = ADDRESS


class ResetPasswordForm(InOurWords, allauth.ResetPasswordForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = ADDRESS


class ResetPasswordKeyForm(InOurWords, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = NEW_PASSWORD


class SetPasswordForm(InOurWords, allauth.SetPasswordForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = NEW_PASSWORD


class ChangePasswordForm(InOurWords, allauth.ChangePasswordForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = {"oldpassword": "Current password", **NEW_PASSWORD}


class ReauthenticateForm(InOurWords, allauth.ReauthenticateForm):  # type: ignore[misc]
    labels: ClassVar[dict[str, str]] = {"password": "Password"}
