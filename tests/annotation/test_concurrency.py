"""Sixteen annotators at once on twenty pairs, with expiries, skips and late submits mixed in."""

import random
import threading
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections

from annotation.models import Adjudication, Exclusion, Judgment, Lease, Membership, Pair, Study
from annotation.queries.counting import counting_judgments
from annotation.services import adjudication, judgments, leases
from annotation.services.judgments import Answers, ShownScore
from annotation.services.qualification import consent
from annotation.services.queue.agreeing import AGREED
from annotation.services.queue.seats import recount_seats
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

ANNOTATORS, PAIRS, OVERLAP = 16, 20, 3
SCORES = {key: ShownScore(value=1) for key in ("prosody", "emotional_continuity", "immersion", "overall")}


class Clock:
    """One clock for all threads; it jumps ahead when somebody lets a lease expire."""

    def __init__(self) -> None:
        self.at, self.lock = NOW, threading.Lock()

    def now(self):
        with self.lock:
            self.at += timedelta(milliseconds=1)
            return self.at

    def leap(self) -> None:
        with self.lock:
            self.at += timedelta(minutes=11)


def judge_until_nothing_is_left(annotator, study, clock: Clock, seed: int, log: list[str], mishaps: int = 0) -> None:
    """Take pairs and submit, skip, let expire or submit late, as a seeded die says; after three mishaps only submit."""
    die = random.Random(seed)
    while True:
        connections.close_all()  # as between two requests: the pool is smaller than the crowd
        lease = leases.next_lease(annotator, study, at=clock.now())
        if lease is None:
            return
        leases.open_lease(lease, at=clock.now())
        throw = die.random() if mishaps < 3 else 1.0
        if throw < 0.10:
            leases.skip(lease, reason="noise", at=clock.now())
            log.append("skipped")
        elif throw < 0.20:
            judgments.save_draft(lease, scores=SCORES, confidence=3, at=clock.now())
            clock.leap()  # everybody's leases run out; whoever submits now is late
            judgments.submit(lease, at=clock.now())
            log.append("leapt")
        else:
            judgments.save_draft(lease, scores=SCORES, confidence=3, at=clock.now())
            judgments.submit(lease, at=clock.now())
            judgments.submit(lease, at=clock.now())
            log.append("submitted")
            continue
        mishaps += 1


def run_in_threads(work, arguments) -> list[BaseException]:
    failures: list[BaseException] = []

    def body(*each) -> None:
        try:
            work(*each)
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=body, args=each) for each in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("seed", [1, 2])
def test_sixteen_annotators_at_once_never_exceed_the_overlap_and_never_judge_a_pair_twice(seed):
    study = make_study(overlap=OVERLAP)
    for _each in range(PAIRS):
        make_pair(study)
    annotators = [join(study) for _each in range(ANNOTATORS)]
    clock, log = Clock(), []

    crowd = [(annotator, study, clock, seed * 100 + number, log) for number, annotator in enumerate(annotators)]
    failures = run_in_threads(judge_until_nothing_is_left, crowd)
    # Whoever found nothing left may have gone before another's lease ran out: they come back, and judge what is open.
    failures += run_in_threads(judge_until_nothing_is_left, [(*each, 3) for each in crowd])

    assert failures == []
    counted = Counter(Judgment.objects.counted().values_list("lease__pair", flat=True))
    assert sum(counted.values()) == PAIRS * OVERLAP == 60
    assert set(counted.values()) == {OVERLAP}
    by_rater = Counter(Judgment.objects.submitted().values_list("lease__pair", "lease__annotator"))
    assert set(by_rater.values()) == {1}
    assert set(Pair.objects.values_list("seats_left", flat=True)) == {0}
    states = Counter(Lease.objects.values_list("state", flat=True))
    assert states["submitted"] == 60
    assert states["late"] > 0, f"the dice threw no late submit: {Counter(log)}"
    assert states["skipped"] > 0, f"the dice threw no skip: {Counter(log)}"


