"""Long lists page by cursor: each page costs the same, and rows that arrive meanwhile shift nothing."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)
MOST_DIGITS = 18


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, newest first, and the addresses of its neighbours."""

    rows: list[Row]
    previous_url: str
    next_url: str

    @property
    def shown(self) -> int:
        return len(self.rows)


def newest_first(request: HttpRequest, rows: "QuerySet[Row]", *, size: int = 30) -> Page[Row]:
    """The page that `?before=` or `?after=` (a primary key) asks for; without either, the newest rows."""
    before, after = _key(request, "before"), _key(request, "after")
    if after is not None:
        found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
        has_newer, has_older = len(found) > size, True
        found = found[:size][::-1]
    else:
        if before is not None:
            rows = rows.filter(pk__lt=before)
        found = list(rows.order_by("-pk")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        found = found[:size]
    return Page(
        rows=found,
        previous_url=_address(request, after=found[0].pk) if found and has_newer else "",
        next_url=_address(request, before=found[-1].pk) if found and has_older else "",
    )


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def _address(request: HttpRequest, **cursor: Any) -> str:
    query = request.GET.copy()
    for name in ("before", "after"):
        query.pop(name, None)
    for name, value in cursor.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"
