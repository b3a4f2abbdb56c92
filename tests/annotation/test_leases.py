"""Every transition of the lease table, with what happens to the seat."""

import pytest
from django.core.exceptions import ValidationError

from annotation.models import Judgment, Lease, QualityVerdict
from annotation.services import exclusions, judgments, leases, studies
from annotation.services.queue.seats import recount_seats
from tests.factories import NOW, answer, join, make_lease, make_pair, make_scenario, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def seats(lease_or_pair) -> int:
    pair = getattr(lease_or_pair, "pair", lease_or_pair)
    pair.refresh_from_db()
    return pair.seats_left


def state(lease) -> str:
    lease.refresh_from_db()
    return lease.state


def test_reserving_takes_a_seat():
    pair = make_pair()
    annotator = join(pair.study)

    lease = leases.next_lease(annotator, pair.study, at=NOW)

    assert (lease.pair, lease.state, seats(pair)) == (pair, "reserved", 2)


def test_opening_the_page_makes_a_reserved_lease_live_and_keeps_the_seat():
    lease = make_lease(opened=False)

    leases.open_lease(lease, at=NOW + minutes(1))

    assert (state(lease), lease.opened_at, seats(lease)) == ("live", NOW + minutes(1), 2)


def test_a_lease_lasts_three_times_the_pair_but_at_least_ten_minutes():
    short = make_lease()
    long_pair = make_pair()
    for dialogue in (long_pair.dialogue_a, long_pair.dialogue_b):
        dialogue.seconds = 600.0
        dialogue.save()
    long = make_lease(long_pair)

    assert short.expires_at - NOW == minutes(10)
    assert long.expires_at - NOW == minutes(60)


def test_a_reserved_lease_that_nobody_opened_expires_and_gives_its_seat_back():
    lease = make_lease(opened=False)

    assert leases.expire_overdue(at=NOW + minutes(10)) == 1

    assert (state(lease), seats(lease)) == ("expired", 3)


def test_a_reserved_lease_freed_at_sign_out_is_lent_again_by_the_same_lease():
    lease = make_lease(opened=False)

    leases.release_reserved(lease.annotator)
    assert (state(lease), seats(lease)) == ("expired", 3)
    again = leases.next_lease(lease.annotator, lease.pair.study, at=NOW)

    assert (again.pk, again.state, seats(lease)) == (lease.pk, "reserved", 2)


def test_at_most_one_pair_is_reserved_ahead():
    study = make_study()
    annotator = join(study)
    first, second = make_pair(study), make_pair(study)

    leases.take(first, annotator, probability=1.0, at=NOW)
    leases.take(second, annotator, probability=1.0, at=NOW)

    assert dict(Lease.objects.values_list("pair", "state")) == {first.pk: "expired", second.pk: "reserved"}
    assert (seats(first), seats(second)) == (3, 2)


def test_a_heartbeat_renews_the_lease():
    lease = make_lease()

    assert leases.renew(lease, at=NOW + minutes(9))

    assert (state(lease), lease.expires_at) == ("live", NOW + minutes(19))


def test_a_live_lease_without_a_sign_of_life_expires_and_gives_its_seat_back():
    lease = make_lease()

    assert leases.expire_overdue(at=NOW + minutes(9)) == 0
    assert leases.expire_overdue(at=NOW + minutes(10)) == 1

    assert (state(lease), seats(lease)) == ("expired", 3)


def test_expiring_twice_gives_one_seat_back():
    lease = make_lease()

    first = leases.expire_if_overdue(lease, at=NOW + minutes(10))
    second = leases.expire_if_overdue(lease, at=NOW + minutes(10))

    assert (first, second, seats(lease)) == (True, False, 3)


def test_submitting_keeps_the_seat():
    lease = make_lease()
    answer(lease)

    judgment = judgments.submit(lease, at=NOW + minutes(5))

    assert (state(lease), seats(lease)) == ("submitted", 2)
    assert (judgment.submitted_at, judgment.is_late) == (NOW + minutes(5), False)


def test_submitting_twice_is_the_same_as_once():
    lease = make_lease()
    answer(lease)

    first = judgments.submit(lease, at=NOW + minutes(5))
    second = judgments.submit(lease, at=NOW + minutes(6))

    assert first == second
    assert second.submitted_at == NOW + minutes(5)
    assert (Judgment.objects.submitted().count(), seats(lease)) == (1, 2)


