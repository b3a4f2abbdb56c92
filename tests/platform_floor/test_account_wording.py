"""The pages of the own account speak as the rest of the product does, and promise no mail that nobody sends."""

import html
import re

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from earshot.accounts.models import User

pytestmark = pytest.mark.django_db
EMAIL, PASSWORD, OTHER_PASSWORD = "ada@example.org", "correct horse battery", "a long new password"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
SPOKEN = re.compile(r"<(h1|h2|label|button|a|summary|title|strong)\b[^>]*>(.*?)</\1>", re.DOTALL)
TITLE_CASE = re.compile(r"\b[A-Z][a-z]+(?: [a-z]{2,3})? [A-Z][a-z]+")


@pytest.fixture(autouse=True)
def no_tries_so_far():
    cache.clear()  # the rate limits of allauth


@pytest.fixture
def ada(client):
    user = User.objects.create_user(EMAIL, PASSWORD, role="annotator", name="Ada")
    client.post(reverse("account_login"), {"login": EMAIL, "password": PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})  # the second factor's pages ask for it
    return user


def words_of(response) -> list[str]:
    """Headings, labels and buttons of the page's own part."""
    page = response.content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    texts = (re.sub(r"<[^>]+>", " ", text) for _tag, text in SPOKEN.findall(main))
    return [" ".join(html.unescape(text).split()) for text in texts]


def messages_of(response) -> list[str]:
    return re.findall(r'<p class="message[^"]*">(.*?)</p>', response.content.decode())


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("account_email", "E-mail addresses"),
        ("account_change_password", "Change the password"),
        ("account_reauthenticate", "Is it still you?"),
        ("mfa_index", "Second factor"),
        ("mfa_activate_totp", "Set up an authenticator app"),
    ],
)
def test_pages_of_ones_account_are_in_sentence_case(client, ada, name, heading):
    words = words_of(client.get(reverse(name)))

    assert heading in words
    assert [text for text in words if TITLE_CASE.search(text)] == []


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("mfa_index", "Second factor"),
        ("mfa_reauthenticate", "Is it still you?"),
        ("mfa_deactivate_totp", "Turn off the authenticator app?"),
        ("mfa_view_recovery_codes", "Recovery codes"),
        ("mfa_generate_recovery_codes", "Make new recovery codes?"),
    ],
)
def test_pages_of_a_second_factor_are_in_sentence_case(client, ada, name, heading):
    TOTP.activate(ada, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(ada)

    words = words_of(client.get(reverse(name)))

    assert heading in words
    assert [text for text in words if TITLE_CASE.search(text)] == []


def test_the_second_factor_is_asked_for_by_its_name(client, ada):
    TOTP.activate(ada, "JBSWY3DPEHPK3PXP")

    response = Client().post(reverse("account_login"), {"login": EMAIL, "password": PASSWORD}, follow=True)

    assert words_of(response) == ["Second factor", "Code", "Sign in", "Cancel"]


def test_a_changed_password_is_said_once(client, ada):
    client.get(reverse("accounts:profile"))  # takes the greeting away
    passwords = {"oldpassword": PASSWORD, "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}

    response = client.post(reverse("account_change_password"), passwords, follow=True)

    assert messages_of(response) == ["Your password is changed."]


def test_a_reset_password_is_said_once(ada):
    stranger = Client()
    stranger.post(reverse("account_reset_password"), {"email": EMAIL})
    form = stranger.get(re.search(r"/account/password/reset/key/\S+", mail.outbox[-1].body)[0], follow=True)

    done = stranger.post(
        form.redirect_chain[-1][0], {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}, follow=True
    )

    assert words_of(done) == ["The password is changed", "Sign in"]
    assert messages_of(done) == []
    assert messages_of(stranger.get(reverse("account_login"))) == []


@pytest.mark.parametrize(
    ("backend", "button", "heading", "notices"),
    [
        (None, "Send the link", "Look in your mail", []),
        (CONSOLE, "Make the link", "Look in the log", ["No mail server is set up here."]),
    ],
)
def test_a_reset_says_where_the_link_is(client, settings, backend, button, heading, notices):
    settings.EMAIL_BACKEND = backend or settings.EMAIL_BACKEND

    form = client.get(reverse("account_reset_password"))
    done = client.post(reverse("account_reset_password"), {"email": EMAIL}, follow=True)

    assert words_of(form) == ["Reset the password", "E-mail address", button, "Back"]
    assert words_of(done) == [heading, *notices, "Back to sign in"]
    assert ("<code>logs/web.log</code>" in done.content.decode()) is (backend == CONSOLE)


def test_an_invitation_says_when_no_mail_can_reach_anybody(client, settings):
    settings.EMAIL_BACKEND = CONSOLE
    client.force_login(User.objects.create_user("root@example.org", PASSWORD, role="admin"))

    page = client.post(reverse("accounts:add_user"), {"email": EMAIL, "role": "annotator"}).content.decode()

    assert "<strong>No mail server is set up.</strong> The account is ready: give ada@example.org this link" in page
    assert "was sent to" not in page
