"""The form by which a manifest comes in."""

from pathlib import PurePath

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _


class ImportForm(forms.Form):
    """One archive. What is inside is checked by the job, which can take its time."""

    archive = forms.FileField(
        label=_("Manifest folder as .zip"),
        required=False,  # the form's own words instead: an upload over the limit arrives as no file at all
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip", "required": True}),
        error_messages={"empty": _("The file is empty (0 bytes). Pack the folder again.")},
    )

    def __init__(self, *args: object, refused_bytes: int = 0, **kwargs: object) -> None:
        """`refused_bytes`: the size of an upload that was turned away before it was read."""
        super().__init__(*args, **kwargs)
        self.refused_bytes = refused_bytes
        self.fields["archive"].help_text = _(
            "scenarios.jsonl, dialogues.jsonl and the sounds they name; at most %(limit)s."
        ) % {"limit": filesizeformat(settings.MAX_UPLOAD_BYTES)}
        self.fields["archive"].widget.attrs["data-max-bytes"] = settings.MAX_UPLOAD_BYTES

    def clean_archive(self) -> UploadedFile:
        archive = self.cleaned_data["archive"]
        size = self.refused_bytes or (archive.size if archive else 0)
        if size > settings.MAX_UPLOAD_BYTES:
            raise forms.ValidationError(
                _("The file has %(size)s; %(limit)s are allowed. Send it in parts, or use the import command."),
                params={"size": filesizeformat(size), "limit": filesizeformat(settings.MAX_UPLOAD_BYTES)},
            )
        if not archive:
            raise forms.ValidationError(_("Choose the .zip file of a manifest folder."))
        return archive

    @property
    def import_name(self) -> str:
        return PurePath(self.cleaned_data["archive"].name or "").stem or "upload"
