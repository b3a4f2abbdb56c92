"""One numbering of turns, what Play does next, and keys that act on what one hears or answers."""

import pytest

from annotation.models import Judgment, TurnMark
from tests.browser.conftest import timed_turns
from tests.browser.room import ACTIVE_SIDE, PLAYING, audio_of, into_the_room, now_of, other_of, saved, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PLAY = "document.querySelector('[data-play-word]').textContent"
FOCUS = "document.activeElement"


def test_after_one_side_the_main_button_and_space_play_the_one_that_misses_something(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    second = other_of(lease.heard_first)
    letter = {"left": "A", "right": "B"}[second]
    page.keyboard.press("Space")
    until(page, f"{audio_of(lease.heard_first)}.ended")

    until(page, f"{PLAY} === 'Play {letter}'")
    page.keyboard.press("Space")

    until(page, f"{ACTIVE_SIDE} === '{second}' && {PLAYING} === 1")


def test_where_listening_is_not_recorded_the_side_that_was_never_played_comes_next(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    page.keyboard.press("a")
    until(page, f"{audio_of('left')}.ended")

    page.locator("[data-play]").click()
    until(page, f"{ACTIVE_SIDE} === 'right' && {PLAYING} === 1")
    until(page, f"{audio_of('right')}.ended")

    until(page, f"{PLAY} === 'Play B'")


def test_turns_have_one_number_in_the_list_on_the_lanes_and_in_what_is_missing(pair_of, enter):
    turns = timed_turns(4, scenario_turns=[1, 1, 2, 2])
    page, _annotator = enter(pair_of("enforced", turns_a=turns, turns_b=turns))
    page.add_init_script(
        "window.written = []; const write = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...place)"
        " { window.written.push(text); return write.call(this, text, ...place); };"
    )
    lease = into_the_room(page)
    page.keyboard.press("Space")
    until(page, f"{audio_of(lease.heard_first)}.currentTime > 0.95")
    page.keyboard.press("Space")
    row = f"[data-gate-side={lease.heard_first}] [data-missing]"
    until(page, f"document.querySelector('{row}').textContent.startsWith('missing')")

    numbers = page.evaluate("[...new Set(window.written.filter((text) => /^\\d+$/.test(text)))]")
    assert numbers == ["1", "2", "3", "4"]
    listed = page.locator(f"#side-{lease.heard_first} .turn-number").all_inner_texts()
    assert listed == ["1", "2", "3", "4"]
    assert page.locator(row).inner_text().endswith("3, 4")


def test_two_buttons_go_five_seconds_back_and_forward(pair_of, enter):
    many = timed_turns(20)
    page, _annotator = enter(pair_of("recorded", turns_a=many, turns_b=many, seconds=19.5))
    into_the_room(page)
    side = page.evaluate(ACTIVE_SIDE)
    page.evaluate(f"{audio_of(side)}.currentTime = 7")

    page.get_by_role("button", name="5 seconds forward").click()
    assert now_of(page, side) == pytest.approx(12, abs=0.05)
    page.get_by_role("button", name="5 seconds back").click()
    page.get_by_role("button", name="5 seconds back").click()

    assert now_of(page, side) == pytest.approx(2, abs=0.05)


def test_arrows_act_on_the_side_that_a_key_brought_to_the_front(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    page.locator("#side-left canvas").click(position={"x": 400, "y": 40})
    left = now_of(page, "left")

    page.keyboard.press("b")
    until(page, f"{ACTIVE_SIDE} === 'right' && {PLAYING} === 1")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")

    assert page.evaluate(ACTIVE_SIDE) == "right"
    assert (now_of(page, "left"), now_of(page, "right")) == (left, 0)
    assert page.evaluate(f"{FOCUS}.closest('[data-side]').dataset.side") == "right"


def test_the_reason_is_left_by_escape_and_submitted_from(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)

    page.keyboard.press("r")
    page.keyboard.type("warm")
    page.keyboard.press("Escape")
    assert page.evaluate(f"{FOCUS}.id") != "reason"
    page.keyboard.press(",")
    page.keyboard.press(".")
    page.keyboard.press("r")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/work/")

    assert Judgment.objects.submitted().get().reason == "warm"


def test_the_focus_goes_where_a_key_puts_the_confidence(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    page.locator("[data-step]").last.click()
    page.keyboard.press("2")
    assert page.evaluate(f"{FOCUS}.value") == "2"

    page.keyboard.press("5")

    assert page.evaluate(f"{FOCUS}.value") == "5"


def test_nothing_is_marked_before_it_was_heard(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)

    page.keyboard.press("+")
    said = page.locator("[data-player-note]").inner_text()
    letter = "A" if page.evaluate(ACTIVE_SIDE) == "left" else "B"
    assert said == f"Play {letter} first: a mark is on what you heard."
    assert page.locator(".mark-go").count() == 0
    page.keyboard.press("Space")
    until(page, f"{audio_of(page.evaluate(ACTIVE_SIDE))}.currentTime > 0.3")
    page.keyboard.press("+")
    saved(page)

    assert TurnMark.objects.count() == 1


def test_a_tab_says_in_words_how_its_question_was_answered(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    for key in ("2", "5", "4", "x"):
        page.keyboard.press(key)

    said = page.locator("[data-step-answer]").all_inner_texts()
    assert said == ["A better", "B slightly better", "same", "both bad", ""]
    titles = page.locator("[data-step]").evaluate_all("steps => steps.map((step) => step.title)")
    assert titles == said


def test_the_scale_prints_the_letters_as_the_training_does(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)

    letters = page.locator("[data-question]:visible .dot").all_inner_texts()

    assert letters == ["A", "A", "A", "", "B", "B", "B"]
