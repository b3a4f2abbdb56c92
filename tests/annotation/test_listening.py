"""Proof of listening: what each heartbeat is worth, rule by rule."""

import math

import pytest

from annotation.models import Heartbeat, Lease, ListeningClock, ListeningLog, Study
from annotation.services import leases, listening
from annotation.services.listening import Beat, intersect, union
from tests.factories import NOW, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.database, pytest.mark.django_db]
Policy = Study.ListeningPolicy


def seconds(number: float):
    return minutes(number / 60)


def lend(*, policy: str = Policy.ENFORCED, annotator=None, at=NOW, sent: float = 10.0, pair=None) -> Lease:
    """A lease opened at `at` that hears left first; of both sides (10 s each) the first `sent` seconds were sent."""
    lent = make_lease(pair or make_pair(make_study(listening_policy=policy)), annotator, at=at)
    Lease.objects.filter(pk=lent.pk).update(heard_first="left")
    lent.refresh_from_db()
    if sent:
        for side in listening.SIDES:
            listening.record_delivery(lent, side, start=0.0, end=sent, at=at)
    return lent


@pytest.fixture
def lease() -> Lease:
    """Opened at NOW, in a study that enforces listening; all bytes of both sides were sent."""
    return lend()


def beat(sequence: int, played, side: str = "left", **fields) -> Beat:
    return Beat(sequence=sequence, side=side, played=played, media_time=played[-1][1] if played else 0.0, **fields)


def heard(lease: Lease, side: str = "left") -> list[list[float]]:
    log = ListeningLog.objects.filter(lease=lease, side=side).first()
    return log.heard if log else []


def credited(*leases_held: Lease) -> float:
    return sum(log.seconds_played for log in ListeningLog.objects.filter(lease__in=leases_held))


def send(lease: Lease, each: Beat, after: float) -> Heartbeat | None:
    return listening.record_heartbeat(lease, each, at=NOW + seconds(after))


def test_unions_and_intersections_of_stretches():
    assert union([[3, 4], [0, 1], [0.5, 2], [2, 2]]) == [[0.0, 2.0], [3.0, 4.0]]
    assert intersect([[0, 2], [3, 6]], [[1, 4], [5, 9]]) == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_an_honest_listener_is_credited_in_full_and_the_gate_opens(lease):
    for number, side in enumerate(listening.SIDES):
        for part in range(2):
            send(
                lease, beat(2 * number + part + 1, [[5.0 * part, 5.0 * part + 5.0]], side), 10.0 * number + 5 * part + 5
            )

    so_far = listening.heard_so_far(lease)
    assert {side: (each.coverage, each.missing) for side, each in so_far.items()} == {
        "left": (1.0, []),
        "right": (1.0, []),
    }
    assert so_far["left"].seconds_played == 10.0
    assert listening.gate_is_open(lease)


def test_coverage_is_a_share_of_the_speech_and_silence_need_not_be_heard(lease):
    send(lease, beat(1, [[0.5, 4.5]]), 5)

    so_far = listening.heard_so_far(lease)["left"]
    assert (so_far.coverage, so_far.missing) == (0.5, [[5.0, 9.0]])


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"muted": True}, "muted"),
        ({"volume": 0.0}, "muted"),
        ({"visible": False}, "hidden"),
        ({"rate": 1.25}, "rate"),
    ],
)
def test_what_cannot_be_heard_or_judged_gains_nothing(lease, fields, refusal):
    stored = send(lease, beat(1, [[0.0, 4.0]], **fields), 5)

    assert stored is not None
    assert (stored.refusal, stored.credited_seconds, heard(lease)) == (refusal, 0.0, [])


def test_slower_than_spoken_counts(lease):
    stored = send(lease, beat(1, [[0.0, 4.0]], rate=0.9), 5)

    assert stored is not None
    assert (stored.refusal, heard(lease)) == ("", [[0.0, 4.0]])


def test_more_than_the_wall_clock_allows_gains_nothing(lease):
    stored = send(lease, beat(1, [[0.0, 9.0]]), 5)

    assert stored is not None
    assert (stored.refusal, heard(lease)) == ("faster than time", [])


def test_many_fast_heartbeats_gain_no_more_than_one_slow_one(lease):
    for number in range(1, 10):
        send(lease, beat(number, [[number - 1.0, float(number)]]), 2 + 0.01 * number)

    assert ListeningLog.objects.get(lease=lease, side="left").seconds_played <= 2.1 + listening.TOLERANCE_SECONDS


def test_the_tolerance_is_given_once_and_not_with_every_heartbeat(lease):
    for number in range(1, 20):
        send(lease, beat(number, [[0.5 * (number - 1), 0.5 * number]]), 0.01 * number)

    assert ListeningLog.objects.get(lease=lease, side="left").seconds_played <= 0.2 + listening.TOLERANCE_SECONDS


def test_a_refused_heartbeat_does_not_renew_the_tolerance(lease):
    for number in range(1, 20):
        start = 0.25 * (number - 1)
        send(lease, beat(2 * number - 1, [[start, start + 0.5]]), 0.01 * number)
        send(lease, beat(2 * number, [[0.0, 9.0]]), 0.01 * number)

    assert ListeningLog.objects.get(lease=lease, side="left").seconds_played <= 0.2 + listening.TOLERANCE_SECONDS


