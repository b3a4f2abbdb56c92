"""Whatever fails around the room (network, server, tab, session, sound), no answer is lost and nothing counts twice."""

import json
import time
from contextlib import suppress

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Error

from annotation.models import Heartbeat, Judgment, Lease, ListeningLog, Score
from annotation.services import leases
from tests.browser.axe import violations
from tests.browser.room import AUDIBLE, PLAYING, into_the_room, saved, until
from tests.factories import PASSWORD, join

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEPT = "document.getElementById('saved').textContent.startsWith('Kept in this browser')"
STORED = "Object.keys(localStorage).filter((key) => key.startsWith('earshot:draft:')).length"


def shown(selector: str) -> str:
    return f"!document.querySelector('{selector}').hidden"


def forgive(page, *words: str) -> None:
    """Requests that this test made fail are logged by the browser; anything else still fails the test."""
    page.complaints[:] = [line for line in page.complaints if not any(word in line for word in words)]


def unplug(page) -> None:
    """The server is dead for this tab: no request is answered. What is here already goes on."""
    page.route("**/listen/**", lambda route: route.abort("connectionrefused"))


def plug_in(page) -> None:
    page.unroute("**/listen/**")


def answers_of(lease: Lease) -> dict[str, int | None]:
    scores = Score.objects.filter(judgment__lease=lease).select_related("dimension")
    return {score.dimension.key: None if score.value is None else lease.shown_value(score.value) for score in scores}


def stored(lease: Lease, *, scores: int, seconds: float = 15) -> None:
    """Wait until the server has that many answers."""
    end = time.monotonic() + seconds
    while Score.objects.filter(judgment__lease=lease).count() < scores:
        assert time.monotonic() < end, f"the server has {answers_of(lease)}"
        time.sleep(0.05)


def room_of(page, lease: Lease):
    page.goto(reverse("annotation:room", args=[lease.key]))
    until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
    return page


