"""What a reply is worth: P(it beats a reply of the frozen reference to the same user), and whether its plan is right.

A plain difference of scores from one reference would cancel within a group; so the probability is averaged over several
reference replies of the same scenario. Where scores come from is open: a reward model (or several) on surrogate or on
rendered sound, or a function of the codes written by hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from policy.learning.scenarios import EMOTIONS, Scenario
from rewardmodel.learning.features import DialogueFeatures
from rewardmodel.learning.scoring import LoadedRewardModel

PLAN = "plan"  # the verifiable component
OVERALL = "overall"
CAUTION = 1.0  # standard deviations of disagreement between reward models that are taken off

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reply:
    """What the policy said in one scenario: plan (T,) as numbers of emotions, codes (T, 2, 5) as levels."""

    scenario: Scenario
    plan: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]

    @property
    def plan_score(self) -> float:
        """Share of the turns whose plan names what the user feels."""
        return float(np.mean([EMOTIONS[told] == felt for told, felt in zip(self.plan, self.scenario.arc, strict=True)]))


class Scorer(Protocol):
    """Scores of replies by M judges on D dimensions, and what a difference of scores means."""

    @property
    def dimensions(self) -> tuple[str, ...]: ...

    def scores(self, replies: Sequence[Reply]) -> Scores:
        """(M, N, D); only differences within a scenario mean anything."""

    def preference(self, scores_a: Scores, scores_b: Scores) -> Scores:
        """P(a beats b) with ties as half, of two arrays that broadcast to (M, …, D)."""


@dataclass(frozen=True)
class Rewards:
    """What B rollouts are worth.

    Args:
        components: name to (B,): what is trained on.
        means: the same before CAUTION is taken off: of the reference itself 0.5, however many judges there are.
        disagreement: sample standard deviation of the judges' probabilities, averaged; 0 for one judge.
    """

    components: dict[str, Scores]
    means: dict[str, Scores]
    disagreement: float


RewardFunction = Callable[[Sequence[Reply], Sequence[Reply]], Rewards]


@dataclass(frozen=True)
class PreferenceReward:
    """A RewardFunction: of B rollouts, in groups of one scenario each, and the reference replies of the same scenarios.

    With several judges the lower bound counts: their mean minus CAUTION standard deviations.
    """

    scorer: Scorer

    def __call__(self, rollouts: Sequence[Reply], references: Sequence[Reply]) -> Rewards:
        """Raises ValueError if the references are not equally many for each scenario, in the rollouts' order."""
        n_scenarios, n_references = _check_groups(rollouts, references)
        scores = self.scorer.scores([*rollouts, *references])  # (M, B + R, D)
        n_judges, _, n_dimensions = scores.shape
        own = scores[:, : len(rollouts)].reshape(n_judges, n_scenarios, -1, 1, n_dimensions)
        others = scores[:, len(rollouts) :].reshape(n_judges, n_scenarios, 1, n_references, n_dimensions)
        beats = self.scorer.preference(own, others).mean(3).reshape(n_judges, len(rollouts), n_dimensions)
        plan = {PLAN: np.array([reply.plan_score for reply in rollouts])}
        means, spreads = (
            {name: values[:, place] for place, name in enumerate(self.scorer.dimensions)}
            for values in (beats.mean(0), beats.std(0))
        )
        bounds = {name: means[name] - CAUTION * spreads[name] for name in means}
        disagreement = float(beats.std(0, ddof=1).mean()) if n_judges > 1 else 0.0
        return Rewards(bounds | plan, means | plan, disagreement)


def _check_groups(rollouts: Sequence[Reply], references: Sequence[Reply]) -> tuple[int, int]:
    order = list(dict.fromkeys(reply.scenario.scenario_id for reply in rollouts))
    n_references = len(references) // max(1, len(order))
    found = [reply.scenario.scenario_id for reply in references]
    if not n_references or found != [name for name in order for _ in range(n_references)]:
        raise ValueError(
            f"{len(references)} reference replies do not fit {len(rollouts)} rollouts of {len(order)} scenarios; "
            "give equally many for each scenario, in the rollouts' order."
        )
    return len(order), n_references


class Sound(Protocol):
    """How replies are heard: by the surrogate, without synthesis, or rendered."""

    def features(self, replies: Sequence[Reply]) -> list[DialogueFeatures]: ...


@dataclass(frozen=True)
class RewardModels:
    """A Scorer: one reward model or several, on the same sound.

    Raises:
        ValueError: if they do not judge the same dimensions.
    """

    models: Sequence[LoadedRewardModel]
    sound: Sound

    def __post_init__(self) -> None:
        if len({model.dimensions for model in self.models}) != 1:
            found = "; ".join(", ".join(model.dimensions) for model in self.models)
            raise ValueError(f"The reward models judge different dimensions ({found}); give models of one rubric.")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The rubric's, with overall last."""
        return self.models[0].dimensions

    def scores(self, replies: Sequence[Reply]) -> Scores:
        """(M, N, D) in logits."""
        features = self.sound.features(replies)
        return np.stack([model.score_features(features) for model in self.models])

    def preference(self, scores_a: Scores, scores_b: Scores) -> Scores:
        """By each model's own thresholds."""
        a, b = np.broadcast_arrays(scores_a, scores_b)
        judged = [
            np.stack([model.preference(a[number], b[number], name) for name in self.dimensions], axis=-1)
            for number, model in enumerate(self.models)
        ]
        return np.stack(judged)
