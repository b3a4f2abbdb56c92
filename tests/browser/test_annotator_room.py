"""An annotator in the listening room, in a real Chromium with real sound: by keyboard, by pointer, on a phone."""

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Heartbeat, Judgment, Lease, ListeningLog, Score
from annotation.queries.listening import questions_for
from annotation.services import leases
from tests.browser.axe import violations
from tests.browser.conftest import SECONDS
from tests.browser.room import ACTIVE_SIDE, AUDIBLE, PLAYING, into_the_room, saved, until, until_drawn
from tests.factories import join

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_whole_judgment_by_keyboard_alone(pair_of, enter):
    pair = pair_of("enforced")
    page, _annotator = enter(pair)

    lease = into_the_room(page)
    first, second = ("a", "b") if lease.heard_first == "left" else ("b", "a")
    assert page.locator("#questions").is_hidden()
    page.keyboard.press("Space")
    until(page, f"document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent === 'heard'")
    page.keyboard.press(second)
    page.wait_for_selector("#questions:not([hidden])")
    assert page.locator("[data-gate-opened]").inner_text() == "You heard both. The questions are open."
    assert page.locator(".toast").count() == 0
    for key in ("7", "1", "x", "5"):
        page.keyboard.press(key)
    page.keyboard.press("4")
    page.keyboard.press("r")
    page.keyboard.type("B sounded warmer in turn 3")
    page.keyboard.press("Tab")
    saved(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    lease.refresh_from_db()
    judgment = Judgment.objects.get()
    kinds = sorted(judgment.scores.values_list("kind", flat=True))
    shown = [lease.shown_value(score.value) for score in judgment.scores.all() if score.value is not None]
    assert lease.state == Lease.State.SUBMITTED
    assert kinds == ["both_bad", "scored", "scored", "scored"]
    assert sorted(shown) == [-3, 1, 3]
    assert lease.shown_value(judgment.scores.get(dimension__key="overall").value) == 1
    assert (judgment.confidence, judgment.reason) == (4, "B sounded warmer in turn 3")
    assert min(judgment.coverage_a, judgment.coverage_b) >= 0.98
    assert judgment.quality.verdict == "pass"
    assert first != second


def test_undo_of_the_last_submit_is_one_press_away(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    saved(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    page.keyboard.press("z")
    page.wait_for_url("**/listen/*/")

    lease.refresh_from_db()
    assert lease.state == Lease.State.LIVE
    assert page.locator("input[type=radio]:checked").count() == 5
    assert page.locator("[data-question=confidence]").is_visible()
    until_drawn(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")
    lease.refresh_from_db()
    assert lease.state == Lease.State.SUBMITTED


def test_a_refused_submit_says_what_is_missing_without_asking_the_server(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/submit") else None)
    for key in ("4", "4", "4"):
        page.keyboard.press(key)

    page.locator("[data-step='0']").click()
    page.keyboard.press("s")
    assert page.locator("#submit-problem").inner_text() == "Still to answer: Overall, confidence."
    assert page.locator("[data-question=overall]").is_visible()
    page.keyboard.press("4")
    assert page.locator("#submit-problem").is_hidden()
    page.locator("[data-submit=next]").click()
    assert page.locator("#submit-problem").inner_text() == "Still to answer: confidence."
    assert asked == []


def test_submitting_before_both_were_heard_says_what_to_hear(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)

    page.keyboard.press("s")

    order = "A and B" if lease.heard_first == "left" else "B and A"
    assert f"Nothing to submit yet: hear {order} to the end first" in page.locator("[data-player-note]").inner_text()


def test_a_seek_lands_where_it_was_asked(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    page.keyboard.press("a")
    until(page, "document.querySelector('#side-left audio').currentTime > 0.2")
    page.keyboard.press("Space")

    now = "document.querySelector('#side-left audio').currentTime"
    page.locator("#side-left .turn-go").nth(2).click()
    assert page.evaluate(now) == pytest.approx(2.0, abs=0.01)
    page.keyboard.press("ArrowUp")
    assert page.evaluate(now) == pytest.approx(1.05, abs=0.01)
    page.keyboard.press("ArrowDown")
    assert page.evaluate(now) == pytest.approx(2.0, abs=0.01)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(now) == pytest.approx(SECONDS, abs=0.05)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(now) == pytest.approx(0.0, abs=0.01)
    box = page.locator("#side-left canvas").bounding_box()
    page.mouse.click(box["x"] + 84 + (box["width"] - 85) / 2, box["y"] + 40)
    assert page.evaluate(now) == pytest.approx(SECONDS / 2, abs=0.1)


def test_the_first_listen_goes_in_order(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    other = "right" if lease.heard_first == "left" else "left"

    page.locator(f"#side-{other} [data-choose]").click()
    page.locator(f"#side-{lease.heard_first} .turn-go").nth(3).click()

    assert page.evaluate(PLAYING) == 0
    assert page.evaluate(f"document.querySelector('#side-{lease.heard_first} audio').currentTime") < 0.6


def count_sounds(page) -> None:
    """Remember in `window.most` how many sounds could be heard at once, from before the page's own scripts on."""
    page.add_init_script(
        f"window.most = 0; const look = () => {{ window.most = Math.max(window.most, {AUDIBLE}) }};"
        "for (const event of ['play', 'playing', 'pause', 'timeupdate', 'volumechange'])"
        " document.addEventListener(event, look, true);"
        "addEventListener('DOMContentLoaded', () => setInterval(look, 5))"
    )


def test_a_and_b_never_play_at_once(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    count_sounds(page)
    lease = into_the_room(page)

    for key in ("a", "b", "a", "b", "b", "a"):
        page.keyboard.press(key)
        page.wait_for_timeout(120)
    until(page, PLAYING + " === 1")
    # Past our buttons, as a media key does: it starts muted, and is heard when the other has stopped.
    for side, other in (("right", "left"), ("left", "right"), ("right", "left")):
        page.evaluate(f"document.querySelector('#side-{side} audio').play()")
        until(page, f"document.querySelector('#side-{other} audio').paused")
        until(page, f"!document.querySelector('#side-{side} audio').muted && {AUDIBLE} === 1")
        assert page.evaluate(ACTIVE_SIDE) == side
    assert page.evaluate("window.most") == 1

    second = page.context.new_page()
    second.goto(reverse("annotation:room", args=[lease.key]))
    until_drawn(second)
    second.locator("#side-left [data-choose]").click()
    until(second, PLAYING + " === 1")
    until(page, PLAYING + " === 0")


def test_a_side_whose_turn_has_not_come_is_not_heard_however_it_is_started(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    count_sounds(page)
    lease = into_the_room(page)
    other = "right" if lease.heard_first == "left" else "left"

    page.evaluate(f"document.querySelector('#side-{other} audio').play()")

    until(page, "document.querySelector('[data-player-note]').textContent.startsWith('Hear ')")
    until(page, PLAYING + " === 0")
    assert page.evaluate("window.most") == 0


def test_nothing_heard_is_lost_by_switching_sides(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    answers = []
    page.on("response", lambda answer: answers.append(answer) if answer.url.endswith("/heartbeat") else None)

    for key in ("a", "b", "a", "b"):
        page.keyboard.press(key)
        page.wait_for_timeout(600)
    page.keyboard.press("Space")
    page.wait_for_timeout(300)

    assert len(answers) >= 4
    assert {answer.json()["refusal"] for answer in answers} == {""}
    for side in ("left", "right"):
        assert ListeningLog.objects.get(side=side).seconds_played == pytest.approx(1.0, abs=0.3)


def test_drafts_survive_a_reload(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    page.keyboard.press("6")
    page.keyboard.press("u")
    saved(page)

    page.reload()

    page.wait_for_selector("[data-step='2'][aria-current=step]")
    assert page.locator("[data-step-answer]").all_inner_texts()[:3] == ["B better", "cannot tell", ""]
    assert Score.objects.filter(judgment__lease=lease).count() == 2


def test_what_was_played_before_leaving_still_arrives(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    page.keyboard.press("a")
    until(page, "document.querySelector('#side-left audio').currentTime > 1.5")
    played = page.evaluate("document.querySelector('#side-left audio').currentTime")

    page.goto(reverse("annotation:work"))
    page.wait_for_timeout(500)

    assert played - 0.2 <= ListeningLog.objects.get(side="left").seconds_played <= SECONDS


def test_nothing_about_listening_is_stored_where_the_study_says_none(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    before = lease.expires_at
    page.keyboard.press("a")
    until(page, "document.querySelector('#side-left audio').currentTime > 0.5")
    with page.expect_response("**/heartbeat"):
        page.keyboard.press("Space")

    lease.refresh_from_db()
    assert lease.expires_at > before
    assert (Heartbeat.objects.count(), ListeningLog.objects.count(), lease.last_sequence) == (0, 0, 0)


def test_words_come_after_the_first_listen(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    into_the_room(page)
    assert page.locator(".turn p").count() == 0

    page.keyboard.press("a")
    page.wait_for_selector("#side-left .turn p", timeout=12_000)

    assert page.locator("#side-left .turn p").all_inner_texts() == ["turn 0", "turn 1", "turn 2", "turn 3"]
    assert page.locator("#side-right .turn p").count() == 0


def test_an_expired_pair_says_so_and_is_taken_up_again(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    leases.expire_overdue(at=lease.expires_at)
    with page.expect_response("**/heartbeat"):
        page.keyboard.press("a")
        page.wait_for_timeout(300)
        page.keyboard.press("Space")

    page.wait_for_selector("#expired:not([hidden])")
    assert page.locator(".transport:visible, .questions:visible, [data-open-dialog=skip-dialog]:visible").count() == 0
    assert page.locator("[data-answers-kept]").is_hidden()
    assert [button.is_disabled() for button in page.locator("[data-choose]").all()] == [True, True]
    assert page.locator("[data-choose-label]:visible, [data-choose] kbd:visible").count() == 0
    page.keyboard.press("a")
    page.keyboard.press("Space")
    assert page.evaluate(PLAYING) == 0
    page.keyboard.press("4")
    page.keyboard.press("?")
    listed = page.locator("#key-sheet").inner_text()
    assert "Listen to A" not in listed
    assert "Single keys work" in listed
    page.keyboard.press("Escape")
    page.locator("#expired a[role=button]").click()
    page.wait_for_selector("#expired", state="hidden")
    assert page.locator(".transport").is_visible()
    assert page.locator("input[type=radio]:checked").count() == 0
    # The browser logs the sound that an expired pair gives no more, if it asked for more of it just then.
    page.complaints[:] = [line for line in page.complaints if "404 (Not Found)" not in line]

    lease.refresh_from_db()
    assert lease.state == Lease.State.LIVE


@pytest.mark.parametrize("width", [360, 1440])
def test_an_expired_pair_that_others_took_is_submitted_late(pair_of, enter, width):
    page, annotator = enter(pair_of("none", overlap=1), width=width)
    lease = into_the_room(page)
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    saved(page)
    leases.expire_overdue(at=lease.expires_at)
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())
    assert leases.take(lease.pair, join(lease.pair.study), probability=1.0, at=timezone.now()) is not None

    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page, "#main") == []
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    lease.refresh_from_db()
    assert lease.state == Lease.State.LATE
    assert Judgment.objects.get(lease__annotator=annotator).is_late


@pytest.mark.parametrize("policy", ["enforced", "none"])
def test_the_room_fits_a_phone(pair_of, enter, policy):
    page, _annotator = enter(pair_of(policy), width=360, height=740, has_touch=True, is_mobile=True)
    page.locator("text=Listen to the next pair").tap()
    page.wait_for_url("**/listen/*/")
    until_drawn(page)

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    transport = page.locator(".transport").bounding_box()
    assert transport["y"] + transport["height"] == pytest.approx(740, abs=1)
    page.locator("[data-play]").tap()
    until(page, PLAYING + " === 1")


def test_a_whole_judgment_by_touch_on_a_phone(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"), width=360, height=740, has_touch=True, is_mobile=True)
    page.locator("text=Listen to the next pair").tap()
    page.wait_for_url("**/listen/*/")
    until_drawn(page)
    lease = Lease.objects.get()
    second = "right" if lease.heard_first == "left" else "left"

    page.locator("[data-play]").tap()
    until(page, f"document.querySelector('#side-{lease.heard_first} audio').currentTime > 1.2")
    page.locator("[data-mark-good]").tap()
    page.locator("[data-mark-more]").tap()
    page.locator(".mark-dimensions label").nth(1).tap()
    page.locator("[data-mark-done]").tap()
    until(page, f"document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent === 'heard'")
    page.locator(f"#side-{second} [data-choose]").tap()
    page.wait_for_selector("#questions:not([hidden])")
    for _question in range(4):
        page.locator("[data-question]:visible [data-value='2']").tap()
        page.locator("[data-next]").tap()
    page.locator("[data-question=confidence] .point").nth(3).tap()
    saved(page)
    page.locator("[data-submit=stop]").tap()
    page.wait_for_url("**/work/")

    judgment = Judgment.objects.get()
    assert [lease.shown_value(score.value) for score in judgment.scores.all()] == [2, 2, 2, 2]
    assert (judgment.confidence, judgment.quality.verdict) == (4, "pass")
    assert [mark.polarity for mark in judgment.marks.all()] == ["good"]
    assert judgment.marks.get().dimension.key == page_order(lease)[0]


def page_order(lease: Lease) -> list[str]:
    return [question.key for question in questions_for(lease.annotator, lease.pair.study)]


def test_a_judgment_goes_on_after_a_reload_at_every_step(pair_of, enter):
    page, _annotator = enter(pair_of("enforced"))
    lease = into_the_room(page)
    first, second = ("a", "b") if lease.heard_first == "left" else ("b", "a")

    def again() -> None:
        page.reload()
        until_drawn(page)

    page.keyboard.press(first)
    until(page, f"document.querySelector('#side-{lease.heard_first} audio').currentTime > 1.5")
    with page.expect_response("**/heartbeat"):
        page.keyboard.press("Space")
    again()  # in the middle of the first side: what was heard stays heard
    until(
        page,
        f"parseFloat(document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent) > 15",
    )
    page.keyboard.press("m")
    until(page, f"document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent === 'heard'")
    again()  # between the sides
    assert page.locator("#questions").is_hidden()
    page.keyboard.press(second)
    page.wait_for_selector("#questions:not([hidden])")
    page.keyboard.press("Space")
    again()  # before the first answer
    for number, key in enumerate(("7", "1", "x", "5")):
        page.wait_for_selector(f"[data-step='{number}'][aria-current=step]")
        page.keyboard.press(key)
        saved(page)
        again()
    page.keyboard.press("4")
    page.keyboard.press("r")
    page.keyboard.type("B sounded warmer")
    saved(page)
    again()
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    judgment = Judgment.objects.get()
    assert (judgment.scores.count(), judgment.confidence, judgment.reason) == (4, 4, "B sounded warmer")
    assert min(judgment.coverage_a, judgment.coverage_b) >= 0.98


def test_the_room_has_no_obvious_barrier(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)

    assert violations(page, "#main") == []
