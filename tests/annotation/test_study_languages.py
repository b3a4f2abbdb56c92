"""The page on which researchers write their study in further languages, its rules, and what a changed rubric keeps."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from annotation.forms import languages
from annotation.models import Study
from annotation.services import judgments
from annotation.services import studies as services
from earshot.accounts.models import AuditEntry, Role
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher, title="Warm or cold", instructions="Listen twice.")


def page(study):
    return reverse("annotation:edit_languages", args=[study.pk])


def prosody(study):
    return study.dimensions.get(key="prosody")


JAPANESE = {
    "study-title-ja": "あたたかさ",
    "study-instructions-ja": "二度聞いてください。",
    "dimension-prosody-name-ja": "韻律",
    "dimension-prosody-question-zh-hans": "哪段对话的语调更合适？",
}


def test_what_is_written_is_kept_by_language_and_what_is_empty_is_not(client, study):
    response = client.post(page(study), JAPANESE)

    study.refresh_from_db()
    assert response["Location"] == reverse("annotation:study", args=[study.pk])
    assert study.translations == {"ja": {"title": "あたたかさ", "instructions": "二度聞いてください。"}}
    assert prosody(study).translations == {
        "zh-hans": {"question": "哪段对话的语调更合适？"},
        "ja": {"name": "韻律"},
    }
    assert study.dimensions.get(key="overall").translations == {}
    entry = AuditEntry.objects.get(action="study.translated")
    assert (entry.action_words, entry.detail) == (
        "changed the languages of the study",
        {"languages": ["ja", "zh-hans"]},
    )


def test_the_page_shows_again_what_was_written_and_an_emptied_field_is_the_original_again(client, study):
    client.post(page(study), JAPANESE)

    html = client.get(page(study)).content.decode()
    client.post(page(study), JAPANESE | {"study-title-ja": "", "dimension-prosody-name-ja": ""})

    assert [words in html for words in ("あたたかさ", "韻律", "哪段对话的语调更合适？", "日本語", "简体中文")] == [
        True
    ] * 5
    study.refresh_from_db()
    assert study.translations == {"ja": {"instructions": "二度聞いてください。"}}
    assert prosody(study).translations == {"zh-hans": {"question": "哪段对话的语调更合适？"}}


def test_a_text_without_an_original_has_no_fields(client, study):
    html = client.get(page(study)).content.decode()

    assert ('name="study-instructions-ja"' in html, 'name="study-content_warning-ja"' in html) == (True, False)
    assert 'name="dimension-prosody-anchors0-ja"' not in html


def test_what_the_default_rubric_says_by_itself_stands_grey_in_its_field(client, study, monkeypatch):
    said = {("Prosody", "ja"): "韻律"}
    monkeypatch.setattr(languages, "default_words", lambda text, language: said.get((text, language), text))

    html = client.get(page(study)).content.decode()

    assert html.count("placeholder=") == 1
    assert 'placeholder="韻律"' in html


def test_saving_what_is_there_leaves_no_line_in_the_log(client, study):
    client.post(page(study), JAPANESE)

    client.post(page(study), JAPANESE)

    assert AuditEntry.objects.filter(action="study.translated").count() == 1


def test_a_scale_is_translated_whole_or_not_at_all(client, study):
    study.dimensions.filter(key="prosody").update(anchors=["far better", "better", "a bit better", "the same"])
    phrases = {
        f"dimension-prosody-anchors{place}-ja": words
        for place, words in enumerate(["ずっと良い", "良い", "少し良い", "同じ"])
    }

    partly = client.post(page(study), {**phrases, "dimension-prosody-anchors3-ja": ""})
    wholly = client.post(page(study), phrases)

    assert (partly.status_code, wholly.status_code) == (422, 302)
    assert (
        '<p class="field-error" id="id_dimension-prosody-anchors3-ja_error">A scale in this' in partly.content.decode()
    )
    assert prosody(study).translations == {"ja": {"anchors": ["ずっと良い", "良い", "少し良い", "同じ"]}}


def test_a_text_too_long_for_its_place_is_named_beside_its_field(client, study):
    response = client.post(page(study), {"dimension-prosody-name-ja": "長" * 81})

    assert response.status_code == 422
    assert 'id="id_dimension-prosody-name-ja_error"' in response.content.decode()
    assert prosody(study).translations == {}


def test_with_votes_the_words_of_the_questions_stay_and_the_title_can_change(client, study):
    client.post(page(study), JAPANESE)
    answer(make_lease(make_pair(study)))

    html = client.get(page(study)).content.decode()
    refused = client.post(page(study), JAPANESE | {"dimension-prosody-name-ja": "音調"})
    taken = client.post(page(study), {"study-title-ja": "温度"})

    assert ('name="study-title-ja"' in html, 'name="dimension-prosody-name-ja"' in html, "韻律" in html) == (
        True,
        False,
        True,
    )
    assert refused.status_code == 422
    assert "has answers that are not submitted yet, so its rubric stays as it is." in refused.content.decode()
    assert taken.status_code == 302
    study.refresh_from_db()
    assert study.translations == {"ja": {"title": "温度"}}
    assert prosody(study).translations["ja"] == {"name": "韻律"}


def test_an_unchanged_rubric_is_not_in_the_way_of_a_new_title(client, study):
    client.post(page(study), JAPANESE)
    answer(make_lease(make_pair(study)))

    response = client.post(page(study), JAPANESE | {"study-title-ja": "温度"})

    assert response.status_code == 302


def test_languages_are_for_the_researchers_of_the_study_alone(client, study):
    annotator = join(study)

    def answers(user):
        client.force_login(user)
        return [client.get(page(study)).status_code, client.post(page(study), JAPANESE).status_code]

    assert answers(make_user(Role.RESEARCHER)) == [404, 404]
    assert answers(annotator) == [403, 403]
    study.refresh_from_db()
    assert study.translations == {}


def rubric_rows(study, **changed):
    return [
        {
            "key": each.key,
            "name": each.name,
            "question": each.question,
            "help_text": "",
            "weight": 1.0,
            "anchors": each.anchors,
        }
        | (changed if each.key == "prosody" else {})
        for each in study.dimensions.all()
    ]


def test_a_saved_rubric_keeps_its_languages_and_names_what_they_no_longer_translate(study, researcher):
    study.dimensions.filter(key="prosody").update(translations={"ja": {"name": "韻律"}})

    same = services.save_dimensions(study, rubric_rows(study), by=researcher)
    other = services.save_dimensions(study, rubric_rows(study, name="Melody"), by=researcher)

    assert (same, [each.name for each in other]) == ([], ["Melody"])
    assert prosody(study).translations == {"ja": {"name": "韻律"}}


def rubric_form(study, **changed):
    rows = list(study.dimensions.all())
    data = {"rubric-TOTAL_FORMS": len(rows), "rubric-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        fields = {"key": row.key, "name": row.name, "question": row.question, "weight": "1", "position": number + 1}
        fields |= changed if row.key == "prosody" else {}
        data |= {f"rubric-{number}-{name}": value for name, value in fields.items()}
    return data


def test_who_changes_words_that_are_translated_is_told_to_look_at_the_languages(client, study):
    study.dimensions.filter(key="prosody").update(translations={"ja": {"name": "韻律"}})
    address = reverse("annotation:edit_rubric", args=[study.pk])

    response = client.post(address, rubric_form(study, name="Melody"), follow=True)

    told = [str(message) for message in response.context["messages"]]
    assert told[0] == "The rubric is saved."
    assert told[1].startswith("The words of Melody changed. Look at Languages")


PHRASES = {"anchor_3": "far better", "anchor_2": "better", "anchor_1": "a bit better", "anchor_0": "the same"}


def test_the_words_of_a_scale_are_saved_with_the_rubric_and_shown_again(client, study):
    address = reverse("annotation:edit_rubric", args=[study.pk])

    client.post(address, rubric_form(study, **PHRASES))
    html = client.get(address).content.decode()

    assert prosody(study).anchors == ["far better", "better", "a bit better", "the same"]
    assert study.dimensions.get(key="overall").anchors == []
    assert 'value="a bit better"' in html


def test_half_a_scale_is_refused(client, study):
    address = reverse("annotation:edit_rubric", args=[study.pk])

    response = client.post(address, rubric_form(study, anchor_3="far better"))

    assert response.status_code == 422
    assert "A scale of its own needs all four phrases." in response.content.decode()
    assert prosody(study).anchors == []


def test_a_copy_has_the_languages_and_the_scales_of_its_model(study, researcher):
    Study.objects.filter(pk=study.pk).update(translations={"ja": {"title": "あたたかさ"}})
    study.dimensions.filter(key="prosody").update(anchors=list(PHRASES.values()), translations={"ja": {"name": "韻律"}})

    copy = services.copy_study(study, by=researcher, at=NOW)

    assert copy.translations == {"ja": {"title": "あたたかさ"}}
    assert (prosody(copy).anchors, prosody(copy).translations) == (list(PHRASES.values()), {"ja": {"name": "韻律"}})


def test_the_layout_of_the_questions_stays_once_there_are_votes(study, researcher):
    lease = make_lease(make_pair(study))
    answer(lease)
    judgments.submit(lease, at=NOW)
    study.question_layout = Study.QuestionLayout.TOGETHER

    with pytest.raises(ValidationError, match="layout of the questions"):
        services.change_study(study, changed=["question_layout"], by=researcher)
