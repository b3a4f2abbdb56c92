"""The languages of the pages: who chooses one, what is offered, and that no page mixes two."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from babel.messages import pofile
from django.conf import settings as django_settings
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import trans_real

from annotation.models import Study
from annotation.services import judgments
from earshot.accounts import services
from earshot.accounts.models import User
from earshot.languages import catalogue
from earshot.languages.management.commands.compile_words import compiled
from tests.annotation.judged import make_judged_study, make_snapshot
from tests.factories import PASSWORD, answer, join, make_lease, make_pair, make_scenario, make_study, make_user
from tests.platform_floor.marked_language import Sentences, marked_language, untranslated
from tests.servers import ROOT

THREE = [("en", "English"), ("zh-hans", "简体中文"), ("ja", "日本語")]


@pytest.fixture(autouse=True)
def in_english_again():
    yield
    translation.activate("en")


@pytest.fixture
def three_languages(settings):
    settings.LANGUAGES = THREE


def language_of(response) -> str:
    return response.content.decode().split('<html lang="')[1].split('"')[0]


def signed_in(user: User, **options) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


# --- The choice -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "language"), [("ja", "ja"), ("zh-CN", "zh-hans"), ("zh", "zh-hans"), ("de", "en")])
def test_before_a_choice_the_browser_decides(db, three_languages, wanted, language):
    page = Client(headers={"accept-language": wanted}).get("/account/login/")

    assert (language_of(page), page["Content-Language"]) == (language, language)


def test_a_language_that_is_not_complete_is_not_offered(db, settings):
    settings.LANGUAGES = [("en", "English")]
    page = Client(headers={"accept-language": "ja"}).get("/account/login/")

    assert language_of(page) == "en"
    assert reverse("set_language") not in page.content.decode()


def test_the_sign_in_page_offers_each_language_by_its_own_name(db, three_languages):
    html = Client(headers={"accept-language": "ja"}).get("/account/login/").content.decode()

    for code, name in THREE:
        pressed = "true" if code == "ja" else "false"
        assert f'<button name="language" value="{code}" lang="{code}" aria-pressed="{pressed}">{name}</button>' in html


def test_a_choice_leads_back_to_its_page_and_stays_in_the_browser(db, three_languages):
    client = Client()

    back = client.post(reverse("set_language"), {"language": "ja", "next": "/account/login/?next=/work/"})

    assert (back.status_code, back["Location"]) == (302, "/account/login/?next=/work/")
    assert language_of(client.get("/account/login/")) == "ja"


def test_who_is_signed_in_reads_their_language_in_every_browser(db, three_languages):
    user, other = make_user(), make_user()

    signed_in(user).post(reverse("set_language"), {"language": "ja", "next": "/work/"})

    assert language_of(signed_in(user).get("/work/")) == "ja"
    assert language_of(signed_in(user, headers={"accept-language": "zh-cn"}).get("/work/")) == "ja"
    assert User.objects.get(pk=other.pk).language == ""
    assert language_of(signed_in(other).get("/work/")) == "en"


@pytest.mark.parametrize("language", ["de", "", "../../etc", "zh-hant"])
def test_a_language_that_is_not_offered_changes_nothing(db, three_languages, language):
    user = make_user(language="ja")
    client = signed_in(user)

    response = client.post(reverse("set_language"), {"language": language, "next": "/work/"})

    assert (response.status_code, response["Location"]) == (302, "/work/")
    assert django_settings.LANGUAGE_COOKIE_NAME not in client.cookies
    assert User.objects.get(pk=user.pk).language == "ja"


def test_a_choice_never_leads_to_another_host(db, three_languages):
    response = Client().post(reverse("set_language"), {"language": "ja", "next": "https://evil.example/"})

    assert response["Location"] == "/"


def test_another_site_cannot_choose(db, three_languages):
    user = make_user()
    client = signed_in(user, enforce_csrf_checks=True)

    assert client.post(reverse("set_language"), {"language": "ja"}).status_code == 403
    assert client.get(reverse("set_language"), {"language": "ja"}).status_code == 405
    assert User.objects.get(pk=user.pk).language == ""


def test_a_choice_that_is_not_offered_any_more_is_passed_over(db, settings):
    settings.LANGUAGES = [("en", "English")]
    user = make_user(language="ja")

    assert language_of(signed_in(user).get("/work/")) == "en"


def test_the_profile_keeps_a_language_and_gives_it_up_again(db, three_languages):
    user = make_user()
    client = signed_in(user, headers={"accept-language": "zh-cn"})

    client.post("/profile/", {"name": "Ada", "language": "ja"})
    assert (User.objects.get(pk=user.pk).language, language_of(client.get("/profile/"))) == ("ja", "ja")
    client.post("/profile/", {"name": "Ada", "language": ""})
    assert (User.objects.get(pk=user.pk).language, language_of(client.get("/profile/"))) == ("", "zh-hans")


def test_the_profile_refuses_a_language_that_is_not_offered(db, three_languages):
    user = make_user()

    response = signed_in(user).post("/profile/", {"name": "Ada", "language": "de"})

    assert (response.status_code, User.objects.get(pk=user.pk).language) == (422, "")


def test_with_one_language_the_profile_asks_for_none(db, settings):
    settings.LANGUAGES = [("en", "English")]

    assert 'name="language"' not in signed_in(make_user()).get("/profile/").content.decode()


def test_a_language_that_earshot_does_not_know_stops_the_start(tmp_path):
    unknown = {
        "EARSHOT_LANGUAGES": "en,xx",
        "EARSHOT_DATA_DIR": str(tmp_path),
        "PYTHONPATH": "platform",
    }

    start = subprocess.run(
        [sys.executable, "-c", "import earshot.settings"],
        cwd=ROOT,
        env=os.environ | unknown,
        capture_output=True,
        text=True,
    )

    assert start.stderr.strip().endswith("EARSHOT_LANGUAGES names 'xx'. Earshot knows en, zh-hans, ja.")


# --- The words of scripts ---------------------------------------------------------------------------------------------

SCRIPT_WORDS = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=1; plural=0;\\n"

msgid "just now"
msgstr "たった今"

msgid "%(count)s day ago"
msgid_plural "%(count)s days ago"
msgstr[0] "%(count)s日前"
"""


