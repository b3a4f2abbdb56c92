"""Heartbeats and deliveries of one person that arrive at the same moment: nothing counts twice, nothing is lost."""

import threading

import pytest
from django.db import connections

from annotation.models import Heartbeat, Lease, ListeningClock, ListeningLog, Study
from annotation.services import listening
from annotation.services.listening import Beat
from tests.annotation.test_concurrency import run_in_threads
from tests.factories import NOW, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

TABS = 6
FIVE_SECONDS_LATER = NOW + minutes(5 / 60)


def lend(annotator) -> Lease:
    """Opened at NOW; everything was sent."""
    lease = make_lease(make_pair(make_study(listening_policy=Study.ListeningPolicy.RECORDED)), annotator)
    for side in listening.SIDES:
        listening.record_delivery(lease, side, start=0.0, end=10.0, at=NOW)
    return lease


def at_once(work, arguments) -> None:
    """Call `work` with each of `arguments`, all at the same moment; fail if one of them failed."""
    barrier = threading.Barrier(len(arguments))

    def body(*each) -> None:
        connections.close_all()
        barrier.wait(timeout=60)
        work(*each)

    assert run_in_threads(body, arguments) == []


def test_many_pairs_at_once_gain_together_what_the_clock_allows():
    annotator = make_user()
    held = [lend(annotator) for _each in range(TABS)]

    def tell(lease: Lease) -> None:
        listening.record_heartbeat(lease, Beat(1, "left", [[0.0, 5.0]], media_time=5.0), at=FIVE_SECONDS_LATER)

    at_once(tell, [(lease,) for lease in held])

    assert sorted(Heartbeat.objects.values_list("refusal", flat=True)) == ["", *["faster than time"] * (TABS - 1)]
    assert sum(ListeningLog.objects.values_list("seconds_played", flat=True)) == 5.0
    assert ListeningClock.objects.count() == 1


def test_many_tabs_of_one_pair_with_the_same_number_count_once():
    lease = lend(make_user())

    def tell(_tab: int) -> None:
        listening.record_heartbeat(
            Lease.objects.get(pk=lease.pk), Beat(1, "left", [[0.0, 2.0]], media_time=2.0), at=FIVE_SECONDS_LATER
        )

    at_once(tell, [(tab,) for tab in range(TABS)])

    assert Heartbeat.objects.count() == 1
    assert ListeningLog.objects.get(side="left").seconds_played == 2.0


def test_deliveries_and_heartbeats_at_once_lose_nothing():
    lease = make_lease(make_pair(make_study(listening_policy=Study.ListeningPolicy.RECORDED)), make_user())

    def deliver_and_tell(number: int) -> None:
        listening.record_delivery(lease, "left", start=float(number), end=number + 1.0, at=NOW)
        beat = Beat(number + 1, "left", [[float(number), number + 0.5]], media_time=0.0)
        listening.record_heartbeat(Lease.objects.get(pk=lease.pk), beat, at=FIVE_SECONDS_LATER)

    at_once(deliver_and_tell, [(number,) for number in range(TABS)])

    log = ListeningLog.objects.get()
    assert log.delivered == [[0.0, float(TABS)]]
    stored = Heartbeat.objects.order_by("sequence")
    assert log.heard == [list(each.played[0]) for each in stored]  # each that came in its order, and no other
    assert log.seconds_played == 0.5 * stored.count()
