"""The next pair as data, and a submit that carries the answers."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Judgment, Lease, Study
from annotation.services import leases
from tests.factories import join, make_lease, make_pair, make_study, make_user

pytestmark = pytest.mark.django_db

ANSWERS = {
    "scores": {
        key: {"kind": "scored", "value": 2} for key in ("prosody", "emotional_continuity", "immersion", "overall")
    },
    "confidence": 4,
    "reason": "warmer",
}


def post(user, address: str, body=None):
    client = Client()
    client.force_login(user)
    return client.post(address, json.dumps(body or {}), content_type="application/json")


def next_of(user, study: Study):
    return post(user, reverse("annotation:next_pair_data", args=[study.pk]))


def test_the_next_pair_comes_open_with_its_addresses_and_questions():
    study = make_study()
    pair, annotator = make_pair(study), join(study)

    answered = next_of(annotator, study)

    lease = Lease.objects.get()
    told = answered.json()
    assert answered.status_code == 200
    assert (told["lease"], told["state"], told["first"]) == (lease.key, "live", lease.heard_first)
    assert (lease.pair, lease.opened_at is not None) == (pair, True)
    assert {question["key"] for question in told["questions"]} == set(ANSWERS["scores"])
    assert told["questions"][-1]["key"] == "overall"
    assert told["submit"] == reverse("annotation:submit", args=[lease.key])
    assert told["sides"]["left"] == {
        "seconds": 10.0,
        "sound": reverse("annotation:lease_sound", args=[lease.key, "left"]),
        "turns": reverse("annotation:lease_turns", args=[lease.key, "left"]),
    }
    assert answered.headers["Cache-Control"] == "private, no-store"


def test_asking_again_gives_the_same_pair():
    study = make_study()
    make_pair(study)
    make_pair(study)
    annotator = join(study)

    assert next_of(annotator, study).json()["lease"] == next_of(annotator, study).json()["lease"]


def test_nothing_open_is_said_so():
    study = make_study()

    answered = next_of(join(study), study)

    assert (answered.status_code, answered.json()) == (200, {"lease": None})


def test_a_study_that_rests_says_why():
    study = make_study(running=False)
    make_pair(study)

    answered = next_of(join(study), study)

    assert (answered.status_code, "lends no pairs" in answered.json()["detail"]) == (409, True)


def test_who_is_no_annotator_of_the_study_finds_nothing_there():
    study = make_study()
    make_pair(study)
    strangers = [join(make_study()), join(study, make_user("researcher"), "researcher"), make_user("admin")]

    for stranger in strangers:
        assert next_of(stranger, study).status_code == 404
    assert next_of(strangers[0], Study(pk=study.pk + 1000)).status_code == 404
    assert Client().post(reverse("annotation:next_pair_data", args=[study.pk])).status_code == 403
    assert not Lease.objects.exists()


def test_a_submit_can_carry_all_the_answers():
    lease = make_lease(at=timezone.now())

    answered = post(lease.annotator, reverse("annotation:submit", args=[lease.key]), {"answers": ANSWERS})

    judgment = Judgment.objects.get()
    assert (answered.status_code, answered.json()["state"]) == (200, "submitted")
    assert (judgment.confidence, judgment.reason, judgment.is_draft) == (4, "warmer", False)
    assert {score.dimension.key: score.value for score in judgment.scores.all()} == dict.fromkeys(
        ANSWERS["scores"], lease.stored_value(2)
    )


def test_a_submit_adds_its_answers_to_the_draft_and_changes_it():
    lease = make_lease(at=timezone.now())
    address = reverse("annotation:draft", args=[lease.key])
    client = Client()
    client.force_login(lease.annotator)
    draft = {"scores": dict(list(ANSWERS["scores"].items())[:3]) | {"overall": {"kind": "both_bad"}}, "reason": "first"}
    client.patch(address, json.dumps(draft), content_type="application/json")

    rest = {"confidence": 2, "scores": {"overall": {"kind": "scored", "value": -1}}}
    answered = post(lease.annotator, reverse("annotation:submit", args=[lease.key]), {"answers": rest})

    judgment = Judgment.objects.get()
    assert answered.status_code == 200
    assert (judgment.confidence, judgment.reason, judgment.scores.count()) == (2, "first", 4)
    assert judgment.scores.get(dimension__key="overall").value == lease.stored_value(-1)


@pytest.mark.parametrize(
    ("answers", "status", "words"),
    [
        ({**ANSWERS, "confidence": None}, 400, "confidence"),
        ({"scores": {"overall": {"kind": "scored", "value": 1}}, "confidence": 3}, 409, "Still to answer"),
        ({**ANSWERS, "scores": {**ANSWERS["scores"], "warmth": {"kind": "scored", "value": 1}}}, 409, "is not asked"),
        ({**ANSWERS, "scores": {**ANSWERS["scores"], "overall": None}}, 409, "Still to answer: Overall"),
        ({**ANSWERS, "scores": {"overall": {"kind": "scored", "value": 9}}}, 400, "from -3 to 3"),
        ({"confidence": 3}, 409, "Nothing was answered yet"),
    ],
)
def test_a_submit_with_refused_answers_keeps_nothing(answers, status, words):
    lease = make_lease(at=timezone.now())

    answered = post(lease.annotator, reverse("annotation:submit", args=[lease.key]), {"answers": answers})

    assert (answered.status_code, words in answered.json()["detail"]) == (status, True)
    lease.refresh_from_db()
    assert (lease.state, Judgment.objects.exists()) == ("live", False)


def test_a_late_submit_can_carry_answers_too():
    lease = make_lease(at=timezone.now())
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())
    leases.expire_overdue(at=timezone.now())

    answered = post(lease.annotator, reverse("annotation:submit", args=[lease.key]), {"answers": ANSWERS})

    assert answered.json()["is_late"]
    assert Judgment.objects.get().is_late


def test_a_quota_is_told_to_a_program_too():
    study = make_study(pairs_per_rater=1)
    make_pair(study)
    make_pair(study)
    annotator = join(study)
    first = next_of(annotator, study).json()
    post(annotator, first["submit"], {"answers": ANSWERS, "go_on": False})

    answered = next_of(annotator, study)

    assert (answered.status_code, answered.json()["detail"][:25]) == (409, "You judged all the pairs ")


def test_a_study_of_a_number_no_database_knows_is_not_there():
    annotator = join(make_study())

    for name in ("next_pair_data", "next_pair"):
        assert post(annotator, reverse(f"annotation:{name}", args=[10**22])).status_code == 404
