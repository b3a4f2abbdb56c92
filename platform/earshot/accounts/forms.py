from typing import Any

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
