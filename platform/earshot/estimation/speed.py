"""Speed against the length of the sound: nobody has heard two dialogues in less time than they last."""

from dataclasses import dataclass

import numpy as np

from earshot.estimation.votes import Column, Floats

SHORTER_THAN_THE_SOUND = 0.9  # the rest allows for silence that may be left out at the ends
MAX_Z = 3.5  # robust z from which a value counts as an outlier (Iglewicz and Hoaglin 1993)
MIN_JUDGMENTS = 20  # fewer do not tell what is usual
LEAST_LOG_SPREAD = 0.15  # of usual ratios, so that a crowd in step makes nobody an outlier by a second


@dataclass(frozen=True)
class Speed:
    """Per judgment, (n,)."""

    ratio: Floats  # judging seconds over audio seconds; NaN where either is unknown
    robust_z: Floats  # of log ratio, by median and MAD; NaN where unknown or with fewer than 20 judgments
    is_implausible: np.ndarray  # shorter than the sound, and far below what is usual in the study
    median_ratio: float | None


def judge_speed(judging_seconds: Column, audio_seconds: Column) -> Speed:
    """Which judgments were made implausibly fast.

    Both must hold: less time than 0.9 of the sound's, and a robust z under −3.5. Where a study does not enforce
    listening everybody may stop early; then only those far below everybody are named. Unknown times name nobody.

    Args:
        judging_seconds: from opening to submitting, NaN where unknown, (n,).
        audio_seconds: of both sides together, (n,).
    """
    judging, audio = (np.asarray(each, dtype=np.float64) for each in (judging_seconds, audio_seconds))
    if len(judging) != len(audio):
        raise ValueError(f"There are {len(judging)} judging times and {len(audio)} lengths of sound. Give one of each.")
    known = (judging > 0) & (audio > 0)  # NaN is not
    ratio = np.full(len(judging), np.nan)
    ratio[known] = judging[known] / audio[known]
    z = np.full(len(judging), np.nan)
    if known.sum() >= MIN_JUDGMENTS:
        z[known] = _robust_z(np.log(ratio[known]))
    median = float(np.median(ratio[known])) if known.any() else None
    return Speed(ratio, z, (ratio < SHORTER_THAN_THE_SOUND) & (z < -MAX_Z), median)


def _robust_z(value: Floats) -> Floats:
    middle = np.median(value)
    spread = 1.4826 * float(np.median(np.abs(value - middle)))  # a normal's standard deviation
    z: Floats = (value - middle) / max(spread, LEAST_LOG_SPREAD)
    return z