@pytest.fixture
def japanese_scripts(tmp_path, settings, three_languages):
    folder = tmp_path / "ja" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "djangojs.po").write_text(SCRIPT_WORDS, encoding="utf-8")
    (folder / "djangojs.mo").write_bytes(compiled(folder / "djangojs.po"))
    settings.LOCALE_PATHS = [tmp_path]
    catalogue.version.cache_clear()
    yield
    catalogue.version.cache_clear()


def words_of(response) -> dict[str, object]:
    script = response.content.decode()
    return json.loads(script.split("catalogue: ")[1].split(", plural:")[0])


def test_scripts_find_their_words_at_an_address_that_changes_with_them(japanese_scripts, db):
    page = Client(headers={"accept-language": "ja"}).get("/account/login/").content.decode()
    address = page.split('<script src="/words/')[1].split('"')[0]

    script = Client().get(f"/words/{address}")

    assert address == f"ja.{catalogue.version('ja')}.js"
    assert len(catalogue.version("ja")) == 12
    assert (script["Content-Type"], script["Content-Language"], script["Cache-Control"]) == (
        "text/javascript; charset=utf-8",
        "ja",
        "public, max-age=31536000, immutable",
    )
    assert words_of(script) == {"just now": "たった今", "%(count)s day ago": ["%(count)s日前"]}
    assert script.content.decode().endswith("plural: (n) => Number(0)};\n")


def test_words_of_another_version_are_not_kept_by_the_browser(japanese_scripts, db):
    assert Client().get("/words/ja.000000000000.js")["Cache-Control"] == "no-cache"


def test_english_scripts_speak_for_themselves(db):
    script = Client(headers={"accept-language": "ja"}).get("/words/en.original.js")

    assert script.content.decode() == "globalThis.earshotWords = {catalogue: {}, plural: (n) => Number(n != 1)};\n"


@pytest.mark.parametrize("language", ["de", "xx", "zh-hant"])
def test_a_language_that_is_not_offered_has_no_words(db, three_languages, language):
    assert Client().get(f"/words/{language}.original.js").status_code == 404


# --- No page mixes languages ------------------------------------------------------------------------------------------


@pytest.fixture
def marked_japanese(monkeypatch, settings):
    """A Japanese in which each translated sentence stands in ⟦ ⟧, and nothing else does."""
    real = trans_real.translation
    monkeypatch.setattr(trans_real, "translation", lambda code: marked_language(code) if code == "ja" else real(code))
    settings.LANGUAGES = THREE


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p>⟦Hello there⟧</p>", []),
        ("<p>⟦From <a href='/'>名</a> of yesterday⟧.</p>", []),
        ("<p>Hello there</p>", ["Hello there"]),
        ("<p>⟦Hello⟧ there</p>", ["there"]),
        ('<button aria-label="Close">×</button>', ["Close"]),
        ('<script type="application/json" id="room-words">{"play": "Play A"}</script>', ["Play A"]),
        ("<p>−23.0 LUFS, ada@example.org <code>make run</code></p>", []),
    ],
)
def test_the_search_for_english_finds(html, found):
    assert untranslated(html) == found


