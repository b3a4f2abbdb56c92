from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from earshot.languages.choosing import is_offered


class PersonsLanguageMiddleware:
    """Who has chosen a language reads it in every browser; Django's LocaleMiddleware has asked cookie and browser."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = getattr(request.user, "language", "")  # nobody's is empty
        if is_offered(chosen):
            translation.activate(chosen)
            request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)
