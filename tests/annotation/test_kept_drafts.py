"""What the room's browser and the server tell each other of a draft, so that neither loses an answer."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Judgment, Lease
from annotation.queries.drafts import draft_data
from annotation.services import judgments, leases
from annotation.services.judgments import ShownMark, ShownScore
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = pytest.mark.django_db


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def draft_address(lease: Lease) -> str:
    return reverse("annotation:draft", args=[lease.key])


def test_the_draft_is_answered_as_it_is_shown_with_the_time_of_its_last_change():
    lease = make_lease()
    marks = [ShownMark(side="right", turn=1, seconds=6.5, polarity="bad", dimension="prosody", note="flat")]
    scores = {"prosody": ShownScore(value=-2), "overall": ShownScore(kind="cannot_tell")}
    judgments.save_draft(lease, scores=scores, confidence=4, reason="warm", marks=marks, at=NOW)

    response = client_of(lease.annotator).get(draft_address(lease))

    shown = response.json()
    assert response.headers["Cache-Control"] == "private, no-store"
    assert shown.pop("now") > shown["saved_at"]
    assert shown == {
        "state": "live",
        "saved_at": NOW.isoformat().replace("+00:00", "Z"),
        "scores": {"prosody": {"kind": "scored", "value": -2}, "overall": {"kind": "cannot_tell", "value": None}},
        "confidence": 4,
        "reason": "warm",
        "marks": [
            {"side": "right", "turn": 1, "seconds": 6.5, "polarity": "bad", "dimension": "prosody", "note": "flat"}
        ],
    }


def test_nothing_answered_yet_is_an_empty_draft():
    lease = make_lease()

    shown = client_of(lease.annotator).get(draft_address(lease)).json()

    assert (shown["saved_at"], shown["scores"], shown["confidence"], shown["reason"], shown["marks"]) == (
        None,
        {},
        None,
        "",
        [],
    )
    assert not Judgment.objects.exists()


def test_a_draft_says_that_its_pair_is_submitted():
    lease = make_lease()
    answer(lease)
    judgments.submit(lease, at=NOW)

    assert client_of(lease.annotator).get(draft_address(lease)).json()["state"] == "submitted"


def test_another_annotators_draft_is_not_there():
    lease = make_lease()
    answer(lease)

    for stranger in (join(lease.pair.study), make_user("admin"), make_user("researcher")):
        assert client_of(stranger).get(draft_address(lease)).status_code == 404


def test_a_room_carries_its_draft_and_nobody_elses():
    lease = make_lease(at=timezone.now())
    answer(lease, 2)

    page = client_of(lease.annotator).get(reverse("annotation:room", args=[lease.key])).content.decode()

    data = json.loads(page.split('<script id="draft-data" type="application/json">')[1].split("</script>")[0])
    assert (data["person"], data["lease"]) == (lease.annotator_id, lease.key)
    assert data["saved"]["scores"]["overall"] == {"kind": "scored", "value": 2}


def test_an_answer_that_arrives_while_the_room_is_made_is_in_its_form_and_its_draft_or_in_neither(monkeypatch):
    lease = make_lease(at=timezone.now())
    judgments.save_draft(lease, confidence=2, at=timezone.now())

    def after_one_more_answer(*arguments, **options):
        judgments.save_draft(lease, scores={"prosody": ShownScore(value=1)}, at=timezone.now())
        return draft_data(*arguments, **options)

    monkeypatch.setattr("annotation.views.listening.draft_data", after_one_more_answer)
    context = client_of(lease.annotator).get(reverse("annotation:room", args=[lease.key])).context

    in_the_form = {question.key for question in context["questions"] if question.answer}
    assert set(context["draft_data"]["saved"]["scores"]) == in_the_form


def test_submitting_twice_is_once_and_leads_to_the_same_next_pair():
    study = make_study()
    lease = make_lease(make_pair(study), at=timezone.now())
    make_pair(study)
    make_pair(study)
    answer(lease)
    client = client_of(lease.annotator)

    answers = [
        client.post(reverse("annotation:submit", args=[lease.key]), "{}", content_type="application/json").json()
        for _each in range(3)
    ]

    lease.pair.refresh_from_db()
    assert answers[0] == answers[1] == answers[2]
    assert (answers[0]["state"], Judgment.objects.submitted().count(), lease.pair.seats_left) == ("submitted", 1, 2)
    assert Lease.objects.filter(state="reserved").count() == 1


def test_an_answer_sent_twice_is_one_answer():
    lease = make_lease(at=timezone.now())
    client = client_of(lease.annotator)
    body = json.dumps({"scores": {"prosody": {"kind": "scored", "value": 1}}, "confidence": 2})

    for _each in range(2):
        assert client.patch(draft_address(lease), body, content_type="application/json").status_code == 200

    assert Judgment.objects.get().scores.count() == 1


def test_a_draft_can_still_be_saved_after_the_time_ran_out():
    lease = make_lease(at=timezone.now())
    leases.expire_overdue(at=lease.expires_at)
    body = json.dumps({"confidence": 2})

    response = client_of(lease.annotator).patch(draft_address(lease), body, content_type="application/json")

    assert (response.status_code, Judgment.objects.get().confidence) == (200, 2)
