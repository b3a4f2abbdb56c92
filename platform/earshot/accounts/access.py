"""Who may open a page. A wrong role is told so plainly (403); what is another's is not there at all (404)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from earshot.accounts.models import User

View = Callable[..., HttpResponseBase]


def _require(claim: str, message: Promise) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not getattr(request.user, claim):
                raise PermissionDenied(message)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


researcher_required = _require(
    "is_researcher", _("This page is for researchers. Ask an admin for the role if you need it.")
)
admin_required = _require("is_admin", _("This page is for admins. Ask one of them to do this for you."))


def signed_in(request: HttpRequest) -> User:
    """The person behind a request that a decorator above has let in."""
    assert isinstance(request.user, User)
    return request.user
