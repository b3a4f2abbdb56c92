"""Pair designs: which systems meet in which scenarios. Pure functions on ids; what they cost is counted elsewhere.

Every design takes the systems that spoke each scenario and gives *meetings*: (scenario, one system, another). A design
with fewer than all of them is balanced as far as the dialogues there are allow, connected (a chain of meetings leads
from every system to every other one, or there would be no ranking of all), and the same for the same seed.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from earshot.estimation.blocks import assign_blocks

Meeting: TypeAlias = tuple[Hashable, Hashable, Hashable]  # scenario, two systems
Spoken: TypeAlias = Mapping[Hashable, Iterable[Hashable]]  # scenario → the systems with a dialogue of it


def all_pairs(spoken: Spoken) -> list[Meeting]:
    """Every two systems in every scenario that both spoke."""
    _, scenarios, speaks = _table(spoken)
    return [(scenario, *two) for scenario, row in zip(scenarios, speaks, strict=True) for two in combinations(row, 2)]


def against_reference(spoken: Spoken, reference: Hashable) -> list[Meeting]:
    """Each system against the reference, in every scenario that both spoke.

    Raises:
        ValueError: if the reference spoke none of the scenarios.
    """
    _, scenarios, speaks = _table(spoken)
    if not any(reference in row for row in speaks):
        raise ValueError(f"The reference {reference!r} spoke none of these scenarios. Choose another one.")
    return [
        (scenario, reference, other)
        for scenario, row in zip(scenarios, speaks, strict=True)
        if reference in row
        for other in row
        if other != reference
    ]


def balanced_pairs(spoken: Spoken, *, pairs_per_scenario: int, seed: int = 1) -> list[Meeting]:
    """In each scenario that many meetings, so that every two systems meet equally often, ±1, and so does every system.

    Exactly so where every system spoke every scenario; otherwise as nearly as a greedy choice gets.

    Raises:
        ValueError: for less than one pair per scenario, or so few in all that some systems cannot be connected.
    """
    _at_least(pairs_per_scenario, 1, "pairs_per_scenario")
    systems, scenarios, speaks = _table(spoken)
    rng = np.random.default_rng(seed)
    order = [systems[place] for place in rng.permutation(len(systems))]
    n_meetings = sum(min(pairs_per_scenario, len(row) * (len(row) - 1) // 2) for row in speaks)
    rotation = [(order[one], order[other]) for one, other in even_rotation(len(systems), n_meetings)]
    place = {frozenset(two): number for number, two in enumerate(rotation)}
    met: Counter[frozenset[Hashable]] = Counter()
    meetings: list[Meeting] = []
    for number in rng.permutation(len(scenarios)):
        open_pairs = [frozenset(two) for two in combinations(speaks[number], 2)]
        open_pairs.sort(key=lambda two: (met[two], place[two]))
        for two in open_pairs[:pairs_per_scenario]:
            met[two] += 1
            meetings.append((scenarios[number], *rotation[place[two]]))
    _refuse_unconnected(systems, meetings, remedy="Raise pairs_per_scenario, or add scenarios.")
    return meetings


def balanced_blocks(spoken: Spoken, *, systems_per_scenario: int, seed: int = 1) -> list[Meeting]:
    """In each scenario all pairs of that many systems, chosen so that every two systems meet about equally often.

    Every system comes equally often, ±1, where every system spoke every scenario. Every two meet equally often, ±1,
    where a search finds such blocks: for some numbers of systems and scenarios there are none, and the counts then lie
    as near as they were found. `balanced_pairs` has no such limit.

    Raises:
        ValueError: for less than two systems per scenario, or so few that some systems cannot be connected.
    """
    _at_least(systems_per_scenario, 2, "systems_per_scenario")
    systems, scenarios, speaks = _table(spoken)
    number = {system: place for place, system in enumerate(systems)}
    available = np.zeros((len(scenarios), len(systems)), dtype=bool)
    for place, row in enumerate(speaks):
        available[place, [number[system] for system in row]] = True
    chosen = assign_blocks(available, systems_per_scenario, seed)
    meetings: list[Meeting] = [
        (scenario, *two)
        for scenario, row in zip(scenarios, chosen, strict=True)
        for two in combinations([systems[place] for place in np.flatnonzero(row)], 2)
    ]
    _refuse_unconnected(systems, meetings, remedy="Raise systems_per_scenario, or add scenarios.")
    return meetings


def adaptive_start(
    spoken: Spoken, *, meetings_per_system: int = 4, seed: int = 1
) -> tuple[list[Meeting], list[Meeting]]:
    """A small connected start, and all other meetings, which stand by until votes say which of them tell most.

    In the start every system comes about `meetings_per_system` times, in scenarios as different as there are.

    Raises:
        ValueError: for fewer than two meetings per system, or systems that no scenarios connect.
    """
    _at_least(meetings_per_system, 2, "meetings_per_system")
    systems, _, _ = _table(spoken)
    everything = all_pairs(spoken)
    _refuse_unconnected(systems, everything, remedy="Add dialogues that answer the same scenarios.")
    rng = np.random.default_rng(seed)
    order = [systems[place] for place in rng.permutation(len(systems))]
    together: dict[frozenset[Hashable], list[Hashable]] = {}
    for place in rng.permutation(len(everything)):
        scenario, *two = everything[place]
        together.setdefault(frozenset(two), []).append(scenario)
    wanted = len(systems) * meetings_per_system // 2
    rotation = [frozenset({order[one], order[other]}) for one, other in even_rotation(len(systems), wanted)]
    used: Counter[Hashable] = Counter()
    chosen = set()
    for pair in _first_met([pair for pair in rotation if pair in together], systems, wanted):
        scenario = min(together[pair], key=lambda each: used[each])
        used[scenario] += 1
        chosen.add((scenario, pair))
    start = [meeting for meeting in everything if (meeting[0], frozenset(meeting[1:])) in chosen]
    return start, [meeting for meeting in everything if (meeting[0], frozenset(meeting[1:])) not in chosen]


def _first_met(
    rotation: Sequence[frozenset[Hashable]], systems: Sequence[Hashable], wanted: int
) -> Iterable[frozenset[Hashable]]:
    """The first `wanted` pairs of the rotation, and of the others those that connect what is still apart."""
    group = {system: number for number, system in enumerate(systems)}
    for number, pair in enumerate(rotation):
        kept, gone = sorted(group[system] for system in pair)
        if number < wanted or kept != gone:
            yield pair
        group = {system: kept if each == gone else each for system, each in group.items()}


def even_rotation(n_systems: int, n_meetings: int) -> list[tuple[int, int]]:
    """All pairs of systems once, in such an order that `n_meetings` along it, again and again, are even.

    Every system is then met equally often, ±1, and the graph is connected as soon as it can be. Of an even number of
    systems that is the schedule of a tournament, round by round. Of an odd number it is rings of equal distance:
    whole ones first, then the part of one ring that is left, every other edge of it first.
    """
    if n_systems % 2 == 0:
        return [two for shift in range(n_systems - 1) for two in _tournament_round(n_systems, shift)]
    n_pairs = n_systems * (n_systems - 1) // 2
    n_whole = (n_meetings % n_pairs) // n_systems
    distances = list(range(1, (n_systems + 1) // 2))
    # The ring that is cut must be a single one, as those of distance 1 and 2 are among an odd number.
    cut = 1 if n_whole == 0 else 2
    whole = [distance for distance in distances if distance != cut]
    rings = [_ring(n_systems, distance) for distance in whole[:n_whole]]
    rings += [_ring(n_systems, distance) for distance in [cut, *whole[n_whole:]] if distance in distances]
    return [two for ring in rings for two in ring]


def _tournament_round(n_systems: int, shift: int) -> list[tuple[int, int]]:
    """One round of the circle method: the last system stays, the others turn. Two rounds in a row are one big ring."""
    others = n_systems - 1
    turned = [(shift + step) % others for step in range(others)]
    return [(others, turned[0]), *((turned[step], turned[-step]) for step in range(1, n_systems // 2))]


def _ring(n_systems: int, distance: int) -> list[tuple[int, int]]:
    """The systems in a ring by steps of `distance`: every other edge, then the one that closes it, then the others."""
    edges = [(step * distance % n_systems, (step + 1) * distance % n_systems) for step in range(n_systems)]
    if np.gcd(n_systems, distance) > 1:  # several smaller rings: only ever taken whole
        return [(start, (start + distance) % n_systems) for start in range(n_systems)]
    return [*edges[0:-1:2], edges[-1], *edges[1:-1:2]]


def _table(spoken: Spoken) -> tuple[list[Hashable], list[Hashable], list[list[Hashable]]]:
    """Systems, scenarios, and the systems of each scenario, all in the order of their names.

    Raises:
        ValueError: for fewer than two systems.
    """
    in_order: Callable[[Iterable[Hashable]], list[Hashable]] = sorted  # type: ignore[assignment]  # ids compare
    scenarios = in_order(spoken)
    speaks = [in_order(set(spoken[scenario])) for scenario in scenarios]
    systems = in_order({system for row in speaks for system in row})
    if len(systems) < 2:
        raise ValueError(f"A design needs two systems or more; there is {len(systems)}. Choose another system.")
    return systems, scenarios, speaks


def _at_least(value: int, least: int, name: str) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}; it must be {least} or more.")


def _refuse_unconnected(systems: Sequence[Hashable], meetings: Sequence[Meeting], *, remedy: str) -> None:
    number = {system: place for place, system in enumerate(systems)}
    ends = [number[one] for _, one, _ in meetings], [number[other] for _, _, other in meetings]
    links = csr_array((np.ones(len(meetings)), ends), shape=(len(systems), len(systems)))
    n_groups, group = connected_components(links, directed=False)
    if n_groups > 1:
        apart = systems[int(np.flatnonzero(group != group[0])[0])]
        raise ValueError(
            f"{len(meetings)} meetings leave {len(systems)} systems in {n_groups} groups: no chain leads from "
            f"{systems[0]!r} to {apart!r}. {remedy}"
        )
