"""When a pair has votes enough, and when the study does; and what opens again."""

from dataclasses import replace

import pytest

from annotation.models import Consent, Exclusion, Pair, QualityVerdict, Study
from annotation.services import judgments, leases
from annotation.services.judgments import ShownScore
from annotation.services.qualification.consent import give_consent, withdraw_consent
from annotation.services.queue.agreeing import AGREED, has_agreeing_votes
from annotation.services.queue.seats import recount_seats
from annotation.services.queue.stopping import stop_if_enough
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def pair() -> Pair:
    """Two votes for one side close it; five raters are wanted otherwise."""
    return make_pair(make_study(overlap=5, agreeing_votes_enough=2))


def vote(pair: Pair, value: int | str, *, at=NOW):
    """Of a new rater, on overall; positive favours dialogue a. Returns the lease."""
    lease = make_lease(pair, join(pair.study), at=at)
    answer(lease, at=at)
    shown = ShownScore(kind=value) if isinstance(value, str) else ShownScore(value=lease.shown_value(value))
    judgments.save_draft(lease, scores={"overall": shown}, at=at)
    judgments.submit(lease, at=at)
    return lease


def closed(pair: Pair) -> tuple[bool, str]:
    pair.refresh_from_db()
    return (not pair.is_open, pair.closed_because)


def seats(pair: Pair) -> int:
    pair.refresh_from_db()
    return pair.seats_left


@pytest.mark.parametrize(
    ("values", "is_closed"),
    [
        ([1, 3], True),
        ([-2, -1], True),
        ([1], False),
        ([1, -1], False),
        ([1, 0], False),  # a tie is another opinion
        ([1, -1, 1, 1], False),
        ([1, "both_bad"], False),
        ([1, "cannot_tell", 2], True),  # no opinion, for or against
    ],
)
def test_a_pair_closes_when_enough_raters_agree_and_nobody_disagrees(pair, values, is_closed):
    for value in values:
        vote(pair, value)

    assert closed(pair) == ((True, AGREED) if is_closed else (False, ""))


def test_a_closed_pair_is_lent_to_nobody(pair):
    vote(pair, 1)
    vote(pair, 1)

    assert leases.next_lease(join(pair.study), pair.study, at=NOW) is None


def test_a_study_without_the_rule_closes_nothing():
    pair = make_pair(make_study(overlap=5))
    vote(pair, 1)
    vote(pair, 1)

    assert closed(pair) == (False, "")


def test_undo_opens_the_pair_again_and_submitting_again_closes_it(pair):
    vote(pair, 1)
    last = vote(pair, 1)
    assert closed(pair) == (True, AGREED)

    leases.undo(last, at=NOW + minutes(1))
    assert closed(pair) == (False, "")
    judgments.submit(last, at=NOW + minutes(2))
    assert closed(pair) == (True, AGREED)


def test_undo_leaves_a_pair_closed_that_somebody_else_closed(pair):
    lease = vote(pair, 1)
    Pair.objects.filter(pk=pair.pk).update(is_open=False, closed_because="taken out")

    leases.undo(lease, at=NOW + minutes(1))

    assert closed(pair) == (True, "taken out")


def test_excluding_a_rater_opens_the_pair_and_lifting_that_closes_it(pair):
    lease, _other = vote(pair, 1), vote(pair, 1)
    exclusion = Exclusion.objects.create(study=pair.study, rater=lease.annotator, reason="clicks")

    recount_seats(pair.study, of_rater=lease.annotator_id)
    assert (closed(pair), seats(pair)) == ((False, ""), 4)
    exclusion.lifted_at = NOW
    exclusion.save()
    recount_seats(pair.study, of_rater=lease.annotator_id)

    assert (closed(pair), seats(pair)) == ((True, AGREED), 3)


def test_taking_the_rule_back_opens_its_pairs_at_the_next_count(pair):
    vote(pair, 1)
    vote(pair, 1)
    Study.objects.update(agreeing_votes_enough=None)
    pair.study.refresh_from_db()

    recount_seats(pair.study)

    assert closed(pair) == (False, "")
    assert not has_agreeing_votes(pair)


# --- Seats ------------------------------------------------------------------------------------------------------------
def test_a_withdrawn_consent_gives_the_seats_back_and_a_new_one_takes_them():
    pair = make_pair(make_study(overlap=2))
    lease = vote(pair, 1)
    give_consent(lease.annotator, pair.study, at=NOW)
    assert seats(pair) == 1

    withdraw_consent(lease.annotator, pair.study, at=NOW)
    assert seats(pair) == 2
    give_consent(lease.annotator, pair.study, at=NOW + minutes(1))

    assert seats(pair) == 1


