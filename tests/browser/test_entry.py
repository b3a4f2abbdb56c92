"""Becoming an annotator in a real Chromium: from the link to the first pair, by keyboard, by touch, on a phone."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Attempt, Consent, Membership, Step
from annotation.services import invitations
from earshot.accounts.models import Role, User
from tests.annotation.entering import make_consenting, make_entry_study, make_qualified, right_answer
from tests.browser import short_material
from tests.browser.axe import violations
from tests.browser.room import until
from tests.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OPEN = "!document.querySelector('[data-answers]').disabled"


@pytest.fixture(autouse=True)
def short_sounds(monkeypatch):
    short_material.use(monkeypatch)


def link_into(study, **fields):
    researcher = make_user(Role.RESEARCHER, name="Rosa")
    Membership.objects.create(study=study, user=researcher, role=Role.RESEARCHER)
    until_when = timezone.now() + timedelta(days=7)
    return invitations.make_invitation(
        study, by=researcher, **{"note": "students", "max_uses": 5, "expires_at": until_when, **fields}
    )


def hear_all(page) -> None:
    """Play every sound of the trial to its end; then the answers open by themselves."""
    for sound in page.locator("[data-sound]").all():
        sound.click()
        until(page, "[...document.querySelectorAll('[data-sound]')].every((b) => b.ariaPressed === 'false')")
    until(page, OPEN)


def answer(page, attempt: Attempt) -> None:
    """The right answer to the present trial, by keyboard."""
    number = attempt.answers.count()
    given = right_answer(attempt, number)
    if attempt.step == Step.DIGITS:
        page.keyboard.type(given)
        page.keyboard.press("Enter")
    elif attempt.step in {Step.TRAINING, Step.GOLD}:
        page.keyboard.press(str(int(given) + 4))
        page.keyboard.press("s")
    else:
        page.locator(f"[name=answer][value='{given}']").click()


def test_a_stranger_becomes_an_annotator(open_page):
    study = make_entry_study(title="Tea")
    page = open_page()

    page.goto(link_into(study).get_absolute_url())
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Password").fill("a long enough one")
    page.get_by_role("button", name="Make the account and go on").click()
    page.wait_for_url("**/enter/*/")
    page.keyboard.press("n")
    page.wait_for_url("**/consent")
    page.keyboard.press("y")
    page.wait_for_url("**/enter/*/")
    ada = User.objects.get(email="ada@example.org")
    assert Consent.objects.get(user=ada).withdrawn_at is None
    for step in Step:
        page.keyboard.press("n")  # "Next: …" on the page before
        page.wait_for_url(f"**/steps/{step.value}/")
        page.keyboard.press("n")  # "Begin"
        page.wait_for_url("**/attempts/*/")
        attempt = Attempt.objects.get(user=ada, step=step)
        for number in range(attempt.n_trials):
            hear_all(page)
            with page.expect_navigation():
                answer(page, attempt)
            if step == Step.TRAINING:
                assert page.url.endswith(f"?told={number}")
                with page.expect_navigation():
                    page.keyboard.press("n")
        assert page.locator(".notice.good").is_visible()
    assert set(Attempt.objects.values_list("passed", flat=True)) == {True}
    assert page.get_by_role("button", name="Listen to a pair").is_visible()


def test_the_answers_open_when_every_sound_was_heard_to_its_end(page_of):
    study = make_entry_study()
    user = make_consenting(study)
    page = page_of(user)
    page.goto(reverse("annotation:entry_step", args=[study.pk, "channels"]))
    page.keyboard.press("n")
    page.wait_for_url("**/attempts/*/")

    assert page.evaluate("document.querySelector('[data-answers]').disabled")
    page.keyboard.press("1")
    assert page.locator("[data-first-listen]").is_visible()
    page.keyboard.press("p")
    until(page, OPEN)

    assert page.locator("[data-first-listen]").is_hidden()
    assert not Attempt.objects.get().answers.exists()


def test_a_sound_that_does_not_load_says_what_to_do_and_plays_at_the_next_press(page_of):
    study = make_entry_study()
    page = page_of(make_consenting(study))
    page.goto(reverse("annotation:entry_step", args=[study.pk, "channels"]))
    page.route("**/attempts/*/0/0", lambda route: route.abort())
    page.keyboard.press("n")
    page.wait_for_url("**/attempts/*/")
    page.keyboard.press("p")

    until(page, "document.querySelector('[data-sound-state]').textContent.startsWith('The sound did not load')")
    page.unroute("**/attempts/*/0/0")
    page.keyboard.press("p")
    until(page, OPEN)
    page.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_the_way_has_an_obvious_barrier_or_leaves_a_phone(page_of, open_page, scheme):
    study = make_entry_study(completion_code="C-42")
    user, ready = make_consenting(study), make_qualified(study, at=timezone.now() + timedelta(hours=1))
    link = link_into(study)
    page = page_of(user, width=360, height=740, color_scheme=scheme)
    addresses = [
        reverse("annotation:work"),
        reverse("annotation:entry", args=[study.pk]),
        reverse("annotation:consent", args=[study.pk]),
        reverse("annotation:withdraw_consent", args=[study.pk]),
        reverse("annotation:entry_step", args=[study.pk, "channels"]),
        link.get_absolute_url(),
    ]
    for address in addresses:
        page.goto(address)
        assert (address, page.evaluate("document.documentElement.scrollWidth")) == (address, 360)
        assert violations(page) == []
    page.goto(reverse("annotation:entry_step", args=[study.pk, "channels"]))
    page.keyboard.press("n")
    page.wait_for_url("**/attempts/*/")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(page) == []

    researcher = page_of(link.created_by, width=360, color_scheme=scheme)
    for name in ("invitations", "study_entry", "members"):
        researcher.goto(reverse(f"annotation:{name}", args=[study.pk]))
        assert (name, researcher.evaluate("document.documentElement.scrollWidth")) == (name, 360)
        assert violations(researcher) == []

    stranger = open_page(width=360, color_scheme=scheme)
    stranger.goto(link.get_absolute_url())
    assert stranger.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(stranger) == []
    at_work = page_of(ready, width=360, color_scheme=scheme)
    at_work.goto(reverse("annotation:work"))
    assert at_work.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(at_work) == []


def test_a_step_by_touch_on_a_phone(page_of):
    study = make_entry_study()
    user = make_consenting(study)
    page = page_of(user, width=360, height=740, has_touch=True, is_mobile=True)
    page.goto(reverse("annotation:entry_step", args=[study.pk, "channels"]))
    page.get_by_role("button", name="Begin").tap()
    page.wait_for_url("**/attempts/*/")
    attempt = Attempt.objects.get()

    for number in range(attempt.n_trials):
        page.locator("[data-sound]").tap()
        until(page, OPEN)
        with page.expect_navigation():
            page.locator(f"[name=answer][value='{right_answer(attempt, number)}']").tap()

    attempt.refresh_from_db()
    assert attempt.passed
