"""Marks to read again: in the history and on a closed pair's page, by side and time, and only one's own."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation.models import Judgment, Lease
from annotation.queries.listening import seconds_missing
from annotation.queries.marks import ReadMark, marks_of
from annotation.services import judgments
from annotation.services.judgments import ShownMark
from tests.factories import answer, make_lease, make_user

pytestmark = pytest.mark.django_db
WARM = ShownMark(side="right", turn=1, seconds=5.9, polarity="good", dimension="prosody", note="<b>warm</b>")
FLAT = ShownMark(side="left", turn=1, seconds=8.0, polarity="bad")
LATE = ShownMark(side="left", turn=0, seconds=1.0, polarity="bad", note="late")


def judged(*marks: ShownMark, annotator=None, side_left: str = "a") -> Judgment:
    lease = make_lease(annotator=annotator, at=timezone.now())
    Lease.objects.filter(pk=lease.pk).update(side_left=side_left)
    lease.refresh_from_db()
    answer(lease, at=timezone.now())
    judgments.save_draft(lease, marks=marks, at=timezone.now())
    return judgments.submit(lease, at=timezone.now())


def read(user, name: str, *args: str) -> str:
    client = Client()
    client.force_login(user)
    return client.get(reverse(f"annotation:{name}", args=args)).content.decode()


@pytest.mark.parametrize("side_left", ["a", "b"])
def test_marks_are_read_as_they_stood_on_the_screen_by_side_and_time(side_left):
    judgment = judged(WARM, FLAT, LATE, side_left=side_left)

    assert marks_of(judgment) == [
        ReadMark(side="a", polarity="bad", words="Bad at 0:01, turn 1", about="late"),
        ReadMark(side="a", polarity="bad", words="Bad at 0:08, turn 2", about=""),
        ReadMark(side="b", polarity="good", words="Good at 0:05, turn 2", about="Prosody: <b>warm</b>"),
    ]


@pytest.mark.parametrize("page", ["history", "room"])
def test_history_and_the_closed_page_show_ones_own_marks_as_text(page):
    judgment = judged(WARM)
    lease = judgment.lease
    args = [lease.key] if page == "room" else []

    mine, another = read(lease.annotator, page, *args), read(make_user(), page, *args)

    assert "Good at 0:05, turn 2" in mine
    assert "Prosody: &lt;b&gt;warm&lt;/b&gt;" in mine
    assert "turn 2" not in another


def test_the_closed_page_shows_the_answers_and_a_skipped_pair_has_none():
    judgment, skipped = judged(), make_lease()
    Lease.objects.filter(pk=skipped.pk).update(state=Lease.State.SKIPPED, skip_reason="noise")

    pages = [read(each.annotator, "room", each.key) for each in (judgment.lease, skipped)]

    assert ["Your answers" in page for page in pages] == [True, False]
    assert [">Marks<" in page for page in pages] == [False, False]


def test_history_takes_as_many_queries_for_three_marked_judgments_as_for_one():
    annotator = make_user()
    client = Client()
    client.force_login(annotator)

    def queries_with_one_more() -> int:
        judged(WARM, FLAT, LATE, annotator=annotator)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(reverse("annotation:history")).status_code == 200
        return len(caught)

    first, _second, third = queries_with_one_more(), queries_with_one_more(), queries_with_one_more()

    assert third == first


@pytest.mark.parametrize(
    ("turn", "seconds"),
    [((0, 1), 0), ((0, 3), 1), ((2, 3), 1), ((2.5, 2.75), 0.25), ((3, 5), 0), ((2.5, 6.5), 1.5), ((9, 10), 0)],
)
def test_what_is_missing_of_a_turn_is_what_lies_inside_it(turn, seconds):
    assert seconds_missing([[2.0, 3.0], [5.0, 5.5], [6.0, 7.0]], *turn) == seconds
