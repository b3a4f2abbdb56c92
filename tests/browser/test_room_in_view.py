"""What the room says and asks can be seen when it does so: on a laptop, on a phone upright and on its side."""

import pytest
from django.utils import timezone

from annotation.models import Lease
from tests.browser.axe import violations
from tests.browser.conftest import timed_turns
from tests.browser.room import PLAYING, into_the_room, until, until_drawn
from tests.factories import make_lease, make_pair

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
ON_ITS_SIDE = PHONE | {"width": 740, "height": 360}
LAPTOP = {"width": 1440, "height": 600}
QUESTION = "[data-question]:not([hidden]) legend"


def is_seen(page, selector: str) -> bool:
    """The element lies within the window, and nothing of another part lies over its corners."""
    return page.locator(selector).first.evaluate(
        """element => {
            const { left, right, top, bottom } = element.getBoundingClientRect();
            const corners = [left + 1, right - 1].flatMap(x => [[x, top + 1], [x, bottom - 1]]);
            const hits = corners.map(([x, y]) => document.elementFromPoint(x, y));
            return hits.every(hit => hit && (element.contains(hit) || hit.contains(element)));
        }"""
    )


def height_of(page, selector: str) -> float:
    return page.locator(selector).bounding_box()["height"]


def by_touch(pair_of, enter, policy: str, options=None, **fields):
    """The room on a phone: page, lease."""
    page, _annotator = enter(pair_of(policy, **fields), **(options or PHONE))
    page.locator("text=Listen to the next pair").tap()
    page.wait_for_url("**/listen/*/")
    until_drawn(page)
    return page, Lease.objects.get()


def test_each_question_that_a_key_answers_and_what_is_missing_come_into_view(pair_of, enter):
    page, _annotator = enter(pair_of("none"), **LAPTOP)
    into_the_room(page)
    assert not is_seen(page, "[data-question]:not([hidden]) .scale-row")

    page.keyboard.press("2")
    assert is_seen(page, QUESTION)
    assert is_seen(page, "[data-question]:not([hidden]) .scale-row")

    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("s")
    assert page.locator("#submit-problem").inner_text().startswith("Still to answer: ")
    assert is_seen(page, "#submit-problem")
    assert is_seen(page, QUESTION)


def test_on_a_phone_the_next_question_begins_below_the_header(pair_of, enter):
    page, _lease = by_touch(pair_of, enter, "none")
    page.locator("[data-value='2']").first.tap()
    page.locator("[data-next]").scroll_into_view_if_needed()

    page.locator("[data-next]").tap()

    assert is_seen(page, QUESTION)
    assert is_seen(page, "[data-step='1']")
    assert violations(page, "#questions", rules=["target-size"]) == []
    page.locator("[data-step='0']").tap()
    assert is_seen(page, QUESTION)


