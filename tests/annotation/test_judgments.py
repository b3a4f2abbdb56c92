"""Drafts and submits: answers come as shown and are stored by dialogue."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Judgment, Lease, Study
from annotation.services import judgments, leases, listening
from annotation.services.judgments import ShownScore
from tests.factories import NOW, answer, make_lease, make_pair, make_study, minutes

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def save(lease: Lease, **scores) -> Judgment:
    return judgments.save_draft(lease, scores=scores, at=NOW)


@pytest.mark.parametrize(("side_left", "stored"), [("a", -2), ("b", 2)])
def test_right_is_better_is_stored_for_the_dialogue_that_was_right(side_left, stored):
    lease = make_lease()
    Lease.objects.filter(pk=lease.pk).update(side_left=side_left)

    judgment = save(lease, prosody=ShownScore(value=2))

    assert judgment.scores.get().value == stored


def test_a_draft_changes_only_what_is_given():
    lease = make_lease()
    save(lease, prosody=ShownScore(value=2))
    judgments.save_draft(lease, confidence=4, reason="warm", at=NOW)

    judgment = save(lease, overall=ShownScore(kind="cannot_tell"))

    assert (judgment.scores.count(), judgment.confidence, judgment.reason) == (2, 4, "warm")


def test_an_answer_can_be_taken_back():
    lease = make_lease()
    save(lease, prosody=ShownScore(value=2))

    judgment = save(lease, prosody=None)

    assert judgment.scores.count() == 0


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        (ShownScore(value=4), "4 is not on the scale"),
        (ShownScore(value=None), "None is not on the scale"),
        (ShownScore(value=True), "True is not on the scale"),
        (ShownScore(kind="both_bad", value=0), "has no number"),
        (ShownScore(kind="fine"), "'fine' is no kind of answer"),
    ],
)
def test_what_is_not_on_the_scale_is_refused(score, sentence):
    with pytest.raises(ValidationError, match=sentence):
        save(make_lease(), prosody=score)

    assert Judgment.objects.count() == 0


def test_a_dimension_that_is_not_asked_is_refused():
    with pytest.raises(ValidationError, match="'beauty' is not asked in this study"):
        save(make_lease(), beauty=ShownScore(value=1))


def test_submit_names_what_is_still_to_answer():
    lease = make_lease()
    save(lease, prosody=ShownScore(value=0), overall=ShownScore(value=1))

    with pytest.raises(ValidationError, match="Emotional continuity, Immersion, confidence"):
        judgments.submit(lease, at=NOW)


def test_submitting_twice_is_the_same_as_once():
    lease = make_lease()
    answer(lease)
    first = judgments.submit(lease, at=NOW + minutes(1))

    second = judgments.submit(lease, at=NOW + minutes(2))

    assert (second.pk, second.submitted_at) == (first.pk, NOW + minutes(1))


def test_submit_waits_for_the_gate_where_listening_is_enforced():
    lease = make_lease(make_pair(make_study(listening_policy=Study.ListeningPolicy.ENFORCED)))
    answer(lease)

    with pytest.raises(ValidationError, match="still missing"):
        judgments.submit(lease, at=NOW)

    lease.refresh_from_db()
    assert lease.state == Lease.State.LIVE


@pytest.mark.parametrize(("policy", "coverage"), [("recorded", 0.5), ("none", None)])
def test_what_was_heard_is_kept_with_the_judgment_unless_the_study_says_none(policy, coverage):
    lease = make_lease(make_pair(make_study(listening_policy=policy)))
    if policy == "recorded":
        listening.record_delivery(lease, "left", start=0, end=10, at=NOW)
        heard = listening.Beat(sequence=1, side="left", played=[[0.5, 4.5]], media_time=4.5)
        listening.record_heartbeat(lease, heard, at=NOW + minutes(0.1))
    answer(lease)

    judgment = judgments.submit(lease, at=NOW + minutes(1))

    by_letter = {"a": judgment.coverage_a, "b": judgment.coverage_b}
    assert by_letter[lease.side_left] == coverage
    assert by_letter[lease.side_right] == (None if coverage is None else 0.0)


def test_a_submitted_judgment_cannot_be_changed_without_undo():
    lease = make_lease()
    answer(lease)
    judgments.submit(lease, at=NOW)

    with pytest.raises(ValidationError, match="Undo the submit first"):
        save(lease, prosody=ShownScore(value=3))

    leases.undo(lease, at=NOW + minutes(9))
    assert save(lease, prosody=ShownScore(value=3)).is_draft


def test_a_draft_locks_its_lease_and_neither_the_pair_nor_the_study():
    lease = make_lease()

    with CaptureQueriesContext(connection) as queries:
        save(lease, prosody=ShownScore(value=1))

    locks = [query["sql"].partition("FOR UPDATE")[2].strip() for query in queries if "FOR UPDATE" in query["sql"]]
    # SQLite has no row locks: there a transaction has the whole file.
    assert locks[:1] == (['OF "annotation_lease"'] if connection.vendor == "postgresql" else [])
