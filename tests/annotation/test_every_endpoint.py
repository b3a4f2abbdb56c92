"""No address is forgotten: each one of the product refuses whoever has not signed in."""

import uuid

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import IntConverter, UUIDConverter

pytestmark = pytest.mark.django_db

# Open on purpose: health for load balancers, and what one needs in order to sign in and to read that page.
OPEN = {
    "health",
    "set_language",
    "words",
    "account_login",
    "account_signup",
    "account_logout",
    "account_inactive",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_confirm_email",
    "account_email_verification_sent",
    "account_set_password",
    "account_change_password",
    "mfa_authenticate",
    "mfa_login_webauthn",
}


def every_address(resolver=None, prefix="", namespace=""):
    """(name, address with arguments that fit) of each pattern."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from every_address(pattern, prefix + str(pattern.pattern), inner)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", "/" + fill(prefix + str(pattern.pattern), pattern)


def fill(route, pattern):
    for name, converter in pattern.pattern.converters.items():
        value = "1"
        if isinstance(converter, UUIDConverter):
            value = str(uuid.uuid4())
        elif not isinstance(converter, IntConverter):
            value = "left" if name == "side" else "abc"
        for kind in ("int:", "uuid:", "str:", "slug:", ""):
            route = route.replace(f"<{kind}{name}>", value)
    known = {
        r"^studies/(?P<study_id>\d{1,18})/become/(?P<state>running|paused|finished)$": "studies/1/become/running",
    }
    return known.get(route, route)


ADDRESSES = sorted({(name, address) for name, address in every_address() if name not in OPEN and "(" not in address})


def test_all_floors_have_addresses_in_the_list():
    names = {name for name, _address in ADDRESSES}

    assert {"home", "annotation:work", "annotation:study", "annotation:snapshot_download", "jobs:detail"} <= names
    assert len(names) > 40


@pytest.mark.parametrize("method", ["get", "post"])
def test_somebody_who_has_not_signed_in_gets_nowhere(client, method):
    let_in = []
    for name, address in ADDRESSES:
        response = getattr(client, method)(address)
        to_sign_in = response.headers.get("Location", "").startswith(("/account/login/", "/account/reauthenticate/"))
        if not to_sign_in and response.status_code not in {401, 403, 404, 405}:
            let_in.append((name, address, response.status_code))

    assert let_in == []
