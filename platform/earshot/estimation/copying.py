"""Copying: groups of raters who give the same answers on the pairs that they share, in all dimensions at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import comb

from earshot.estimation.judged import Judged, total_by
from earshot.estimation.votes import Floats, Ints

COPIED_EQUAL = 0.9  # share of a copied judgment's answers that are equal, the rest being changed to hide it
COPIED = 0.8  # share of judgments that a copier copies; so one judgment that differs does not clear anybody
MAX_FALSE_GROUPS = 0.01  # chance that honest raters are named at all in one study
MIN_SHARED = 3  # judgments of a rater on pairs shared with the group


@dataclass(frozen=True)
class CopyGroup:
    """Raters who answer alike beyond what honest raters do; `log_ratio` is evidence that the last of them copies."""

    raters: tuple[int, ...]  # as numbered in Judged
    n_shared: int  # shared pairs, over all two of them
    equal_share: float  # of the answers on these pairs
    usual_share: float  # the same over all raters of the study
    log_ratio: float


def find_copying(judged: Judged) -> tuple[CopyGroup, ...]:
    """Groups whose answers on shared pairs are alike, by the likelihood of copying against what is usual.

    For each two raters and each pair that both judged, the number of dimensions answered alike is compared with its
    distribution over all raters. A group begins with two raters and takes in whoever copies its members. The evidence
    of raters who share few pairs is little, and then nobody is named. Answers count as equal as stored (the same
    dialogue preferred).
    """
    first, second, equal, both = _shared(judged)
    n = len(judged.raters)
    if not len(first):
        return ()
    code = first * n + second
    columns = (_log_ratio(equal, both), np.ones(len(code)), equal, both)
    sums = [total_by(code, column, n * n).reshape(n, n) for column in columns]
    evidence, shared, alike, asked = (table + table.T for table in sums)
    usual = float(equal.sum() / both.sum())
    groups = []
    for members, strength in _grow_groups(evidence, shared):
        inside = np.ix_(members, members)
        share = float(alike[inside].sum() / asked[inside].sum())
        groups.append(CopyGroup(tuple(sorted(members)), int(shared[inside].sum() / 2), share, usual, strength))
    return tuple(groups)


def _shared(judged: Judged) -> tuple[Ints, Ints, Ints, Ints]:
    """Every two raters on every pair that both judged: who, and how many answers are equal and how many both gave."""
    order = np.lexsort((judged.rater, judged.pair))
    pair, rater, values = judged.pair[order], judged.rater[order], judged.values[order]
    found: list[tuple[Ints, Ints, Ints, Ints]] = []
    longest = int(np.bincount(pair).max()) if len(pair) else 0
    for step in range(1, longest):
        at = np.flatnonzero((pair[step:] == pair[:-step]) & (rater[step:] != rater[:-step]))
        one, other = values[at], values[at + step]
        both = (~np.isnan(one) & ~np.isnan(other)).sum(axis=1)
        kept = both > 0
        found.append((rater[at][kept], rater[at + step][kept], (one == other).sum(axis=1)[kept], both[kept]))
    if not found:
        return (np.zeros(0, dtype=np.int64),) * 4
    return tuple(np.concatenate(column).astype(np.int64) for column in zip(*found, strict=True))  # type: ignore[return-value]


def _log_ratio(equal: Ints, both: Ints) -> Floats:
    """log P(that many equal | copied) / P(… | usual), the usual being what all raters of the study do."""
    most = int(both.max())
    counts = np.bincount(both * (most + 1) + equal, minlength=(most + 1) ** 2).reshape(most + 1, most + 1) + 0.5
    asked, alike = np.indices(counts.shape)
    usual = np.where(alike <= asked, counts, 0.0)
    usual /= usual.sum(axis=1, keepdims=True)
    copied = comb(asked, alike) * COPIED_EQUAL**alike * (1 - COPIED_EQUAL) ** np.maximum(asked - alike, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.log(COPIED * copied + (1 - COPIED) * usual) - np.log(usual)
    log_ratio: Floats = table[both, equal]
    return log_ratio


def _grow_groups(evidence: Floats, shared: Floats) -> Iterator[tuple[list[int], float]]:
    """Groups from the strongest two on, each rater in one group at most, with the weakest evidence of a member."""
    n = len(evidence)
    needed_for_two = np.log(n * (n - 1) / 2 / MAX_FALSE_GROUPS)
    needed_to_join = np.log(n / MAX_FALSE_GROUPS)
    enough = np.where(shared >= MIN_SHARED, evidence, -np.inf)
    free = np.ones(n, dtype=bool)
    while True:
        open_pairs = np.where(free[:, None] & free[None, :], enough, -np.inf)
        one, other = np.unravel_index(int(open_pairs.argmax()), open_pairs.shape)
        weakest = float(open_pairs[one, other])
        if weakest < needed_for_two:
            return
        members = [int(one), int(other)]
        while True:
            towards = np.where(free, evidence[:, members].sum(axis=1), -np.inf)
            towards[members] = -np.inf
            towards[shared[:, members].sum(axis=1) < MIN_SHARED] = -np.inf
            best = int(towards.argmax())
            if towards[best] < needed_to_join:
                break
            members.append(best)
            weakest = min(weakest, float(towards[best]))
        free[members] = False
        yield members, weakest