def test_time_does_not_pile_up_over_a_long_silence(lease):
    listening.record_delivery(lease, "left", start=0.0, end=120.0, at=NOW)

    stored = send(lease, beat(1, [[0.0, 60.0]]), 300)

    assert stored is not None
    assert stored.refusal == "faster than time"


def test_both_sides_draw_on_one_clock(lease):
    send(lease, beat(1, [[0.0, 5.0]], "left"), 5)

    stored = send(lease, beat(2, [[0.0, 5.0]], "right"), 5.1)

    assert stored is not None
    assert (stored.refusal, heard(lease, "right")) == ("faster than time", [])


def test_a_replayed_heartbeat_gains_nothing(lease):
    send(lease, beat(1, [[0.0, 4.0]]), 5)

    assert send(lease, beat(1, [[4.0, 8.0]]), 10) is None
    assert heard(lease) == [[0.0, 4.0]]
    assert Heartbeat.objects.count() == 1


def test_a_reordered_heartbeat_gains_nothing(lease):
    send(lease, beat(7, [[0.0, 4.0]]), 5)

    assert send(lease, beat(6, [[4.0, 8.0]]), 10) is None
    assert heard(lease) == [[0.0, 4.0]]


def test_bytes_that_were_not_sent_cannot_be_heard():
    lease = lend(sent=2.0)

    stored = send(lease, beat(1, [[0.0, 4.0]]), 5)

    assert stored is not None
    assert (stored.credited_seconds, heard(lease)) == (2.0, [[0.0, 2.0]])


def test_bytes_sent_to_another_lease_do_not_count(lease):
    another = lend(pair=lease.pair, annotator=make_user(), sent=0.0)

    send(another, beat(1, [[0.0, 4.0]]), 5)

    assert heard(another) == []


def test_hearing_a_stretch_twice_covers_it_once(lease):
    send(lease, beat(1, [[0.0, 4.0]]), 5)
    send(lease, beat(2, [[0.0, 4.0]]), 10)

    log = ListeningLog.objects.get(lease=lease, side="left")
    assert (log.heard, log.seconds_played) == ([[0.0, 4.0]], 8.0)


def test_an_expired_lease_takes_no_heartbeat(lease):
    leases.expire_overdue(at=lease.expires_at)

    assert send(lease, beat(1, [[0.0, 4.0]]), 5) is None
    assert heard(lease) == []


def test_a_heartbeat_renews_the_lease(lease):
    send(lease, beat(1, []), 60)

    lease.refresh_from_db()
    assert lease.expires_at == NOW + seconds(60) + leases.duration_of(lease)


def test_stalls_are_counted_even_where_nothing_is_credited(lease):
    send(lease, beat(1, [[0.0, 1.0]], muted=True, stalls=2, stalled_seconds=1.5), 5)

    log = ListeningLog.objects.get(lease=lease, side="left")
    assert (log.stalls, log.stalled_seconds, log.heard) == (2, 1.5, [])


def test_the_gate_stays_closed_while_one_side_is_missing(lease):
    send(lease, beat(1, [[0.0, 10.0]]), 10)

    assert not listening.gate_is_open(lease)


def test_two_tabs_on_two_pairs_gain_no_more_than_wall_time_together(lease):
    other = lend(annotator=lease.annotator)

    for number in range(1, 4):
        for each in (lease, other):
            send(each, beat(number, [[2.0 * number - 2, 2.0 * number]]), 2.0 * number)

    assert credited(lease, other) == 6.0
    assert {each.refusal for each in Heartbeat.objects.filter(lease=other)} == {"faster than time"}


def test_two_tabs_that_take_turns_are_credited_for_what_each_played(lease):
    other = lend(annotator=lease.annotator)

    for number in range(1, 4):
        for order, each in enumerate((lease, other)):
            send(each, beat(number, [[number - 1.0, float(number)]]), 2.0 * number - 1 + order)

    assert (credited(lease), credited(other)) == (3.0, 3.0)


def test_a_second_tab_that_only_keeps_its_lease_takes_nothing_from_the_first(lease):
    other = lend(annotator=lease.annotator, at=NOW + seconds(4.9))

    send(other, beat(1, []), 5)
    stored = send(lease, beat(1, [[0.0, 5.0]]), 5)

    assert stored is not None
    assert stored.credited_seconds == 5.0


def test_two_people_have_a_clock_each(lease):
    other = lend(pair=lease.pair, annotator=make_user())

    for each in (lease, other):
        send(each, beat(1, [[0.0, 5.0]]), 5)

    assert (credited(lease), credited(other)) == (5.0, 5.0)


