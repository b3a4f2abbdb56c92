"""Checks come between the pairs by chance: never first, never two in a row, as often as the study says."""

import random
from itertools import pairwise

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Lease, Pair, Study
from annotation.queries.lending import Before
from annotation.services import judgments, leases
from annotation.services.queue import interleaving
from annotation.services.queue.interleaving import choose_check, is_turn_of_a_check
from tests.factories import NOW, answer, join, make_dialogue, make_pair, make_scenario, make_study, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def make_check(study: Study, kind: str = "gold") -> Pair:
    scenario = make_scenario()
    both = {"dialogue_a": (one := make_dialogue(scenario)), "dialogue_b": one} if kind == "identical" else {}
    expected = None if kind == "identical" else 3
    return make_pair(study, scenario=scenario, kind=kind, expected_value=expected, seats_left=1000, **both)


def judge_all(study: Study, annotator, *, most: int = 100) -> list[Lease]:
    """Everything that is lent, one pair a minute, in its order."""
    done: list[Lease] = []
    while len(done) < most:
        at = NOW + minutes(len(done))
        lease = leases.next_lease(annotator, study, at=at)
        if lease is None:
            return done
        leases.open_lease(lease, at=at)
        answer(lease, at=at)
        judgments.submit(lease, at=at)
        done.append(lease)
    return done


def test_a_study_without_a_check_rate_never_lends_a_check():
    study = make_study(check_rate=0.0)
    make_check(study)
    for _each in range(5):
        make_pair(study)

    assert {lease.pair.kind for lease in judge_all(study, join(study))} == {"regular"}


@pytest.mark.parametrize("rate", [0.5, 1 / 6])
def test_checks_are_so_large_a_share_of_the_pairs_as_the_study_says(rate):
    random.seed(3)
    study, last, n_checks, n_pairs = Study(check_rate=rate), "regular", 0, 30_000

    for _each in range(n_pairs):
        is_check = is_turn_of_a_check(study, Before(n_seen=9, kind=last))
        last, n_checks = "gold" if is_check else "regular", n_checks + is_check

    assert n_checks / n_pairs == pytest.approx(rate, abs=0.01)


def test_neither_of_the_first_two_pairs_is_a_check_and_no_check_follows_another():
    random.seed(1)
    study = make_study(check_rate=0.5)
    for _each in range(12):
        make_pair(study)
        make_check(study)

    for _rater in range(3):
        kinds = [lease.pair.kind for lease in judge_all(study, join(study))]
        assert kinds[:2] == ["regular", "regular"]
        assert ("gold", "gold") not in pairwise(kinds)
        assert kinds.count("regular") == 12


def test_when_a_check_comes_is_not_periodic():
    random.seed(2)
    study = Study(check_rate=0.25)
    places, since = [], 0
    last = "regular"
    for _each in range(2000):
        is_check = is_turn_of_a_check(study, Before(n_seen=9, kind=last))
        last, since = ("gold", 0) if is_check else ("regular", since + 1)
        places += [since] if is_check else []
        if is_check:
            places[-1] = _each
    gaps = {after - before for before, after in pairwise(places)}
    assert min(gaps) == 2
    assert len(gaps) > 8


def test_the_kind_is_drawn_first_and_then_one_of_the_kind():
    random.seed(5)
    study = make_study(check_rate=0.2)
    gold = [make_check(study) for _each in range(3)]
    identical = make_check(study, "identical")
    annotator = join(study)

    picks = [choose_check(annotator, study) for _each in range(60)]

    probabilities = {pick.pair: pick.probability for pick in picks}
    assert probabilities == {identical.pk: 0.5} | {pair.pk: pytest.approx(1 / 6) for pair in gold}


def test_without_checks_left_a_regular_pair_comes_in_their_turn(monkeypatch):
    monkeypatch.setattr(interleaving, "is_turn_of_a_check", lambda *_any: True)
    study = make_study(check_rate=0.5)
    check, pair = make_check(study), make_pair(study)
    annotator = join(study)

    assert [lease.pair for lease in judge_all(study, annotator)] == [check, pair]


def test_a_repeat_comes_with_its_sides_swapped_at_least_five_pairs_later(monkeypatch):
    random.seed(4)
    monkeypatch.setattr(interleaving, "FIRST_WITHOUT", 6)
    study = make_study(check_rate=0.5)
    for _each in range(9):
        make_pair(study)

    done = judge_all(study, join(study))

    places = {lease.pair_id: place for place, lease in enumerate(done)}
    repeats = [lease for lease in done if lease.pair.kind == "repeat"]
    assert repeats
    for repeat in repeats:
        first = done[places[repeat.pair.check_of_id]]
        assert places[repeat.pair_id] - places[first.pair_id] > 5
        assert (repeat.side_left, repeat.heard_first) == (first.side_right, first.heard_first)


def test_checks_take_no_part_in_overlap_progress_and_what_waits(monkeypatch):
    monkeypatch.setattr(interleaving, "is_turn_of_a_check", lambda *_any: True)
    study = make_study(check_rate=0.5)
    check, pair = make_check(study), make_pair(study)
    annotator = join(study)

    lease = leases.next_lease(annotator, study, at=NOW)

    pair.refresh_from_db()
    assert (lease.pair, pair.seats_left) == (check, 3)
    client = Client()
    client.force_login(annotator)
    (row,) = client.get(reverse("annotation:work")).context["studies"]
    assert row.waiting == 1


@pytest.mark.parametrize(
    ("n_pairs", "words"), [(3, "fewer than 10 pairs wait"), (10, "about 10 pairs wait"), (26, "about 30 pairs wait")]
)
def test_what_waits_is_told_in_tens_where_checks_come_between(n_pairs, words):
    study = make_study(check_rate=0.2)
    for _each in range(n_pairs):
        make_pair(study)
    client = Client()
    client.force_login(join(study))

    page = client.get(reverse("annotation:work")).content.decode()

    assert words in page


def test_what_waits_is_told_exactly_where_no_checks_come():
    study = make_study(check_rate=0.0)
    make_pair(study)
    client = Client()
    client.force_login(join(study))

    assert "1 pair waits" in client.get(reverse("annotation:work")).content.decode()


def test_asking_again_where_no_pair_is_open_brings_no_check_that_was_not_due():
    study = make_study(check_rate=0.2)
    make_check(study)
    for _each in range(3):
        make_pair(study)
    asked = []
    for _rater in range(60):
        annotator = join(study)
        judge_all(study, annotator)
        asked.append([leases.next_lease(annotator, study, at=NOW + minutes(60)) for _each in range(8)])
        Pair.objects.filter(kind="regular").update(seats_left=3, is_open=True)

    assert all(lease is None for each in asked for lease in each)
    n_with_a_check = Lease.objects.filter(pair__kind="gold").count()
    assert 0 < n_with_a_check < 50  # two places of chance 1 / 4 each: about 26 of 60
