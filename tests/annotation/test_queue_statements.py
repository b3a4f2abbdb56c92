"""The statements that are written by hand say what the querysets say, on both databases."""

import pytest

from annotation.models import Consent, Exclusion, Lease, Pair
from annotation.queries import lending
from annotation.queries.lending import Before, Belonging
from annotation.services import judgments, leases
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def test_open_pairs_are_those_of_the_queryset_in_every_state_of_a_lease():
    study, other_study = make_study(), make_study()
    annotator = join(study)
    pairs = {name: make_pair(study) for name in ("new", "closed", "full", *Lease.State.values, "draft")}
    make_pair(study, kind="identical")
    make_pair(other_study)
    Pair.objects.filter(pk=pairs["closed"].pk).update(is_open=False)
    Pair.objects.filter(pk=pairs["full"].pk).update(seats_left=0)
    for state in (*Lease.State.values, "draft"):
        lease = make_lease(pairs[state], annotator)
        if state == "draft":
            judgments.save_draft(lease, confidence=2, at=NOW)
        Lease.objects.filter(pk=lease.pk).update(state="submitted")  # taking the next gives back what is reserved
    for state in (*Lease.State.values, "draft"):
        lent = Lease.objects.filter(annotator=annotator, pair=pairs[state])
        lent.update(state="expired" if state == "draft" else state)
    make_lease(pairs["new"], join(study))  # another's lease keeps nobody away

    found = lending.open_pairs(annotator, study, most=100)

    assert {row.pk for row in found} == {pairs["new"].pk, pairs["expired"].pk}
    assert {row.pk for row in found} == set(Pair.objects.open_to(annotator, study).values_list("pk", flat=True))
    new = next(row for row in found if row.pk == pairs["new"].pk)
    assert (new.scenario, new.systems) == (pairs["new"].scenario_id, pairs["new"].systems)


def test_open_pairs_of_two_systems_are_theirs_alone_and_no_more_than_asked_for():
    study = make_study()
    annotator, pairs = join(study), [make_pair(study) for _each in range(3)]

    assert [row.pk for row in lending.open_pairs(annotator, study, systems=pairs[1].systems, most=9)] == [pairs[1].pk]
    assert len(lending.open_pairs(annotator, study, most=2)) == 2


def test_whoever_is_no_annotator_of_the_study_belongs_to_nothing():
    study = make_study()
    researcher = join(study, make_user("researcher"), "researcher")

    assert lending.belonging_of(researcher, study) is None
    assert lending.belonging_of(join(make_study()), study) is None


def test_belonging_says_group_withdrawn_consent_and_standing_exclusion():
    study = make_study()
    annotator = join(study)
    study.memberships.update(group="native")
    assert lending.belonging_of(annotator, study) == Belonging("native", False, False)

    consent = Consent.objects.create(study=study, user=annotator, version="1", text="…", given_at=NOW, withdrawn_at=NOW)
    exclusion = Exclusion.objects.create(study=study, rater=annotator, reason="clicks")
    assert lending.belonging_of(annotator, study) == Belonging("native", True, True)

    Consent.objects.create(study=study, user=annotator, version="2", text="…", given_at=NOW)
    exclusion.lifted_at = NOW
    exclusion.save()
    assert (lending.belonging_of(annotator, study), consent.withdrawn_at) == (Belonging("native", False, False), NOW)


def test_nothing_was_lent_before_the_first_pair():
    study = make_study()

    assert lending.lent_before(join(study), study) == Before()