def test_what_was_saved_up_before_a_pair_was_opened_is_worth_nothing_in_it(lease):
    send(lease, beat(1, []), 15)
    later = lend(annotator=lease.annotator, at=NOW + seconds(15))

    stored = [
        send(later, beat(1, [[0.0, 5.0]]), 16),
        send(later, beat(2, [[0.0, 5.0]]), 20),
        send(later, beat(3, [[5.0, 10.0]]), 21),
    ]

    assert [each.refusal for each in stored if each] == ["faster than time", "", "faster than time"]
    assert credited(later) == 5.0


def test_a_clock_that_goes_back_and_forth_gains_nothing(lease):
    for number, after in enumerate((5, 0, 5, 1, 5), start=1):
        send(lease, beat(number, [[0.0, 5.0]]), after)

    assert credited(lease) == 5.0
    assert ListeningClock.objects.get().told_at == NOW + seconds(5)


def test_a_clock_that_goes_back_in_one_tab_gains_nothing_in_another(lease):
    other = lend(annotator=lease.annotator)
    send(lease, beat(1, [[0.0, 5.0]]), 5)
    send(lease, beat(2, []), 0)

    stored = send(other, beat(1, [[0.0, 5.0]]), 5)

    assert stored is not None
    assert stored.refusal == "faster than time"


def test_overlapping_stretches_of_one_heartbeat_count_once(lease):
    stored = send(lease, beat(1, [[0.0, 4.0], [0.0, 4.0], [1.0, 3.0]]), 10)

    assert stored is not None
    assert (stored.credited_seconds, credited(lease), heard(lease)) == (4.0, 4.0, [[0.0, 4.0]])


def test_stretches_of_one_heartbeat_cost_their_time_however_much_they_overlap(lease):
    stored = send(lease, beat(1, [[0.0, 4.0], [0.0, 4.0]]), 5)

    assert stored is not None
    assert stored.refusal == "faster than time"


@pytest.mark.parametrize(
    "fields",
    [
        {"played": [[0.0, math.nan]]},
        {"played": [[math.nan, 1.0]]},
        {"played": [[0.0, math.inf]]},
        {"played": [[5.0, 0.0]]},
        {"played": [[-1.0, 1.0]]},
        {"played": [], "rate": math.nan},
        {"played": [], "volume": math.nan},
        {"played": [], "stalled_seconds": math.inf},
    ],
)
def test_a_heartbeat_of_numbers_that_are_none_does_not_come_to_be(fields):
    with pytest.raises(ValueError, match="Heartbeat 1 has times that are none"):
        Beat(sequence=1, side="left", media_time=0.0, **fields)


def test_the_second_side_earns_nothing_before_the_first_was_heard(lease):
    stored = send(lease, beat(1, [[0.0, 5.0]], "right"), 5)

    assert stored is not None
    assert (stored.refusal, heard(lease, "right")) == ("out of order", [])


def test_listening_ahead_of_what_was_heard_earns_nothing(lease):
    send(lease, beat(1, [[0.0, 2.0]]), 2)

    ahead = send(lease, beat(2, [[5.0, 8.0]]), 5)
    within = send(lease, beat(3, [[2.9, 5.9]]), 8)

    assert ahead is not None
    assert within is not None
    assert (ahead.refusal, within.refusal) == ("out of order", "")
    assert heard(lease) == [[0.0, 2.0], [2.9, 5.9]]


def test_a_jump_inside_one_heartbeat_is_a_jump(lease):
    stored = send(lease, beat(1, [[0.0, 1.0], [6.0, 7.0]]), 5)

    assert stored is not None
    assert (stored.refusal, heard(lease)) == ("out of order", [])


def test_going_back_and_silence_left_out_are_in_order(lease):
    first = send(lease, beat(1, [[0.4, 4.5]]), 5)  # speech from 0.5 to 4.5 and from 5 to 9
    over_silence = send(lease, beat(2, [[5.0, 7.0], [1.0, 2.0], [7.0, 8.0]]), 10)

    assert [each.refusal for each in (first, over_silence) if each] == ["", ""]


def test_a_side_that_was_heard_is_free_to_move_in_while_the_other_is_not(lease):
    send(lease, beat(1, [[0.0, 9.5]]), 10)

    again = send(lease, beat(2, [[8.0, 9.0], [2.0, 3.0]]), 15)
    ahead = send(lease, beat(3, [[6.0, 9.0]], "right"), 20)

    assert [each.refusal for each in (again, ahead) if each] == ["", "out of order"]


def test_a_refused_jump_costs_its_time(lease):
    send(lease, beat(1, [[5.0, 9.0]]), 5)

    stored = send(lease, beat(2, [[0.0, 4.0]]), 5.1)

    assert stored is not None
    assert stored.refusal == "faster than time"


def test_recorded_listening_may_go_in_any_order():
    lease = lend(policy=Policy.RECORDED)

    stored = send(lease, beat(1, [[5.0, 9.0]], "right"), 5)

    assert stored is not None
    assert (stored.refusal, heard(lease, "right")) == ("", [[5.0, 9.0]])


@pytest.mark.parametrize("policy", [Policy.RECORDED, Policy.NONE])
def test_only_enforced_listening_closes_the_gate(policy):
    lease = make_lease(make_pair(make_study(listening_policy=policy)))

    assert listening.gate_is_open(lease)
