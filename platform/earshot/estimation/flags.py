"""All that the numbers say of each rater, and whom a person should look at. Conservative: honest raters come first."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earshot.estimation.copying import CopyGroup, find_copying
from earshot.estimation.estimates import Estimate, wilson
from earshot.estimation.halo import Halo, RaterHalo, measure_halo
from earshot.estimation.judged import Judged
from earshot.estimation.raters import RaterEstimates, RaterModel, fit_raters
from earshot.estimation.self_agreement import RaterSelfAgreement, SelfAgreement, self_agreement
from earshot.estimation.sequential import MIN_FAILED, Check, SequentialTest, weigh_checks
from earshot.estimation.speed import Speed, judge_speed
from earshot.estimation.votes import Column

# A reason stands only where the whole 95 % interval lies beyond its limit.
MAX_SIDE_BIAS = 0.5  # points towards one side
LEAST_RELIABILITY = 0.5  # of what is usual in the study
LEAST_USUAL_RELIABILITY = 0.3  # where raters have less in common, nobody can be told from the others
MAX_ALIKE = 0.6  # share of judgments with the same answer in all dimensions
MAX_HALO = 0.6  # correlation of dimensions beyond the pairs' own
MAX_FAST = 0.2  # share of implausibly fast judgments
ABOUT_DIMENSIONS_ONLY = {"halo"}  # such a rater's overall may be honest: no reason to exclude


@dataclass(frozen=True)
class Reason:
    """Why a person should look at this rater. `code`: checks, side, reliability, copying, halo or fast."""

    code: str
    figure: Estimate | None  # the figure that says so; None for checks and copying, which are on the card
    limit: float  # beyond which the figure's whole interval lies


@dataclass(frozen=True)
class RaterCard:
    """One rater: every figure with its interval, the reasons to look, and what is advised."""

    rater: Hashable
    n_judgments: int
    model: RaterEstimates
    halo: RaterHalo
    self_agreement: RaterSelfAgreement | None  # None without repeats
    fast: Estimate  # share of implausibly fast judgments
    median_ratio: float | None  # of judging seconds to the length of the sound
    checks: SequentialTest
    copies_with: tuple[Hashable, ...]
    reasons: tuple[Reason, ...]
    recommends_exclusion: bool  # never with fewer than two failed fair checks

    @property
    def is_flagged(self) -> bool:
        return bool(self.reasons)


@dataclass(frozen=True)
class RaterReport:
    cards: tuple[RaterCard, ...]  # sorted by rater
    model: RaterModel
    halo: Halo
    self_agreement: SelfAgreement
    speed: Speed
    copying: tuple[CopyGroup, ...]


def flag_raters(
    judged: Judged,
    checks: Mapping[Hashable, Sequence[Check]] | None = None,
    repeats: tuple[Column, Column, Column] | None = None,
    *,
    confidence: float = 0.95,
) -> RaterReport:
    """Put together what is known of every rater who judged regular pairs.

    Args:
        judged: judgments on regular pairs.
        checks: by rater, in the order in which they were taken.
        repeats: rater, first vote and repeat, as `self_agreement` takes them.
        confidence: of every interval, and so of every reason.
    """
    selves = self_agreement(*(repeats if repeats is not None else ((), (), ())), confidence=confidence)
    speed = judge_speed(judged.judging_seconds, judged.audio_seconds)
    seen = _Seen(
        judged=judged,
        model=fit_raters(judged, confidence=confidence),
        halo=measure_halo(judged, confidence=confidence),
        self_agreement={each.rater: each for each in selves.raters},
        fast=_fast_shares(judged, speed, confidence),
        median_ratio=_median_ratios(judged, speed),
        copying=find_copying(judged),
    )
    tested = [weigh_checks((checks or {}).get(rater, ())) for rater in judged.raters]
    cards = tuple(_card(seen, index, tests) for index, tests in enumerate(tested))
    return RaterReport(cards, seen.model, seen.halo, selves, speed, seen.copying)


@dataclass(frozen=True)
class _Seen:
    """What was found of all raters; lists are in the order of `Judged.raters`."""

    judged: Judged
    model: RaterModel
    halo: Halo
    self_agreement: Mapping[Hashable, RaterSelfAgreement]
    fast: list[Estimate]
    median_ratio: list[float | None]
    copying: tuple[CopyGroup, ...]


def _card(seen: _Seen, index: int, checks: SequentialTest) -> RaterCard:
    names = seen.judged.raters
    groups = [group.raters for group in seen.copying if index in group.raters]
    copies_with = tuple(names[other] for group in groups for other in group if other != index)
    reasons = tuple(_reasons(seen, index, checks, is_copying=bool(copies_with)))
    return RaterCard(
        rater=names[index],
        n_judgments=int((seen.judged.rater == index).sum()),
        model=seen.model.estimates[index],
        halo=seen.halo.raters[index],
        self_agreement=seen.self_agreement.get(names[index]),
        fast=seen.fast[index],
        median_ratio=seen.median_ratio[index],
        checks=checks,
        copies_with=copies_with,
        reasons=reasons,
        recommends_exclusion=_recommends_exclusion(reasons, checks),
    )


def _reasons(seen: _Seen, index: int, checks: SequentialTest, *, is_copying: bool) -> Iterator[Reason]:
    model, usual = seen.model.estimates[index], seen.model.usual_reliability
    if checks.verdict == "fail":
        yield Reason("checks", None, checks.fail_at)
    if model.side_bias.is_above(MAX_SIDE_BIAS) or model.side_bias.is_below(-MAX_SIDE_BIAS):
        yield Reason("side", model.side_bias, MAX_SIDE_BIAS)
    if usual is not None and usual >= LEAST_USUAL_RELIABILITY and model.reliability.is_below(LEAST_RELIABILITY * usual):
        yield Reason("reliability", model.reliability, LEAST_RELIABILITY * usual)
    if is_copying:
        yield Reason("copying", None, 0.0)
    yield from _halo_reasons(seen.halo, seen.halo.raters[index])
    if seen.fast[index].is_above(MAX_FAST):
        yield Reason("fast", seen.fast[index], MAX_FAST)


def _halo_reasons(study: Halo, own: RaterHalo) -> Iterator[Reason]:
    """Where all raters answer alike it is the study that asks wrongly: nobody is named who does not stand out."""
    for figure, usual, limit in (
        (own.alike, study.alike.value, MAX_ALIKE),
        (own.correlation, study.correlation.value, MAX_HALO),
    ):
        beyond = max(limit, usual or 0.0)
        if figure.is_above(beyond):
            yield Reason("halo", figure, beyond)
            return


def _recommends_exclusion(reasons: Sequence[Reason], checks: SequentialTest) -> bool:
    """Two failed fair checks at least, and either the test of checks or something else says the same."""
    is_weighty = any(reason.code not in ABOUT_DIMENSIONS_ONLY for reason in reasons)
    return checks.n_failed >= MIN_FAILED and is_weighty


def _fast_shares(judged: Judged, speed: Speed, confidence: float) -> list[Estimate]:
    n_raters = len(judged.raters)
    fast = np.bincount(judged.rater[speed.is_implausible], minlength=n_raters).tolist()
    timed = np.bincount(judged.rater[~np.isnan(speed.robust_z)], minlength=n_raters).tolist()
    return [wilson(hits, n, confidence=confidence) for hits, n in zip(fast, timed, strict=True)]


def _median_ratios(judged: Judged, speed: Speed) -> list[float | None]:
    order = np.lexsort((speed.ratio, judged.rater))  # NaN comes last within each rater
    known = order[~np.isnan(speed.ratio[order])]
    n = np.bincount(judged.rater[known], minlength=len(judged.raters))
    parts = np.split(speed.ratio[known], np.cumsum(n)[:-1]) if len(n) else []
    return [float(np.median(part)) if len(part) else None for part in parts]
