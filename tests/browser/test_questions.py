"""The questions in a real Chromium: all on one page, examples, the flag, the content warning; by keyboard."""

import io

import pytest
import soundfile
from django.urls import reverse

from annotation.material import Excerpt
from annotation.models import Flag, Judgment, Lease, Study
from annotation.services import flags
from earshot.accounts.models import Role
from tests.browser.axe import violations
from tests.browser.room import AUDIBLE, into_the_room, saved, until
from tests.factories import NOW, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TOGETHER = Study.QuestionLayout.TOGETHER
SIZES = pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (360, "light"), (360, "dark")])


@pytest.fixture
def enter_room(pair_of, enter):
    """The room of a pair with real sound: `page = enter_room(question_layout=TOGETHER)`."""

    def enter_as(options=None, **fields):
        page, _annotator = enter(pair_of("none", **fields), **(options or {}))
        into_the_room(page)
        return page

    return enter_as


def in_order(page) -> list[str]:
    """The keys of the questions as this annotator meets them."""
    return page.locator("[data-question]").evaluate_all("panels => panels.map((panel) => panel.dataset.question)")


def marked(page) -> str:
    return page.locator("[data-question][data-current]").get_attribute("data-question")


def answers(page) -> list[str]:
    return page.locator("[data-step-answer]").all_inner_texts()


def test_all_questions_on_one_page_are_answered_by_digits_in_their_order(enter_room):
    page = enter_room(question_layout=TOGETHER)
    assert page.locator("[data-question]:visible").count() == 5

    for key in ("7", "1", "x", "5", "4"):
        page.keyboard.press(key)

    assert answers(page) == ["B much better", "A much better", "both bad", "B slightly better", "4 of 5"]
    saved(page)
    page.keyboard.press("s")
    page.wait_for_url("**/work/")
    judgment = Judgment.objects.submitted().get()
    scored = [score.value for score in judgment.scores.all() if score.value is not None]
    assert (judgment.confidence, sorted(map(judgment.lease.shown_value, scored))) == (4, [-3, 1, 3])


def test_comma_and_point_move_and_a_digit_answers_the_question_in_focus(enter_room):
    page = enter_room(question_layout=TOGETHER)
    order = in_order(page)

    page.keyboard.press(".")
    page.keyboard.press(".")
    assert marked(page) == order[2]
    page.keyboard.press("6")
    assert (answers(page), marked(page)) == (["", "", "B better", "", ""], order[3])
    page.keyboard.press(",")
    page.keyboard.press("2")

    assert (answers(page), marked(page)) == (["", "", "A better", "", ""], order[3])


def test_without_focus_a_digit_answers_the_first_question_without_an_answer(enter_room):
    page = enter_room(question_layout=TOGETHER)
    page.locator("[data-question]").nth(1).locator("label", has_text="About the same").click()
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("3")
    page.keyboard.press("5")

    assert answers(page) == ["A slightly better", "same", "B slightly better", "", ""]


def test_enter_in_a_scale_goes_on_and_submits_nothing(enter_room):
    page = enter_room(question_layout=TOGETHER)
    order = in_order(page)
    page.keyboard.press(".")
    page.keyboard.press("Space")

    page.keyboard.press("Enter")

    assert marked(page) == order[2]
    assert page.locator("#submit-problem").is_hidden()


def test_submit_names_what_is_missing_and_shows_the_first_of_it(enter_room):
    page = enter_room(question_layout=TOGETHER)
    order = in_order(page)
    page.keyboard.press("4")
    page.get_by_role("button", name="Submit and go on").click()

    names = [page.locator(f"[data-question={key}]").get_attribute("data-name") for key in order[1:]]
    assert page.locator("#submit-problem").inner_text() == f"Still to answer: {', '.join(names)}."
    assert marked(page) == order[1]
    assert not Judgment.objects.submitted().exists()


@SIZES
def test_all_questions_on_one_page_fit_and_have_no_barrier(enter_room, width, scheme):
    warned = {"question_layout": TOGETHER, "content_warning": "Somebody shouts."}
    page = enter_room({"width": width, "color_scheme": scheme}, **warned)

    assert violations(page) == []
    page.keyboard.press("Enter")
    page.wait_for_selector("#content-warning", state="hidden")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page, "#main") == []


def tone() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, [0.0] * 48_000, 24_000, format="WAV")
    return file.getvalue()


@pytest.fixture
def examples(monkeypatch):
    """Two seconds each, under addresses that the test answers itself."""
    two = [
        Excerpt("better", "Fits what is said", "/example-better.wav"),
        Excerpt("worse", "Does not fit", "/example-worse.wav"),
    ]
    monkeypatch.setattr(
        "annotation.queries.examples.shipped_examples", lambda key, _language: two if key == "prosody" else []
    )

    def answer(page):
        page.route("**/example-*.wav", lambda route: route.fulfill(body=tone(), content_type="audio/wav"))

    return answer


def test_an_example_silences_the_room_and_the_room_silences_the_example(enter_room, examples):
    page = enter_room(question_layout=TOGETHER)
    examples(page)
    better, worse = (page.get_by_role("button", name=name) for name in ("Fits what is said", "Does not fit"))
    page.keyboard.press("a")
    until(page, f"{AUDIBLE} === 1")

    page.locator("summary", has_text="Hear an example").press("Enter")
    better.press("Enter")
    until(page, f"{AUDIBLE} === 0")
    assert (better.get_attribute("aria-pressed"), worse.get_attribute("aria-pressed")) == ("true", "false")
    worse.click()
    assert (better.get_attribute("aria-pressed"), worse.get_attribute("aria-pressed")) == ("false", "true")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("b")
    until(page, "document.querySelectorAll('[data-example][aria-pressed=true]').length === 0")

    until(page, f"{AUDIBLE} === 1")


