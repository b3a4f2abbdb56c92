"""An upload that is over the limit is refused by its announced size, before a byte of it is kept."""

from collections.abc import Mapping
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler

FORM_BYTES = 64 * 1024  # what the form around the file may add


class CappedUploadHandler(TemporaryFileUploadHandler):
    """Keeps the file on disk. Past MAX_UPLOAD_BYTES it reads on, so that the browser sees the answer, but keeps nothing.

    The announced size (Content-Length) is what the server really reads: a body cannot be longer.
    """

    sent_bytes = 0

    def handle_raw_input(
        self,
        input_data: BinaryIO,
        META: Mapping[str, Any],
        content_length: int,
        boundary: bytes,
        encoding: str | None = None,
    ) -> None:
        self.sent_bytes = content_length

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self.is_too_large:
            raise StopUpload(connection_reset=False)
        super().new_file(*args, **kwargs)

    @property
    def is_too_large(self) -> bool:
        return self.sent_bytes > settings.MAX_UPLOAD_BYTES + FORM_BYTES
