"""Long lists page by cursor: each page costs the same, and rows that arrive meanwhile shift nothing."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list and the addresses of its neighbours."""

    rows: list[Row]
    previous_url: str
    next_url: str

    @property
    def shown(self) -> int:
        return len(self.rows)


def page_of(request: HttpRequest, rows: "QuerySet[Row]", *order: str, size: int = 30) -> Page[Row]:
    """The page that `?before=` or `?after=` (the primary key of the row at its edge) asks for; else the first.

    Args:
        order: fields that no two rows share all of, such as "-created_at", "-pk"; all ascending or all descending.
    """
    backwards = "before" in request.GET
    edge = _edge(rows, request.GET.get("before" if backwards else "after", ""), order)
    if edge is None:
        backwards = False
    else:
        rows = rows.filter(_beyond(order, edge, forwards=not backwards))
    direction = [_reversed(field) for field in order] if backwards else order
    found = list(rows.order_by(*direction)[: size + 1])
    has_more = len(found) > size
    found = found[:size][::-1] if backwards else found[:size]
    has_previous, has_next = (has_more, True) if backwards else (edge is not None, has_more)
    return Page(
        rows=found,
        previous_url=_address(request, before=found[0].pk) if found and has_previous else "",
        next_url=_address(request, after=found[-1].pk) if found and has_next else "",
    )


def _edge(rows: "QuerySet[Row]", key: str, order: tuple[str, ...]) -> tuple[Any, ...] | None:
    if not key:
        return None
    try:
        return rows.model._default_manager.filter(pk=key).values_list(*[field.lstrip("-") for field in order]).first()
    except (ValueError, ValidationError, OverflowError):  # not a key at all
        return None


def _beyond(order: tuple[str, ...], edge: tuple[Any, ...], *, forwards: bool) -> Q:
    wanted, same = Q(), Q()
    for field, value in zip(order, edge, strict=True):
        name = field.lstrip("-")
        comparison = "lt" if field.startswith("-") == forwards else "gt"
        wanted |= same & Q(**{f"{name}__{comparison}": value})
        same &= Q(**{name: value})
    return wanted


def _reversed(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"


def _address(request: HttpRequest, **cursor: Any) -> str:
    query = request.GET.copy()
    for name in ("before", "after"):
        query.pop(name, None)
    for name, value in cursor.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"
