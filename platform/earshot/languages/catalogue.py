"""The compiled words of the scripts: what changes their address when they change."""

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import to_locale

DOMAINS = ("django", "djangojs")  # what pages say, what scripts say
TRANSLATED_LANGUAGES = [language for language in settings.KNOWN_LANGUAGES if language != settings.LANGUAGE_CODE]


def compiled_file(language: str, domain: str) -> Path:
    """Where gettext finds the words of a language; `domain` is one of DOMAINS."""
    return Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / f"{domain}.mo"


@cache
def version(language: str) -> str:
    """Twelve hex digits that change with the scripts' words; the original, English, has no file and is "original"."""
    path = compiled_file(language, "djangojs")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else "original"
