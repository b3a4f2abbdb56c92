"""Sound that is no dialogue's: what people train on, and are checked with."""

from typing import Protocol

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from annotation import material
from annotation.views.sound import NO_STORE, RangeNotSatisfiable, asked_range

SHIPPED = "private, max-age=86400"  # the name follows from the content


@require_safe
@login_required
def example(request: HttpRequest, name: str) -> HttpResponse:
    """One of the examples that explain the questions; they are the same for everybody."""
    stimulus = material.stimulus_named(name)
    if stimulus is None:
        raise Http404("There is no example of this name.")
    return send_stimulus(request, stimulus, cache_control=SHIPPED)


class Sounding(Protocol):
    @property
    def content_type(self) -> str: ...

    def content(self) -> bytes: ...


def send_stimulus(request: HttpRequest, stimulus: Sounding, *, cache_control: str = NO_STORE) -> HttpResponse:
    """The sound, or the range of it that was asked for: Safari plays nothing from a server that knows no ranges."""
    content = stimulus.content()
    headers = {"Accept-Ranges": "bytes", "Cache-Control": cache_control, "X-Content-Type-Options": "nosniff"}
    try:
        asked = asked_range(request, len(content))
    except RangeNotSatisfiable:
        headers["Content-Range"] = f"bytes */{len(content)}"
        return HttpResponse(status=416, headers=headers, content_type=stimulus.content_type)
    if asked.is_partial:
        headers["Content-Range"] = f"bytes {asked.start}-{asked.end - 1}/{asked.size}"
    return HttpResponse(
        content[asked.start : asked.end],
        status=206 if asked.is_partial else 200,
        headers=headers,
        content_type=stimulus.content_type,
    )
