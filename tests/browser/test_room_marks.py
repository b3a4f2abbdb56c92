"""Marks on a turn in a real Chromium: put by a key while the sound goes on, told, taken back, kept."""

import pytest
from django.utils import timezone

from annotation.models import Judgment, Lease, TurnMark
from tests.browser.axe import violations
from tests.browser.conftest import SECONDS
from tests.browser.room import PLAYING, audio_of, into_the_room, saved, sought, until, until_drawn, watch_seeks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NOTE = "[data-player-note]"
FOCUS = "document.activeElement.closest('#mark-bar') !== null"


def listening(pair_of, enter, policy: str = "recorded", **options):
    """The room with A playing."""
    page, _annotator = enter(pair_of(policy), **options)
    lease = into_the_room(page)
    page.keyboard.press("a")
    until(page, f"{audio_of('left')}.currentTime > 1.2")
    return page, lease


def stored() -> list[tuple]:
    return [
        (mark.side, mark.turn.position, mark.polarity, mark.dimension.key if mark.dimension else "", mark.note)
        for mark in TurnMark.objects.order_by("seconds")
    ]


def lines(page, side: str) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(f"#side-{side} .mark-go").all_inner_texts()]


def test_a_mark_is_put_and_told_by_keys_alone_while_the_sound_goes_on(pair_of, enter):
    page, lease = listening(pair_of, enter)

    page.keyboard.press("=")
    said = page.locator(NOTE).inner_text()
    for _each in range(2):
        page.keyboard.press("d")
    page.keyboard.press("w")
    page.keyboard.type("flat - 1+1")
    page.keyboard.press("Enter")
    assert page.evaluate(PLAYING) == 1
    page.keyboard.press("Space")  # the word has given the keyboard back
    assert page.evaluate(PLAYING) == 0
    saved(page)

    second = page.locator("[name=mark-dimension]").nth(2).get_attribute("value")
    assert said == "Good mark at 0:01 of A, turn 2."
    assert stored() == [(lease.side_left, 1, "good", second, "flat - 1+1")]
    assert page.locator("#mark-bar").is_hidden()
    assert lines(page, "left")[0].startswith("Good at 0:01, turn 2")
    assert lines(page, "right") == []


def test_marks_can_be_turned_over_moved_deleted_and_undone(pair_of, enter):
    page, lease = listening(pair_of, enter)
    page.keyboard.press("Space")
    page.evaluate(f"{audio_of('left')}.currentTime = 2.2")
    page.keyboard.press("-")
    page.keyboard.press("-")  # at the same moment: still one mark
    assert lines(page, "left") == ["Bad at 0:02, turn 3"]

    page.locator("[data-mark-turn-over]").click()
    page.keyboard.press("[")
    assert lines(page, "left") == ["Good at 0:01, turn 2"]
    page.keyboard.press("z")
    assert lines(page, "left") == ["Good at 0:02, turn 3"]
    page.keyboard.press("z")
    page.keyboard.press("]")
    assert lines(page, "left") == ["Bad at 0:03, turn 4"]
    page.keyboard.press("Delete")
    assert page.locator("#mark-bar").is_hidden()
    assert page.locator(NOTE).inner_text() == "The mark at 0:03 of A is deleted. Undo brings it back."
    page.keyboard.press("z")
    saved(page)

    assert stored() == [(lease.side_left, 3, "bad", "", "")]


def test_undo_takes_back_every_change_and_then_says_that_there_is_none(pair_of, enter):
    page, _lease = listening(pair_of, enter)
    page.keyboard.press("+")
    page.keyboard.press("w")
    page.keyboard.type("warm")
    page.keyboard.press("Escape")

    page.keyboard.press("z")
    assert page.locator("#side-left .mark-go .soft").count() == 0  # the word is one change, not four
    page.locator("[data-mark-undo]").click()
    assert page.locator(".mark-go").count() == 0
    assert page.locator("[data-mark-undo]").is_hidden()
    saved(page)
    assert TurnMark.objects.count() == 0


def test_a_mark_of_the_list_comes_back_into_the_bar_and_the_focus_returns(pair_of, enter):
    page, _lease = listening(pair_of, enter)
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    page.keyboard.press("Space")

    page.locator("#side-left .mark-go").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS) is True
    assert page.locator("[data-mark-place]").inner_text() == "at 0:01, A, turn 2"
    page.keyboard.press("Escape")

    assert page.evaluate("document.activeElement.className") == "mark-go"
    page.locator("#side-left canvas").scroll_into_view_if_needed()
    box = page.locator("#side-left canvas").bounding_box()
    saved(page)
    where = TurnMark.objects.get().seconds / SECONDS
    page.mouse.click(box["x"] + 84 + (box["width"] - 92) * where + 6, box["y"] + 6)  # the flag itself
    assert page.locator("#mark-bar").is_visible()


def test_hearing_a_mark_again_begins_just_before_it(pair_of, enter):
    page, _lease = listening(pair_of, enter)
    page.keyboard.press("Space")
    page.evaluate(f"{audio_of('left')}.currentTime = 3.5")
    page.keyboard.press("+")
    watch_seeks(page)

    page.keyboard.press("h")
    until(page, PLAYING + " === 1")

    assert sought(page, "left") == pytest.approx(1.5, abs=0.01)


def test_marks_stand_again_after_a_reload_and_after_a_submit_is_undone(pair_of, enter):
    page, _lease = listening(pair_of, enter, "none")
    page.keyboard.press("+")
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    saved(page)
    before = lines(page, "left")

    page.reload()
    until_drawn(page)
    assert lines(page, "left") == before
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    saved(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")
    assert Judgment.objects.get().marks.count() == 1
    page.keyboard.press("z")
    page.wait_for_url("**/listen/*/")
    assert lines(page, "left") == before


def test_marks_are_put_before_the_questions_are_open(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    page.keyboard.press("Space")
    until(page, f"{audio_of(lease.heard_first)}.currentTime > 0.5")

    page.keyboard.press("-")
    saved(page)

    assert page.locator("#questions").is_hidden()
    assert stored() == [(lease.letter(lease.heard_first), 0, "bad", "", "")]


def test_an_expired_pair_takes_no_mark(pair_of, enter):
    page, _lease = listening(pair_of, enter)
    page.keyboard.press("+")
    saved(page)
    Lease.objects.update(expires_at=timezone.now())
    with page.expect_response("**/heartbeat"):
        page.keyboard.press("Space")
    page.wait_for_selector("#expired:not([hidden])")

    page.keyboard.press("-")
    page.keyboard.press("z")
    page.wait_for_timeout(500)

    assert page.locator("[data-answers-kept]").is_visible()
    assert [mark[2] for mark in stored()] == ["good"]


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_room_with_an_open_mark_has_no_obvious_barrier(pair_of, enter, width, scheme):
    page, _lease = listening(pair_of, enter, width=width, color_scheme=scheme)
    page.keyboard.press("Space")
    page.keyboard.press("+")
    page.keyboard.press("w")
    page.keyboard.type("warm")

    assert violations(page, "#main") == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
