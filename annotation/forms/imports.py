"""The form by which a manifest comes in."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _


class ImportForm(forms.Form):
    """One archive. What is inside is checked by the job, which can take its time."""

    archive = forms.FileField(
        label=_("Manifest folder as .zip"),
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
        error_messages={
            "required": _("Choose the .zip file of a manifest folder."),
            "empty": _("The file is empty (0 bytes). Pack the folder again."),
        },
    )

    def __init__(self, *args: Any, refused_bytes: int = 0, **kwargs: Any) -> None:
        """`refused_bytes`: the size of an upload that was turned away before it was read; it arrives as no file."""
        super().__init__(*args, **kwargs)
        archive = self.fields["archive"]
        limit = filesizeformat(settings.MAX_UPLOAD_BYTES)
        archive.help_text = _("scenarios.jsonl, dialogues.jsonl and the sounds they name; at most %(limit)s.") % {
            "limit": limit
        }
        archive.widget.attrs["data-max-bytes"] = settings.MAX_UPLOAD_BYTES
        if refused_bytes:
            archive.error_messages["required"] = _too_large(refused_bytes)

    def clean_archive(self) -> "UploadedFile[Any]":
        archive: UploadedFile[Any] = self.cleaned_data["archive"]
        size = archive.size or 0
        if size > settings.MAX_UPLOAD_BYTES:
            raise forms.ValidationError(_too_large(size))
        return archive

    @property
    def import_name(self) -> str:
        return PurePath(self.cleaned_data["archive"].name or "").stem or "upload"


def _too_large(size: int) -> str:
    return _("The file has %(size)s; %(limit)s are allowed. Send it in parts, or use the import command.") % {
        "size": filesizeformat(size),
        "limit": filesizeformat(settings.MAX_UPLOAD_BYTES),
    }