def test_a_submit_after_expiry_is_kept_as_late_and_does_not_count_towards_the_overlap():
    lease = make_lease()
    answer(lease)

    judgment = judgments.submit(lease, at=NOW + minutes(11))

    assert (state(lease), seats(lease)) == ("late", 3)
    assert judgment.is_late
    assert list(Judgment.objects.submitted()) == [judgment]
    assert not Judgment.objects.counted().exists()


def test_a_late_judgment_submitted_again_stays_one_late_judgment():
    lease = make_lease()
    answer(lease)
    first = judgments.submit(lease, at=NOW + minutes(11))

    second = judgments.submit(lease, at=NOW + minutes(12))

    assert (first, state(lease), seats(lease)) == (second, "late", 3)


def test_skipping_gives_the_seat_back_and_stores_the_reason():
    lease = make_lease()

    leases.skip(lease, reason=" The sound crackles. ", at=NOW)

    assert (state(lease), lease.skip_reason, seats(lease)) == ("skipped", "The sound crackles.", 3)


def test_skipping_without_a_reason_is_refused():
    lease = make_lease()

    with pytest.raises(ValidationError, match="Say why you skip this pair"):
        leases.skip(lease, reason="  ", at=NOW)

    assert (state(lease), seats(lease)) == ("live", 2)


def test_skipping_twice_gives_one_seat_back():
    lease = make_lease()

    leases.skip(lease, reason="noise", at=NOW)
    leases.skip(lease, reason="noise", at=NOW)

    assert seats(lease) == 3


def test_skipping_an_expired_pair_gives_no_second_seat_back():
    lease = make_lease()
    leases.expire_overdue(at=NOW + minutes(10))

    leases.skip(lease, reason="noise", at=NOW + minutes(11))

    assert (state(lease), seats(lease)) == ("skipped", 3)


def test_a_submitted_pair_cannot_be_skipped():
    lease = make_lease()
    answer(lease)
    judgments.submit(lease, at=NOW)

    with pytest.raises(ValidationError, match="submitted, so it cannot be skipped"):
        leases.skip(lease, reason="noise", at=NOW)


def test_a_skipped_pair_takes_no_judgment():
    lease = make_lease()
    answer(lease)
    leases.skip(lease, reason="noise", at=NOW)

    with pytest.raises(ValidationError, match="You skipped this pair"):
        judgments.submit(lease, at=NOW)


def test_undo_within_ten_minutes_makes_the_judgment_a_draft_again_and_keeps_the_seat():
    lease = make_lease()
    answer(lease, value=2)
    judgments.submit(lease, at=NOW)

    leases.undo(lease, at=NOW + minutes(10))

    assert (state(lease), seats(lease), lease.expires_at) == ("live", 2, NOW + minutes(20))
    judgment = Judgment.objects.get(lease=lease)
    assert judgment.is_draft
    assert judgment.scores.count() == 4


def test_undo_after_ten_minutes_is_refused():
    lease = make_lease()
    answer(lease)
    judgments.submit(lease, at=NOW)

    with pytest.raises(ValidationError, match="can no longer be undone"):
        leases.undo(lease, at=NOW + minutes(10.1))

    assert state(lease) == "submitted"


def test_an_undone_judgment_can_be_submitted_again():
    lease = make_lease()
    answer(lease)
    judgments.submit(lease, at=NOW)
    leases.undo(lease, at=NOW + minutes(1))

    judgment = judgments.submit(lease, at=NOW + minutes(2))

    assert (state(lease), seats(lease), judgment.submitted_at) == ("submitted", 2, NOW + minutes(2))


def test_a_pair_with_a_draft_is_not_lent_to_the_same_rater_again():
    lease = make_lease()
    judgments.save_draft(lease, confidence=2, at=NOW)
    leases.expire_overdue(at=NOW + minutes(10))

    assert leases.next_lease(lease.annotator, lease.pair.study, at=NOW + minutes(10)) is None
    assert seats(lease) == 3


def test_opening_an_expired_draft_revives_its_lease_if_a_seat_is_free():
    lease = make_lease()
    judgments.save_draft(lease, confidence=2, at=NOW)
    leases.expire_overdue(at=NOW + minutes(10))

    leases.open_lease(lease, at=NOW + minutes(20))

    assert (state(lease), lease.opened_at, seats(lease)) == ("live", NOW, 2)


def test_opening_an_expired_draft_without_a_free_seat_leaves_it_expired_and_its_submit_is_late():
    lease = make_lease(make_pair(seats_left=1))
    answer(lease)
    leases.expire_overdue(at=NOW + minutes(10))
    make_lease(lease.pair, at=NOW + minutes(10))

    leases.open_lease(lease, at=NOW + minutes(11))
    assert state(lease) == "expired"
    judgments.submit(lease, at=NOW + minutes(12))

    assert (state(lease), seats(lease)) == ("late", 0)