def english_on(client: Client, addresses: list[str], **names: str) -> dict[str, list[str]]:
    """Address → the English that stands on its page; a page that is not there fails."""
    pages = {address: client.get(address) for address in addresses}
    assert {address: page.status_code for address, page in pages.items() if page.status_code != 200} == {}
    found = {address: untranslated(page.content.decode(), **names) for address, page in pages.items()}
    return {address: words for address, words in found.items() if words}


def japanese_study(**fields) -> Study:
    return make_study(title="温かさ", **fields)


def test_pages_before_signing_in_speak_one_language(db, marked_japanese):
    client = Client(headers={"accept-language": "ja"})
    names = ["account_login", "account_signup", "account_reset_password", "account_reset_password_done"]

    assert english_on(client, [reverse(name) for name in names]) == {}
    assert untranslated(client.get("/nowhere").content.decode()) == []


def test_what_is_said_after_signing_in_is_in_the_language_of_the_page(db, marked_japanese):
    user = make_user(language="ja", name="名")
    client = Client(headers={"accept-language": "ja"})

    page = client.post("/account/login/", {"login": user.email, "password": PASSWORD}, follow=True)

    assert "⟦You are signed in as 名.⟧" in page.content.decode()
    assert untranslated(page.content.decode()) == []


def annotators_pages(annotator: User) -> list[str]:
    """The pages of somebody with a pair in hand, one judged, and one whose time has run out."""
    now = timezone.now()
    study = japanese_study(listening_policy="none", question_layout="together", content_warning="大声")
    scenario = make_scenario(topic="荷物")
    open_lease = make_lease(make_pair(study, scenario=scenario), annotator, at=now)
    judged = make_lease(make_pair(study, scenario=make_scenario(topic="花")), annotator, at=now)
    answer(judged, at=now)
    judgments.submit(judged, at=now)
    enforced = make_lease(
        make_pair(japanese_study(listening_policy="enforced"), scenario=make_scenario(topic="駅")), annotator, at=now
    )
    rooms = [reverse("annotation:room", args=[lease.key]) for lease in (open_lease, judged, enforced)]
    return [
        reverse("annotation:work"),
        reverse("annotation:history"),
        reverse("accounts:profile"),
        reverse("annotation:entry", args=[study.pk]),
        reverse("annotation:consent", args=[study.pk]),
        *rooms,
    ]


def test_the_annotators_pages_speak_one_language(db, marked_japanese):
    annotator = make_user(language="ja", name="名")

    assert english_on(signed_in(annotator), annotators_pages(annotator)) == {}


def test_the_pages_of_everybodys_account_speak_one_language(db, marked_japanese):
    admin = make_user("admin", language="ja", name="名")
    names = ["account_email", "account_change_password", "mfa_index", "accounts:users", "accounts:add_user"]

    found = english_on(signed_in(admin), [*map(reverse, names), reverse("accounts:user", args=[admin.pk])])

    assert found == {}


def researchers_pages(study: Study) -> list[str]:
    """The pages of a study with votes and a snapshot, and the lists and forms that lead to them."""
    of_study = ["study", "edit_study", "study_flags", "members", "study_pairs", "add_pairs", "snapshot_new"]
    of_study += ["edit_rubric", "new_pilot", "study_checks", "rater_checks", "study_adjudications"]
    sections = ["ranking", "style", "wins", "agreement", "raters", "forecast", "marks", "alarms"]
    lists = ["studies", "new_study", "dialogues", "imports", "new_import", "systems", "snapshots"]
    others = ["jobs:list", "rewardmodel:runs", "rewardmodel:run_new", "policy:policies", "policy:rounds"]
    return [
        *(reverse(f"annotation:{name}") for name in lists),
        *(reverse(f"annotation:{name}", args=[study.pk]) for name in of_study),
        *(reverse("annotation:statistics", args=[study.pk, section]) for section in sections),
        *map(reverse, [*others, "policy:policy_new", "policy:round_new"]),
    ]


NAMES_OF_THE_DATA = (
    r"\b(system|dialogue|scenario|policy)-\d+\b|\bannotator\d+\S*|\bTopic \d+\b|\b\w+\.\w+\b"
    r"|\b[0-9a-f]{12}\b|\ben\b|\bfirst\b"
    r"|Snapshot of|Statistics of|\b(CMOS|SVG|PNG|CSV)\b|\b(prosody|emotional_continuity|immersion|overall)\b"
    r"|Overall|Prosody|Emotional continuity|Immersion|In which dialogue .*\?|All in all: .*\?"
)


def test_the_researchers_pages_speak_one_language(db, marked_japanese):
    study = make_judged_study(title="温かさ")
    make_snapshot(study)
    admin = join(study, make_user("admin", language="ja", name="名"), "researcher")
    client = signed_in(admin)

    found = english_on(client, researchers_pages(study), names=NAMES_OF_THE_DATA)

    assert found == {}


