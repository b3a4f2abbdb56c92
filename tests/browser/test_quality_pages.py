"""The pages of quality control in a real Chromium: filled, empty, narrow, by keyboard, without a fault."""

import random

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from annotation.material.shipped import recorded, table
from annotation.models import Adjudication, Exclusion, Judgment, Pair
from annotation.services import adjudication, exclusions, judgments
from annotation.services.checks import treating
from earshot.accounts.models import Role
from earshot.acoustics.peaks import make_peaks
from tests.annotation.checked import judged, plain_check
from tests.annotation.manifests import speech
from tests.browser.axe import violations
from tests.browser.room import audio_of, saved, until, until_drawn
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
GOLD = {"letter": "b", "kind": "flat", "changes": [], "inserted": []}
WISH = {"letter": "a", "kind": "spoken", "prompt": "other", "language": "en", "changes": [], "inserted": []}


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()


@pytest.fixture
def researcher():
    return make_user(Role.RESEARCHER, name="Rosa Researcher")


@pytest.fixture
def study(researcher):
    """Checks of every kind, a careful and a guessing rater, one excluded, one adjudicated and one disputed pair."""
    study = make_study(title="Warm or cold", researcher=researcher, check_rate=0.2, overlap=4)
    careful, guessing, shut_out = (join(study, make_user(name=name)) for name in ("Ana Annotator", "Bo", "Cy"))
    made = [
        plain_check(study, expected=3, treatment=GOLD), plain_check(study, "spoken_check", -3, treatment=WISH),
        plain_check(study, "identical", 0), plain_check(study, "spoken_check", 3, treatment={**WISH, "prompt": "this"}),
    ]  # fmt: skip
    for number, check in enumerate(made):
        for rater, value in ((careful, check.expected_value), (guessing, -3 if check.expected_value >= 0 else 3)):
            judged(check, rater, value=value, at=NOW + minutes(number))
    disputed, decided = make_pair(study), make_pair(study)
    for rater, value in ((careful, 3), (guessing, -3), (shut_out, 2)):
        judged(disputed, rater, value=value)
        judged(decided, rater, value=value)
    row = adjudication.request(decided, reason="Two against one.", by=researcher, at=NOW)
    lease = adjudication.begin(row, join(study, make_user(name="Jo Judge")), at=NOW)
    answer(lease, 1)
    judgments.submit(lease, at=NOW)
    exclusions.exclude(study, shut_out, reason="told us that they had no sound", by=researcher, at=NOW)
    return study


def addresses(study) -> list[str]:
    check = Pair.objects.filter(study=study, kind="spoken_check").first()
    rater = judged_by(study, "Bo")
    return [
        reverse("annotation:study_checks", args=[study.pk]),
        reverse("annotation:check", args=[study.pk, check.pk]),
        reverse("annotation:rater_checks", args=[study.pk]),
        reverse("annotation:exclude_rater", args=[study.pk, rater.pk]),
        reverse("annotation:exclude_rater", args=[study.pk, judged_by(study, "Cy").pk]),
        reverse("annotation:study_adjudications", args=[study.pk]),
        reverse("annotation:pair", args=[study.pk, Adjudication.objects.get().pair_id]),
        reverse("annotation:my_adjudications"),
    ]


def judged_by(study, name: str):
    return study.members.get(name=name)


@pytest.mark.parametrize("width", [1440, 768, 360])
def test_every_page_fits_calls_for_one_thing_and_has_no_fault(page_of, study, researcher, width):
    page = page_of(researcher, width=width)
    drawn = make_peaks(speech(10.0), 24_000).to_bytes()  # the dialogues of these pairs were never recorded
    page.route("**/sound", lambda route: route.fulfill(status=200, content_type="audio/wav", body=b""))
    page.route("**/peaks", lambda route: route.fulfill(status=200, content_type="application/octet-stream", body=drawn))

    for address in addresses(study):
        page.goto(address)
        filled = page.locator("main :is(button, a[role=button]):visible:not(.secondary, .quiet, .danger)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        assert filled.count() <= 1, f"{address}: {filled.all_text_contents()}"
        assert violations(page) == [], address


@pytest.mark.parametrize("width", [1440, 360])
def test_empty_pages_say_what_will_stand_there_and_have_no_fault(page_of, researcher, width):
    study = make_study(researcher=researcher)
    page = page_of(researcher, width=width)

    for name, args in (
        ("study_checks", [study.pk]),
        ("rater_checks", [study.pk]),
        ("study_adjudications", [study.pk]),
        ("my_adjudications", []),
    ):
        page.goto(reverse(f"annotation:{name}", args=args))
        assert page.locator(".empty").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert violations(page) == [], name


def test_a_rater_is_excluded_and_taken_back_by_keyboard_alone(page_of, study, researcher):
    page = page_of(researcher)
    page.goto(reverse("annotation:rater_checks", args=[study.pk]))
    page.get_by_role("link", name="Look closer Bo").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Why").focus()
    page.keyboard.type("answers at random")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Bo is excluded.").wait_for()
    assert Exclusion.objects.filter(reason="answers at random", lifted_at__isnull=True).exists()

    page.get_by_role("button", name="Lift the exclusion Bo").focus()
    page.keyboard.press("Enter")
    page.get_by_text("The judgments of Bo count again.").wait_for()
    assert not Exclusion.objects.filter(reason="answers at random", lifted_at__isnull=True).exists()


def test_an_adjudication_is_asked_for_and_taken_back(page_of, study, researcher):
    page = page_of(researcher)
    page.goto(reverse("annotation:study_adjudications", args=[study.pk]))

    page.get_by_role("button", name="Ask ").click()
    page.get_by_text("The pair waits for an adjudicator").wait_for()
    page.get_by_role("button", name="Take back").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()
    page.get_by_text("The adjudication is taken back.").wait_for()

    assert Adjudication.objects.count() == 1


@pytest.mark.parametrize("follows", [True, False])
def test_a_spoken_check_is_heard_and_answered_in_the_room_like_any_pair(page_of, pair_of, monkeypatch, follows):
    """With a word in place of the sentence, which takes ten seconds. The room has no code for it."""
    word = recorded("en", table("en")["channel"]["here"])
    monkeypatch.setattr(treating, "spoken_wish", lambda language, wish: word)
    pair = pair_of("enforced")
    treated = treating.say_wish(pair, "a", "this", "en", random.Random(1))
    Pair.objects.filter(pk=pair.pk).update(
        kind="spoken_check", expected_value=3, treatment=treated.treatment, level_lufs=treated.level_lufs
    )
    annotator = join(pair.study)
    lease = make_lease(Pair.objects.get(pk=pair.pk), annotator, at=timezone.now())
    page = page_of(annotator)
    page.goto(reverse("annotation:room", args=[lease.key]))
    until_drawn(page)
    side = "left" if lease.side_left == "a" else "right"
    assert page.evaluate(f"{audio_of(side)}.duration") == pytest.approx(
        4.0 + treated.treatment["changes"][0][1], abs=0.01
    )

    page.keyboard.press("Space")
    until(page, f"document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent === 'heard'")
    page.keyboard.press("b" if lease.heard_first == "left" else "a")
    page.wait_for_selector("#questions:not([hidden])", timeout=30_000)
    wished = {"left": "1", "right": "7"}[side]
    for key in ("4", "4", "4", wished if follows else "4", "3"):
        page.keyboard.press(key)
    saved(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    verdict = Judgment.objects.get(lease=lease).quality
    assert verdict.checks["spoken"][0] == ("pass" if follows else "fail")
    assert verdict.checks["listening"][0] == "pass"