def test_a_pair_left_without_a_draft_is_lent_again_by_the_same_lease():
    lease = make_lease()
    leases.expire_overdue(at=NOW + minutes(10))

    again = leases.next_lease(lease.annotator, lease.pair.study, at=NOW + minutes(11))

    assert (again.pk, again.state, seats(lease)) == (lease.pk, "reserved", 2)


def test_a_pair_lent_again_carries_the_probability_of_its_new_selection():
    lease = make_lease()
    assert lease.selection_probability == 1.0  # the only pair open at the time
    make_pair(lease.pair.study, scenario=lease.pair.scenario)
    leases.expire_overdue(at=NOW + minutes(10))

    again = leases.take(lease.pair, lease.annotator, probability=0.5, at=NOW + minutes(11))

    assert (again.pk, again.selection_probability) == (lease.pk, 0.5)
    lease.refresh_from_db()
    assert lease.selection_probability == 0.5


def test_a_skipped_pair_is_not_offered_again():
    lease = make_lease()
    leases.skip(lease, reason="noise", at=NOW)

    assert leases.next_lease(lease.annotator, lease.pair.study, at=NOW) is None


def test_an_open_pair_comes_back_instead_of_a_new_one():
    lease = make_lease()
    make_pair(lease.pair.study)

    assert leases.next_lease(lease.annotator, lease.pair.study, at=NOW) == lease


def test_the_last_seat_goes_to_one_annotator_only():
    pair = make_pair(seats_left=1)
    first, second = join(pair.study), join(pair.study)

    assert leases.next_lease(first, pair.study, at=NOW) is not None
    assert leases.next_lease(second, pair.study, at=NOW) is None
    assert seats(pair) == 0


def test_two_pairs_of_one_scenario_do_not_follow_each_other_while_another_is_open():
    study = make_study()
    same, other = make_scenario(), make_scenario()
    first, second = make_pair(study, scenario=same), make_pair(study, scenario=same)
    third = make_pair(study, scenario=other)
    annotator = join(study)
    lease = make_lease(first, annotator)
    answer(lease)
    judgments.submit(lease, at=NOW)

    assert leases.next_lease(annotator, study, at=NOW).pair == third
    leases.release_reserved(annotator)
    third.refresh_from_db()
    third.is_open = False
    third.save()
    assert leases.next_lease(annotator, study, at=NOW).pair == second


def test_the_selection_probability_is_one_over_the_number_of_open_pairs():
    study = make_study()
    for _each in range(4):
        make_pair(study)

    lease = leases.next_lease(join(study), study, at=NOW)

    assert lease.selection_probability == 0.25


@pytest.mark.parametrize("overlap", [2, 4, 6])
def test_sides_and_first_listen_are_balanced_within_a_pair(overlap):
    pair = make_pair(seats_left=overlap)

    made = [make_lease(pair) for _each in range(overlap)]

    assert sum(lease.side_left == "a" for lease in made) == overlap // 2
    assert sum(lease.letter(lease.heard_first) == "a" for lease in made) == overlap // 2


def test_sides_and_first_listen_are_balanced_within_a_rater():
    study = make_study()
    annotator = join(study)

    made = [make_lease(make_pair(study), annotator) for _each in range(10)]

    assert sum(lease.side_left == "a" for lease in made) == 5
    assert sum(lease.heard_first == "left" for lease in made) == 5


def test_a_paused_study_lends_nothing_and_says_so():
    pair = make_pair()
    annotator = join(pair.study)
    pair.study.state = "paused"

    with pytest.raises(ValidationError, match="is paused and lends no pairs"):
        leases.next_lease(annotator, pair.study, at=NOW)


def test_a_stranger_gets_no_pair():
    pair = make_pair()
    stranger = join(make_study())

    with pytest.raises(ValidationError, match="You are not an annotator of study"):
        leases.next_lease(stranger, pair.study, at=NOW)


def test_a_simulated_rater_gets_no_pair_of_a_study_for_people():
    pair = make_pair()
    annotator = join(pair.study)
    annotator.is_simulated = True

    with pytest.raises(ValidationError, match="Simulated raters judge only in studies marked simulated"):
        leases.next_lease(annotator, pair.study, at=NOW)


