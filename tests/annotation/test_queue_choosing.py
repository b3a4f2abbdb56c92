"""Which regular pair is lent next, and that the probability on the lease is the one it was picked with."""

import random
from collections import Counter

import pytest

from annotation.models import Lease, Pair, Study
from annotation.services import exclusions, judgments, leases
from annotation.services.qualification.consent import give_consent, withdraw_consent
from annotation.services.queue import choosing, posterior
from annotation.services.queue.choosing import choose_pair, keep_fresh, keep_table
from tests.factories import (
    NOW,
    answer,
    join,
    make_dialogue,
    make_lease,
    make_pair,
    make_scenario,
    make_study,
    make_system,
    minutes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def an_empty_cache():
    from django.core.cache import cache

    cache.clear()
    random.seed(7)


def pair_of(study: Study, one, other, **fields) -> Pair:
    """A pair of two systems in a scenario of its own."""
    scenario = make_scenario()
    return make_pair(
        study,
        scenario=scenario,
        dialogue_a=make_dialogue(scenario, one),
        dialogue_b=make_dialogue(scenario, other),
        **fields,
    )


def adaptive_study(**fields) -> Study:
    return make_study(selection="adaptive", **fields)


def vote(study: Study, pair: Pair, value: int) -> None:
    """Of a new rater; positive favours dialogue a."""
    lease = make_lease(pair, join(study))
    answer(lease, overall=lease.shown_value(value))
    judgments.submit(lease, at=NOW)


def test_a_pair_knows_the_systems_of_its_dialogues_the_smaller_key_first():
    study, first, second = make_study(), make_system(), make_system()
    (made,) = Pair.objects.bulk_create(
        [
            Pair(
                study=study,
                scenario=(scenario := make_scenario()),
                dialogue_a=make_dialogue(scenario, second),
                dialogue_b=make_dialogue(scenario, first),
                level_lufs=-23.0,
                seats_left=3,
            )
        ]
    )

    assert made.systems == pair_of(study, first, second).systems == f"{first.pk}:{second.pk}"


def test_uniform_selection_picks_every_open_pair_equally_often_and_says_so():
    study = make_study()
    annotator, pairs = join(study), [make_pair(study) for _each in range(4)]

    picks = [choose_pair(annotator, study, last_scenario=None) for _each in range(2000)]

    assert {pick.probability for pick in picks} == {0.25}
    counts = Counter(pick.pair for pick in picks)
    assert set(counts) == {pair.pk for pair in pairs}
    assert all(420 < count < 580 for count in counts.values())  # 500 ± 4 sd


def test_the_last_scenario_is_left_out_of_the_probability_too():
    study = make_study()
    annotator, pairs = join(study), [make_pair(study) for _each in range(3)]

    pick = choose_pair(annotator, study, last_scenario=pairs[0].scenario_id)

    assert (pick.pair in {pairs[1].pk, pairs[2].pk}, pick.probability) == (True, 0.5)


def test_checks_are_no_regular_pairs_and_are_not_picked_as_such():
    study = make_study()
    make_pair(study, kind="identical", seats_left=1000)

    assert choose_pair(join(study), study, last_scenario=None) is None


def test_adaptive_selection_joins_all_systems_first():
    study = adaptive_study(uniform_floor=0.1)
    one, two, three = (make_system() for _each in range(3))
    known, joining = [pair_of(study, one, two) for _each in range(2)], pair_of(study, two, three)
    vote(study, known[0], 1)

    chances = posterior.chances(study, {known[0].systems: 2, joining.systems: 1})

    assert chances[joining.systems] == pytest.approx(0.9 + 0.1 / 3)
    assert chances[known[0].systems] == pytest.approx(0.1 * 2 / 3)


def test_the_probability_of_a_pair_is_the_chance_of_its_systems_over_their_open_pairs():
    study = adaptive_study()
    one, two, three = (make_system() for _each in range(3))
    pairs = [pair_of(study, *systems) for systems in ((one, two), (one, two), (two, three), (one, three))]
    for pair in pairs[1:]:
        vote(study, pair, 2)
    annotator = join(study)
    chances = posterior.chances(study, {pairs[0].systems: 2, pairs[2].systems: 1, pairs[3].systems: 1})

    picks = [choose_pair(annotator, study, last_scenario=None) for _each in range(3000)]

    expected = {
        pairs[0].pk: chances[pairs[0].systems] / 2,
        pairs[1].pk: chances[pairs[0].systems] / 2,
        pairs[2].pk: chances[pairs[2].systems],
        pairs[3].pk: chances[pairs[3].systems],
    }
    assert sum(expected.values()) == pytest.approx(1)
    assert {pick.pair: pytest.approx(pick.probability) for pick in picks} == expected
    for pair, count in Counter(pick.pair for pick in picks).items():
        sd = (3000 * expected[pair] * (1 - expected[pair])) ** 0.5
        assert abs(count - 3000 * expected[pair]) < 4 * sd


def test_no_pair_is_less_likely_than_the_uniform_floor_makes_it():
    study = adaptive_study(uniform_floor=0.2)
    systems = [make_system() for _each in range(4)]
    pairs = [pair_of(study, systems[0], other) for other in systems[1:]]
    for pair in pairs:
        for _each in range(3):
            vote(study, pair, 3)

    chances = posterior.chances(study, {pair.systems: 1 for pair in pairs})

    assert min(chances.values()) >= 0.2 / 3
    assert sum(chances.values()) == pytest.approx(1)


def test_two_dialogues_of_one_system_have_their_share_of_the_floor_alone():
    study = adaptive_study(uniform_floor=0.1)
    one, two = make_system(), make_system()
    same, apart = pair_of(study, one, one), pair_of(study, one, two)

    chances = posterior.chances(study, {same.systems: 1, apart.systems: 1})

    assert chances == {same.systems: pytest.approx(0.05), apart.systems: pytest.approx(0.95)}


def test_a_study_of_one_system_is_lent_uniformly_whatever_it_asks_for():
    study, system = adaptive_study(), make_system()
    pair_of(study, system, system)
    pair_of(study, system, system)

    assert choose_pair(join(study), study, last_scenario=None).probability == 0.5
    assert keep_fresh() == 0


def test_what_the_votes_say_is_made_anew_after_five_more_judgments():
    study = adaptive_study(overlap=20)
    pair = pair_of(study, make_system(), make_system())
    systems = set(map(int, pair.systems.split(":")))
    assert posterior.believed(study, systems).n_judgments == 0

    for n_judgments, n_known in ((4, 0), (5, 5)):
        while Lease.objects.filter(state="submitted").count() < n_judgments:
            vote(study, pair, 1)
        assert posterior.believed(study, systems).n_judgments == n_known


def test_what_the_votes_say_is_made_anew_when_a_rater_is_excluded_and_when_that_is_lifted(study_with_an_odd_rater):
    study, odd, lead, on_commit = study_with_an_odd_rater
    with_odd = lead()

    with on_commit(execute=True):
        exclusion = exclusions.exclude(study, odd, reason="odd", by=study.created_by, at=NOW)
    without = lead()
    with on_commit(execute=True):
        exclusions.lift(exclusion, by=study.created_by, at=NOW)

    assert without > with_odd + 0.1
    assert lead() == pytest.approx(with_odd)


def test_what_the_votes_say_is_made_anew_when_a_consent_is_withdrawn_and_when_it_is_given_again(
    study_with_an_odd_rater,
):
    study, odd, lead, on_commit = study_with_an_odd_rater
    give_consent(odd, study, at=NOW)
    with_odd = lead()

    with on_commit(execute=True):
        withdraw_consent(odd, study, at=NOW)
    without = lead()
    with on_commit(execute=True):
        give_consent(odd, study, at=NOW + minutes(1))

    assert without > with_odd + 0.1
    assert lead() == pytest.approx(with_odd)


def test_a_large_studys_lending_does_not_wait_but_its_job_makes_it_anew(study_with_an_odd_rater, monkeypatch):
    study, odd, lead, on_commit = study_with_an_odd_rater
    monkeypatch.setattr(posterior, "MOST_IN_A_REQUEST", 1)
    with_odd = lead()

    with on_commit(execute=True):
        exclusions.exclude(study, odd, reason="odd", by=study.created_by, at=NOW)
    assert lead() == with_odd
    keep_fresh()

    assert lead() > with_odd + 0.1


@pytest.fixture
def study_with_an_odd_rater(django_capture_on_commit_callbacks):
    """The study, who alone prefers the second of its two systems, the lead of the first, what runs after commits."""
    study, one, two = adaptive_study(overlap=20), make_system(), make_system()
    pair = pair_of(study, one, two)
    for value in (3, 2, -3):
        vote(study, pair, value)
    odd = Lease.objects.latest("pk").annotator

    def lead():
        mean = posterior.believed(study, {one.pk, two.pk}).posterior.mean
        return float(mean[0] - mean[1])

    return study, odd, lead, django_capture_on_commit_callbacks


def test_votes_count_from_the_view_of_the_right_system_whichever_is_called_a():
    study = adaptive_study()
    one, two = make_system(), make_system()
    vote(study, pair_of(study, one, two), 3)
    vote(study, pair_of(study, two, one), -3)

    mean = posterior.believed(study, {one.pk, two.pk}).posterior.mean

    assert mean[0] > 0.5 > -0.5 > mean[1]


# --- More pairs than are listed ---------------------------------------------------------------------------------------
@pytest.fixture
def _many(monkeypatch):
    """More than three pairs are too many to be listed."""
    monkeypatch.setattr(choosing, "LISTED", 3)


@pytest.mark.usefixtures("_many")
def test_of_many_pairs_two_systems_are_drawn_and_then_one_of_their_pairs():
    study = make_study()
    one, two, three = (make_system() for _each in range(3))
    pairs = [pair_of(study, *systems) for systems in ((one, two), (one, two), (two, three), (two, three), (one, three))]
    annotator = join(study)

    picks = [choose_pair(annotator, study, last_scenario=None) for _each in range(2000)]

    assert {pick.pair: pytest.approx(pick.probability) for pick in picks} == {pair.pk: 0.2 for pair in pairs}
    assert all(330 < count < 470 for count in Counter(pick.pair for pick in picks).values())  # 400 ± 4 sd


@pytest.mark.usefixtures("_many")
def test_pairs_that_went_since_the_table_was_made_raise_the_chance_of_those_left():
    study = make_study()
    one, two, three = (make_system() for _each in range(3))
    pairs = [pair_of(study, *systems) for systems in ((one, two), (one, two), (two, three), (two, three))]
    keep_table(study)
    Pair.objects.filter(pk=pairs[0].pk).update(seats_left=0)
    Pair.objects.filter(systems=pairs[2].systems).update(is_open=False)

    picks = [choose_pair(join(study), study, last_scenario=None) for _each in range(20)]

    assert {pick.pair for pick in picks} == {pairs[1].pk}
    assert {pick.probability for pick in picks} == {0.5, 1.0}  # 1.0 where the empty systems were drawn first


@pytest.mark.usefixtures("_many")
def test_every_pair_of_two_systems_can_come_however_many_they_have():
    study = make_study()
    one, two = make_system(), make_system()
    pairs = {pair_of(study, one, two).pk for _each in range(12)}
    annotator = join(study)
    keep_table(study)

    picks = [choose_pair(annotator, study, last_scenario=None) for _each in range(300)]

    assert {pick.pair for pick in picks} == pairs
    assert {pick.probability for pick in picks} == {1 / 12}


@pytest.mark.usefixtures("_many")
def test_every_pair_can_come_where_no_drawn_systems_had_one():
    study = make_study()
    one, two, three = (make_system() for _each in range(3))
    gone = pair_of(study, one, three)
    for _each in range(3):
        pair_of(study, one, three)
    keep_table(study)
    Pair.objects.filter(systems=gone.systems).update(is_open=False)
    new = {pair_of(study, one, two).pk for _each in range(8)}
    annotator = join(study)

    picks = [choose_pair(annotator, study, last_scenario=None) for _each in range(200)]

    assert {pick.pair for pick in picks} == new
    assert {pick.probability for pick in picks} == {1 / 8}


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize("selection", ["uniform", "adaptive"])
def test_what_is_stored_weighs_every_pair_alike_though_some_systems_have_nothing_for_the_rater(selection):
    """The mean of 1 / probability is the number of open pairs, whatever the chances were."""
    study = make_study(selection=selection)
    systems = [make_system() for _each in range(3)]
    had = [pair_of(study, systems[0], systems[1]) for _each in range(4)]
    last = pair_of(study, systems[0], systems[0])
    left = [pair_of(study, systems[number // 2], systems[2]) for number in range(4)]
    annotator = join(study)
    for pair in had:
        leases.skip(make_lease(pair, annotator), reason="noise", at=NOW)
    keep_table(study)

    picks = [choose_pair(annotator, study, last_scenario=last.scenario_id) for _each in range(2000)]

    stored = {pick.pair: pick.probability for pick in picks}
    assert set(stored) == {pair.pk for pair in left}
    assert sum(stored.values()) == pytest.approx(1)
    assert sum(1 / pick.probability for pick in picks) / 2000 == pytest.approx(4, abs=0.3)
    for pair, count in Counter(pick.pair for pick in picks).items():
        sd = (2000 * stored[pair] * (1 - stored[pair])) ** 0.5
        assert abs(count - 2000 * stored[pair]) < 4 * sd


@pytest.mark.usefixtures("_many")
def test_a_table_of_systems_that_are_all_gone_leads_to_the_list():
    study = make_study()
    one, two, three = (make_system() for _each in range(3))
    gone = [pair_of(study, one, two) for _each in range(4)]
    keep_table(study)
    Pair.objects.filter(pk__in=[pair.pk for pair in gone]).update(is_open=False)
    new = pair_of(study, two, three)

    pick = choose_pair(join(study), study, last_scenario=None)

    assert (pick.pair, pick.probability) == (new.pk, 1.0)


@pytest.mark.usefixtures("_many")
def test_of_many_pairs_the_last_scenario_comes_only_when_nothing_else_is_open():
    study = make_study()
    one, two, three = (make_system() for _each in range(3))
    scenario = make_scenario()
    dialogues = [make_dialogue(scenario, system) for system in (one, two, three)]
    same = [
        make_pair(study, scenario=scenario, dialogue_a=a, dialogue_b=b)
        for a, b in ((dialogues[0], dialogues[1]), (dialogues[1], dialogues[2]), (dialogues[0], dialogues[2]))
    ]
    other = pair_of(study, one, two)
    annotator = join(study)

    picks = {choose_pair(annotator, study, last_scenario=scenario.pk).pair for _each in range(30)}
    Pair.objects.filter(pk=other.pk).update(is_open=False)
    last = choose_pair(annotator, study, last_scenario=scenario.pk)

    assert picks == {other.pk}
    assert last.pair in {pair.pk for pair in same}


@pytest.mark.usefixtures("_many")
def test_the_job_keeps_tables_of_large_running_studies_alone():
    large, small, resting = make_study(), make_study(), make_study()
    for study, n_pairs in ((large, 4), (small, 3), (resting, 4)):
        for _each in range(n_pairs):
            make_pair(study)
    Study.objects.filter(pk=resting.pk).update(state="paused")

    assert keep_fresh() == 1


@pytest.mark.usefixtures("_many")
def test_adaptive_selection_of_many_pairs_takes_its_chances_from_the_table():
    study = adaptive_study()
    one, two, three = (make_system() for _each in range(3))
    known, joining = (
        [pair_of(study, one, two) for _each in range(3)],
        [pair_of(study, two, three) for _each in range(2)],
    )
    vote(study, known[0], 1)
    keep_table(study)

    pick = next(
        pick
        for pick in (choose_pair(join(study), study, last_scenario=None) for _each in range(50))
        if pick.pair in {pair.pk for pair in joining}
    )

    assert pick.probability == pytest.approx((0.9 + 0.1 * 2 / 5) / 2)


def test_the_lease_keeps_the_probability():
    study = adaptive_study()
    one, two, three = (make_system() for _each in range(3))
    known, joining = pair_of(study, one, two), pair_of(study, two, three)
    vote(study, known, 1)

    lease = leases.next_lease(join(study), study, at=NOW)

    expected = {joining.pk: 0.95, known.pk: 0.05}[lease.pair_id]
    assert lease.selection_probability == pytest.approx(expected)
