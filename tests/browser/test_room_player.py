"""The player of the listening room in a real Chromium: comparing turns, what does not count, the moving transcript."""

import pytest
from django.utils import timezone

from annotation.models import Heartbeat, Lease, ListeningLog
from tests.browser.conftest import timed_turns
from tests.browser.room import (
    ACTIVE_SIDE,
    PLAYING,
    audio_of,
    into_the_room,
    now_of,
    other_of,
    sought,
    until,
    watch_seeks,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NOTE = "[data-player-note]"
WARNING = "[data-not-counted]"


def go_to(page, side: str, seconds: float) -> None:
    """Stand still at a moment of a side."""
    if page.evaluate(ACTIVE_SIDE) != side:
        page.keyboard.press("a" if side == "left" else "b")
        until(page, f"{ACTIVE_SIDE} === '{side}'")
    page.evaluate("document.querySelectorAll('audio').forEach((audio) => audio.pause())")
    until(page, PLAYING + " === 0")
    page.evaluate(f"{audio_of(side)}.currentTime = {seconds}")


def sides_of(lease) -> dict[str, str]:
    """Dialogue letter → the side on which it stands."""
    return {lease.side_left: "left", lease.side_right: "right"}


def test_one_key_plays_the_same_turn_on_the_other_side(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    go_to(page, "left", 2.5)
    watch_seeks(page)

    page.keyboard.press("c")
    until(page, PLAYING + " === 1")

    assert page.evaluate(ACTIVE_SIDE) == "right"
    assert sought(page, "right") == pytest.approx(2.0, abs=0.01)
    assert page.locator(NOTE).inner_text() == "B, turn 3: the same moment of the scenario."
    go_to(page, "right", 2.4)
    page.locator("[data-compare]").click()
    until(page, f"{ACTIVE_SIDE} === 'left' && {PLAYING} === 1")
    assert sought(page, "left") == pytest.approx(2.0, abs=0.01)
    assert page.locator("[data-compare]").inner_text().split() == ["Same", "turn", "on", "B", "c"]


def test_where_the_other_side_lacks_the_turn_it_says_what_it_plays_instead(pair_of, enter):
    turns_a = timed_turns(scenario_turns=[1, 2, 3, 4])
    turns_b = timed_turns(scenario_turns=[2, 2, 4, 4])
    page, _annotator = enter(pair_of("recorded", turns_a=turns_a, turns_b=turns_b))
    lease = into_the_room(page)
    side = sides_of(lease)["a"]
    other = other_of(side)
    letter = "A" if other == "left" else "B"
    watch_seeks(page)

    go_to(page, side, 2.2)  # scenario turn 3
    page.keyboard.press("c")
    until(page, PLAYING + " === 1")
    assert sought(page, other) == pytest.approx(0.1, abs=0.01)
    assert page.locator(NOTE).inner_text() == f"{letter} has no such turn. This is turn 1, the nearest before it."

    go_to(page, side, 0.3)  # scenario turn 1
    page.keyboard.press("c")
    until(page, PLAYING + " === 1")
    assert sought(page, other) == 0
    said = f"{letter} has no such turn and none before it. This is its beginning."
    assert page.locator(NOTE).inner_text() == said


def test_the_first_listen_keeps_its_order_when_sides_are_compared(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    first, second = lease.heard_first, other_of(lease.heard_first)
    letter = {"left": "A", "right": "B"}
    watch_seeks(page)

    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    page.keyboard.press("c")
    assert page.evaluate(ACTIVE_SIDE) == first
    said = f"Hear {letter[first]} to its end first, then {letter[second]}."
    assert page.locator(NOTE).inner_text() == said

    until(page, f"document.querySelector('[data-gate-side={first}] [data-share]').textContent === 'heard'")
    page.keyboard.press("c")
    until(page, f"{ACTIVE_SIDE} === '{second}' && {PLAYING} === 1")
    assert sought(page, second) < 0.6
    assert "is on its first listen, in order: it goes on from 0:00." in page.locator(NOTE).inner_text()
    assert "Its turn 4 opens when you have come to it." in page.locator(NOTE).inner_text()

    until(page, f"{audio_of(second)}.currentTime > 1.3")
    page.keyboard.press("Space")
    second_at = now_of(page, second)
    page.keyboard.press("c")
    until(page, f"{ACTIVE_SIDE} === '{first}' && {PLAYING} === 1")
    turns = [0.1, 1.05, 2.0, 2.95]
    assert sought(page, first) == pytest.approx(max(start for start in turns if start <= second_at), abs=0.01)
    assert set(Heartbeat.objects.values_list("refusal", flat=True)) == {""}


def test_matching_turns_by_their_place_within_the_scenario_turn(open_page):
    page = open_page()
    page.goto("/account/login/")
    cases = [
        ([0, 0, 1, 1], 3, [0, 0, 1, 1, 2], {"index": 3, "match": "same"}),
        ([0, 1, 1, 1], 3, [0, 1, 2], {"index": 1, "match": "same"}),
        ([0, 1, 2], 2, [0, 1, 1, 3], {"index": 1, "match": "nearest"}),
        ([0, 1], 0, [1, 2], {"index": 0, "match": "beginning"}),
        ([0, 1], -1, [0, 1], {"index": 0, "match": "same"}),
    ]

    found = page.evaluate(
        """async cases => {
            const { sameTurn } = await import("/static/js/room_side.js");
            const turns = numbers => numbers.map(scenario_turn => ({ scenario_turn }));
            return cases.map(([here, index, there]) => sameTurn(turns(here), index, turns(there)));
        }""",
        [case[:3] for case in cases],
    )

    assert found == [case[3] for case in cases]


def test_what_was_passed_over_is_what_is_missing_before_the_last_moment_heard(open_page):
    page = open_page()
    page.goto("/account/login/")
    cases = [
        ([[5, 20]], [[0, 7.5]], []),
        ([[5, 20], [22, 30]], [[0, 5], [8, 25]], [[5, 8]]),
        ([[0.5, 9]], [], []),
        ([[2, 3], [4, 4.05]], [[0, 2], [3, 4], [4.05, 8]], [[2, 3]]),
    ]

    found = page.evaluate(
        """async cases => {
            const { holesIn } = await import("/static/js/room_heartbeat.js");
            return cases.map(([missing, heard]) => holesIn(missing, heard));
        }""",
        [case[:2] for case in cases],
    )

    assert found == [case[2] for case in cases]


def test_one_key_repeats_the_turn(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    go_to(page, "left", 1.7)
    watch_seeks(page)

    page.keyboard.press("t")
    until(page, PLAYING + " === 1")
    assert sought(page, "left") == pytest.approx(1.05, abs=0.01)

    go_to(page, "left", 3.2)
    page.locator("[data-repeat-turn]").click()
    until(page, PLAYING + " === 1")
    assert sought(page, "left") == pytest.approx(2.95, abs=0.01)


@pytest.mark.parametrize(
    ("change", "sentence", "remedy"),
    [
        (
            "playbackRate = 1.5",
            "Not counted: the sound plays at 1.5 times its speed. Set it to 1.",
            "Normal speed",
        ),
        ("muted = true", "Not counted: the sound is muted. Turn it on.", "Sound on"),
        ("volume = 0", "Not counted: the volume is 0. Turn it up.", "Sound on"),
    ],
)
def test_what_does_not_count_is_said_at_once_and_can_be_mended(pair_of, enter, change, sentence, remedy):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    page.keyboard.press("a")
    until(page, f"{audio_of('left')}.currentTime > 0.3")
    assert page.locator(WARNING).inner_text() == ""

    page.evaluate(f"{audio_of('left')}.{change}")
    until(page, f"document.querySelector('{WARNING}').textContent !== ''", seconds=5)
    assert page.locator(WARNING).inner_text() == sentence
    assert page.locator("[data-count-again]").inner_text() == remedy

    page.locator("[data-count-again]").click()
    until(page, f"document.querySelector('{WARNING}').textContent === ''", seconds=5)
    assert page.locator("[data-count-again]").is_hidden()
    left = audio_of("left")
    assert page.evaluate(f"[{left}.playbackRate, {left}.muted, {left}.volume]") == [1, False, 1]


def test_the_line_goes_away_when_the_sound_counts_again(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    page.evaluate("document.querySelectorAll('audio').forEach((audio) => (audio.playbackRate = 2))")
    page.wait_for_selector("[data-count-again]:not([hidden])")

    page.evaluate("document.querySelectorAll('audio').forEach((audio) => (audio.playbackRate = 0.9))")

    until(page, f"document.querySelector('{WARNING}').textContent === ''", seconds=5)


HIDE = """value => {
    Object.defineProperty(document, 'visibilityState', {value, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_sound_in_a_hidden_tab_is_said_by_the_title_and_by_the_player(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    title = page.title()
    page.clock.install()
    page.keyboard.press("a")
    until(page, f"{audio_of('left')}.currentTime > 0.3")

    page.evaluate(HIDE, "hidden")
    assert page.title() == "Not counted: tab hidden"
    page.wait_for_timeout(500)
    page.evaluate(HIDE, "visible")

    assert page.title() == title
    said = "Not counted: this tab was hidden while A played. Keep it in front, and hear that part again."
    assert page.locator(WARNING).inner_text() == said
    page.clock.fast_forward(11_000)
    assert page.locator(WARNING).inner_text() == ""


def test_nothing_is_said_to_count_or_not_where_the_study_records_no_listening(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    page.keyboard.press("a")
    until(page, PLAYING + " === 1")

    page.evaluate("document.querySelectorAll('audio').forEach((audio) => (audio.playbackRate = 2))")
    page.wait_for_timeout(200)

    assert page.locator(WARNING).inner_text() == ""
    assert ListeningLog.objects.count() == 0


def test_the_transcript_follows_the_sound_and_the_page_stays(pair_of, enter):
    many = timed_turns(20)
    page, _annotator = enter(
        pair_of("recorded", turns_a=many, turns_b=many, seconds=19.5, transcript_policy="always"), height=600
    )
    into_the_room(page)
    page.evaluate("window.scrollTo(0, 40)")

    go_to(page, "left", 14.5)
    until(page, "document.querySelector('#side-left .turn[aria-current]') !== null")

    line, frame, scrolled = page.evaluate(
        """() => {
            const list = document.querySelector('#side-left [data-turns]');
            const line = list.querySelector('[aria-current]');
            const box = element => { const { top, bottom } = element.getBoundingClientRect(); return [top, bottom]; };
            return [box(line), box(list), window.scrollY];
        }"""
    )
    current = page.locator("#side-left .turn[aria-current] p").all_inner_texts()
    assert current == ["turn 15"]
    assert frame[0] <= line[0] < line[1] <= frame[1]
    assert scrolled == 40


def test_only_what_was_played_too_fast_does_not_count(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    page.keyboard.press("a")
    until(page, f"{audio_of('left')}.currentTime > 1.2")

    page.evaluate(f"{audio_of('left')}.playbackRate = 1.5")
    until(page, f"{audio_of('left')}.currentTime > 2.2")
    page.evaluate(f"{audio_of('left')}.playbackRate = 1")
    until(page, f"{audio_of('left')}.ended")
    page.wait_for_timeout(500)

    beats = list(Heartbeat.objects.filter(side="left").order_by("sequence"))
    assert {beat.refusal for beat in beats if beat.rate == 1.5} == {"rate"}
    assert {beat.refusal for beat in beats if beat.rate == 1} == {""}
    fast = [stretch for beat in beats if beat.rate == 1.5 for stretch in beat.played]
    first, last = min(start for start, _end in fast), max(end for _start, end in fast)
    assert first >= 1.2
    heard = ListeningLog.objects.get(side="left").heard
    assert heard[0][0] == pytest.approx(0, abs=0.1)
    assert heard[0][1] == pytest.approx(first, abs=0.1)
    assert heard[-1][0] == pytest.approx(last, abs=0.1)


def test_the_line_says_what_only_the_server_can_know(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    page.evaluate(f"{audio_of(lease.heard_first)}.currentTime = 2.5")  # past the page's own buttons

    page.keyboard.press("Space")
    until(page, f"{audio_of(lease.heard_first)}.currentTime > 3")
    page.keyboard.press("Space")
    until(page, f"document.querySelector('{WARNING}').textContent !== ''")

    assert page.locator(WARNING).inner_text() == (
        "Not counted: the first listen goes in order. Play what is missing first."
    )
    assert page.locator("[data-count-again]").is_hidden()


def test_a_sound_that_is_refused_because_the_time_ran_out_says_so(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    into_the_room(page)
    Lease.objects.update(expires_at=timezone.now())

    page.evaluate(f"{audio_of('left')}.src += '?again'")  # load() alone may be answered by what the browser still has

    page.wait_for_selector("#expired:not([hidden])")
    assert page.locator("[data-sound-problem]:visible").count() == 0
    page.complaints.clear()  # the browser logs the refused sound


def test_a_long_sound_is_fetched_once_somebody_turns_to_it_and_the_other_once_it_plays(pair_of, enter, monkeypatch):
    monkeypatch.setattr("annotation.views.listening.LONG_PAIR_SECONDS", 1.0)
    page, _annotator = enter(pair_of("recorded"))
    page.keyboard.press("n")
    page.wait_for_url("**/listen/*/")
    until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
    first = page.evaluate(ACTIVE_SIDE)
    has_begun = {side: f"{audio_of(side)}.readyState > 0" for side in ("left", "right")}
    page.wait_for_load_state("networkidle")
    assert not any(page.evaluate(claim) for claim in has_begun.values())

    page.locator(f"#side-{first} [data-seek-bar]").focus()
    until(page, has_begun[first])
    assert not page.evaluate(has_begun[other_of(first)])

    page.locator(f"#side-{first} [data-choose]").press("Enter")
    until(page, f"{PLAYING} === 1 && {has_begun[other_of(first)]}")
