"""Choosing a language with a real browser, and scripts that speak it."""

import pytest

from earshot.languages import catalogue
from earshot.languages.management.commands.compile_words import compiled
from tests.browser.axe import violations
from tests.browser.room import until
from tests.factories import make_user
from tests.platform_floor.test_languages import SCRIPT_WORDS, THREE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SAY = "(words) => import('/static/js/words.js').then((module) => module.gettext(words))"
COUNT = """(count) => import('/static/js/words.js').then(({ interpolate, ngettext }) =>
  interpolate(ngettext('%(count)s day ago', '%(count)s days ago', count), { count }))"""


@pytest.fixture
def three_languages(settings, tmp_path):
    """All three are offered; Japanese scripts know two sentences."""
    folder = tmp_path / "ja" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "djangojs.po").write_text(SCRIPT_WORDS, encoding="utf-8")
    (folder / "djangojs.mo").write_bytes(compiled(folder / "djangojs.po"))
    settings.LOCALE_PATHS = [tmp_path]
    settings.LANGUAGES = THREE
    catalogue.version.cache_clear()
    yield
    catalogue.version.cache_clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_switch_of_languages_is_accessible_and_fits(open_page, page_of, three_languages, width, scheme):
    page = open_page(width=width, color_scheme=scheme)
    page.goto("/account/login/")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width

    page = page_of(make_user(), width=width, color_scheme=scheme)
    page.goto("/profile/")
    page.locator("[popovertarget=account-menu]").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_language_is_chosen_by_keyboard_and_scripts_speak_it(open_page, three_languages):
    page = open_page()
    page.goto("/account/login/?next=/work/")
    assert [page.evaluate(SAY, "just now"), page.evaluate(COUNT, 1), page.evaluate(COUNT, 2)] == [
        "just now",
        "1 day ago",
        "2 days ago",
    ]

    page.get_by_role("button", name="日本語").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("html[lang=ja]")

    assert page.url.endswith("/account/login/?next=/work/")
    assert [page.evaluate(SAY, "just now"), page.evaluate(COUNT, 1), page.evaluate(COUNT, 2)] == [
        "たった今",
        "1日前",
        "2日前",
    ]
    assert page.evaluate(SAY, "Not a sentence of the catalogue") == "Not a sentence of the catalogue"


def test_the_scripts_of_the_work_page_speak_the_readers_language(pair_of, enter):
    page, _annotator = enter(pair_of("none"))
    page.context.add_cookies([{"name": "django_language", "value": "ja", "url": page.url}])
    page.reload()

    until(page, "Boolean(globalThis.earshotWords)")
    page.keyboard.press("?")
    page.wait_for_selector("#key-sheet[open]")

    assert page.locator("#key-sheet h3").all_inner_texts() == ["このページ", "全ページ共通"]


def test_a_link_that_looks_like_a_button_is_pressed_by_space(page_of):
    page = page_of(make_user("researcher"))
    page.goto("/studies/")

    page.locator("#main a[role=button]").first.focus()
    page.keyboard.press("Space")

    page.wait_for_url("**/studies/new")
