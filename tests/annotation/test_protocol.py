"""What makes a vote valid: each rule of the protocol, over HTTP, without a browser. The names say the rules.

The honest listener passes; each kind of cheat fails. Sides last ten seconds, with speech from 0.5 to 4.5 s and from
5 to 9 s; time is a clock that the test moves.
"""

import struct
from itertools import pairwise

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from annotation.models import Heartbeat, Judgment, Lease, Pair, Score, Study
from annotation.queries.listening import questions_for, sound_for
from annotation.services import judgments, leases, studies
from annotation.services.judgments import ShownScore
from earshot.acoustics.decoding import read_sound
from earshot.acoustics.levels import measure_level
from earshot.jobs import artefacts
from tests.annotation.manifests import speech
from tests.annotation.sounding import RATE, Clock, Listener, sounding_dialogue
from tests.factories import (
    NOW,
    answer,
    join,
    make_dialogue,
    make_lease,
    make_pair,
    make_scenario,
    make_study,
    make_user,
    minutes,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]
ENFORCED = Study.ListeningPolicy.ENFORCED
SPOKEN = [[0.5, 4.5], [5.0, 9.0]]


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock(NOW)
    monkeypatch.setattr("django.utils.timezone.now", clock)
    return clock


def lend(clock: Clock, *, annotator=None, policy: str = ENFORCED, pair: Pair | None = None, **fields) -> Listener:
    """Somebody with a pair just opened; both sides have bytes to send."""
    if pair is None:
        scenario = make_scenario()
        sides = {
            letter: sounding_dialogue(scenario, samples=speech(10.0, rate=RATE, hertz=hertz), speech=SPOKEN)
            for letter, hertz in (("dialogue_a", 180.0), ("dialogue_b", 210.0))
        }
        pair = make_pair(make_study(listening_policy=policy, **fields), scenario=scenario, **sides)
    return Listener(make_lease(pair, annotator, at=clock.at), clock)


@pytest.fixture
def listener(clock) -> Listener:
    """Opened now, in a study that enforces listening; the bytes of the side to be heard first were fetched."""
    listener = lend(clock)
    listener.fetch(listener.sides[0])
    return listener


def assert_gained_nothing(listener: Listener, side: str, answered: dict, refusal: str) -> None:
    assert (answered["refusal"], listener.heard(side)) == (refusal, [])


# --- The listening ----------------------------------------------------------------------------------------------------


def test_heard_before_rating_the_honest_listener_passes(clock):
    listener = lend(clock)

    told = listener.hear_both()

    assert told["gate_open"] is True
    answer(listener.lease, at=clock.at)
    judgment = judgments.submit(listener.lease, at=clock.at)
    assert (judgment.coverage_a, judgment.coverage_b) == (1.0, 1.0)
    assert (judgment.seconds_a, judgment.seconds_b, judgment.stalls) == (10.0, 10.0, 0)
    assert judgment.quality.verdict == "pass"


@pytest.mark.parametrize(("end", "is_enough"), [(8.83, False), (8.85, True)])  # 97.9 % and 98.1 % of 8 s of speech
def test_heard_before_rating_98_percent_of_each_sides_speech(clock, end, is_enough):
    listener = lend(clock)
    first, second = listener.sides
    for side in (first, second):
        listener.fetch(side)
    listener.listen(first)

    told = listener.listen(second, end=end)

    assert (told["gate_open"], told["sides"][second]["is_enough"]) == (is_enough, is_enough)
    answer(listener.lease, at=clock.at)
    submitted = listener.client.post(listener.address("submit"), {}, content_type="application/json")
    assert submitted.status_code == (200 if is_enough else 409)


def test_evidence_credit_never_exceeds_wall_time(listener, clock):
    side = listener.sides[0]

    clock.wait(5)
    assert_gained_nothing(listener, side, listener.beat(side, [[0.0, 9.0]]), "faster than time")


def test_evidence_many_small_heartbeats_gain_no_more_than_wall_time(listener, clock):
    side = listener.sides[0]

    for number in range(20):
        clock.wait(0.05)
        listener.beat(side, [[0.5 * number, 0.5 * number + 0.5]])

    assert sum(end - start for start, end in listener.heard(side)) <= 20 * 0.05 + 0.5