def test_an_invitation_is_written_in_the_language_of_who_reads_it(db, marked_japanese):
    invited, admin = make_user(language="ja"), make_user("admin", name="名")

    services.send_invitation(invited, by=admin, link="https://lab/x")

    assert mail.outbox[0].subject == "⟦Your invitation to Earshot⟧"
    assert mail.outbox[0].body.startswith("⟦名 invites you to Earshot as ⟦annotator⟧.")


def test_an_invitation_of_somebody_new_is_in_the_language_of_who_invites(db, marked_japanese):
    with translation.override("ja"):
        services.send_invitation(make_user(), by=make_user("admin", name="名"), link="https://lab/x")

    assert mail.outbox[0].subject == "⟦Your invitation to Earshot⟧"


# --- The translations -------------------------------------------------------------------------------------------------

OFFERED = [language for language in catalogue.TRANSLATED_LANGUAGES if language in dict(django_settings.LANGUAGES)]
VALUES = re.compile(r"%\(\w+\)[.0-9]*[sdfr]|%[sd]|\{\w*\}|</?\w+[^>]*>")


def entries(language: str, domain: str):
    with catalogue.compiled_file(language, domain).with_suffix(".po").open("rb") as file:
        return [entry for entry in pofile.read_po(file) if entry.id]


@pytest.mark.parametrize("domain", catalogue.DOMAINS)
@pytest.mark.parametrize("language", catalogue.TRANSLATED_LANGUAGES)
def test_what_is_compiled_is_what_was_translated(language, domain):
    path = catalogue.compiled_file(language, domain)

    assert path.read_bytes() == compiled(path.with_suffix(".po")), "run manage.py compile_words"


def untranslated_entries(language: str, domain: str) -> list[str]:
    return [each_id(entry) for entry in entries(language, domain) if entry.fuzzy or not all(strings_of(entry))]


def each_id(entry) -> str:
    return entry.id if isinstance(entry.id, str) else entry.id[1]


def strings_of(entry) -> tuple[str, ...]:
    return entry.string if isinstance(entry.string, tuple) else (entry.string,)


def with_other_values(language: str, domain: str) -> list[str]:
    """Entries in whose translation a value or a tag is missing, or one stands that the original does not have."""
    found = []
    for entry in entries(language, domain):
        wanted = set(VALUES.findall(each_id(entry)))
        found += [each_id(entry) for words in strings_of(entry) if words and set(VALUES.findall(words)) != wanted]
    return found


@pytest.mark.parametrize("domain", catalogue.DOMAINS)
@pytest.mark.parametrize("language", catalogue.TRANSLATED_LANGUAGES)
def test_a_translation_keeps_the_values_of_its_original(language, domain):
    assert with_other_values(language, domain) == []


def test_a_language_that_is_offered_has_every_entry():
    missing = {(code, domain): untranslated_entries(code, domain) for code in OFFERED for domain in catalogue.DOMAINS}

    assert {where: words for where, words in missing.items() if words} == {}


def test_the_files_hold_what_pages_and_scripts_say(tmp_path, settings):
    if shutil.which("xgettext") is None:
        pytest.skip("no xgettext: install gettext")
    shutil.copytree(ROOT / "locale", tmp_path / "locale")
    settings.LOCALE_PATHS = [str(tmp_path / "locale")]

    with contextlib.chdir(ROOT):
        call_command("collect_words", stdout=io.StringIO())

    for path in sorted((ROOT / "locale").rglob("*.po")):
        collected = (tmp_path / "locale" / path.relative_to(ROOT / "locale")).read_text(encoding="utf-8")
        assert words_in(collected) == words_in(path.read_text(encoding="utf-8")), "run manage.py collect_words"


def words_in(po: str) -> list[str]:
    """Entries without the places where they are used."""
    return [line for line in po.splitlines() if not line.startswith("#")]


def english_sentences(html: str, language: str) -> list[str]:
    """Pieces of a page that are word for word an English entry whose translation is another."""
    page = Sentences()
    page.feed(html)
    english = {each_id(entry): strings_of(entry)[0] for entry in entries(language, "django")}
    pieces = {piece.strip() for text in [*page.texts, *page.attributes] for piece in text.split("\n")}
    return sorted(piece for piece in pieces if english.get(piece, piece) != piece)


def test_no_page_of_an_annotator_in_an_offered_language_has_an_english_sentence(db):
    for language in OFFERED:
        annotator = make_user(language=language, name="名")
        client = signed_in(annotator)

        pages = {address: client.get(address).content.decode() for address in annotators_pages(annotator)}

        found = {address: english_sentences(html, language) for address, html in pages.items()}
        assert {address: words for address, words in found.items() if words} == {}