def test_a_check_then_insert_control_does_over_assign_so_the_test_above_can_fail():
    """The same race without the conditional UPDATE: proof that sixteen threads really meet."""
    pair = make_pair(seats_left=OVERLAP)
    annotators = [join(pair.study) for _each in range(ANNOTATORS)]
    barrier = threading.Barrier(ANNOTATORS)

    def check_then_insert(annotator) -> None:
        taken = Lease.objects.filter(pair=pair).count()
        connections.close_all()  # back to the pool, which is smaller than the crowd
        barrier.wait(timeout=60)
        if taken < OVERLAP:
            Lease.objects.create(pair=pair, annotator=annotator, side_left="a", heard_first="left", expires_at=NOW)

    run_in_threads(check_then_insert, [(annotator,) for annotator in annotators])

    assert Lease.objects.filter(pair=pair).count() == ANNOTATORS


# --- Rules that end lending early, and seats that come back, under the same crowd -------------------------------------
def make_crowd(**rules) -> tuple[Study, list]:
    study = make_study(overlap=OVERLAP, **rules)
    for _each in range(PAIRS):
        make_pair(study)
    return study, [join(study) for _each in range(ANNOTATORS)]


def judge_until_refused(annotator, study_key: int) -> None:
    """Every pair that is lent gets one vote for dialogue a, in one submit."""
    while True:
        connections.close_all()
        study = Study.objects.get(pk=study_key)  # as each request does: it may have paused itself
        try:
            lease = leases.next_lease(annotator, study, at=NOW)
        except ValidationError:
            return
        if lease is None:
            return
        leases.open_lease(lease, at=NOW)
        scores = {key: ShownScore(value=lease.shown_value(1)) for key in SCORES}
        judgments.submit(lease, answers=Answers(scores=scores, confidence=3), at=NOW)


def test_a_budget_is_spent_to_the_last_judgment_and_not_passed():
    study, annotators = make_crowd(judgments_at_most=25)

    assert run_in_threads(judge_until_refused, [(annotator, study.pk) for annotator in annotators]) == []

    study.refresh_from_db()
    assert Lease.objects.filter(state="submitted").count() == Lease.objects.count() == 25
    assert (study.state, study.stopped_because) == ("paused", "judgments_at_most")
    assert sum(OVERLAP - seats for seats in Pair.objects.values_list("seats_left", flat=True)) == 25


def test_a_groups_quota_is_not_passed_and_other_groups_go_on():
    study, annotators = make_crowd(group_quotas={"native": 10})
    natives = {annotator.pk for annotator in annotators[:8]}
    Membership.objects.filter(study=study, user__in=natives).update(group="native")

    assert run_in_threads(judge_until_refused, [(annotator, study.pk) for annotator in annotators]) == []

    by_natives = Lease.objects.filter(state="submitted", annotator__in=natives).count()
    assert (by_natives, Lease.objects.filter(state="submitted").count()) == (10, PAIRS * OVERLAP)


def test_every_pair_on_which_two_agree_is_closed_however_their_votes_came():
    study, annotators = make_crowd(agreeing_votes_enough=2)

    assert run_in_threads(judge_until_refused, [(annotator, study.pk) for annotator in annotators]) == []

    votes = Counter(Judgment.objects.counted().values_list("lease__pair", flat=True))
    assert set(votes.values()) <= {2, 3}  # a third may have been lent before the second came in
    assert len(votes) == PAIRS
    assert set(Pair.objects.values_list("is_open", "closed_because")) == {(False, AGREED)}


