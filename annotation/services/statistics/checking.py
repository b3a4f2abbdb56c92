"""What became of the checks, by rater, and the votes that were repeated with their sides exchanged."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from annotation.models import Pair
from annotation.services.statistics.reading import Bools, Ints, StudyVotes
from earshot.estimation.sequential import Check, unfair_checks

Kind = Pair.Kind
NAMES = {Kind.GOLD: "gold", Kind.IDENTICAL: "identical", Kind.SPOKEN_CHECK: "spoken", Kind.REPEAT: "repeat"}
STRONG_TWICE = 4  # |first + repeat| as shown, from which the same side was strongly preferred twice


def is_check(votes: StudyVotes) -> Bools:
    return np.asarray(votes.pairs.kind[votes.row] != Kind.REGULAR)


def checks_by_rater(heard: StudyVotes) -> dict[Hashable, list[Check]]:
    """Each rater's checks in the order in which they were taken. An answer that is no number is unknown.

    Args: heard: judgments on regular pairs and on checks.
    """
    taken = heard.where(is_check(heard))
    if not len(taken) or not taken.value.shape[1]:
        return {}
    kind, value = taken.pairs.kind[taken.row], taken.value[:, -1].astype(np.int64)
    expected = taken.pairs.expected[taken.row]
    passed = np.select(
        [kind == Kind.IDENTICAL, kind == Kind.GOLD, kind == Kind.SPOKEN_CHECK],
        [np.abs(value) <= 1, np.abs(value - expected) <= 1, value == expected],
        default=~_repeats_a_side(heard, taken),
    )
    told = (np.abs(value) <= 3) & ((kind != Kind.REPEAT) | (_first_places(heard, taken) >= 0))
    outcome = np.where(told, np.where(passed, "pass", "fail"), "unknown").tolist()
    unfair = unfair_checks(taken.pair.tolist(), outcome)
    found: dict[Hashable, list[Check]] = {}
    for rater, pair, name, became in zip(
        taken.rater.tolist(), taken.pair.tolist(), kind.tolist(), outcome, strict=True
    ):
        found.setdefault(rater, []).append(Check(NAMES[Kind(name)], became, is_fair=pair not in unfair))
    return found


def _repeats_a_side(heard: StudyVotes, taken: StudyVotes) -> Bools:
    """Whether the same side was preferred as strongly as the first time, though the sides were exchanged."""
    first = _first_places(heard, taken)
    before = np.where(first >= 0, _shown(heard)[np.maximum(first, 0)], 0)
    return np.asarray((first >= 0) & (np.abs(_shown(taken) + before) >= STRONG_TWICE))


def _shown(votes: StudyVotes) -> Ints:
    """Overall as it stood on the screen: positive favours the right side; 0 where it is no number."""
    value = votes.value[:, -1].astype(np.int64)
    return np.where(np.abs(value) <= 3, -value * votes.side, 0)


def _first_places(heard: StudyVotes, taken: StudyVotes) -> Ints:
    """The place in `heard` of the same rater's judgment on the pair that a repeat repeats; −1 where there is none."""
    originals = taken.pairs.check_of[taken.row]
    wanted = np.isin(heard.pair, originals[originals > 0])
    place = {(int(heard.rater[index]), int(heard.pair[index])): int(index) for index in np.flatnonzero(wanted).tolist()}
    keys = zip(taken.rater.tolist(), originals.tolist(), strict=True)
    return np.array([place.get(key, -1) for key in keys], dtype=np.int64)


def repeated_votes(heard: StudyVotes, counts: Bools, within: Bools | None = None) -> tuple[Any, Any, Any]:
    """Rater, first vote and repeat on overall, as stored, (repeats,) each.

    Args:
        counts: which of the first votes may be used: those that count.
        within: which of the judgments belong to the stratum; by default all.
    """
    nothing = np.zeros(0, dtype=np.int64)
    repeats = heard.where(heard.pairs.kind[heard.row] == Kind.REPEAT)
    if not len(repeats) or not repeats.value.shape[1]:
        return nothing, nothing, nothing
    first = _first_places(heard, repeats)
    usable = counts if within is None else counts & within
    # A repeat may call the two dialogues the other way round.
    original = np.searchsorted(heard.pairs.pair, repeats.pairs.check_of[repeats.row]).clip(
        max=len(heard.pairs.pair) - 1
    )
    sign = np.where(heard.pairs.dialogue_a[original] == repeats.pairs.dialogue_a[repeats.row], 1, -1)
    before = heard.value[np.maximum(first, 0), -1].astype(np.int64)
    after = repeats.value[:, -1].astype(np.int64)
    kept = (first >= 0) & usable[np.maximum(first, 0)] & (np.abs(before) <= 3) & (np.abs(after) <= 3)
    return repeats.rater[kept], before[kept], (after * sign)[kept]
