"""A study's own words in the reader's language, on every page that an annotator reads."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from annotation.models import Dimension, Study
from annotation.queries.questions import degree_of, points_of
from annotation.queries.wording import in_language, reader_language, title_for_reader
from annotation.services import judgments, leases
from annotation.services.judgments import ShownScore
from tests.factories import answer, join, make_lease, make_pair, make_study

LANGUAGES = [("en", "English"), ("zh-hans", "简体中文"), ("ja", "日本語")]


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("en-gb", "en"),
        ("zh-cn", "zh-hans"),
        ("zh-hans", "zh-hans"),
        ("zh_Hant", "zh-hans"),
        ("ja-jp", "ja"),
        ("de", "en"),
    ],
)
def test_the_readers_language_is_one_of_three(code, language):
    with translation.override(code):
        assert reader_language() == language


def test_without_a_language_the_reader_reads_english():
    with translation.override(None):
        assert reader_language() == "en"


def test_a_text_is_read_in_its_language_and_else_in_the_original():
    study = Study(title="Warm or cold", translations={"ja": {"title": "あたたかさ"}})

    assert [in_language(study, "title", code) for code in ("ja", "zh-hans", "en")] == [
        "あたたかさ",
        "Warm or cold",
        "Warm or cold",
    ]


def test_a_translation_of_nothing_is_not_read():
    study = Study(content_warning="", translations={"ja": {"content_warning": "大きな音がします"}})

    assert in_language(study, "content_warning", "ja") == ""


def test_a_later_version_says_which_it_is():
    study = Study(title="あたたかさ", version=2, translations={"en": {"title": "Warm or cold"}})

    with translation.override("en"):
        assert title_for_reader(study) == "Warm or cold (version 2)"


def test_the_usual_scale_runs_from_a_much_better_to_b_much_better():
    points = points_of(Dimension(key="prosody"))

    assert [(point.value, point.words, point.letter) for point in points] == [
        (-3, "A much better", "a"),
        (-2, "A better", "a"),
        (-1, "A slightly better", "a"),
        (0, "About the same", ""),
        (1, "B slightly better", "b"),
        (2, "B better", "b"),
        (3, "B much better", "b"),
    ]


def test_a_scale_of_its_own_says_its_own_phrases_on_both_sides():
    dimension = Dimension(key="warmth", anchors=["far warmer", "warmer", "a little warmer", "equally warm"])

    assert [point.words for point in points_of(dimension)] == [
        "A far warmer",
        "A warmer",
        "A a little warmer",
        "Equally warm",
        "B a little warmer",
        "B warmer",
        "B far warmer",
    ]
    assert [degree_of(dimension, value) for value in (-3, 0, 1)] == ["far warmer", "equally warm", "a little warmer"]


@pytest.fixture
def japanese_study(db, settings):
    """A running study that is written in Japanese too, in a product that speaks it."""
    settings.LANGUAGES = LANGUAGES
    study = make_study(title="Warm or cold", instructions="Listen twice.", content_warning="Somebody shouts.")
    Study.objects.filter(pk=study.pk).update(
        translations={
            "ja": {"title": "あたたかさ", "instructions": "二度聞いてください。", "content_warning": "叫び声"}
        }
    )
    study.dimensions.filter(key="prosody").update(
        help_text="The melody.",
        anchors=["far better", "better", "a bit better", "the same"],
        translations={
            "ja": {
                "name": "韻律",
                "question": "どちらの声がふさわしいですか。",
                "help_text": "抑揚",
                "anchors": ["ずっと良い", "良い", "少し良い", "同じくらい"],
            }
        },
    )
    study.refresh_from_db()
    return study


def japanese(user) -> Client:
    client = Client(headers={"accept-language": "ja"})
    client.force_login(user)
    return client


def test_work_room_and_history_speak_the_readers_language(japanese_study):
    now = timezone.now()
    lease = make_lease(make_pair(japanese_study), at=now)
    client = japanese(lease.annotator)

    work = client.get(reverse("annotation:work")).content.decode()
    room = client.get(reverse("annotation:room", args=[lease.key])).content.decode()
    answer(lease, 3, at=now)
    judgments.submit(lease, at=now)
    history = client.get(reverse("annotation:history")).content.decode()
    closed = client.get(reverse("annotation:room", args=[lease.key])).content.decode()

    assert [words in work for words in ("あたたかさ", "二度聞いてください。", "叫び声", "Warm or cold")] == [
        True
    ] * 3 + [False]
    read = ("あたたかさ", "韻律", "どちらの声がふさわしいですか。", "抑揚", "A ずっと良い", "同じくらい", "叫び声")
    assert [words for words in read if words not in room] == []
    assert [words for words in ("Warm or cold", "The melody.", "far better") if words in room] == []
    assert [words in history for words in ("あたたかさ", "韻律", "ずっと良い", "Warm or cold")] == [True] * 3 + [False]
    assert ("あたたかさ" in closed, "Warm or cold" in closed) == (True, False)


def test_who_reads_english_reads_the_original(japanese_study):
    lease = make_lease(make_pair(japanese_study), at=timezone.now())
    client = Client()
    client.force_login(lease.annotator)

    room = client.get(reverse("annotation:room", args=[lease.key])).content.decode()

    assert ("Warm or cold" in room, "A far better" in room, "韻律" in room) == (True, True, False)


def test_a_missing_answer_is_named_in_the_readers_language(japanese_study):
    lease = make_lease(make_pair(japanese_study))
    keys = ["emotional_continuity", "immersion", "overall"]
    judgments.save_draft(lease, scores={key: ShownScore(value=1) for key in keys}, confidence=3, at=lease.opened_at)

    with translation.override("ja"), pytest.raises(ValidationError, match="韻律"):
        judgments.submit(lease, at=lease.opened_at)


def test_that_nothing_is_open_is_told_with_the_title_that_is_read(japanese_study):
    annotator = join(japanese_study)

    page = japanese(annotator).post(reverse("annotation:next_pair", args=[japanese_study.pk]), follow=True)

    assert "あたたかさ" in next(str(message) for message in page.context["messages"])


def test_the_languages_of_an_expired_pair_are_the_readers_too(japanese_study):
    now = timezone.now()
    lease = make_lease(make_pair(japanese_study, seats_left=1), at=now)
    judgments.save_draft(lease, scores={"prosody": ShownScore(value=-2)}, at=now)
    leases.expire_overdue(at=lease.expires_at)
    leases.take(lease.pair, join(japanese_study), probability=1.0, at=now)

    page = japanese(lease.annotator).get(reverse("annotation:room", args=[lease.key])).content.decode()

    assert [words in page for words in ("あたたかさ", "韻律", "良い")] == [True, True, True]
