"""Checks as a sequential test: after each one, is this rater careful, guessing, or can it not be said yet?"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from earshot.estimation.votes import MAX_VALUE

Outcome = Literal["pass", "fail", "unknown"]

# How often a check is passed: by raters who listen (careful on purpose: many do better), and by one who clicks any of
# the seven answers, equally often.
CAREFUL = {"gold": 0.9, "identical": 0.9, "spoken": 0.95, "repeat": 0.97}
GUESSING = {
    "gold": 2 / 7,  # known verdict ±3, right within ±1
    "identical": 3 / 7,  # |score| ≤ 1
    "spoken": 1 / 7,  # exactly what the voice asks for
    "repeat": 37 / 49,  # fails only if |first + repeat| as shown is 4 or more: 12 of 49
}
MAX_FALSE_FAILS = 0.005  # of raters who listen
MAX_FALSE_PASSES = 0.05  # of raters who guess
MIN_FAILED = 2  # fair checks, before anybody fails
MIN_RATERS = 5  # who took a check, before it can be called unfair


@dataclass(frozen=True)
class Check:
    """What became of one check."""

    kind: str  # gold, identical, spoken or repeat
    outcome: Outcome
    is_fair: bool = True  # an unfair one, which most raters fail, says nothing of anybody
    guessing: float | None = None  # share of guessers who pass; by default that of the kind (gold: of ±3)


@dataclass(frozen=True)
class SequentialTest:
    """Where a rater stands. `log_ratio` is evidence for guessing: ≤ `pass_at` passes, ≥ `fail_at` fails."""

    verdict: Outcome
    reason: str  # a code: guessing, careful, too_few_failed, undecided, no_checks
    log_ratio: float
    pass_at: float
    fail_at: float
    n_passed: int
    n_failed: int  # fair ones
    n_unknown: int  # could not run, or unfair


def guessing_on_gold(expected: int) -> float:
    """Share of guessers who come within ±1 of a known verdict: 2 of 7 answers at ±3, else 3 of 7."""
    return sum(abs(value - expected) <= 1 for value in range(-MAX_VALUE, MAX_VALUE + 1)) / (2 * MAX_VALUE + 1)


def weigh_checks(
    checks: Sequence[Check],
    *,
    max_false_fails: float = MAX_FALSE_FAILS,
    max_false_passes: float = MAX_FALSE_PASSES,
) -> SequentialTest:
    """Wald's test of careful against guessing, over a rater's checks in the order in which they were taken.

    Whoever has passed many checks cannot save that up: the evidence never falls below where it passes. Nobody fails
    with fewer than two failed fair checks, whatever the evidence. A check that could not run counts for nothing.

    Raises:
        ValueError: for a kind without known rates.
    Source: Wald (1945), Annals of Mathematical Statistics 16, 117.
    """
    pass_at = math.log(max_false_passes / (1 - max_false_fails))
    fail_at = math.log((1 - max_false_passes) / max_false_fails)
    told = [check for check in checks if check.outcome != "unknown" and check.is_fair]
    ratio = 0.0
    for check in told:
        ratio = max(ratio + _evidence(check), pass_at)
    n_failed = sum(check.outcome == "fail" for check in told)
    verdict, reason = _decide(ratio, pass_at, fail_at, n_failed, len(told))
    return SequentialTest(
        verdict, reason, ratio, pass_at, fail_at, len(told) - n_failed, n_failed, len(checks) - len(told)
    )


def _evidence(check: Check) -> float:
    """log P(outcome | guessing) / P(outcome | careful)."""
    if check.kind not in CAREFUL:
        raise ValueError(f"There is a check of kind {check.kind!r}; kinds are {', '.join(CAREFUL)}.")
    careful = CAREFUL[check.kind]
    guessing = GUESSING[check.kind] if check.guessing is None else check.guessing
    if check.outcome == "pass":
        return math.log(guessing / careful)
    return math.log((1 - guessing) / (1 - careful))


def _decide(ratio: float, pass_at: float, fail_at: float, n_failed: int, n_told: int) -> tuple[Outcome, str]:
    if n_told == 0:
        return "unknown", "no_checks"
    if ratio <= pass_at:
        return "pass", "careful"
    if ratio < fail_at:
        return "unknown", "undecided"
    return ("fail", "guessing") if n_failed >= MIN_FAILED else ("unknown", "too_few_failed")


def unfair_checks(check: Sequence[Hashable], outcome: Sequence[Outcome]) -> set[Hashable]:
    """Checks that more than half of five or more raters fail: then the check is at fault, not they.

    Args:
        check, outcome: which check (such as the pair's id), and what became of it; one entry per rater who took it.
    """
    taken: defaultdict[Hashable, int] = defaultdict(int)
    failed: defaultdict[Hashable, int] = defaultdict(int)
    for name, became in zip(check, outcome, strict=True):
        taken[name] += became != "unknown"
        failed[name] += became == "fail"
    return {name for name, n in taken.items() if n >= MIN_RATERS and failed[name] > n / 2}