def test_an_example_that_does_not_load_says_so_and_stops_nothing_else(enter_room, examples):
    page = enter_room()
    page.route("**/example-*.wav", lambda route: route.fulfill(status=404))
    page.locator("[data-step]", has_text="Prosody").click()

    page.locator("summary", has_text="Hear an example").click()
    page.get_by_role("button", name="Fits what is said").click()

    page.wait_for_selector("[data-example-problem]:not([hidden])")
    assert page.locator("[data-example][aria-pressed=true]").count() == 0
    page.complaints[:] = [line for line in page.complaints if "404" not in line]


def test_a_pair_is_flagged_by_keyboard_without_leaving_the_room(enter_room):
    page = enter_room()
    page.keyboard.press("6")

    page.keyboard.press("!")
    dialog = page.locator("#flag-dialog")
    dialog.get_by_label("the sound is broken").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("A crackles in turn 3")
    assert violations(page, "#flag-dialog") == []
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#flag-kept")
    assert "The researchers of this study see it." in page.locator("#flag-kept").inner_text()
    assert violations(page, "#flag-dialog") == []
    page.keyboard.press("Enter")
    page.wait_for_selector("#flag-dialog", state="hidden")

    flag = Flag.objects.get()
    assert (flag.kind, flag.note) == ("sound", "A crackles in turn 3")
    assert answers(page)[0] == "B better"


def test_a_flag_without_a_reason_is_asked_for_one(enter_room):
    page = enter_room()
    page.get_by_role("button", name="Flag this pair").click()

    page.get_by_role("button", name="Flag the pair").click()

    page.locator("#flag-dialog .field-error").wait_for()
    assert page.locator("#flag-dialog .field-error").inner_text() == "Choose what is wrong."
    page.complaints[:] = [line for line in page.complaints if "422" not in line]
    page.keyboard.press("Escape")
    page.wait_for_selector("#flag-dialog", state="hidden")
    assert not Flag.objects.exists()


def test_no_sound_starts_before_the_content_warning_is_answered_and_once_is_enough(enter_room):
    page = enter_room(content_warning="Somebody shouts.")
    warning = page.locator("#content-warning")
    assert warning.inner_text().splitlines()[0] == "Before you listen"

    for key in ("a", "b", "4", "Escape", "Escape"):
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    assert (page.evaluate(AUDIBLE), warning.is_visible(), answers(page)[0]) == (0, True, "")
    page.locator("[data-listen]").press("Enter")
    page.wait_for_selector("#content-warning", state="hidden")
    page.keyboard.press("a")
    until(page, f"{AUDIBLE} === 1")
    page.reload()
    until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")

    assert warning.is_hidden()


def test_the_content_warning_is_asked_and_answered_where_the_browser_keeps_nothing(enter_room):
    page = enter_room(content_warning="Somebody shouts.")
    page.add_init_script("""
        const broken = () => { throw new DOMException("The quota has been exceeded.", "QuotaExceededError"); };
        Storage.prototype.setItem = broken;
    """)
    page.reload()
    page.wait_for_selector("#content-warning[open]")

    page.locator("[data-listen]").press("Enter")
    page.wait_for_selector("#content-warning", state="hidden")
    until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
    page.wait_for_timeout(200)

    assert page.locator("#content-warning").is_hidden()


def test_whoever_would_rather_not_listen_skips_from_the_warning(enter_room):
    phone = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
    page = enter_room(phone, content_warning="Somebody shouts.")

    page.locator("#content-warning").get_by_role("button", name="Skip this pair").tap()
    page.locator("#skip-dialog").get_by_label("I would rather not listen to this").check()
    page.locator("#skip-dialog").get_by_role("button", name="Skip the pair").tap()
    page.wait_for_url("**/work/")

    assert list(Lease.objects.values_list("state", "skip_reason")) == [("skipped", "I would rather not listen to this")]


@SIZES
def test_the_researchers_pages_of_languages_and_flags_fit_and_have_no_barrier(page_of, width, scheme):
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher, instructions="Listen twice.", title="Warm or cold " * 8)
    lease = make_lease(make_pair(study))
    for kind in ("sound", "content"):
        flags.flag_pair(lease, kind=kind, note="A crackles in turn 3 " * 20, at=NOW)
    page = page_of(researcher, width=width, color_scheme=scheme)

    for name in ("study", "edit_languages", "study_flags", "edit_rubric", "edit_study"):
        page.goto(reverse(f"annotation:{name}", args=[study.pk]))
        assert page.evaluate("document.documentElement.scrollWidth") == width, name
        assert violations(page) == [], name


def test_a_researcher_resolves_a_flag_by_keyboard(page_of):
    researcher = make_user(Role.RESEARCHER)
    study = make_study(researcher=researcher)
    flag = flags.flag_pair(make_lease(make_pair(study)), kind="sound", note="", at=NOW)
    page = page_of(researcher)
    page.goto(reverse("annotation:study_flags", args=[study.pk]))

    page.get_by_label("What was found or done").focus()
    page.keyboard.type("The file was exchanged.")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Reopen").wait_for()

    flag.refresh_from_db()
    assert (flag.resolution, flag.resolved_by) == ("The file was exchanged.", researcher)