def test_evidence_a_replayed_heartbeat_gains_nothing(listener, clock):
    side = listener.sides[0]
    listener.listen(side, end=5.0)
    clock.wait(5)

    told = listener.beat(side, [[5.0, 10.0]], sequence=1)

    assert (told["accepted"], listener.heard(side)) == (False, [[0.0, 5.0]])


def test_evidence_a_reordered_heartbeat_gains_nothing(listener, clock):
    side = listener.sides[0]
    clock.wait(5)
    listener.beat(side, [[0.0, 5.0]], sequence=9)
    clock.wait(5)

    told = listener.beat(side, [[5.0, 10.0]], sequence=8)

    assert (told["accepted"], told["last_sequence"], listener.heard(side)) == (False, 9, [[0.0, 5.0]])


def test_evidence_overlapping_stretches_of_a_heartbeat_count_once(listener, clock):
    side = listener.sides[0]
    clock.wait(10)

    listener.beat(side, [[0.0, 5.0], [0.0, 4.0]])

    assert (listener.heard(side), Heartbeat.objects.get().credited_seconds) == ([[0.0, 5.0]], 5.0)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1"])
def test_evidence_numbers_that_are_none_are_refused(listener, clock, number):
    clock.wait(5)
    body = f'{{"sequence": 1, "side": "left", "played": [[0, {number}]], "media_time": 0}}'

    response = listener.client.post(listener.address("heartbeat"), body, content_type="application/json")

    assert (response.status_code, Heartbeat.objects.count()) == (400, 0)


def test_evidence_no_bytes_delivered_no_credit(clock):
    listener = lend(clock)
    side = listener.sides[0]

    told = listener.listen(side)

    assert (told["accepted"], listener.heard(side)) == (True, [])


def test_evidence_only_the_bytes_that_were_delivered_count(clock):
    listener = lend(clock)
    side = listener.sides[0]
    listener.fetch(side, f"bytes=0-{44 + 48_000 - 1}")

    listener.listen(side, end=5.0)

    assert listener.heard(side) == [[0.0, 1.0]]


def test_evidence_metadata_and_headers_alone_deliver_no_sound(clock):
    listener = lend(clock)
    side = listener.sides[0]
    listener.client.head(listener.address("lease_sound", side), headers={"Range": "bytes=0-"})
    listener.fetch(side, "bytes=0-43")

    listener.listen(side, end=5.0)

    assert listener.heard(side) == []


def test_evidence_bytes_of_another_lease_do_not_count(listener, clock):
    other = lend(clock, pair=listener.lease.pair, annotator=make_user())
    side = other.sides[0]
    for each in listener.sides:
        listener.fetch(each)

    other.listen(side, end=5.0)

    assert other.heard(side) == []


def test_evidence_bytes_of_ones_own_other_pair_do_not_count(listener, clock):
    other = lend(clock, annotator=listener.lease.annotator)

    other.listen(other.sides[0], end=5.0)

    assert other.heard(other.sides[0]) == []


def test_evidence_heartbeats_after_expiry_gain_nothing(listener, clock):
    clock.wait(11 * 60)
    side = listener.sides[0]

    told = listener.beat(side, [[0.0, 5.0]])

    assert (told["accepted"], told["state"], listener.heard(side)) == (False, "expired", [])


def test_evidence_two_tabs_of_one_pair_gain_what_one_gains(listener, clock):
    side = listener.sides[0]
    for number in range(2):
        clock.wait(2.5)
        for _tab in range(2):  # the second takes the number after the first one's, as the page does
            listener.beat(side, [[2.5 * number, 2.5 * number + 2.5]])

    assert (listener.heard(side), listener.lease.listening_logs.get().seconds_played) == ([[0.0, 5.0]], 5.0)


def test_evidence_two_tabs_of_two_pairs_gain_no_more_than_wall_time_together(listener, clock):
    other = lend(clock, annotator=listener.lease.annotator)
    other.fetch(other.sides[0])

    for number in range(2):
        clock.wait(5)
        for tab in (listener, other):
            tab.beat(tab.sides[0], [[5.0 * number, 5.0 * number + 5.0]])

    heard = [listener.heard(listener.sides[0]), other.heard(other.sides[0])]
    assert heard == [[[0.0, 10.0]], []]


