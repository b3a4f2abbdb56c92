"""What a view behind one of the role decorators is given."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from earshot.accounts.models import User


class SignedInRequest(HttpRequest):
    """For type checkers: the middleware has put these there, and the decorator has let nobody else in."""

    user: User
    htmx: HtmxDetails