def test_seats_are_right_though_raters_are_excluded_and_recounted_while_all_judge():
    study, annotators = make_crowd()
    excluded, honest = annotators[:3], annotators[3:]

    def exclude(rater) -> None:
        for _each in range(3):
            connections.close_all()
            exclusion = Exclusion.objects.create(study=study, rater=rater, reason="clicks")
            recount_seats(study, of_rater=rater.pk)
            Exclusion.objects.filter(pk=exclusion.pk).update(lifted_at=NOW)
            recount_seats(study)
        Exclusion.objects.create(study=study, rater=rater, reason="clicks")
        recount_seats(study, of_rater=rater.pk)

    def work(does, *arguments) -> None:
        does(*arguments)

    crowd = [(judge_until_refused, annotator, study.pk) for annotator in annotators]
    failures = run_in_threads(work, crowd + [(exclude, rater) for rater in excluded])
    failures += run_in_threads(judge_until_refused, [(annotator, study.pk) for annotator in honest])

    assert failures == []
    counting = Counter(counting_judgments(study).values_list("lease__pair", flat=True))
    assert (len(counting), min(counting.values())) == (PAIRS, OVERLAP)
    assert recount_seats(study) == 0  # nothing was counted twice, and nothing lost
    assert set(Pair.objects.values_list("seats_left", flat=True)) == {0}


# --- What two snapshots of PostgreSQL would miss ----------------------------------------------------------------------


def test_a_submit_that_commits_during_a_recount_is_counted_once():
    study = make_study(overlap=2)
    lease = make_lease(make_pair(study))
    answer(lease)
    began: list[threading.Thread] = []

    def submit(key) -> None:
        judgments.submit(Lease.objects.get(pk=key), at=NOW)

    def submit_between(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "COUNT" in sql and "annotation_judgment" in sql and not began:
            thread = threading.Thread(target=run_in_threads, args=(submit, [(lease.pk,)]))
            began.append(thread)
            thread.start()
            thread.join(2)
        return result

    with connection.execute_wrapper(submit_between):
        recount_seats(study, pairs=[lease.pair_id])
    for thread in began:
        thread.join()

    lease.refresh_from_db()
    lease.pair.refresh_from_db()
    assert (len(began), lease.state, lease.pair.seats_left) == (1, "submitted", 1)


def test_two_who_withdraw_at_once_and_hold_what_the_other_judged_do_not_wait_for_each_other(monkeypatch):
    study = make_study(overlap=5)
    pairs, people = [make_pair(study) for _each in range(2)], [join(study) for _each in range(2)]
    for person, judged, held in zip(people, pairs, reversed(pairs), strict=True):
        consent.give_consent(person, study, at=NOW)
        lease = make_lease(judged, person)
        answer(lease)
        judgments.submit(lease, at=NOW)
        make_lease(held, person)
    barrier, real = threading.Barrier(2), consent.recount_seats

    def both_have_come_so_far(*args, **options):
        with suppress(threading.BrokenBarrierError):  # SQLite lets one in at a time
            barrier.wait(2)
        return real(*args, **options)

    monkeypatch.setattr(consent, "recount_seats", both_have_come_so_far)

    def withdraw(person) -> None:
        assert consent.withdraw_consent(person, study, at=NOW)

    assert run_in_threads(withdraw, [(person,) for person in people]) == []
    assert set(Pair.objects.values_list("seats_left", flat=True)) == {5}


def test_of_two_who_begin_an_adjudication_at_once_one_has_it(monkeypatch):
    study = make_study()
    row = adjudication.request(make_pair(study), reason="close", by=make_user("researcher"), at=NOW)
    first, second = join(study), join(study)
    inside, go_on, real = threading.Event(), threading.Event(), adjudication.record_action

    def slow(by, *args, **options):
        if by == first:
            inside.set()
            go_on.wait(1)
        return real(by, *args, **options)

    monkeypatch.setattr(adjudication, "record_action", slow)
    refused = []

    def begin(person) -> None:
        if person == second:
            inside.wait(5)
        try:
            adjudication.begin(Adjudication.objects.get(pk=row.pk), person, at=NOW)
        except ValidationError:
            refused.append(person)

    assert run_in_threads(begin, [(first,), (second,)]) == []

    row.refresh_from_db()
    assert refused == [second]
    assert (row.adjudicator, Lease.objects.filter(purpose="adjudication").count()) == (first, 1)