def test_evidence_a_clock_that_goes_back_gains_nothing(listener, clock):
    side = listener.sides[0]
    listener.listen(side, end=5.0)
    for back_and_forth in (-4, 4, -4, 4):
        clock.wait(back_and_forth)
        listener.beat(side, [[5.0, 9.0]])

    assert listener.heard(side) == [[0.0, 5.0]]


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"muted": True}, "muted"),
        ({"volume": 0}, "muted"),
        ({"visible": False}, "hidden"),
        ({"rate": 1.5}, "rate"),
        ({"rate": 1.01}, "rate"),
    ],
)
def test_what_does_not_count_muted_volume_0_hidden_and_faster_than_spoken(listener, clock, fields, refusal):
    side = listener.sides[0]
    clock.wait(5)

    assert_gained_nothing(listener, side, listener.beat(side, [[0.0, 4.0]], **fields), refusal)


def test_first_listen_the_second_side_earns_nothing_before_the_first_is_complete(listener, clock):
    first, second = listener.sides
    listener.fetch(second)
    listener.listen(first, end=8.0)

    told = listener.listen(second, end=5.0)

    assert_gained_nothing(listener, second, told, "out of order")


def test_first_listen_what_lies_ahead_earns_nothing(listener, clock):
    side = listener.sides[0]
    clock.wait(5)

    assert_gained_nothing(listener, side, listener.beat(side, [[5.0, 9.0]]), "out of order")


def test_first_listen_then_seek_freely(listener, clock):
    first, second = listener.sides
    listener.listen(first)

    told = listener.listen(first, start=6.0, end=9.0)

    assert (told["refusal"], told["sides"][second]["is_enough"]) == ("", False)


def test_first_listen_may_be_interrupted_and_go_back(listener):
    side = listener.sides[0]

    for start, end in ((0.0, 3.0), (1.0, 4.0), (3.5, 8.0), (8.0, 10.0)):
        told = listener.listen(side, start=start, end=end)
        assert told["refusal"] == ""

    assert told["sides"][side]["is_enough"] is True


def test_the_gate_says_what_is_missing_per_side_and_turn(listener):
    first, second = listener.sides

    told = listener.listen(first, end=5.0)

    assert told["sides"][first]["missing"] == [[5.0, 9.0]]
    assert (told["sides"][first]["missing_turns"], told["sides"][second]["missing_turns"]) == ([2], [1, 2])


@pytest.mark.parametrize(("seconds", "verdict"), [(2.9, "pass"), (3.2, "unknown")])
def test_stalls_are_counted_and_over_3_s_in_total_make_the_verdict_unknown(clock, seconds, verdict):
    listener = lend(clock)
    listener.hear_both()
    for side in listener.sides:
        listener.beat(side, [], stalls=1, stalled_seconds=seconds / 2)
    answer(listener.lease, at=clock.at)

    judgment = judgments.submit(listener.lease, at=clock.at)

    assert (judgment.stalls, judgment.quality.verdict) == (2, verdict)


def test_a_policy_of_recorded_stores_the_evidence_and_keeps_the_gate_open(clock):
    listener = lend(clock, policy=Study.ListeningPolicy.RECORDED)
    second = listener.sides[1]
    listener.fetch(second)

    told = listener.listen(second, start=5.0, end=9.0)

    assert (told["gate_open"], listener.heard(second)) == (True, [[5.0, 9.0]])


# --- The comparison ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side_left", "stored"), [("a", -3), ("b", 3)])
def test_scale_right_much_better_is_stored_so_that_positive_favours_a(side_left, stored):
    lease = make_lease()
    Lease.objects.filter(pk=lease.pk).update(side_left=side_left)
    lease.refresh_from_db()

    answer(lease, 3)

    assert set(Score.objects.values_list("value", flat=True)) == {stored}


def test_questions_keep_one_order_per_rater_differ_between_raters_and_end_with_overall():
    study = make_study()
    raters = [make_user() for _each in range(6)]

    orders = [tuple(question.key for question in questions_for(rater, study)) for rater in raters]

    assert orders == [tuple(question.key for question in questions_for(rater, study)) for rater in raters]
    assert len(set(orders)) > 1
    assert {order[-1] for order in orders} == {"overall"}


def test_questions_want_a_confidence_and_no_reason():
    lease = make_lease()
    keys = lease.pair.study.dimensions.values_list("key", flat=True)
    judgments.save_draft(lease, scores={key: ShownScore(value=1) for key in keys}, at=NOW)

    with pytest.raises(ValidationError, match="Still to answer: confidence"):
        judgments.submit(lease, at=NOW)
    judgments.save_draft(lease, confidence=2, at=NOW)

    assert judgments.submit(lease, at=NOW).reason == ""


