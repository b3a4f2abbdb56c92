"""Marks on a turn: kept with the draft, by dialogue, and refused with a sentence where they make no sense."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Judgment, Lease, TurnMark
from annotation.services import judgments, leases
from annotation.services.judgments import MOST_MARKS, ShownMark
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.database, pytest.mark.django_db]
GOOD = {"side": "left", "turn": 1, "seconds": 5.5, "polarity": "good", "dimension": "prosody", "note": "warm"}


def live_lease() -> Lease:
    pair = make_pair(make_study())
    taken = leases.take(pair, join(pair.study), probability=1.0, at=timezone.now())
    return leases.open_lease(taken, at=timezone.now())


def save(lease: Lease, *marks: ShownMark) -> Judgment:
    return judgments.save_draft(lease, marks=marks, at=NOW)


def patch(lease: Lease, body: object, *, user=None):
    client = Client()
    client.force_login(user or lease.annotator)
    text = body if isinstance(body, str) else json.dumps(body)
    return client.patch(reverse("annotation:draft", args=[lease.key]), text, content_type="application/json")


@pytest.mark.parametrize(("side", "side_left", "stored"), [("left", "a", "a"), ("left", "b", "b"), ("right", "a", "b")])
def test_a_mark_is_stored_for_the_dialogue_that_stood_there(side, side_left, stored):
    lease = make_lease()
    Lease.objects.filter(pk=lease.pk).update(side_left=side_left)
    lease.refresh_from_db()

    save(lease, ShownMark(side=side, turn=1, seconds=5.5, polarity="bad", dimension="immersion", note="late"))

    mark = TurnMark.objects.get()
    assert (mark.side, mark.turn.dialogue, mark.turn.position) == (stored, lease.dialogue(side), 1)
    assert (mark.seconds, mark.polarity, mark.dimension.key, mark.note) == (5.5, "bad", "immersion", "late")


def test_marks_are_shown_as_they_were_given_by_their_time():
    lease = make_lease()
    late = ShownMark(side="right", turn=1, seconds=6.25, polarity="bad")
    early = ShownMark(side="left", turn=0, seconds=1.5, polarity="good", dimension="prosody", note="warm")

    judgment = save(lease, late, early)

    assert judgments.shown_marks(lease, judgment) == [early, late]


def test_marks_replace_those_of_before_and_touch_nothing_else():
    lease = make_lease()
    answer(lease, 2)
    save(lease, ShownMark(side="left", turn=0, seconds=1.0, polarity="good"))

    judgment = save(lease, ShownMark(side="left", turn=0, seconds=2.0, polarity="bad"))

    assert [mark.seconds for mark in judgment.marks.all()] == [2.0]
    assert (judgment.scores.count(), judgment.confidence) == (4, 3)


def test_a_draft_without_marks_leaves_the_marks_alone_and_an_empty_list_takes_them_away():
    lease = make_lease()
    save(lease, ShownMark(side="left", turn=0, seconds=1.0, polarity="good"))

    judgments.save_draft(lease, confidence=2, at=NOW)
    assert TurnMark.objects.count() == 1
    save(lease)
    assert TurnMark.objects.count() == 0


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        (ShownMark(side="a", turn=0, seconds=1, polarity="good"), "needs the side left or right, and good or bad"),
        (ShownMark(side="left", turn=0, seconds=1, polarity="fine"), "needs the side left or right, and good or bad"),
        (ShownMark(side="left", turn=2, seconds=1, polarity="good"), "Turn 3 at 1 s is outside this dialogue"),
        (ShownMark(side="left", turn=0, seconds=10.2, polarity="good"), "Turn 1 at 10.2 s is outside this dialogue"),
        (ShownMark(side="left", turn=0, seconds=-1, polarity="good"), "Turn 1 at -1 s is outside this dialogue"),
        (
            ShownMark(side="left", turn=0, seconds=1, polarity="good", dimension="beauty"),
            "'beauty' is not asked in this study",
        ),
        (
            ShownMark(side="left", turn=0, seconds=1, polarity="good", note="x" * 301),
            "has 301 characters; at most 300 fit",
        ),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused_and_those_of_before_stay(mark, sentence):
    lease = make_lease()
    save(lease, ShownMark(side="right", turn=0, seconds=1.0, polarity="good"))

    with pytest.raises(ValidationError, match=sentence):
        save(lease, mark)

    assert TurnMark.objects.get().side == lease.side_right


def test_a_judgment_takes_so_many_marks_and_no_more():
    lease = make_lease()
    many = [ShownMark(side="left", turn=0, seconds=1.0, polarity="good")] * (MOST_MARKS + 1)

    with pytest.raises(ValidationError, match="at most 200 marks, not 201"):
        save(lease, *many)
    save(lease, *many[1:])

    assert TurnMark.objects.count() == 200


def test_marks_of_a_submitted_judgment_cannot_change():
    lease = make_lease()
    answer(lease)
    judgments.submit(lease, at=NOW)

    with pytest.raises(ValidationError, match="Undo the submit first"):
        save(lease, ShownMark(side="left", turn=0, seconds=1.0, polarity="good"))

    assert TurnMark.objects.count() == 0


def test_marks_come_with_the_draft_and_stand_in_the_room_again():
    lease = live_lease()
    client = Client()
    client.force_login(lease.annotator)

    response = patch(lease, {"marks": [GOOD, {"side": "right", "turn": 0, "seconds": 1, "polarity": "bad"}]})

    room = client.get(reverse("annotation:room", args=[lease.key]))
    bare = {"side": "right", "turn": 0, "seconds": 1.0, "polarity": "bad", "dimension": "", "note": ""}
    assert response.status_code == 200
    assert room.context["room_data"]["marks"] == [bare, GOOD]


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({}, "marks: must be a list of marks, not {}."),
        (None, "marks: This field may not be null."),
        ([7], "marks: mark 1: Invalid data."),
        ([GOOD, GOOD | {"colour": "red"}], "marks: mark 2 has colour, which no mark has."),
        ([GOOD | {"side": "a"}], 'mark 1: side: "a" is not a valid choice.'),
        ([GOOD | {"turn": 1.5}], "mark 1: turn: must be a whole number, not 1.5."),
        ([GOOD | {"turn": -1}], "mark 1: turn: is -1 but must be between"),
        ([GOOD | {"turn": True}], "mark 1: turn: must be a number, not True."),
        ([GOOD | {"seconds": "5"}], "mark 1: seconds: must be a number, not '5'."),
        ([GOOD | {"polarity": "great"}], 'mark 1: polarity: "great" is not a valid choice.'),
        ([GOOD | {"dimension": None}], "mark 1: dimension: This field may not be null."),
        ([GOOD | {"note": "a\0b"}], "mark 1: note: holds a null character"),
        ([{"side": "left"}], "mark 1: turn: This field is required."),
        ([GOOD] * 201, "marks: has 201 marks; a judgment takes at most 200."),
    ],
)
def test_marks_of_a_wrong_shape_are_refused_with_a_sentence(marks, sentence):
    response = patch(live_lease(), {"marks": marks})

    assert (response.status_code, Judgment.objects.count()) == (400, 0)
    assert sentence in response.json()["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_moment_without_end_is_refused(number):
    body = json.dumps({"marks": [GOOD | {"seconds": "here"}]}).replace('"here"', number)

    assert patch(live_lease(), body).status_code == 400


def test_a_mark_against_the_rules_is_a_conflict_with_a_sentence():
    response = patch(live_lease(), {"marks": [GOOD | {"dimension": "beauty"}]})

    assert (response.status_code, Judgment.objects.count()) == (409, 0)
    assert "'beauty' is not asked in this study" in response.json()["detail"]


def test_nobody_else_puts_a_mark_into_a_judgment():
    lease = live_lease()
    fellow = join(lease.pair.study)

    assert {patch(lease, {"marks": [GOOD]}, user=user).status_code for user in (fellow, make_user())} == {404}
    assert TurnMark.objects.count() == 0