def test_signing_out_frees_what_was_reserved_ahead_and_keeps_what_is_open(client):
    study = make_study()
    annotator = join(study)
    opened = make_lease(make_pair(study), annotator)
    ahead = make_lease(make_pair(study), annotator, opened=False)
    client.force_login(annotator)

    client.post("/account/logout/")

    assert (state(opened), seats(opened)) == ("live", 2)
    assert (state(ahead), seats(ahead)) == ("expired", 3)


def test_a_removed_annotators_open_pair_goes_back_at_once():
    lease = make_lease()

    studies.remove_member(lease.annotator.memberships.get(study=lease.pair.study), by=None)

    assert (state(lease), seats(lease)) == ("expired", 3)


def test_a_removed_annotator_cannot_revive_a_draft():
    lease = make_lease()
    answer(lease)
    studies.remove_member(lease.annotator.memberships.get(study=lease.pair.study), by=None)

    leases.open_lease(lease, at=NOW + minutes(1))

    assert (state(lease), seats(lease)) == ("expired", 3)


def test_a_removed_annotator_adds_no_late_judgment_either():
    lease = make_lease()
    answer(lease)
    studies.remove_member(lease.annotator.memberships.get(study=lease.pair.study), by=None)

    with pytest.raises(ValidationError, match="not an annotator of study"):
        judgments.submit(lease, at=NOW + minutes(1))

    assert Judgment.objects.submitted().count() == 0


@pytest.mark.parametrize("resting", ["paused", "finished"])
def test_a_study_that_rests_revives_no_expired_lease(resting):
    lease = make_lease()
    answer(lease)
    leases.expire_overdue(at=NOW + minutes(10))
    lease.pair.study.state = resting
    lease.pair.study.save()

    leases.open_lease(lease, at=NOW + minutes(11))

    assert (state(lease), seats(lease)) == ("expired", 3)


def test_a_reservation_elsewhere_is_freed_before_another_pair_is_touched(monkeypatch):
    # Two annotators who each swap for the other's pair would wait for each other's rows for ever (PostgreSQL).
    elsewhere = make_lease(opened=False)
    pair = make_pair()
    annotator = join(pair.study, elsewhere.annotator)
    states_seen = []
    take_seat = type(pair).take_seat
    monkeypatch.setattr(
        type(pair), "take_seat", lambda self: (states_seen.append(state(elsewhere)), take_seat(self))[1]
    )

    leases.next_lease(annotator, pair.study, at=NOW)

    assert states_seen == ["expired"]


def test_who_was_excluded_takes_back_no_judgment_whose_seat_is_anothers_by_now():
    researcher = make_user("researcher")
    study = make_study(researcher=researcher, overlap=1)
    lease = make_lease(make_pair(study))
    answer(lease)
    judgments.submit(lease, at=NOW)
    exclusions.exclude(study, lease.annotator, reason="guesses", by=researcher, at=NOW)

    with pytest.raises(ValidationError, match="look at your judgments"):
        leases.undo(lease, at=NOW + minutes(1))

    leases.expire_overdue(at=NOW + minutes(600))
    lease.refresh_from_db()
    lease.pair.refresh_from_db()
    assert (lease.state, lease.pair.seats_left) == ("submitted", 1)


def test_a_judgment_that_quality_control_failed_keeps_no_second_seat_when_it_is_taken_back():
    study = make_study(overlap=1)
    lease = make_lease(make_pair(study))
    answer(lease)
    judgment = judgments.submit(lease, at=NOW)
    QualityVerdict.objects.update_or_create(judgment=judgment, defaults={"verdict": "fail"})
    recount_seats(study)

    leases.undo(lease, at=NOW + minutes(1))
    lease.pair.refresh_from_db()
    seats_while_open = lease.pair.seats_left
    leases.expire_overdue(at=NOW + minutes(600))

    lease.pair.refresh_from_db()
    assert (seats_while_open, lease.pair.seats_left) == (0, 1)


def test_a_judgment_that_failed_is_not_taken_back_once_its_seat_is_anothers():
    study = make_study(overlap=1)
    lease = make_lease(make_pair(study))
    answer(lease)
    judgment = judgments.submit(lease, at=NOW)
    QualityVerdict.objects.update_or_create(judgment=judgment, defaults={"verdict": "fail"})
    recount_seats(study)
    make_lease(lease.pair)

    with pytest.raises(ValidationError, match="the pair went to others meanwhile"):
        leases.undo(lease, at=NOW + minutes(1))

    assert (state(lease), seats(lease)) == ("submitted", 0)
