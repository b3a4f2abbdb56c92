"""Signing in, out and back in, by the real pages of django-allauth."""

import re

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.core.cache import cache
from django.urls import reverse

from earshot.accounts.models import User

pytestmark = pytest.mark.django_db
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


@pytest.fixture(autouse=True)
def no_tries_so_far():
    cache.clear()  # the rate limits of allauth


@pytest.fixture
def ada():
    return User.objects.create_user(EMAIL, PASSWORD, role="annotator", name="Ada")


def sign_in(client, *, email=EMAIL, password=PASSWORD, headers=None, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password, **extra}, headers=headers)


def is_signed_in(client):
    return "_auth_user_id" in client.session


def test_a_person_signs_in_by_address_in_any_letters(client, ada):
    response = sign_in(client, email=EMAIL.upper())

    assert (response.status_code, response.url, is_signed_in(client)) == (302, reverse("home"), True)


def test_a_wrong_password_signs_nobody_in(client, ada):
    response = sign_in(client, password="wrong")

    assert (response.status_code, is_signed_in(client)) == (200, False)
    assert "not correct" in str(response.context["form"].errors)


def test_after_five_wrong_passwords_even_the_right_one_waits(client, ada):
    for _ in range(5):
        sign_in(client, password="wrong")

    response = sign_in(client)

    assert is_signed_in(client) is False
    assert "Too many failed login attempts. Try again later." in str(response.context["form"].errors)


@pytest.mark.parametrize("field", ["is_active", "is_simulated"])
def test_inactive_and_simulated_people_cannot_sign_in(client, ada, field):
    User.objects.filter(pk=ada.pk).update(**{field: field == "is_simulated"})

    sign_in(client)

    assert is_signed_in(client) is False


@pytest.mark.parametrize("field", ["is_active", "is_simulated"])
def test_a_session_ends_with_the_right_to_sign_in(client, ada, field):
    sign_in(client)
    User.objects.filter(pk=ada.pk).update(**{field: field == "is_simulated"})

    assert client.get(reverse("accounts:profile")).status_code == 302


def test_sign_up_is_closed(client):
    response = client.post(
        reverse("account_signup"), {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
    )

    assert response.status_code == 200
    assert User.objects.count() == 0


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_next_leads_to_no_other_site(client, ada, target):
    assert sign_in(client, next=target).url == reverse("home")


def test_next_leads_to_a_page_of_ours(client, ada):
    assert sign_in(client, next="/profile/").url == "/profile/"


def test_a_lost_password_is_set_anew_by_the_mailed_link(client, ada):
    client.post(reverse("account_reset_password"), {"email": EMAIL})
    link = re.search(r"https?://testserver(/\S+)", mail.outbox[0].body)[1]

    address = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(address, {"password1": "a long new password", "password2": "a long new password"})

    ada.refresh_from_db()
    assert ada.check_password("a long new password")


def test_a_lost_password_of_an_unknown_address_sends_nothing_and_tells_nothing(client, ada):
    known = client.post(reverse("account_reset_password"), {"email": EMAIL})
    mail.outbox.clear()

    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})

    assert (unknown.status_code, unknown.url, mail.outbox) == (known.status_code, known.url, [])


def test_a_second_factor_is_set_up_and_then_asked_for(client, ada):
    sign_in(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})  # asked for before anything that matters
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    client.post(reverse("mfa_activate_totp"), {"code": totp.format_hotp_value(next(codes(secret)))})
    client.post(reverse("account_logout"))
    cache.clear()  # a code counts once: its use is remembered there

    first_step = sign_in(client)
    between = is_signed_in(client)
    kept = get_adapter().decrypt(Authenticator.objects.get(user=ada, type="totp").data["secret"])
    client.post(reverse("mfa_authenticate"), {"code": totp.format_hotp_value(next(codes(kept)))})

    assert (first_step.url, between, kept) == (reverse("mfa_authenticate"), False, secret)
    assert is_signed_in(client)


def test_a_wrong_second_factor_signs_nobody_in(client, ada):
    totp.TOTP.activate(ada, totp.generate_totp_secret())
    sign_in(client)

    response = client.post(reverse("mfa_authenticate"), {"code": "000000x"})

    assert (response.status_code, is_signed_in(client)) == (200, False)


def codes(secret):
    for counter in totp.yield_hotp_counters_from_time():
        yield totp.hotp_value(secret, counter)


def test_an_expired_sign_in_sends_the_whole_page_there_and_back(client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/profile/?a=1&b=2"}

    response = client.get(reverse("accounts:profile"), headers=headers)

    assert (response.status_code, response["HX-Redirect"]) == (200, "/account/login/?next=/profile/%3Fa%3D1%26b%3D2")


def test_post_without_its_token_is_refused(ada):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)

    assert sign_in(strict).status_code == 403
    assert is_signed_in(strict) is False


def test_many_wrong_passwords_from_one_place_lock_nobody_out_who_comes_through_the_same_proxy(client, ada, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1  # as compose.yaml sets it
    for number in range(11):
        sign_in(client, email=f"nobody{number}@example.org", headers={"X-Forwarded-For": "198.51.100.7"})

    sign_in(client, headers={"X-Forwarded-For": "203.0.113.9"})

    assert is_signed_in(client)
