from collections import Counter
from itertools import combinations

import pytest

from earshot.estimation.designs import (
    adaptive_start,
    against_reference,
    all_pairs,
    balanced_blocks,
    balanced_pairs,
    even_rotation,
)


def spoken_by_all(n_systems, n_scenarios):
    return {f"scenario {number}": range(n_systems) for number in range(n_scenarios)}


def counts_of_two(meetings, systems):
    counts = Counter(frozenset(two) for _, *two in meetings)
    return [counts[frozenset(two)] for two in combinations(systems, 2)]


def counts_of_one(meetings, systems):
    counts = Counter(system for _, *two in meetings for system in two)
    return [counts[system] for system in systems]


def unevenness(counts):
    return max(counts) - min(counts)


def is_connected(meetings, systems):
    reached, waiting = {systems[0]}, [systems[0]]
    while waiting:
        here = waiting.pop()
        beside = {system for _, *two in meetings if here in two for system in two} - reached
        reached |= beside
        waiting += beside
    return reached == set(systems)


def test_all_pairs_are_every_two_systems_of_each_scenario():
    meetings = all_pairs({"tea": ["x", "y", "z"], "rain": ["z", "x"], "snow": ["y"]})

    assert meetings == [("rain", "x", "z"), ("tea", "x", "y"), ("tea", "x", "z"), ("tea", "y", "z")]


def test_against_a_reference_each_system_meets_only_that_one():
    meetings = against_reference({"tea": ["x", "y", "z"], "rain": ["z", "x"], "snow": ["x", "y"]}, "z")

    assert meetings == [("rain", "z", "x"), ("tea", "z", "x"), ("tea", "z", "y")]


def test_a_reference_that_spoke_nothing_is_refused_by_name():
    with pytest.raises(ValueError, match="The reference 'w' spoke none of these scenarios"):
        against_reference({"tea": ["x", "y"]}, "w")


ENOUGH_TO_CONNECT = [
    (n_systems, n_scenarios, pairs_per_scenario)
    for n_systems in range(2, 13)
    for n_scenarios in (1, 2, 7, 40)
    for pairs_per_scenario in (1, 3, 8)
    if n_scenarios * min(pairs_per_scenario, n_systems * (n_systems - 1) // 2) >= n_systems - 1
]


@pytest.mark.parametrize(("n_systems", "n_scenarios", "pairs_per_scenario"), ENOUGH_TO_CONNECT)
def test_balanced_pairs_are_even_to_one_for_two_systems_and_for_each(n_systems, n_scenarios, pairs_per_scenario):
    systems = range(n_systems)
    each = min(pairs_per_scenario, n_systems * (n_systems - 1) // 2)

    meetings = balanced_pairs(spoken_by_all(n_systems, n_scenarios), pairs_per_scenario=pairs_per_scenario)

    assert Counter(scenario for scenario, *_ in meetings) == {f"scenario {n}": each for n in range(n_scenarios)}
    assert len({(scenario, frozenset(two)) for scenario, *two in meetings}) == len(meetings)
    assert unevenness(counts_of_two(meetings, systems)) <= 1
    assert unevenness(counts_of_one(meetings, systems)) <= 1
    assert is_connected(meetings, systems)


def test_balanced_pairs_give_every_system_as_much_where_dialogues_are_missing():
    spoken = spoken_by_all(6, 30) | {f"scenario {number}": range(4) for number in range(10)}

    meetings = balanced_pairs(spoken, pairs_per_scenario=4)

    assert all(one in spoken[scenario] and other in spoken[scenario] for scenario, one, other in meetings)
    assert unevenness(counts_of_two(meetings, range(6))) <= 1


def test_too_few_pairs_to_connect_all_systems_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"4 meetings leave 10 systems in 6 groups.*Raise pairs_per_scenario"):
        balanced_pairs(spoken_by_all(10, 4), pairs_per_scenario=1)


@pytest.mark.parametrize(
    ("n_systems", "n_scenarios", "block", "together"),
    [(6, 10, 3, 2), (7, 7, 3, 1), (9, 12, 3, 1), (10, 15, 4, 2), (8, 14, 4, 3), (10, 30, 3, 2)],
)
def test_blocks_are_a_perfect_design_where_a_small_one_exists(n_systems, n_scenarios, block, together):
    meetings = balanced_blocks(spoken_by_all(n_systems, n_scenarios), systems_per_scenario=block)

    assert set(counts_of_two(meetings, range(n_systems))) == {together}


@pytest.mark.parametrize(("n_systems", "n_scenarios", "block"), [(10, 40, 4), (20, 50, 5), (12, 60, 4), (5, 22, 3)])
def test_blocks_are_even_to_one_and_connected(n_systems, n_scenarios, block):
    systems = range(n_systems)

    meetings = balanced_blocks(spoken_by_all(n_systems, n_scenarios), systems_per_scenario=block)

    members = {(scenario, system) for scenario, *two in meetings for system in two}
    assert set(Counter(scenario for scenario, _ in members).values()) == {block}
    assert unevenness(list(Counter(system for _, system in members).values())) <= 1
    assert unevenness(counts_of_two(meetings, systems)) <= 1
    assert is_connected(meetings, systems)


def test_blocks_are_even_to_two_where_one_cannot_be():
    # 23 blocks of 3 name 5 systems 69 times: one 13 times, which meets four others 26 times, two of them 6 times;
    # those came 14 times and share 28 places, so they cannot meet everybody else 7 times.
    meetings = balanced_blocks(spoken_by_all(5, 23), systems_per_scenario=3)

    assert unevenness(counts_of_two(meetings, range(5))) == 2


def test_few_blocks_overlap_so_that_the_systems_stay_connected():
    meetings = balanced_blocks(spoken_by_all(7, 3), systems_per_scenario=3)  # 3 blocks of 3 reach just 7 systems

    assert is_connected(meetings, range(7))


def test_blocks_that_cannot_connect_the_systems_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"6 systems in 2 groups.*Raise systems_per_scenario, or add scenarios"):
        balanced_blocks(spoken_by_all(6, 2), systems_per_scenario=3)


