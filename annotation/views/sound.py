"""Sound over HTTP Range: one small, exact sender for the listening room and for researchers.

Django's FileResponse answers 200 to a Range request; browsers then begin again at 0 on every seek. See RFC 9110, 14.
"""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from earshot.jobs import artefacts

log = logging.getLogger(__name__)

BLOCK_BYTES = 64 * 1024  # 1.4 s of a rendition at 24 kHz
# Browsers ask for all that follows ("bytes=0-"), take a minute ahead and then stop reading, as long as they play: a few
# such answers would hold every thread of the server. A shorter one fits into the socket's buffer, so its thread is free
# at once, and the browser asks on from where it ended (Content-Range says what was sent: RFC 9110, 15.3.7).
LONGEST_ANSWER_BYTES = 1024 * 1024  # 22 s of a rendition at 24 kHz
# Before anybody plays, a browser reads the beginning to learn the length, and buffers what it is given. The answers
# grow with the place they begin at, so that a page that only stands open does not cost a megabyte a side.
FIRST_ANSWER_BYTES = 64 * 1024  # 1.4 s; Chromium then stops at 256 KiB, after three answers
NO_STORE = "private, no-store"
# Which bytes nginx is to ask the store for; deploy/nginx.conf reads it. It never reaches the browser.
STORE_RANGE_HEADER = "X-Store-Range"
_ONE_RANGE = re.compile(r"[ \t]*bytes[ \t]*=[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*", re.IGNORECASE)
_BEYOND_ANY_FILE = 10**18


class RangeNotSatisfiable(ValueError):
    """No byte of the file lies in the range asked for."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes `start` up to, not including, `end` of a file of `size` bytes."""

    start: int
    end: int
    size: int
    is_partial: bool = True

    @property
    def length(self) -> int:
        return self.end - self.start


def asked_range(request: HttpRequest, size: int) -> ByteRange:
    """The bytes that a request asks for. What is malformed, or names several ranges, asks for the whole file.

    So does an If-Range: no validator is ever sent, so it can match none (RFC 9110, 13.1.5).

    Raises:
        RangeNotSatisfiable: if no byte of the file is asked for.
    """
    whole = ByteRange(0, size, size, is_partial=False)
    found = _ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or "If-Range" in request.headers:
        return whole
    first, last = (_position(digits) for digits in found.groups())
    if first is None and last is None:
        return whole
    if first is None:
        start, end = max(size - (last or 0), 0), size  # the last so many bytes
    elif last is not None and last < first:
        return whole
    else:
        start, end = first, size if last is None else min(last + 1, size)
    if start >= end:
        raise RangeNotSatisfiable(f"The file has {size} bytes; none of them lies in {found.group().strip()!r}.")
    return ByteRange(start, end, size)


def _position(digits: str) -> int | None:
    if not digits:
        return None
    return int(digits) if len(digits) < 18 else _BEYOND_ANY_FILE


def send_range(
    request: HttpRequest,
    sha256: str,
    *,
    content_type: str = "audio/wav",
    size: int,
    cache_control: str = NO_STORE,
    at_most: int = LONGEST_ANSWER_BYTES,
    at_first: int = LONGEST_ANSWER_BYTES,
    delivered: Callable[[int, int], None] | None = None,
) -> HttpResponseBase:
    """Answer with the bytes of an artefact that were asked for: 200, 206 or 416, without a validator or a file name.

    Where nginx sends the bytes it asks the store for the same range, cut to the same length. Only a whole file whose
    delivery is recorded is never left to nginx: nobody would know how much of it was taken.

    Args:
        size: of the artefact, in bytes.
        at_most: bytes in one 206, see LONGEST_ANSWER_BYTES.
        at_first: bytes in one 206 near the beginning, see FIRST_ANSWER_BYTES.
        delivered: called with (start, end), ends exclusive, as bytes leave; it must not raise. A range counts as
            delivered when it is sent, whole: of a reply it breaks off, a browser keeps what it has and asks for no byte
            of it again. A whole file counts block by block, as the browser takes it.
    Raises:
        Http404: if the store does not have the artefact.
    """
    try:
        asked = asked_range(request, size)
    except RangeNotSatisfiable:
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"}, content_type=content_type)
        return _finish(response, cache_control)
    if asked.is_partial:
        asked = replace(asked, end=min(asked.end, asked.start + answer_length(asked.start, at_first, at_most)))
    if settings.ACCEL_REDIRECT_PREFIX and (asked.is_partial or delivered is None):
        return _finish(_leave_to_nginx(request, sha256, asked, content_type, delivered), cache_control)
    headers = {"Content-Length": str(asked.length)}
    if asked.is_partial:
        headers["Content-Range"] = f"bytes {asked.start}-{asked.end - 1}/{size}"
    body: Iterator[bytes] = iter(())
    if request.method != "HEAD":
        file = _open(sha256)
        if asked.is_partial and delivered is not None:
            delivered(asked.start, asked.end)
            delivered = None
        body = _blocks(file, asked, delivered)
    status = 206 if asked.is_partial else 200
    answer = StreamingHttpResponse(body, status=status, content_type=content_type, headers=headers)
    return _finish(answer, cache_control)


def send_archive(request: HttpRequest, sha256: str, *, size: int, name: str) -> HttpResponseBase:
    """A zip archive under this file name, whole: whoever goes on with a broken download asks only once for the rest."""
    response = send_range(request, sha256, content_type="application/zip", size=size, at_most=size, at_first=size)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def answer_length(start: int, at_first: int, at_most: int) -> int:
    """How many bytes one 206 has that begins at byte `start`: few at the beginning, then ever more, up to `at_most`."""
    return min(at_most, max(at_first, start))


def _finish(response: HttpResponseBase, cache_control: str) -> HttpResponseBase:
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = cache_control
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _leave_to_nginx(
    request: HttpRequest,
    sha256: str,
    asked: ByteRange,
    content_type: str,
    delivered: Callable[[int, int], None] | None,
) -> HttpResponse:
    # nginx takes the store's ETag and Last-Modified off.
    if delivered is not None and request.method != "HEAD":
        delivered(asked.start, asked.end)
    address = f"{settings.ACCEL_REDIRECT_PREFIX.rstrip('/')}/{artefacts.artefact_name(sha256)}"
    response = HttpResponse(headers={"X-Accel-Redirect": address}, content_type=content_type)
    if asked.is_partial:
        response.headers[STORE_RANGE_HEADER] = f"bytes={asked.start}-{asked.end - 1}"
    return response


def _open(sha256: str) -> BinaryIO:
    try:
        return artefacts.open_artefact(sha256)
    except FileNotFoundError:
        log.error("The artefact %s is missing from the store, but a row still names it.", sha256)
        raise Http404("The sound is missing from the store. An admin finds its hash in the server's log.") from None


def _blocks(file: BinaryIO, asked: ByteRange, delivered: Callable[[int, int], None] | None) -> Iterator[bytes]:
    with file:
        file.seek(asked.start)
        position = asked.start
        while position < asked.end:
            block = file.read(min(BLOCK_BYTES, asked.end - position))
            if not block:
                raise OSError(f"The artefact ends at byte {position}, but its row says it has {asked.size} bytes.")
            yield block
            if delivered is not None:  # reached only when the browser wanted the block after this one, or the end
                delivered(position, position + len(block))
            position += len(block)
