"""The room's JSON: what is refused, in which words, and what is kept."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Heartbeat, Judgment, Lease, ListeningLog, Study
from annotation.services import leases, listening
from tests.factories import answer, join, make_pair, make_study

pytestmark = pytest.mark.django_db
BEAT = {"sequence": 1, "side": "left", "played": [], "media_time": 0.0}


@pytest.fixture
def lease() -> Lease:
    return lend("recorded")


def lend(policy: str, **fields) -> Lease:
    pair = make_pair(make_study(listening_policy=policy, **fields))
    taken = leases.take(pair, join(pair.study), probability=1.0, at=timezone.now())
    return leases.open_lease(taken, at=timezone.now())


def call(lease: Lease, name: str, body: object, *, method: str = "post"):
    client = Client()
    client.force_login(lease.annotator)
    text = body if isinstance(body, str) else json.dumps(body)
    address = reverse(f"annotation:{name}", args=[lease.key])
    return getattr(client, method)(address, text, content_type="application/json")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sequence": 0}, "sequence: is 0 but must be between 1 and"),
        ({"sequence": "1"}, "sequence: must be a number, not '1'."),
        ({"sequence": 1.5}, "sequence: must be a whole number, not 1.5."),
        ({"sequence": True}, "sequence: must be a number, not True."),
        ({"sequence": 2**63}, "sequence: is 9223372036854775808 but must be between"),
        ({"side": "a"}, 'side: "a" is not a valid choice.'),
        ({"side": ["left"]}, "side: "),
        ({"played": None}, "played: This field may not be null."),
        ({"played": {}}, "played: must be a list of [from, to], not {}."),
        ({"played": [[0]]}, "played: holds [0], which is no [from, to]."),
        ({"played": [[3.0, 1.0]]}, "played: holds a stretch that ends at 1.0 s, before it starts at 3.0 s."),
        ({"played": [[-1, 1]]}, "played: is -1 but must be between 0.0 and"),
        ({"played": [["0", 1]]}, "played: must be a number, not '0'."),
        ({"played": [[0, 1]] * 101}, "played: has 101 stretches; a heartbeat takes at most 100."),
        ({"media_time": -0.1}, "media_time: is -0.1"),
        ({"rate": 17}, "rate: is 17"),
        ({"volume": 1.1}, "volume: is 1.1"),
        ({"muted": "false"}, "muted: must be true or false, not 'false'."),
        ({"visible": 1}, "visible: must be true or false, not 1."),
        ({"stalls": 10**6}, "stalls: is 1000000"),
    ],
)
def test_a_heartbeat_that_makes_no_sense_is_refused_with_a_sentence(lease, change, sentence):
    response = call(lease, "heartbeat", BEAT | change)

    assert (response.status_code, Heartbeat.objects.count()) == (400, 0)
    assert sentence in response.json()["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["media_time", "rate", "stalled_seconds"])
def test_numbers_without_end_are_refused(lease, field, number):
    body = json.dumps(BEAT | {field: "here"}).replace('"here"', number)

    assert call(lease, "heartbeat", body).status_code == 400
    assert Heartbeat.objects.count() == 0


@pytest.mark.parametrize("body", ["", "[]", "null", "7", '"text"', "{", "\x00", "{}"])
def test_what_is_no_heartbeat_at_all_is_refused(lease, body):
    for name in ("heartbeat",):
        assert call(lease, name, body).status_code == 400


def test_a_heartbeat_answers_what_was_heard_and_what_is_missing(lease):
    listening.record_delivery(lease, "left", start=0, end=10, at=timezone.now())
    Lease.objects.filter(pk=lease.pk).update(opened_at=timezone.now() - timezone.timedelta(seconds=5))

    answer = call(lease, "heartbeat", BEAT | {"played": [[0.5, 4.5]], "media_time": 4.5}).json()

    assert (answer["accepted"], answer["state"], answer["last_sequence"], answer["gate_open"]) == (
        True,
        "live",
        1,
        True,
    )
    assert answer["sides"]["left"] == {
        "coverage": 0.5,
        "is_enough": False,
        "heard": [[0.5, 4.5]],
        "missing": [[5.0, 9.0]],
        "missing_turns": [2],
    }
    assert answer["sides"]["right"]["missing_turns"] == [1, 2]
    assert 595 <= answer["seconds_left"] <= 600


def test_a_second_heartbeat_of_the_same_number_is_told_so(lease):
    call(lease, "heartbeat", BEAT)

    answer = call(lease, "heartbeat", BEAT).json()

    assert (answer["accepted"], answer["last_sequence"], Heartbeat.objects.count()) == (False, 1, 1)


def test_a_heartbeat_stores_nothing_where_the_study_says_none():
    lease = lend("none")
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now() + timezone.timedelta(seconds=9))

    answer = call(lease, "heartbeat", BEAT | {"played": [[0, 4]]}).json()

    assert (answer["accepted"], answer["sides"], answer["seconds_left"] > 500) == (True, {}, True)
    assert (Heartbeat.objects.count(), ListeningLog.objects.count()) == (0, 0)


def test_a_heartbeat_after_the_end_learns_that_the_lease_expired(lease):
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())

    answer = call(lease, "heartbeat", BEAT).json()

    assert (answer["accepted"], answer["state"], Heartbeat.objects.count()) == (False, "expired", 0)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"scores": {"prosody": 2}}, 400, "has 2 for"),
        ({"scores": {"prosody": {"kind": "scored", "value": 4}}}, 400, "use a whole number from -3 to 3."),
        ({"scores": {"prosody": {"kind": "scored", "value": "2"}}}, 400, "use a whole number"),
        ({"scores": {"prosody": {"kind": "scored", "value": 1.0}}}, 400, "use a whole number"),
        ({"scores": {"prosody": {"value": 1}}}, 400, "send {kind, value} or null."),
        ({"scores": []}, 400, "must map each dimension"),
        ({"scores": {"beauty": {"kind": "scored", "value": 1}}}, 409, "'beauty' is not asked in this study."),
        ({"scores": {"prosody": {"kind": "both_bad", "value": 1}}}, 409, "has no number"),
        ({"confidence": 6}, 400, "confidence: is 6 but must be between 1 and 5."),
        ({"reason": 5}, 400, "reason: must be text, not 5."),
        ({"reason": "a\u0000b"}, 400, "holds a null character"),
        ({"reason": "x" * 4001}, 409, "at most 4000 fit"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_with_a_sentence(lease, body, status, sentence):
    response = call(lease, "draft", body, method="patch")

    assert response.status_code == status
    assert sentence in response.json()["detail"]
    assert not hasattr(Lease.objects.get(), "judgment")


def test_a_draft_is_kept_and_says_what_is_missing(lease):
    body = {"scores": {"prosody": {"kind": "scored", "value": -3}, "overall": {"kind": "cannot_tell"}}, "confidence": 5}

    answer = call(lease, "draft", body, method="patch").json()

    judgment = Lease.objects.get().judgment
    assert sorted(answer["missing"]) == ["emotional_continuity", "immersion"]
    assert lease.shown_value(judgment.scores.get(dimension__key="prosody").value) == -3
    assert (judgment.scores.get(dimension__key="overall").kind, judgment.confidence) == ("cannot_tell", 5)


def test_submit_goes_on_to_the_next_pair_or_stops(lease):
    make_pair(lease.pair.study)
    answer(lease, at=timezone.now())

    on = call(lease, "submit", {}).json()
    stop = call(lease, "submit", {"go_on": False}).json()

    following = Lease.objects.exclude(pk=lease.pk).get()
    assert on == {"state": "submitted", "is_late": False, "next": reverse("annotation:room", args=[following.key])}
    assert stop["next"] == reverse("annotation:work")


def test_submit_without_answers_names_them(lease):
    call(lease, "draft", {"confidence": 3}, method="patch")

    response = call(lease, "submit", {})

    assert response.status_code == 409
    assert "Still to answer:" in response.json()["detail"]


def test_submit_after_the_end_is_kept_as_late(lease):
    answer(lease, at=timezone.now())
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now())

    assert call(lease, "submit", {}).json()["is_late"] is True


def test_writing_needs_the_csrf_token(lease):
    client = Client(enforce_csrf_checks=True)
    client.force_login(lease.annotator)

    for name in ("heartbeat", "submit", "skip", "undo"):
        address = reverse(f"annotation:{name}", args=[lease.key])
        assert client.post(address, json.dumps(BEAT), content_type="application/json").status_code == 403


@pytest.mark.parametrize(
    ("transcript", "policy", "asked", "shown"),
    [
        ("always", "recorded", "", True),
        ("never", "recorded", "?heard=1", False),
        ("after_first_listen", "recorded", "?heard=1", False),
        ("after_first_listen", "none", "", False),
        ("after_first_listen", "none", "?heard=1", True),
        ("never", "none", "?heard=1", False),
    ],
)
def test_words_are_shown_by_the_transcript_policy(transcript, policy, asked, shown):
    lease = lend(policy, transcript_policy=transcript)
    client = Client()
    client.force_login(lease.annotator)

    answer = client.get(reverse("annotation:lease_turns", args=[lease.key, "left"]) + asked).json()

    assert answer["has_text"] is shown
    assert all(("text" in turn) is shown for turn in answer["turns"])


def test_words_come_when_the_side_was_heard():
    lease = lend("recorded", transcript_policy=Study.TranscriptPolicy.AFTER_FIRST_LISTEN)
    log = ListeningLog.objects.create(lease=lease, side="left", heard=[[0, 10]], delivered=[[0, 10]])
    client = Client()
    client.force_login(lease.annotator)

    shown = {
        side: client.get(reverse("annotation:lease_turns", args=[lease.key, side])).json()["has_text"]
        for side in listening.SIDES
    }

    assert shown == {"left": True, "right": False}
    assert log.side == "left"


def test_a_pair_that_was_reserved_and_not_opened_keeps_a_draft_and_takes_no_submit():
    pair = make_pair(make_study(listening_policy="none"))
    ahead = leases.take(pair, join(pair.study), probability=1.0, at=timezone.now())

    kept = call(ahead, "draft", {"confidence": 3}, method="patch")  # of a room whose time ran out meanwhile
    refused = call(ahead, "submit", {"go_on": False})

    assert (kept.status_code, refused.status_code) == (200, 409)
    assert refused.json()["detail"] == "This pair is reserved for you, not open yet. Open it, then answer."
    ahead.refresh_from_db()
    assert (ahead.state, Judgment.objects.submitted().count()) == ("reserved", 0)
