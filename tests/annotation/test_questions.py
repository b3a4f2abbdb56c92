"""The questions as the room shows them: their layout, their examples, and what must be read before the first sound."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.material import Excerpt
from annotation.models import Study
from annotation.queries import examples
from tests.factories import join, make_lease, make_pair, make_study

pytestmark = pytest.mark.django_db


def room_of(study) -> str:
    lease = make_lease(make_pair(study), at=timezone.now())
    client = Client()
    client.force_login(lease.annotator)
    return client.get(reverse("annotation:room", args=[lease.key])).content.decode()


def hidden_questions(html: str) -> int:
    lines = [line for line in html.splitlines() if 'data-question="' in line]
    assert len(lines) == 5
    return sum(line.rstrip().endswith(" hidden>") for line in lines)


def test_one_by_one_the_page_begins_with_one_question_and_together_with_all():
    one_by_one = room_of(make_study())
    together = room_of(make_study(question_layout=Study.QuestionLayout.TOGETHER))

    assert (hidden_questions(one_by_one), hidden_questions(together)) == (4, 0)
    assert ('data-layout="one_by_one"' in one_by_one, 'data-layout="together"' in together) == (True, True)


def test_an_example_stands_where_the_material_has_one_and_nowhere_else(monkeypatch):
    better = Excerpt("better", "The voice rises with the <question>.", "/material/abc.wav")
    monkeypatch.setattr(examples, "shipped_examples", lambda key, language: [better] if key == "prosody" else [])

    html = room_of(make_study())

    assert html.count("data-examples>") == 1
    assert 'data-example="/material/abc.wav"' in html
    assert "The voice rises with the &lt;question&gt;." in html


def test_examples_are_asked_for_in_the_readers_language(monkeypatch, settings):
    settings.LANGUAGES = [("en", "English"), ("ja", "日本語")]
    asked = []
    monkeypatch.setattr(examples, "shipped_examples", lambda key, language: asked.append((key, language)) or [])
    lease = make_lease(make_pair(make_study()), at=timezone.now())
    client = Client(headers={"accept-language": "ja"})
    client.force_login(lease.annotator)

    client.get(reverse("annotation:room", args=[lease.key]))

    assert sorted(asked) == [(key, "ja") for key in ("emotional_continuity", "immersion", "overall", "prosody")]


def test_a_content_warning_stands_before_the_sound_and_beside_the_study_with_a_way_out():
    study = make_study(content_warning="Somebody shouts <loudly>.")
    annotator = join(study)
    client = Client()
    client.force_login(annotator)
    lease = make_lease(make_pair(study), annotator, at=timezone.now())

    room = client.get(reverse("annotation:room", args=[lease.key])).content.decode()
    work = client.get(reverse("annotation:work")).content.decode()

    assert '<dialog id="content-warning" class="warning"' in room
    assert f'data-lease="{lease.key}"' in room
    assert room.count("Somebody shouts &lt;loudly&gt;.") == work.count("Somebody shouts &lt;loudly&gt;.") == 1
    assert room.count('data-open-dialog="skip-dialog"') == 2


def test_without_a_content_warning_nothing_stands_before_the_sound():
    html = room_of(make_study())

    assert ("content-warning" in html, "room_warning.js" in html) == (False, False)
