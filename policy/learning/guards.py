"""What must hold while a policy is trained. Every guard is a number that is logged, a limit, and a sentence.

`found` says which guard of a set of values is broken; a run that breaks one stops, and its last good checkpoint stays.
Thresholds and how they were set: docs/policy.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NO_GAIN = 0.5  # the probability with which a policy beats itself
SURE = 2.0  # standard errors


@dataclass(frozen=True)
class Guard:
    """A value that may not go below `least` or above `most`."""

    name: str
    means: str  # what the value is, for the sentence
    remedy: str
    least: float = -math.inf
    most: float = math.inf

    def sentence(self, value: float) -> str:
        """Why the run stops, or nothing if it need not."""
        if self.least <= value <= self.most:
            return ""
        if math.isnan(value):
            return f"Guard {self.name}: {self.means} is not a number. {self.remedy}"
        side, limit = ("below", self.least) if value < self.least else ("above", self.most)
        return f"Guard {self.name}: {self.means} is {value:.3g}, {side} {limit:.3g}. {self.remedy}"


_HEAR = "Listen to its rollouts; train with a smaller KL target or another reward model."
_VARIETY = "Raise the KL weight, or start from a more varied policy."
GUARDS = (
    Guard("seconds_per_word_least", "the shortest time per word of a turn", _HEAR, least=0.12),
    Guard("seconds_per_word_most", "the longest time per word of a turn", _HEAR, most=1.1),
    Guard("level_db", "the quietest turn's speech level in dBFS", _HEAR, least=-50.0),
    Guard("level_above_noise_db", "the speech's level above the noise inside its turns in dB", _HEAR, least=21.0),
    Guard("spectral_distance_db", "the spectral distance to the base recording in dB", _HEAR, most=3.0),
    Guard("log_f0_spread_ratio", "the spread of log F0 within phrases, in that of neutral codes", _HEAR, least=0.75),
    Guard("speech_share", "the share of a turn that is speech", _HEAR, least=0.3),
    Guard("clipped_share", "the share of clipped samples", _HEAR, most=0.0),
    Guard("repetition", "the share of replies that say every phrase alike", _VARIETY, most=0.25),
    Guard("groups_without_spread", "the share of groups without spread", _VARIETY, most=0.5),
    Guard("entropy", "the entropy in nats per token", _VARIETY, least=0.35),
    Guard("disagreement", "the reward models' disagreement", "Train more reward models on more pairs.", most=0.17),
    Guard("held_out_fall", "what the held-out reward model surely lost while the training one rose", _HEAR, most=0.0),
    Guard("plan_loss", "what the plan's accuracy surely lost", "Give the plan more weight.", most=0.05),
)
BY_NAME = {guard.name: guard for guard in GUARDS}


def kl_guard(target: float, stop: float) -> Guard:
    """The hard stop on the measured divergence."""
    remedy = f"Lower the learning rate: the target is {target:g}."
    return Guard("kl_nats_per_token", "the divergence from the reference on held-out scenarios", remedy, most=stop)


def found(values: Mapping[str, float], extra: Sequence[Guard] = ()) -> str:
    """The sentence of the first broken guard among these values, or nothing. Whatever is not finite breaks one too."""
    for name, value in values.items():
        if not math.isfinite(value):
            return f"Guard finite: {name} is {value}. Lower the learning rate, or look at the last checkpoint's sound."
    for guard in (*GUARDS, *extra):
        if guard.name in values and (sentence := guard.sentence(values[guard.name])):
            return sentence
    return ""


def repetition(codes: np.ndarray) -> float:
    """Share of the replies (B, T, 2, 5) that give every phrase the same pitch, range, pace and energy."""
    phrases = codes[..., :4].reshape(len(codes), -1, 4)
    return float((phrases == phrases[:, :1]).all((1, 2)).mean())


def held_out_fall(training: Sequence[float], held_out: Sequence[float], error: float) -> float:
    """How far the held-out reward model surely lies below where it was, if the training one rose since then; else 0.

    Where it was is either its best measurement so far or the start, where both say NO_GAIN.

    Args:
        training, held_out: mean probabilities of beating the reference, one per measurement, the current one last.
        error: the standard error of the current one by the held-out model.
    """
    before = list(zip((NO_GAIN, *training[:-1]), (NO_GAIN, *held_out[:-1]), strict=True))
    points = [before[0], max(before, key=lambda point: point[1])]
    falls = [best - held_out[-1] - SURE * error for trained, best in points if training[-1] > trained]
    return max(0.0, *falls) if falls else 0.0
