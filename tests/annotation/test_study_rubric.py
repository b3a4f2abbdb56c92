"""The rubric editor: what annotators will see of it, in their language, with examples to hear."""

import numpy as np
import pytest
import soundfile
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from annotation.queries.questions import questions_with_answers
from annotation.services import judgments
from annotation.services import studies as services
from annotation.services.studies import examples
from earshot.accounts.models import Role
from earshot.acoustics.levels import integrated_lufs
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher)


@pytest.fixture
def sound(tmp_path):
    return wav(tmp_path / "warm.wav", seconds=2.0)


def wav(path, *, seconds, rate=16_000):
    times = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, 0.05 * np.sin(2 * np.pi * 220 * times), rate)
    return path


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def rubric(*rows, **more):
    data = {"rubric-TOTAL_FORMS": len(rows), "rubric-INITIAL_FORMS": len(rows), **more}
    for number, row in enumerate(rows):
        data |= {f"rubric-{number}-{name}": value for name, value in row.items()}
    return data


def row(key, position, **fields):
    return {"key": key, "name": key.title(), "question": f"Which {key}?", "weight": "1", "position": position, **fields}


def test_a_mark_of_a_draft_keeps_the_rubric_as_it_is(study, researcher):
    lease = make_lease(make_pair(study))
    mark = judgments.ShownMark(side="left", turn=0, seconds=1.0, polarity="bad", dimension="prosody")
    judgments.save_draft(lease, marks=[mark], at=NOW)

    with pytest.raises(ValidationError, match="has answers that are not submitted yet"):
        services.save_dimensions(study, [], by=researcher)


def test_the_preview_shows_unsaved_questions_in_their_order_with_their_own_scale(client, study):
    own = {"anchor_3": "far warmer", "anchor_2": "warmer", "anchor_1": "a bit warmer", "anchor_0": "equally warm"}

    html = client.post(
        page("preview_rubric", study.pk), rubric(row("overall", 1), row("warmth", 3, **own), row("pace", 2))
    ).content.decode()

    order = [html.index(f"Which {key}?") for key in ("pace", "warmth", "overall")]
    assert order == sorted(order)
    assert [words in html for words in ("A far warmer", "Equally warm", "B far warmer")] == [True] * 3
    stored = ["prosody", "emotional_continuity", "immersion", "overall"]
    assert list(study.dimensions.values_list("key", flat=True)) == stored


def test_the_preview_speaks_the_chosen_language(client, study):
    services.save_translations(study, {}, {"prosody": {"ja": {"question": "どちらの話し方が自然ですか"}}}, by=None)
    fields = rubric(row("prosody", 1), row("overall", 2))

    japanese = client.post(page("preview_rubric", study.pk), {**fields, "preview_language": "ja"}).content.decode()
    unknown = client.post(page("preview_rubric", study.pk), {**fields, "preview_language": "xx"}).content.decode()

    assert ("どちらの話し方が自然ですか" in japanese, "どちらの話し方が自然ですか" in unknown) == (True, False)


def test_a_fixed_rubric_is_previewed_as_it_is_stored(client, study):
    answer(make_lease(make_pair(study)))

    html = client.post(page("preview_rubric", study.pk), {"preview_language": "ja"}).content.decode()

    assert '<div lang="ja">' in html
    assert html.count('<fieldset class="question scale">') == 4


def test_half_written_questions_do_not_break_the_preview(client, study):
    response = client.post(
        page("preview_rubric", study.pk),
        rubric({"name": "Warmth"}, row("pace", "x", weight="much"), {"question": "Only asked?"}),
    )

    html = response.content.decode()
    assert response.status_code == 200
    assert ("Which pace?" in html, "Only asked?" in html, "Warmth" in html) == (True, True, False)


def test_a_researcher_adds_an_example_and_annotators_of_its_language_hear_it(client, study, sound):
    annotator = join(study)
    lease = make_lease(make_pair(study), annotator)

    made = client.post(
        page("edit_examples", study.pk, "prosody"),
        {
            "sound": SimpleUploadedFile("warm.wav", sound.read_bytes()),
            "side": "better",
            "language": "en",
            "words": "It rises.",
        },
    )

    assert made["Location"] == page("edit_examples", study.pk, "prosody")
    prosody = next(each for each in questions_with_answers(lease, None) if each.key == "prosody")
    (heard,) = prosody.examples
    assert (heard.key, heard.words) == ("better", "It rises.")
    client.force_login(annotator)
    response = client.get(heard.address)
    assert (response.status_code, response["Content-Type"], response.content[:4]) == (200, "audio/wav", b"RIFF")
    assert client.get(heard.address, headers={"range": "bytes=0-3"}).status_code == 206