def test_before_tells_the_last_pair_that_was_seen_and_how_sides_were_shared():
    study = make_study()
    annotator = join(study)
    for number, (side_left, first, state) in enumerate(
        [("a", "left", "submitted"), ("a", "right", "submitted"), ("a", "right", "late"), ("b", "left", "skipped")]
    ):
        lease = make_lease(make_pair(study), annotator, at=NOW + minutes(number))
        Lease.objects.filter(pk=lease.pk).update(side_left=side_left, heard_first=first, state=state)
    check = make_lease(make_pair(study, kind="identical"), annotator, at=NOW + minutes(5))
    Lease.objects.filter(pk=check.pk).update(side_left="a", heard_first="right")
    unseen = make_lease(make_pair(study), annotator, opened=False, at=NOW + minutes(6))
    Lease.objects.filter(pk=unseen.pk).update(state="expired")

    # a was left four times of four that were kept; the left side was heard first once, three times it was not
    assert lending.lent_before(annotator, study) == Before(5, "identical", check.pair.scenario_id, 4, -2)


def test_what_is_held_is_reserved_or_live_in_any_study():
    annotator = make_user()
    done, live = make_lease(make_pair(), annotator), make_lease(make_pair(), annotator)
    Lease.objects.filter(pk=done.pk).update(state="submitted")
    reserved = make_lease(make_pair(), annotator, opened=False)

    assert sorted(lending.held_now(annotator)) == [(live.pk, "live"), (reserved.pk, "reserved")]


def test_waiting_pairs_are_the_open_ones_and_the_one_reserved_ahead():
    study, empty = make_study(), make_study()
    annotator = join(study)
    pairs = [make_pair(study, seats_left=1) for _each in range(3)]
    make_pair(study, kind="identical")
    make_lease(pairs[0], annotator, opened=False)  # takes the last seat, and waits all the same
    make_lease(pairs[1], annotator)

    assert lending.waiting_pairs(annotator, [study, empty]) == {study.pk: 2, empty.pk: 0}
    assert lending.waiting_pairs(annotator, []) == {}


def test_waiting_pairs_are_not_counted_to_the_end(monkeypatch):
    study = make_study()
    for _each in range(4):
        make_pair(study)
    monkeypatch.setattr(lending, "MOST_COUNTED", 2)

    assert lending.waiting_pairs(join(study), [study]) == {study.pk: 3}


def test_a_lease_tells_which_dialogue_was_heard_first():
    lease = make_lease()
    for side_left, heard_first, letter in (
        ("a", "left", "a"),
        ("a", "right", "b"),
        ("b", "left", "b"),
        ("b", "right", "a"),
    ):
        Lease.objects.filter(pk=lease.pk).update(side_left=side_left, heard_first=heard_first)
        (shown,) = lending.shown_before(lease.pair)
        lease.refresh_from_db()
        assert shown.letter_first == letter == lease.letter(lease.heard_first)


def test_lending_a_pair_takes_the_same_number_of_queries_however_much_was_judged(django_assert_num_queries):
    study = make_study()
    annotator = join(study)
    for _each in range(4):
        make_pair(study)

    for number in range(3):
        with django_assert_num_queries(11):  # two are the savepoint that is a transaction outside of tests
            lease = leases.next_lease(annotator, study, at=NOW + minutes(number))
        leases.open_lease(lease, at=NOW + minutes(number))
        answer(lease)
        judgments.submit(lease, at=NOW + minutes(number))


def test_settled_are_the_open_pairs_a_rater_had_and_those_of_one_scenario_each_once():
    study = make_study()
    rater, other = join(study), join(study)
    had, had_of_the_scenario, closed, free = (make_pair(study) for _each in range(4))
    for pair in (had, had_of_the_scenario, closed):
        make_lease(pair, rater)
    Pair.objects.filter(pk=closed.pk).update(is_open=False)
    make_lease(free, other)
    make_pair(study, kind="identical", scenario=had_of_the_scenario.scenario)

    found = lending.settled_pairs(rater, study, scenario=had_of_the_scenario.scenario_id)

    assert found == {had.systems: 1, had_of_the_scenario.systems: 1}
    assert lending.settled_pairs(rater, study, scenario=None) == found
    assert lending.settled_pairs(other, study, scenario=None) == {free.systems: 1}
    assert lending.settled_pairs(make_user(), study, scenario=free.scenario_id) == {free.systems: 1}
