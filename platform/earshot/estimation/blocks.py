"""Balanced incomplete blocks: which k of the systems each scenario gets, so that every two come together equally often.

The perfect design exists for few numbers only, so blocks are built greedily, then improved by exchanging two systems
between two blocks for as long as the counts grow more even.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from earshot.estimation.votes import Floats, Ints

Mask = npt.NDArray[np.bool_]
TRIES = 3000  # of an exchange; about 0.1 ms each
HOSTS = 60  # scenarios that are looked at for one exchange


def assign_blocks(available: Mask, size: int, seed: int) -> Mask:
    """Choose `size` of the systems available in each scenario (all of them where there are fewer).

    Args:
        available: which system spoke which scenario, (scenarios, systems).
    Returns:
        Which were chosen, (scenarios, systems). Every system comes equally often, ±1, where all are available
        everywhere; the counts of two systems together are as even as the search found.
    """
    rng = np.random.default_rng(seed)
    chosen = _build(available, size, rng)
    together = _together(chosen)
    for _ in range(TRIES):
        if not _is_uneven(together):
            break
        _exchange(chosen, together, available, rng)
    return chosen


def _build(available: Mask, size: int, rng: np.random.Generator) -> Mask:
    """Block by block: a link to the systems reached so far, then who came least, then who met the others least."""
    n_systems = available.shape[1]
    chosen = np.zeros_like(available)
    came, together = np.zeros(n_systems), np.zeros((n_systems, n_systems))
    reached = np.zeros(n_systems, dtype=bool)
    for scenario in rng.permutation(len(available)):
        free = available[scenario].copy()
        members: list[int] = []
        while len(members) < size and free.any():
            # Until all systems are reached, a block takes one of those that are, and else those that are not.
            first_choice = reached if not members and reached.any() else ~reached
            candidates = free & first_choice if not reached.all() and (free & first_choice).any() else free
            met = together[:, members].sum(axis=1)
            cost = came * n_systems * len(available) + met + rng.random(n_systems) / 2
            member = int(np.argmin(np.where(candidates, cost, np.inf)))
            members.append(member)
            free[member] = False
        chosen[scenario, members] = True
        came[members] += 1
        together[np.ix_(members, members)] += 1
        reached[members] = True
    return chosen


def _together(chosen: Mask) -> Floats:
    """How often each two systems share a block, (systems, systems); 0 on the diagonal."""
    counts = chosen.T.astype(np.float64) @ chosen
    np.fill_diagonal(counts, 0.0)
    return np.asarray(counts, dtype=np.float64)


def _is_uneven(together: Floats) -> bool:
    counts = together[np.triu_indices(len(together), 1)]
    return bool(counts.max() - counts.min() > 1)


def _exchange(chosen: Mask, together: Floats, available: Mask, rng: np.random.Generator) -> None:
    """Let two systems change places between two scenarios, where that makes the counts more even, or as even.

    The sum of squared counts is what falls: for a given number of meetings it is least when all are equal, ±1. Moves
    that leave it as it is are made too: without them the search is soon stuck. Both arrays are changed in place.
    """
    home, leaving = _crowded(chosen, together, rng)
    hosts = rng.choice(len(chosen), min(HOSTS, len(chosen)), replace=False)
    possible = chosen[hosts] & ~chosen[hosts][:, [leaving]] & available[hosts][:, [leaving]]  # (hosts, systems)
    possible &= (available[home] & ~chosen[home])[None, :]
    if not possible.any():
        return
    place, incoming = _cheapest(chosen, together, home, leaving, hosts, possible)
    host = int(hosts[place])
    stay_home = np.flatnonzero(chosen[home] & (np.arange(len(together)) != leaving))
    stay_away = np.flatnonzero(chosen[host] & (np.arange(len(together)) != incoming))
    before = float((together**2).sum())
    _move(together, leaving, incoming, stay_home, stay_away, by=1)
    if float((together**2).sum()) > before or not _is_connected(together):
        _move(together, leaving, incoming, stay_home, stay_away, by=-1)
        return
    chosen[home, [leaving, incoming]] = False, True
    chosen[host, [leaving, incoming]] = True, False


def _crowded(chosen: Mask, together: Floats, rng: np.random.Generator) -> tuple[int, int]:
    """A scenario, and a system there that meets another one of it more often than most two meet (ties by chance)."""
    crowding = together + rng.random(together.shape) * 1.5
    leaving, other = np.unravel_index(int(np.argmax(crowding)), together.shape)
    home = int(rng.choice(np.flatnonzero(chosen[:, leaving] & chosen[:, other])))
    return home, int(leaving)


def _cheapest(chosen: Mask, together: Floats, home: int, leaving: int, hosts: Ints, possible: Mask) -> tuple[int, int]:
    """The host and its system that change places with `leaving` at least cost, to first order."""
    staying = chosen[home].copy()
    staying[leaving] = False
    at_home = together[:, staying].sum(axis=1)  # (systems,)
    members = chosen[hosts].astype(np.float64)
    away = (members @ together[leaving])[:, None] - members @ together  # (hosts, systems)
    cost = np.where(possible, at_home[None, :] + away, np.inf)
    place, incoming = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return int(place), int(incoming)


def _move(together: Floats, leaving: int, incoming: int, stay_home: Ints, stay_away: Ints, *, by: int) -> None:
    """Count the exchange (or, by −1, take it back) in the table of who meets whom."""
    for system, lost, won in ((leaving, stay_home, stay_away), (incoming, stay_away, stay_home)):
        for others, change in ((lost, -by), (won, by)):
            together[system, others] += change
            together[others, system] += change


def _is_connected(together: Floats) -> bool:
    met = together > 0
    if 2 * met.sum(axis=1).min() >= len(together):  # then any two share somebody whom both meet
        return True
    return bool(connected_components(csr_array(together), directed=False)[0] == 1)
