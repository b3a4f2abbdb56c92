"""Which language a page is in: the person's own choice, else the browser's cookie, else what the browser asks for."""

from django.conf import settings
from django.http import HttpResponseBase

from earshot.accounts.models import User


def is_offered(language: str) -> bool:
    return language in dict(settings.LANGUAGES)


def keep_choice(user: User, language: str, response: HttpResponseBase) -> None:
    """Keep a person's choice on their account, and in this browser for the pages before signing in.

    An empty `language` takes the choice back: then the browser decides.
    """
    User.objects.filter(pk=user.pk).update(language=language)
    if language:
        keep_in_browser(language, response)
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, settings.LANGUAGE_COOKIE_PATH)


def keep_in_browser(language: str, response: HttpResponseBase) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