@pytest.mark.parametrize("kind", ["both_bad", "cannot_tell"])
def test_not_a_number_is_a_fact_of_its_own_and_never_a_0(kind):
    lease = make_lease()

    judgments.save_draft(lease, scores={"overall": ShownScore(kind=kind)}, at=NOW)

    score = Score.objects.get()
    assert (score.kind, score.value) == (kind, None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Score.objects.update(value=0)


def test_sides_are_balanced_per_rater_and_per_pair_and_stored():
    study = make_study(overlap=4)
    pairs = [make_pair(study) for _each in range(6)]
    raters = [join(study) for _each in range(4)]

    for pair in pairs:
        for rater in raters:
            make_lease(pair, rater)

    a_first = [lease.letter(lease.heard_first) == "a" for lease in Lease.objects.all()]
    assert sum(a_first) == len(a_first) / 2
    for held in [Lease.objects.filter(pair=pair) for pair in pairs]:
        assert held.filter(side_left="a").count() == 2
    for held in [Lease.objects.filter(annotator=rater) for rater in raters]:
        assert abs(held.filter(side_left="a").count() - 3) <= 2


@pytest.mark.parametrize("condition", ["never", "after_first_listen", "always"])
def test_transcript_is_a_condition_of_the_study_and_recorded_on_the_vote(clock, condition):
    listener = lend(clock, transcript_policy=condition)

    before = listener.client.get(listener.address("lease_turns", "left")).json()["has_text"]
    listener.hear_both()
    after = listener.client.get(listener.address("lease_turns", "left")).json()["has_text"]
    answer(listener.lease, at=clock.at)
    judgment = judgments.submit(listener.lease, at=clock.at)

    assert (before, after) == (condition == "always", condition != "never")
    assert judgment.transcript_condition == condition


# --- The sound --------------------------------------------------------------------------------------------------------


def played(lease: Lease, side: str) -> bytes:
    with artefacts.open_artefact(sound_for(lease, side).sha256) as file:
        return file.read()


def loud_and_peaky() -> Lease:
    """A pair of which one side cannot be as loud as the other without clipping, so both are lowered."""
    scenario, study = make_scenario(), make_study()
    peaky = 0.2 * speech(10.0, rate=RATE)
    peaky[::6000] = 0.9
    dialogues = [
        sounding_dialogue(scenario, samples=speech(10.0, rate=RATE)),
        sounding_dialogue(scenario, samples=peaky.astype(np.float32)),
    ]
    [pair] = studies.add_pairs(study, [(dialogues[0], dialogues[1])])
    return make_lease(pair)


def test_level_both_sides_within_half_a_lu_and_no_true_peak_over_minus_1_dbtp(tmp_path):
    lease = loud_and_peaky()

    levels = []
    for side in ("left", "right"):
        (tmp_path / f"{side}.wav").write_bytes(played(lease, side))
        sound = read_sound(tmp_path / f"{side}.wav")
        levels.append(measure_level(sound.samples, sound.rate))

    assert lease.pair.level_lufs < -25.0  # the rule had something to do
    assert abs(levels[0].lufs - levels[1].lufs) <= 0.5
    assert max(level.true_peak_dbtp for level in levels) <= -0.9


def test_level_is_one_constant_gain_for_the_whole_dialogue():
    lease = loud_and_peaky()
    lowered = next(side for side in ("left", "right") if lease.dialogue(side).level_lufs > -23.5)
    with artefacts.open_artefact(lease.dialogue(lowered).renditions.get(level_lufs=-23.0).sha256) as file:
        before = np.frombuffer(file.read()[44:], "<i2").astype(float)

    after = np.frombuffer(played(lease, lowered)[44:], "<i2").astype(float)

    gain = after @ before / (before @ before)
    assert gain < 0.8
    assert np.abs(after - gain * before).max() <= 1.5  # rounding twice


def test_format_is_one_rate_layout_and_codec_for_both_sides_without_tags():
    lease = loud_and_peaky()

    heads = []
    for side in ("left", "right"):
        content = played(lease, side)
        assert [name for name, _start, _size in chunks_of(content)] == [b"fmt ", b"data"]
        heads.append(content[8:40])

    assert heads[0] == heads[1]
    kind, channels, rate, _bytes, _block, bits = struct.unpack("<HHIIHH", heads[0][12:28])
    assert (kind, channels, rate, bits) == (1, 1, 24_000, 16)  # PCM


def chunks_of(wav: bytes) -> list[tuple[bytes, int, int]]:
    """(name, start, size) of each chunk."""
    assert (wav[:4], wav[8:12]) == (b"RIFF", b"WAVE")
    found, place = [], 12
    while place < len(wav):
        size = struct.unpack("<I", wav[place + 4 : place + 8])[0]
        found.append((wav[place : place + 4], place + 8, size))
        place += 8 + size + size % 2
    return found


def test_pair_check_both_dialogues_answer_one_scenario():
    with pytest.raises(ValidationError, match="answer different scenarios"):
        studies.add_pairs(make_study(), [(make_dialogue(), make_dialogue())])


# --- The work queue ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("each_side", "lasts"), [(10.0, 600), (300.0, 1800)])
def test_a_lease_lasts_three_times_the_pair_and_at_least_ten_minutes(clock, each_side, lasts):
    scenario = make_scenario()
    sides = {letter: make_dialogue(scenario, seconds=each_side) for letter in ("dialogue_a", "dialogue_b")}

    lease = make_lease(make_pair(scenario=scenario, **sides), at=clock.at)

    assert (lease.expires_at - clock.at).total_seconds() == lasts


def test_heartbeats_renew_the_lease_for_as_long_as_they_come(listener, clock):
    for _each in range(5):
        clock.wait(9 * 60)
        told = listener.beat("left", [])

    assert (told["state"], told["seconds_left"]) == ("live", 600)


def test_a_late_submit_is_kept_as_an_extra(clock):
    listener = lend(clock, policy=Study.ListeningPolicy.NONE)
    answer(listener.lease, at=clock.at)
    clock.wait(11 * 60)

    told = listener.client.post(listener.address("submit"), {}, content_type="application/json").json()

    assert (told["state"], told["is_late"], Judgment.objects.counted().count()) == ("late", True, 0)


def test_overlap_counts_distinct_raters(clock):
    study = make_study(overlap=2)
    pair = make_pair(study)
    rater = join(study)
    lease = make_lease(pair, rater)
    answer(lease)
    judgments.submit(lease, at=NOW)

    again = leases.next_lease(rater, study, at=NOW)
    another = leases.next_lease(join(study), study, at=NOW)

    pair.refresh_from_db()
    assert (again, another and another.pair, pair.seats_left) == (None, pair, 0)


def test_nobody_gets_both_orders_of_a_pair():
    pair = make_pair()
    swapped = {"scenario": pair.scenario, "dialogue_a": pair.dialogue_b, "dialogue_b": pair.dialogue_a}

    with pytest.raises(IntegrityError), transaction.atomic():
        make_pair(pair.study, **swapped)

    assert make_pair(pair.study, kind=Pair.Kind.REPEAT, **swapped).pk  # declared


def test_two_pairs_of_one_scenario_never_follow_each_other_while_others_are_open():
    study = make_study(overlap=1)
    scenarios = [make_scenario() for _each in range(2)]
    for scenario in scenarios:
        for _each in range(3):
            make_pair(study, scenario=scenario)
    rater = join(study)

    heard = []
    for number in range(6):
        lease = leases.next_lease(rater, study, at=NOW + minutes(number))
        leases.open_lease(lease, at=NOW + minutes(number))
        answer(lease)
        judgments.submit(lease, at=NOW + minutes(number))
        heard.append(lease.pair.scenario_id)

    assert all(one != following for one, following in pairwise(heard))


def test_skip_asks_for_a_reason(clock):
    listener = lend(clock)

    listener.client.post(listener.address("skip"), {"reason": ""})
    listener.lease.refresh_from_db()
    assert listener.lease.state == "live"

    listener.client.post(listener.address("skip"), {"reason": "sound"})
    listener.lease.refresh_from_db()
    assert (listener.lease.state, listener.lease.skip_reason) == ("skipped", "The sound does not play or is broken")


@pytest.mark.parametrize(("waited", "state"), [(599, "live"), (601, "submitted")])
def test_undo_lasts_ten_minutes(clock, waited, state):
    listener = lend(clock, policy=Study.ListeningPolicy.NONE)
    answer(listener.lease, at=clock.at)
    judgments.submit(listener.lease, at=clock.at)
    clock.wait(waited)

    listener.client.post(listener.address("undo"))

    listener.lease.refresh_from_db()
    assert listener.lease.state == state
