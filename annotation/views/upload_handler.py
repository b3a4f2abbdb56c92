"""An upload that is over the limit is refused by its announced size, before a byte of it is kept."""

from typing import IO, Any

from django.conf import settings
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler

FORM_BYTES = 64 * 1024  # what the form around the file may add


class CappedUploadHandler(TemporaryFileUploadHandler):
    """Keeps the file on disk; past MAX_UPLOAD_BYTES it keeps nothing, but reads on: the browser must see the answer.

    The announced size (Content-Length) is what the server really reads: a body cannot be longer.
    """

    sent_bytes = 0

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, Any],
        content_length: int,
        boundary: str,
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