def test_an_example_is_mono_at_the_level_of_the_dialogues(study, sound, tmp_path):
    example = examples.add_example(study, "prosody", sound, side="worse", language="en", words="Flat.", by=None)

    from earshot.jobs import artefacts

    with artefacts.local_copy(example["sha256"]) as path:
        samples, rate = soundfile.read(path)
    assert (samples.ndim, rate, example["seconds"]) == (1, 24_000, 2.0)
    assert integrated_lufs(samples.astype(np.float32), rate) == pytest.approx(-23.0, abs=0.2)


def test_without_one_in_the_readers_language_that_of_the_study_is_heard_and_else_the_shipped_one(study, sound):
    lease = make_lease(make_pair(study))

    def heard(key):
        return [each.words for each in next(q for q in questions_with_answers(lease, None) if q.key == key).examples]

    shipped = heard("prosody")
    examples.add_example(study, "prosody", sound, side="better", language="ja", words="上がる", by=None)
    only_japanese = heard("prosody")
    examples.add_example(study, "prosody", sound, side="better", language="en", words="It rises.", by=None)

    assert (len(shipped), only_japanese == shipped, heard("prosody")) == (2, True, ["It rises."])


def test_examples_stay_with_their_question_when_the_rubric_is_saved_and_go_along_with_a_copy(study, researcher, sound):
    examples.add_example(study, "prosody", sound, side="better", language="en", words="It rises.", by=None)
    rows = [
        {"key": key, "name": key, "question": "?", "help_text": "", "weight": 1, "anchors": []}
        for key in ("prosody", "overall")
    ]

    services.save_dimensions(study, rows, by=researcher)
    copy = services.copy_study(study, by=researcher, at=NOW)

    assert [each["words"] for each in copy.dimensions.get(key="prosody").examples] == ["It rises."]


def test_an_example_is_removed_if_it_is_still_the_one_that_was_seen(client, study, sound):
    example = examples.add_example(study, "prosody", sound, side="better", language="en", words="It rises.", by=None)
    address = page("remove_example", study.pk, "prosody", 0)

    wrong = client.post(address, {"sha256": "0" * 64}, follow=True)
    assert "This example is no longer there." in wrong.content.decode()
    client.post(address, {"sha256": example["sha256"]})

    assert study.dimensions.get(key="prosody").examples == []


def test_what_is_no_sound_too_long_or_comes_after_answers_is_refused_with_a_remedy(client, study, sound, tmp_path):
    def added(path):
        fields = {"side": "better", "language": "en", "words": "It rises."}
        upload = SimpleUploadedFile(path.name, path.read_bytes())
        return client.post(page("edit_examples", study.pk, "prosody"), {**fields, "sound": upload})

    (text := tmp_path / "text.wav").write_text("no sound at all")
    refused = [added(text), added(wav(tmp_path / "long.wav", seconds=31.0))]
    answer(make_lease(make_pair(study)))
    refused.append(added(sound))

    assert [each.status_code for each in refused] == [422, 422, 422]
    assert "30" in refused[1].content.decode()
    assert "Copy the study to a new version instead." in refused[2].content.decode()
    assert study.dimensions.get(key="prosody").examples == []


def test_an_example_cannot_be_added_or_removed_behind_the_page_once_there_are_votes(study, sound):
    example = examples.add_example(study, "prosody", sound, side="better", language="en", words="It rises.", by=None)
    lease = make_lease(make_pair(study))
    answer(lease)
    judgments.submit(lease, at=NOW)

    with pytest.raises(ValidationError, match="has votes, so its rubric stays as it is"):
        examples.remove_example(study, "prosody", 0, example["sha256"], by=None)


def test_strangers_neither_hear_nor_change_examples(client, study, sound):
    example = examples.add_example(study, "prosody", sound, side="better", language="en", words="It rises.", by=None)
    heard = page("own_example", study.pk, example["sha256"][:16])
    changed = [page("edit_examples", study.pk, "prosody"), page("remove_example", study.pk, "prosody", 0)]
    changed.append(page("preview_rubric", study.pk))

    def answers(user):
        client.force_login(user) if user else client.logout()
        return [client.get(heard).status_code, *(client.post(each).status_code for each in changed)]

    assert answers(make_user(Role.RESEARCHER)) == [404, 404, 404, 404]
    assert answers(make_user()) == [404, 403, 403, 403]
    assert answers(join(study)) == [200, 403, 403, 403]
    assert answers(None) == [302, 302, 302, 302]
    assert len(study.dimensions.get(key="prosody").examples) == 1


def test_an_unknown_question_and_an_unknown_example_are_not_found(client, study):
    assert client.get(page("edit_examples", study.pk, "warmth")).status_code == 404
    assert client.get(page("own_example", study.pk, "0" * 16)).status_code == 404
