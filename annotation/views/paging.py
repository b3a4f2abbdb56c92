"""Lists of annotation, newest first."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from earshot.paging import Page, page_of

Row = TypeVar("Row", bound=Model)


def newest_first(request: HttpRequest, rows: "QuerySet[Row]", *, size: int = 30) -> Page[Row]:
    """One page of rows in the order in which they were made, the newest first."""
    return page_of(request, rows, "-pk", size=size)
