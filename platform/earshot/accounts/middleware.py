from collections.abc import Callable
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from earshot.accounts.access import signed_in

SIGNING = {"account_login", "account_logout"}


class LinkAccountMiddleware:
    """Whoever signs in by a crowd site's link alone has no address, password or second factor to look after.

    A password would end the link (whoever has it knows the id), and with an address that nobody knows the person could
    never sign in again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        match = request.resolver_match
        is_own_account = match is not None and match.route.startswith("account/") and match.url_name not in SIGNING
        if is_own_account and request.user.is_authenticated and signed_in(request).signs_in_by_link:
            raise PermissionDenied(
                _("You sign in by the link of your site, so there is no address or password to change here.")
            )


class HtmxSignInMiddleware:
    """An expired sign-in sends the whole page to the sign-in form, never the form into a card."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.htmx and response.status_code == 302 and not request.user.is_authenticated:  # type: ignore[attr-defined]
            sign_in = resolve_url("account_login")
            if response["Location"].startswith(sign_in):
                here = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
                return HttpResponseClientRedirect(f"{sign_in}?{urlencode({'next': here}, safe='/')}")
        return response
