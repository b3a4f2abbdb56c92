"""Signing in, the second factor and the parts that every page has, in a real browser."""

import re
import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal import auth as totp

from earshot.accounts.models import User
from tests.browser.axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse 9"


@pytest.fixture
def researcher(db) -> User:
    user = User.objects.create_user("ada@example.org", PASSWORD, role="researcher", name="Ada")
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def enter_password(page, user: User) -> None:
    page.goto("/account/login/?next=/account/2fa/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_in(page, user: User) -> None:
    enter_password(page, user)
    page.wait_for_url("**/account/2fa/")


def test_axe_finds_a_button_without_a_name(open_page):
    page = open_page()
    page.goto("/account/login/")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")

    assert [line.split(":")[0] for line in violations(page)] == ["button-name"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_pages_for_strangers_are_accessible_and_fit(open_page, width, scheme):
    page = open_page(width=width, color_scheme=scheme)
    for address in ["/account/login/", "/account/signup/", "/account/password/reset/", "/account/password/reset/done/"]:
        page.goto(address)

        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_pages_of_ones_own_account_are_accessible_and_fit(open_page, researcher, width, scheme):
    page = open_page(width=width, color_scheme=scheme)
    sign_in(page, researcher)
    for address in ["/account/email/", "/account/password/change/", "/account/2fa/", "/account/2fa/totp/activate/"]:
        page.goto(address)

        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_second_factor_is_set_up_and_a_recovery_code_signs_in(open_page, researcher):
    page = open_page()
    sign_in(page, researcher)
    page.goto("/account/2fa/totp/activate/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    assert violations(page) == []
    secret = page.locator("#authenticator_secret").input_value()
    code = totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))

    page.locator("input[name=code]").fill(code)
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#recovery_codes").input_value().split()
    assert len(codes) == 10
    page.get_by_role("button", name="Account of Ada").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/account/login/**")
    enter_password(page, researcher)
    assert violations(page) == []
    page.locator("input[name=code]").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/account/2fa/")

    assert page.get_by_role("button", name="Account of Ada").is_visible()


def test_a_wrong_password_is_said_beside_the_form_and_keeps_the_address(open_page, researcher):
    page = open_page()
    page.goto("/account/login/")
    page.get_by_label("E-mail address").fill(researcher.email)
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in", exact=True).click()

    assert page.get_by_role("alert").is_visible()
    assert page.get_by_label("E-mail address").input_value() == researcher.email


def test_the_theme_is_kept_for_the_next_page_without_a_flash(open_page):
    page = open_page(color_scheme="light")
    page.goto("/account/login/")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    html = page.request.get("/account/login/").text()

    assert dark != light
    assert re.search(r'<html lang="en" data-theme="dark">', html)


def test_a_question_mark_lists_the_keys_and_single_keys_can_be_turned_off(open_page, researcher):
    page = open_page()
    sign_in(page, researcher)
    page.goto("/account/2fa/")
    page.evaluate(
        """() => {
            const button = Object.assign(document.createElement("button"), {textContent: "Next pair"});
            button.dataset.key = "n";
            button.addEventListener("click", () => { window.presses = (window.presses ?? 0) + 1; });
            document.querySelector("main").append(button);
        }"""
    )

    page.keyboard.press("n")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog")
    assert sheet.get_by_text("Next pair").is_visible()
    assert sheet.get_by_role("heading", name="Keys on this page").evaluate("title => title === document.activeElement")
    sheet.get_by_label("Single keys work on this browser").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("n")

    assert page.evaluate("window.presses") == 1


def test_keys_are_left_to_a_field_that_is_being_written_in(open_page):
    page = open_page()
    page.goto("/account/login/")
    page.get_by_label("E-mail address").press_sequentially("what?")

    assert page.get_by_label("E-mail address").input_value() == "what?"
    assert not page.get_by_role("dialog").is_visible()


def test_a_form_that_asks_first_is_sent_only_after_yes(open_page):
    page = open_page()
    page.goto("/account/login/")
    page.evaluate(
        """() => {
            const form = document.createElement("form");
            form.method = "get"; form.action = "/account/password/reset/"; form.dataset.confirm = "Leave the page?";
            form.append(Object.assign(document.createElement("button"), {textContent: "Leave"}));
            document.querySelector("main").append(form);
        }"""
    )

    page.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog", name="Leave the page?").get_by_role("button", name="Cancel").click()
    assert page.url.endswith("/account/login/")
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog", name="Leave the page?").get_by_role("button", name="Go on").click()

    page.wait_for_url("**/account/password/reset/**")


def test_offline_shows_a_calm_bar_until_the_connection_is_back(open_page):
    page = open_page()
    page.goto("/account/login/")
    bar = page.locator("#offline")
    assert not bar.is_visible()

    page.context.set_offline(True)
    bar.wait_for(state="visible")
    page.context.set_offline(False)
    bar.wait_for(state="hidden")

    assert page.get_by_text("The connection is back.", exact=True).is_visible()


def ask_by_htmx(page, address: str) -> None:
    """Put a button on the page that fetches `address` with htmx into itself, and press it."""
    page.evaluate(
        """address => {
            const button = Object.assign(document.createElement("button"), {textContent: "Fetch", id: "fetch"});
            button.setAttribute("hx-get", address);
            document.querySelector("main").append(button);
            htmx.process(button);
            button.click();
        }""",
        address,
    )


def test_htmx_works_under_the_content_security_policy(open_page):
    page = open_page()
    page.goto("/account/login/")

    ask_by_htmx(page, "/account/password/reset/done/")

    page.locator("#fetch").get_by_text("Look in your mail").first.wait_for()
    assert page.complaints == []


def test_a_failed_htmx_request_says_so_calmly_and_changes_nothing(open_page):
    page = open_page()
    page.goto("/account/login/")

    ask_by_htmx(page, "/no-such-page/")

    page.get_by_text("This is no longer here.").wait_for()
    assert page.locator("#fetch").inner_text() == "Fetch"
    assert len(page.complaints) > 0
    assert all("404" in complaint for complaint in page.complaints)
    page.complaints.clear()


def test_an_unreachable_server_is_told_apart_from_being_offline(open_page):
    page = open_page()
    page.goto("/account/login/")
    page.route("**/healthz", lambda route: route.abort())

    ask_by_htmx(page, "/healthz")

    page.get_by_text("The server does not answer.").wait_for()
    assert page.get_by_text("What was saved is safe. Try again in a moment.").is_visible()
    assert page.locator("#fetch").inner_text() == "Fetch"
    assert len(page.complaints) > 0
    expected = re.compile(r"htmx:(afterRequest|sendError)|net::ERR_FAILED")
    assert [complaint for complaint in page.complaints if not expected.search(complaint)] == []
    page.complaints.clear()