@pytest.mark.parametrize("options", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_the_player_says_that_the_questions_are_open_and_leads_to_them(pair_of, enter, options):
    page, _annotator = enter(pair_of("enforced"), **options)
    lease = into_the_room(page)
    page.keyboard.press("Space")
    until(page, f"document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent === 'heard'")
    page.keyboard.press("Space")
    where = "document.querySelector('[data-play]').getBoundingClientRect().top"
    before = page.evaluate(where)
    page.wait_for_selector("[data-to-questions]")
    assert page.evaluate(where) == before
    assert is_seen(page, "[data-gate-opened]")
    assert page.locator(".transport [data-gate-opened]").inner_text() == "You heard both. The questions are open."

    page.locator("[data-to-questions]").click()

    assert is_seen(page, QUESTION)
    assert page.locator("[data-to-questions]").is_hidden()
    assert page.evaluate("document.activeElement.closest('[data-question]') !== null")


def test_on_a_phone_a_mark_is_one_line_that_unfolds(pair_of, enter):
    page, _lease = by_touch(pair_of, enter, "recorded")
    page.locator("[data-play]").tap()
    until(page, PLAYING + " === 1")
    until(page, "[...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0.3)")
    before = height_of(page, ".transport")

    page.locator("[data-mark-good]").tap()
    assert page.locator("[data-mark-done]").is_visible()
    assert height_of(page, "#mark-bar") < 64
    assert height_of(page, ".transport") < before + 80

    page.locator("[data-mark-more]").tap()
    assert is_seen(page, ".mark-dimensions")
    assert page.evaluate("document.querySelector('.transport').scrollLeft") == 0
    bar = page.locator("#mark-bar").bounding_box()
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= 360
    page.locator("[data-mark-done]").tap()
    assert page.locator("#mark-bar").is_hidden()


def test_on_a_phone_a_sound_that_fails_is_said_above_the_player_and_by_it(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"), **PHONE)
    page.route("**/left/sound", lambda route: route.abort())
    page.locator("text=Listen to the next pair").tap()
    page.wait_for_url("**/listen/*/")
    page.wait_for_selector("#side-left [data-sound-problem]:not([hidden])")
    page.evaluate("scrollTo(0, 0)")

    page.locator("#side-left [data-choose]").tap()

    until(page, "document.querySelector('[data-player-note]').textContent === 'The sound of A does not load.'")
    assert is_seen(page, "#side-left [data-try-sound-again]")
    page.complaints.clear()  # the browser logs the refused sound


def test_on_a_phone_on_its_side_there_is_room_for_what_one_does(pair_of, enter):
    page, _lease = by_touch(pair_of, enter, "none", ON_ITS_SIDE)
    assert height_of(page, ".transport") <= 64

    page.mouse.wheel(0, 300)
    until(page, "scrollY > 100")

    assert page.evaluate("document.querySelector('header.top').getBoundingClientRect().bottom") <= 0
    assert page.evaluate("document.documentElement.scrollWidth") == 740


def test_on_a_phone_a_judgment_kept_without_a_connection_is_said_below_the_bars(pair_of, enter):
    page, _lease = by_touch(pair_of, enter, "none")
    for _question in range(4):
        page.locator("[data-question]:visible [data-value='2']").tap()
        page.locator("[data-next]").tap()
    page.locator("[data-question=confidence] .point").nth(3).tap()
    page.context.set_offline(True)

    page.locator("[data-submit=stop]").tap()

    page.wait_for_selector("#submit-kept:not([hidden])")
    assert page.locator("#offline").is_visible()
    assert is_seen(page, "#submit-kept strong")
    page.complaints.clear()  # the browser logs each request that found no network


def test_why_something_does_not_happen_is_said_by_the_player_and_covers_nothing(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    page.keyboard.press("Space")
    until(page, PLAYING + " === 1")

    page.locator(f"#side-{lease.heard_first} .turn-go").nth(3).click()

    said = "The first listen goes in order. You can go back freely; ahead opens when it was heard."
    assert page.locator("[data-player-note]").inner_text() == said
    assert page.locator(".toast").count() == 0


def test_the_player_stays_where_it_is_when_the_words_and_the_first_mark_come(pair_of, enter):
    many = timed_turns(4)
    page, _annotator = enter(pair_of("recorded", turns_a=many, turns_b=many))
    into_the_room(page)
    where = "document.querySelector('[data-play]').getBoundingClientRect().top"
    before = page.evaluate(where)

    page.keyboard.press("a")
    page.wait_for_selector("#side-left .turn p", timeout=12_000)
    assert page.evaluate(where) == before
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert page.locator("#side-left .mark-go").count() == 1
    assert page.evaluate(where) == before


@pytest.mark.parametrize("width", [360, 1440])
def test_what_was_submitted_before_is_one_slim_line_that_goes_away(pair_of, enter, width):
    pair = pair_of("none")
    page, annotator = enter(pair, width=width)
    earlier = make_lease(make_pair(pair.study), annotator, at=timezone.now())
    Lease.objects.filter(pk=earlier.pk).update(state=Lease.State.SUBMITTED, submitted_at=timezone.now())
    page.keyboard.press("n")
    page.wait_for_url("**/listen/*/")
    until_drawn(page)
    assert height_of(page, ".undo-line") <= 48
    assert page.locator(".undo-line").get_by_role("button", name="Undo", exact=True).is_visible()

    page.locator("[data-dismiss]").click()

    assert page.locator(".undo-line").count() == 0


def test_a_phone_shows_no_keys(pair_of, enter):
    page, _annotator = enter(pair_of("none"), **PHONE)

    assert page.locator("main kbd").count() > 0
    assert page.locator("main kbd:visible").count() == 0
