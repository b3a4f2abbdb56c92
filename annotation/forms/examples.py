"""The form by which a researcher adds an example to hear to a question."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from annotation.queries.wording import LANGUAGES

LARGEST_BYTES = 20 * 1024 * 1024  # half a minute of 192 kHz stereo


class ExampleForm(forms.Form):
    sound = forms.FileField(
        label=_("Sound"),
        help_text=_("At most 30 seconds: WAV, FLAC, Ogg, Opus or MP3. It is made mono and as loud as the dialogues."),
    )
    side = forms.ChoiceField(
        label=_("It shows"),
        choices=[("better", _("what is better")), ("worse", _("what is worse"))],
        widget=forms.RadioSelect,
        initial="better",
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=list(LANGUAGES.items()),
        help_text=_("Of the words below: whose pages are in it hears this one."),
    )
    words = forms.CharField(
        label=_("What to listen for"), max_length=120, help_text=_("Such as: the voice rises where the joke is.")
    )

    def clean_sound(self) -> "UploadedFile[Any]":
        sound = cast("UploadedFile[Any]", self.cleaned_data["sound"])
        if (sound.size or 0) > LARGEST_BYTES:
            raise ValidationError(
                _("The file has %(n).1f MB; an example has at most %(most)d. Cut it to the moment that matters.")
                % {"n": (sound.size or 0) / 1024**2, "most": LARGEST_BYTES // 1024**2}
            )
        return sound