def test_seats_never_go_below_0_when_votes_came_in_meanwhile():
    pair = make_pair(make_study(overlap=1))
    lease = vote(pair, 1)
    Consent.objects.create(study=pair.study, user=lease.annotator, version="1", text="…", given_at=NOW)
    withdraw_consent(lease.annotator, pair.study, at=NOW)
    vote(pair, -1)

    give_consent(lease.annotator, pair.study, at=NOW)

    assert seats(pair) == 0


def test_recounting_changes_nothing_where_every_vote_counts():
    study = make_study(overlap=3)
    pairs = [make_pair(study) for _each in range(3)]
    vote(pairs[0], 1)
    make_lease(pairs[1])
    make_lease(pairs[1], opened=False)
    expired = make_lease(pairs[2], at=NOW)
    leases.expire_overdue(at=NOW + minutes(11), study=study)
    before = [seats(pair) for pair in pairs]

    assert recount_seats(study) == 0
    assert ([seats(pair) for pair in pairs], expired.pk is not None) == (before, True)


def test_recounting_mends_what_is_wrong_and_leaves_checks_alone():
    study = make_study(overlap=3)
    pair, check = make_pair(study), make_pair(study, kind="gold", expected_value=3, seats_left=1000)
    Pair.objects.filter(pk=pair.pk).update(seats_left=9)

    assert recount_seats(study) == 1
    assert (seats(pair), seats(check)) == (3, 1000)


def test_a_vote_that_quality_control_fails_gives_its_seat_back(monkeypatch):
    from annotation.services import quality

    def fail(judgment, *, at):
        return QualityVerdict.objects.create(judgment=judgment, verdict="fail", decided_at=at)

    monkeypatch.setattr(quality, "judge_judgment", fail)
    pair = make_pair(make_study(overlap=2))

    vote(pair, 1)

    assert seats(pair) == 2


def test_an_excluded_rater_is_lent_nothing_but_may_submit_what_they_have():
    study = make_study(overlap=2)
    pair, other = make_pair(study), make_pair(study)
    lease = make_lease(pair)
    answer(lease)
    Exclusion.objects.create(study=study, rater=lease.annotator, reason="clicks")

    judgments.submit(lease, at=NOW)

    assert (lease.state, seats(pair), seats(other)) == ("submitted", 2, 2)
    with pytest.raises(Exception, match="look at your judgments"):
        leases.next_lease(lease.annotator, study, at=NOW)


def test_an_adjudicators_lease_takes_no_seat_and_gives_none_back():
    pair = make_pair(make_study(overlap=2))
    lease = make_lease(pair)
    type(lease).objects.filter(pk=lease.pk).update(purpose="adjudication")
    Pair.objects.filter(pk=pair.pk).update(seats_left=2)
    lease.refresh_from_db()

    leases.expire_overdue(at=NOW + minutes(11))
    assert seats(pair) == 2
    lease.refresh_from_db()
    leases.open_lease(lease, at=NOW + minutes(12))

    assert (lease.state, seats(pair)) == ("live", 2)
    leases.skip(lease, reason="noise", at=NOW + minutes(12))
    assert seats(pair) == 2


# --- The study --------------------------------------------------------------------------------------------------------
@pytest.fixture
def board():
    """Overall, of two systems with intervals of ± 0.3 logits from 6 raters."""
    from annotation.services.boards import BoardRow, study_board

    study = make_study(half_width_enough=0.3, raters_at_least=6)
    row = BoardRow("one", 1, 0.2, -0.1, 0.5, None, None, None, 9)
    return study, replace(study_board(study).overall, rows=(row, replace(row, low=-0.5, high=0.1)), n_raters=6)


def test_the_study_pauses_when_every_interval_on_overall_is_narrow_enough(board):
    study, overall = board

    assert stop_if_enough(study, overall)
    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("paused", "half_width_enough")
    assert not stop_if_enough(study, overall)  # once


@pytest.mark.parametrize(
    "change", ["one is wider", "one cannot be said", "too few raters", "no system", "no such rule"]
)
def test_the_study_goes_on_until_enough_is_known(board, change):
    study, overall = board
    first, second = overall.rows
    changed = {
        "one is wider": {"rows": (first, replace(second, high=0.11))},
        "one cannot be said": {"rows": (first, replace(second, low=None, high=None))},
        "too few raters": {"n_raters": 5},
        "no system": {"rows": ()},
        "no such rule": {},
    }[change]
    if change == "no such rule":
        study.half_width_enough = None

    assert not stop_if_enough(study, replace(overall, **changed))
    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("running", "")
