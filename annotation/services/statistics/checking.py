"""What became of the checks, by rater, and the votes that were repeated with their sides exchanged."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from annotation.models import Pair, Study
from annotation.queries.quality import as_checks, checks_taken, unfair_among
from annotation.services.statistics.reading import Bools, Ints, StudyVotes
from earshot.estimation.sequential import Check


def checks_by_rater(study: Study) -> dict[Hashable, list[Check]]:
    """Each rater's checks in the order in which they were taken, as quality control decided them."""
    taken = checks_taken(study)
    found: dict[Hashable, list[Check]] = {}
    for each, check in zip(taken, as_checks(taken, unfair_among(taken)), strict=True):
        found.setdefault(each.rater, []).append(check)
    return found


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
    repeats = heard.where(heard.pairs.kind[heard.row] == Pair.Kind.REPEAT)
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