def test_a_scenario_with_fewer_systems_than_a_block_gives_all_it_has():
    meetings = balanced_blocks({"tea": [1, 2, 3, 4], "rain": [1, 2], "snow": [2, 3, 4]}, systems_per_scenario=3)

    assert ("rain", 1, 2) in meetings
    assert Counter(scenario for scenario, *_ in meetings) == {"tea": 3, "rain": 1, "snow": 3}


def test_the_same_seed_gives_the_same_design_and_another_one_another():
    spoken = spoken_by_all(8, 12)

    assert balanced_blocks(spoken, systems_per_scenario=3, seed=4) == balanced_blocks(
        spoken, systems_per_scenario=3, seed=4
    )
    assert balanced_pairs(spoken, pairs_per_scenario=3, seed=4) != balanced_pairs(spoken, pairs_per_scenario=3, seed=5)


@pytest.mark.parametrize("n_systems", [3, 6, 9, 10])
def test_an_adaptive_start_connects_all_and_the_rest_stands_by(n_systems):
    spoken = spoken_by_all(n_systems, 20)

    start, rest = adaptive_start(spoken, meetings_per_system=4)

    assert sorted(start + rest) == sorted(all_pairs(spoken))
    assert set(counts_of_one(start, range(n_systems))) == {min(4, n_systems - 1)}
    assert is_connected(start, range(n_systems))


def test_an_adaptive_start_connects_systems_that_share_few_scenarios():
    spoken = {f"a {number}": [0, 1, 2] for number in range(5)} | {"bridge": [2, 3]} | {"b": [3, 4, 5]}

    start, _ = adaptive_start(spoken, meetings_per_system=2)

    assert is_connected(start, range(6))


def test_systems_that_no_scenario_connects_have_no_adaptive_start():
    with pytest.raises(ValueError, match=r"no chain leads from 1 to 3. Add dialogues that answer the same scenarios"):
        adaptive_start({"tea": [1, 2], "rain": [3, 4]})


@pytest.mark.parametrize("n_systems", range(2, 12))
def test_a_rotation_names_every_two_systems_once(n_systems):
    for n_meetings in range(1, 60):
        rotation = even_rotation(n_systems, n_meetings)

        assert sorted(tuple(sorted(two)) for two in rotation) == list(combinations(range(n_systems), 2))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda spoken: balanced_pairs(spoken, pairs_per_scenario=0), "pairs_per_scenario is 0; it must be 1 or more"),
        (lambda spoken: balanced_blocks(spoken, systems_per_scenario=1), "systems_per_scenario is 1; it must be 2"),
        (lambda spoken: adaptive_start(spoken, meetings_per_system=1), "meetings_per_system is 1; it must be 2"),
        (lambda spoken: all_pairs({"tea": [1]}), "needs two systems or more; there is 1"),
    ],
)
def test_a_design_of_too_little_is_refused_with_the_value(make, words):
    with pytest.raises(ValueError, match=words):
        make(spoken_by_all(4, 4))
