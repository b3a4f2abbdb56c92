"""Sixteen annotators at once on twenty pairs, with expiries, skips and late submits mixed in."""

import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections

from annotation.models import Judgment, Lease, Pair
from annotation.services import judgments, leases
from annotation.services.judgments import ShownScore
from tests.factories import NOW, join, make_pair, make_study

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