def test_offline_in_the_middle_of_a_judgment_that_is_then_submitted_once(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    for key in ("6", "2"):
        page.keyboard.press(key)
    saved(page)

    page.context.set_offline(True)
    for key in ("x", "4", "5"):
        page.keyboard.press(key)
    until(page, KEPT)
    assert page.locator("#offline").is_visible()
    page.keyboard.press("s")
    until(page, shown("#submit-kept"))
    assert page.locator("#submit-problem").is_hidden()
    assert (len(answers_of(lease)), Judgment.objects.submitted().count()) == (2, 0)
    page.context.set_offline(False)
    page.wait_for_url("**/work/")

    lease.refresh_from_db()
    judgment = Judgment.objects.get()
    assert (lease.state, judgment.is_late, judgment.confidence) == (Lease.State.SUBMITTED, False, 5)
    assert sorted(answers_of(lease).values(), key=str) == [-2, 0, 2, None]
    assert page.evaluate(STORED) == 0
    forgive(page, "ERR_INTERNET_DISCONNECTED")


def test_a_kept_submit_can_be_taken_back_before_it_is_sent(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    saved(page)
    page.context.set_offline(True)
    page.keyboard.press("s")
    until(page, shown("#submit-kept"))

    page.locator("[data-cancel-submit]").click()
    assert page.locator("#submit-kept").is_hidden()
    page.context.set_offline(False)
    page.wait_for_timeout(1000)

    lease.refresh_from_db()
    assert lease.state == Lease.State.LIVE
    forgive(page, "ERR_INTERNET_DISCONNECTED")


def test_a_submit_whose_answer_was_lost_counts_once(pair_of, enter):
    page, annotator = enter(pair_of("none"))
    into_the_room(page)
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    saved(page)
    client = Client()
    client.force_login(annotator)
    reached = []

    def lose_the_first_answer(route):
        if reached:
            route.continue_()
            return
        reached.append(client.post(route.request.url, route.request.post_data, content_type="application/json"))
        route.abort("connectionreset")

    page.route("**/submit", lose_the_first_answer)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    assert reached[0].json()["state"] == "submitted"
    assert Judgment.objects.submitted().count() == 1
    forgive(page, "ERR_CONNECTION_RESET")


def test_a_dead_server_is_said_calmly_and_its_return_saves_everything(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)

    unplug(page)
    page.keyboard.press("7")
    page.keyboard.press("1")
    until(page, shown("#server-silent"))
    assert "kept in this browser" in page.locator("#server-silent").inner_text()
    assert violations(page, "#main") == []
    plug_in(page)
    saved(page)

    assert sorted(answers_of(lease).values()) == [-3, 3]
    assert page.locator("#server-silent").is_hidden()
    forgive(page, "ERR_CONNECTION_REFUSED")


def test_a_crashed_tab_loses_no_answer(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    unplug(page)
    for key in ("7", "u", "1", "4", "2"):
        page.keyboard.press(key)
    page.keyboard.press("r")
    page.keyboard.type("B breathes")
    until(page, KEPT)
    crash(page)
    assert answers_of(lease) == {}

    again = room_of(page.context.new_page(), lease)
    assert again.locator("#brought-back").is_visible()
    assert again.locator("input[type=radio]:checked").count() == 5
    saved(again)

    judgment = Judgment.objects.get()
    assert (len(answers_of(lease)), judgment.confidence, judgment.reason) == (4, 2, "B breathes")
    again.reload()
    until(again, "document.querySelectorAll('canvas[data-drawn]').length === 2")
    assert again.locator("#brought-back").is_hidden()
    forgive(page, "ERR_CONNECTION_REFUSED")


def crash(page) -> None:
    """Kill the renderer, as a browser does that runs out of memory."""
    with page.expect_event("crash"), suppress(Error):  # the call dies with the page
        page.goto("chrome://crash")


def test_a_mark_put_before_a_crash_is_there_again(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    page.keyboard.press("a")
    until(page, "document.querySelector('#side-left audio').currentTime > 0.3")
    page.keyboard.press("Space")
    unplug(page)
    page.keyboard.press("-")
    until(page, KEPT)
    crash(page)

    again = room_of(page.context.new_page(), lease)
    saved(again)

    mark = Judgment.objects.get().marks.get()
    assert mark.polarity == "bad"
    forgive(page, "ERR_CONNECTION_REFUSED")


def test_what_a_crashed_tab_could_not_send_is_sent_from_the_work_page(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    unplug(page)
    page.keyboard.press("6")
    until(page, KEPT)
    crash(page)

    work = page.context.new_page()
    work.goto(reverse("annotation:work"))
    work.wait_for_selector("[data-catch-up]:not([hidden])")

    assert sorted(answers_of(lease).values()) == [2]
    forgive(page, "ERR_CONNECTION_REFUSED")


def submit_without_a_server(page) -> None:
    """Answer everything and submit, when nobody is there to take it."""
    unplug(page)
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    page.keyboard.press("s")
    until(page, shown("#submit-kept"))


def test_a_submit_that_was_kept_is_sent_from_the_work_page_once(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    submit_without_a_server(page)
    crash(page)

    work = page.context.new_page()
    work.goto(reverse("annotation:work"))
    work.wait_for_selector("[data-catch-up]:not([hidden])")

    lease.refresh_from_db()
    assert (lease.state, Judgment.objects.submitted().count()) == (Lease.State.SUBMITTED, 1)
    assert work.evaluate(STORED) == 0
    assert work.locator(".undo-line").is_visible()
    forgive(page, "ERR_CONNECTION_REFUSED")


def test_one_kept_answer_that_the_server_refuses_keeps_the_submit_back_and_not_the_others(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    submit_without_a_server(page)
    page.evaluate("""() => {
        const key = Object.keys(localStorage).find((each) => each.startsWith("earshot:draft:"));
        const entry = JSON.parse(localStorage.getItem(key));
        entry.answers.reason = { value: "x".repeat(4001), at: Date.now(), base: null, sent: false };
        localStorage.setItem(key, JSON.stringify(entry));
    }""")
    crash(page)

    work = page.context.new_page()
    work.goto(reverse("annotation:work"))
    work.wait_for_selector("[data-catch-up-refused]:not([hidden])")

    lease.refresh_from_db()
    assert (lease.state, Judgment.objects.submitted().count()) == (Lease.State.LIVE, 0)
    assert (sorted(answers_of(lease).values()), Judgment.objects.get().confidence) == ([0, 0, 0, 0], 3)
    sentence = "Not saved. The reason has 4001 characters; at most 4000 fit."
    assert work.locator("[data-catch-up-refused]").inner_text() == sentence
    kept = work.evaluate("""() => {
        const key = Object.keys(localStorage).find((each) => each.startsWith("earshot:draft:"));
        const { answers, submit } = JSON.parse(localStorage.getItem(key));
        return [Object.values(answers).filter(({ sent }) => !sent).length, "reason" in answers, submit];
    }""")
    assert kept == [0, False, None]  # nothing waits to be sent, and the pair waits for its author
    forgive(page, "ERR_CONNECTION_REFUSED", "409 (Conflict)")


def test_an_expired_session_is_said_and_signing_in_elsewhere_saves_everything(pair_of, enter):
    page, annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    Session.objects.all().delete()

    page.keyboard.press("6")
    until(page, shown("#signed-out"))
    assert violations(page, "#main") == []
    with page.context.expect_page() as opened:
        page.locator("#signed-out a").click()
    sign_in = opened.value
    sign_in.locator("input[name=login]").fill(annotator.email)
    sign_in.locator("input[name=password]").fill(PASSWORD)
    sign_in.keyboard.press("Enter")
    sign_in.wait_for_url("**/work/")
    saved(page)

    assert list(answers_of(lease).values()) == [2]
    assert page.locator("#signed-out").is_hidden()
    forgive(page, "403 (Forbidden)")


def test_another_person_at_the_same_browser_neither_sees_nor_sends_the_draft(pair_of, enter):
    pair = pair_of("none")
    page, _annotator = enter(pair)
    lease = into_the_room(page)
    unplug(page)
    page.keyboard.press("6")
    until(page, KEPT)
    crash(page)
    page.context.clear_cookies()
    other = join(pair.study)
    sign_in = page.context.new_page()
    sign_in.goto(reverse("account_login"))
    sign_in.locator("input[name=login]").fill(other.email)
    sign_in.locator("input[name=password]").fill(PASSWORD)
    sign_in.keyboard.press("Enter")
    sign_in.wait_for_url(lambda url: "login" not in url)

    sign_in.goto(reverse("annotation:work"))
    sign_in.wait_for_timeout(800)

    assert (answers_of(lease), sign_in.evaluate(STORED)) == ({}, 1)
    forgive(page, "ERR_CONNECTION_REFUSED")


def test_signing_out_leaves_no_saved_draft_in_the_browser(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    into_the_room(page)
    page.keyboard.press("6")
    saved(page)
    assert page.evaluate(STORED) == 1

    page.locator("[popovertarget=account-menu]").click()
    page.locator("[data-sign-out] button").click()
    page.wait_for_url("**/login/**")

    assert page.evaluate(STORED) == 0


def test_a_draft_of_last_week_is_thrown_away(pair_of, enter):
    page, annotator = enter(pair_of("none"))
    old = {"touched": 0, "urls": {}, "answers": {"confidence": {"value": 3, "at": 0, "base": None, "sent": False}}}
    page.evaluate(
        "([key, text]) => localStorage.setItem(key, text)", [f"earshot:draft:{annotator.pk}:x", json.dumps(old)]
    )
    assert page.evaluate(STORED) == 1

    page.reload()
    until(page, f"{STORED} === 0")


@pytest.mark.parametrize("policy", ["enforced", "none"])
def test_a_reload_at_every_step_loses_nothing(pair_of, enter, policy):
    page, _annotator = enter(pair_of(policy))
    lease = into_the_room(page)

    def reload() -> None:
        page.reload()
        until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
        until(page, "[...document.querySelectorAll('audio')].every((audio) => audio.readyState > 0)")

    reload()
    if policy == "enforced":
        for side in (lease.heard_first, "right" if lease.heard_first == "left" else "left"):
            heard = f"document.querySelector('[data-gate-side={side}] [data-share]').textContent === 'heard'"
            page.locator(f"#side-{side} [data-choose]").click()
            until(page, f"document.querySelector('#side-{side} audio').currentTime > 1.5")
            reload()
            until(page, f"document.querySelector('[data-gate-side={side}] [data-share]').textContent !== '0 %'")
            page.keyboard.press("m")
            until(page, f"{heard} || !document.getElementById('questions').hidden", seconds=40)
            reload()
    for number, key in enumerate(("6", "x", "1", "4"), start=1):
        page.keyboard.press(key)
        reload()
        assert page.locator("[data-question] input[type=radio]:checked").count() == number
        stored(lease, scores=number)
    page.keyboard.press("2")
    reload()
    page.keyboard.press("s")
    page.wait_for_url("**/work/")

    judgment = Judgment.objects.get()
    assert (len(answers_of(lease)), judgment.confidence, judgment.submitted_at is not None) == (4, 2, True)
    if policy == "enforced":
        assert min(judgment.coverage_a, judgment.coverage_b) >= 0.98


def test_an_answer_that_is_saved_while_the_page_is_made_anew_is_shown(pair_of, enter):
    """The old page lives until the new one arrives, and what it saves meanwhile is not in the new one."""
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)

    def come_late(route) -> None:
        response = route.fetch()
        time.sleep(3)
        route.fulfill(response=response)

    page.route(f"**/listen/{lease.key}/", come_late)
    for key, number in (("", 0), ("6", 1), ("x", 2)):
        if key:
            page.keyboard.press(key)
        page.reload()
        until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
        assert page.locator("[data-question] input[type=radio]:checked").count() == number
        assert page.locator("#brought-back").is_hidden()
    assert len(answers_of(lease)) == 2


@pytest.mark.parametrize("width", [360, 1440])
def test_a_sound_that_does_not_load_says_what_is_safe_and_comes_back_without_a_reload(pair_of, enter, width):
    page, _annotator = enter(pair_of("recorded"), width=width)
    page.context.route("**/sound", lambda route: route.abort("connectionreset"))
    page.keyboard.press("n")
    page.wait_for_url("**/listen/*/")
    until(page, shown("#side-left [data-sound-problem]") + " && " + shown("#side-right [data-sound-problem]"))
    assert "what you have heard are kept" in page.locator("#side-left [data-sound-problem]").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page, "#main") == []

    page.context.unroute("**/sound")
    page.locator("#side-left [data-try-sound-again]").click()
    until(page, "document.querySelector('#side-left audio').readyState > 0")
    assert page.locator("#side-left [data-sound-problem]").is_hidden()
    page.locator("#side-left [data-choose]").click()
    until(page, "document.querySelector('#side-left audio').currentTime > 0.5")

    forgive(page, "ERR_CONNECTION_RESET")


def test_two_tabs_of_one_pair_show_the_same_answers_and_overwrite_none(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    lease = into_the_room(page)
    second = room_of(page.context.new_page(), lease)

    page.keyboard.press("7")
    until(second, "document.querySelectorAll('input[type=radio]:checked').length === 1")
    second.keyboard.press(".")
    second.keyboard.press("1")
    until(page, "document.querySelectorAll('input[type=radio]:checked').length === 2")
    until(page, "document.querySelectorAll('.step.answered').length === 2")
    stored(lease, scores=2)

    assert sorted(answers_of(lease).values()) == [-3, 3]
    for key in ("4", "4", "3"):
        page.keyboard.press(".")
        page.keyboard.press(key)
    page.locator("[data-step='2']").click()
    for key in ("4", "4", "3"):
        page.keyboard.press(key)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")
    second.wait_for_selector("text=Your judgment is submitted.")

    assert Judgment.objects.submitted().count() == 1


def test_what_is_heard_in_two_tabs_of_one_pair_is_counted_once_and_whole(pair_of, enter):
    page, _annotator = enter(pair_of("recorded"))
    lease = into_the_room(page)
    second = room_of(page.context.new_page(), lease)
    until(second, "[...document.querySelectorAll('audio')].every((audio) => audio.readyState > 0)")

    for tab in (page, second, page):
        tab.bring_to_front()
        tab.locator("#side-left .turn-go").nth(0).click()
        tab.locator("[data-play]").click()
        until(tab, "document.querySelector('#side-left audio').currentTime > 1.1")
        tab.locator("[data-play]").click()
        tab.wait_for_timeout(400)

    log = ListeningLog.objects.get(side="left")
    numbers = list(Heartbeat.objects.filter(lease=lease).values_list("sequence", flat=True))
    assert numbers == sorted(set(numbers))
    assert log.seconds_played == pytest.approx(3 * 1.05, abs=0.7)
    assert log.heard[-1][1] < 1.8


def test_two_pairs_in_two_tabs_are_heard_one_at_a_time(pair_of, enter):
    first_pair, second_pair = pair_of("recorded"), pair_of("recorded")
    page, annotator = enter(first_pair)
    join(second_pair.study, annotator)
    held = [
        leases.open_lease(leases.take(pair, annotator, probability=1.0, at=timezone.now()), at=timezone.now())
        for pair in (first_pair, second_pair)
    ]
    tabs = [room_of(page, held[0]), room_of(page.context.new_page(), held[1])]

    tabs[0].locator("[data-play]").click()
    until(tabs[0], PLAYING + " === 1")
    tabs[1].locator("[data-play]").click()
    until(tabs[1], AUDIBLE + " === 1")
    until(tabs[0], PLAYING + " === 0")


def test_a_later_answer_from_another_browser_wins_over_an_older_one_that_was_kept_here(pair_of, enter):
    pair = pair_of("none")
    page, annotator = enter(pair)
    lease = into_the_room(page)
    elsewhere, _same = enter(pair, annotator=annotator)
    room_of(elsewhere, lease)
    page.context.set_offline(True)
    page.keyboard.press("7")
    page.keyboard.press("7")
    until(page, KEPT)
    page.wait_for_timeout(1100)
    elsewhere.keyboard.press("1")
    saved(elsewhere)

    page.context.set_offline(False)
    saved(page)

    first, second = (panel.get_attribute("data-question") for panel in page.locator("[data-question]").all()[:2])
    assert answers_of(lease) == {first: -3, second: 3}
    assert page.locator(f"input[name='score-{first}']:checked").get_attribute("value") == "-3"
    forgive(page, "ERR_INTERNET_DISCONNECTED")


def test_the_next_pair_is_reserved_when_the_questions_of_this_one_open(pair_of, enter):
    pair = pair_of("enforced")
    page, _annotator = enter(pair)
    lease = into_the_room(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/ahead") else None)
    page.keyboard.press("Space")
    until(page, f"document.querySelector('[data-gate-side={lease.heard_first}] [data-share]').textContent === 'heard'")
    assert asked == []
    page.keyboard.press("b" if lease.heard_first == "left" else "a")
    with page.expect_response("**/ahead") as answer:
        page.wait_for_selector("#questions:not([hidden])")

    assert answer.value.json() == {"reserved": False}  # there is no further pair
    assert len(asked) == 1


FORBID_STORAGE = """for (const kind of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, kind, { get() { throw new DOMException("forbidden", "SecurityError"); } });"""


def test_a_browser_that_forbids_storage_judges_by_key_all_the_same(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    page.add_init_script(FORBID_STORAGE)
    page.reload()
    lease = into_the_room(page)

    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
    saved(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/**")

    lease.refresh_from_db()
    assert lease.state == Lease.State.SUBMITTED
