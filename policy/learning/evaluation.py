"""New policy against reference on held-out scenarios, on rendered sound.

Gains are in units of the reference's within-scenario standard deviation, paired by scenario, with an interval that
takes the scenarios of one text to hang together. Beside them: the divergence, the plan's accuracy, what the guards
measure, a hidden truth where the caller has one, and two rivals that need no training: the best of n reference replies
at the same divergence, and the reference at the temperature that gives it the new policy's entropy.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from policy.learning.hearing import Heard
from policy.learning.kl import divergence_of
from policy.learning.measures import together
from policy.learning.model import ProsodyPolicy
from policy.learning.reward import OVERALL, Reply, Sound
from policy.learning.sampling import Sampled, sample, uniforms
from policy.learning.scenarios import Scenario
from policy.learning.sharpening import sharpened, temperature_for
from policy.learning.stream import GENERATED, PromptEncoder, Prompts
from rewardmodel.learning.figures import mean_by_scenario
from rewardmodel.learning.scoring import LoadedRewardModel

MOST_BEST_OF = 512
SAMPLED_AT_ONCE = 256
SPEAKING = 0.8  # of the time, where best-of-n is tried too
HEARD_AT_ONCE = 32  # replies, between two words of progress

Floats = npt.NDArray[np.float64]
Truth = Callable[[Mapping[str, Any], Sequence[str]], Mapping[str, float]]
Report = Callable[[float, str], object]  # how far, 0…1, and what is being done


class Hearing(Protocol):
    """Renders replies and measures them."""

    def hear(self, replies: Sequence[Reply], *, measured: bool = False) -> list[Heard]: ...


@dataclass(frozen=True)
class EvaluationConfig:
    """How much is spoken."""

    seed: int = 0
    rollouts: int = 4  # of each scenario by the new policy
    references: int = 8  # of each scenario by the reference; its spread is the unit
    best_of: bool = True  # whether to try best-of-n from the reference at equal divergence
    rival_scenarios: int = 10  # that the rivals are tried on

    def __post_init__(self) -> None:
        if self.references < 8 or self.rollouts < 1:
            raise ValueError(
                f"{self.references} reference replies and {self.rollouts} new ones of each scenario were asked for; "
                "take at least 8 and 1, or the unit of the gain is too uncertain."
            )


@dataclass(frozen=True)
class Judges:
    """Who scores: the reward models of the training, one that is apart, and a truth that no model may read."""

    models: Sequence[LoadedRewardModel]
    held_out: LoadedRewardModel | None = None
    truth: Truth | None = None


@dataclass(frozen=True)
class Speakers:
    """Two policies, and how they are heard; `quick` scores the many candidates of best-of-n without synthesis."""

    policy: ProsodyPolicy
    reference: ProsodyPolicy
    encoder: PromptEncoder
    hearing: Hearing
    quick: Sound


@dataclass
class _Scored:
    """Scores of replies (S scenarios × K), by judge; heard as they were."""

    replies: list[Reply]
    heard: list[Heard]
    scores: dict[str, dict[str, Floats]] = field(default_factory=dict)  # judge, head to (S, K)


def evaluate(
    config: EvaluationConfig,
    scenarios: Sequence[Scenario],
    speakers: Speakers,
    judges: Judges,
    report: Report = lambda share, message: None,
) -> dict[str, Any]:
    """The report, plain JSON; its keys are explained in docs/policy.md.

    Args:
        report: is told how far it is.
    Raises:
        ValueError: if there are no scenarios.
    """
    prompts = speakers.encoder.encode(scenarios)
    new_prompts = prompts.repeated(config.rollouts)
    chance = uniforms(len(new_prompts), prompts.n_exchanges, config.seed, "evaluate policy")
    divergence, said = divergence_of(speakers.policy, speakers.reference, new_prompts, chance)
    before = sample(
        speakers.reference,
        prompts.repeated(config.references),
        uniforms(len(prompts) * config.references, prompts.n_exchanges, config.seed, "evaluate reference"),
    )
    whole = SPEAKING if config.best_of else 1.0
    spoken = whole * len(said.ids) / (len(said.ids) + len(before.ids))
    new = _score(_replies(scenarios, said), len(scenarios), speakers, judges, _within(report, 0.0, spoken))
    old = _score(_replies(scenarios, before), len(scenarios), speakers, judges, _within(report, spoken, whole))
    texts = np.array([scenario.text.text_id for scenario in scenarios])
    told: dict[str, Any] = {
        "n_scenarios": len(scenarios),
        "n_texts": len(set(texts)),
        "texts": sorted({scenario.text.text_id for scenario in scenarios}),
        "rollouts": config.rollouts,
        "references": config.references,
        "seed": config.seed,
        "kl_nats_per_token": round(divergence.total, 5),
        "kl": {"plan": round(divergence.plan, 5), "codes": round(divergence.codes, 5)},
        "entropy": round(divergence.entropy, 4),
        "plan_accuracy": _plan_accuracy(new.replies, old.replies, len(scenarios), texts),
        "sound": {"policy": _sound(new.heard), "reference": _sound(old.heard)},
    }
    for judge, scores in new.scores.items():
        gains = {head: gain_in_sd(scores[head], old.scores[judge][head], texts) for head in scores}
        told |= {f"{judge}_gains_sd": gains, f"{judge}_gain_sd": gains.get(OVERALL, next(iter(gains.values())))}
    told["reward_before"] = round(float(old.scores["reward"][OVERALL].mean()), 4)
    told["reward_after"] = round(float(new.scores["reward"][OVERALL].mean()), 4)
    rows = np.unique(np.linspace(0, len(scenarios) - 1, min(config.rival_scenarios, len(scenarios))).astype(int))
    temperature = temperature_for(speakers.reference, divergence.entropy, new_prompts, chance)
    told["sharpened"] = _sharpened(config, scenarios, rows, speakers, judges, temperature, old)
    if config.best_of:
        told["best_of_n"] = _best_of_n(
            config, scenarios, rows, speakers, judges, divergence.total, old, _within(report, SPEAKING, 1.0)
        )
    return told


def _within(report: Report, begin: float, end: float) -> Report:
    return lambda share, message: report(begin + (end - begin) * share, message)


def best_of_for(divergence: float) -> int:
    """The n whose best-of-n diverges by so many nats a dialogue: log n − (n − 1)/n, at most MOST_BEST_OF."""
    return next((n for n in range(1, MOST_BEST_OF) if best_of_divergence(n + 1) > divergence), MOST_BEST_OF)


def best_of_divergence(n: int) -> float:
    """Nats a dialogue, an upper bound. Source: Beirami et al. (2024), arXiv 2401.01879."""
    return math.log(n) - (n - 1) / n


def _replies(scenarios: Sequence[Scenario], sampled: Sampled) -> list[Reply]:
    each = len(sampled.ids) // len(scenarios)
    owners = [scenario for scenario in scenarios for _ in range(each)]
    return [Reply(*said) for said in zip(owners, sampled.plan, sampled.codes, strict=True)]


def _score(
    replies: list[Reply],
    n_scenarios: int,
    speakers: Speakers,
    judges: Judges,
    report: Report = lambda share, message: None,
) -> _Scored:
    heard: list[Heard] = []
    for first in range(0, len(replies), HEARD_AT_ONCE):
        report(first / len(replies), f"Speaking and hearing reply {first + 1} of {len(replies)}")
        heard += speakers.hearing.hear(replies[first : first + HEARD_AT_ONCE], measured=True)
    found = _Scored(replies, heard)
    features = [one.features for one in heard]
    models = {"reward": judges.models} | ({"held_out": [judges.held_out]} if judges.held_out else {})
    for judge, group in models.items():
        scores = np.mean([model.score_features(features) for model in group], axis=0)  # (N, heads)
        heads = enumerate(group[0].dimensions)
        found.scores[judge] = {head: scores[:, place].reshape(n_scenarios, -1) for place, head in heads}
    if judges.truth:
        told = [judges.truth(one.delivery, said.scenario.arc) for one, said in zip(heard, replies, strict=True)]
        found.scores["truth"] = {
            head: np.array([utility[head] for utility in told]).reshape(n_scenarios, -1) for head in told[0]
        }
    return found


def within_sd(scores: Floats) -> float:
    """The within-scenario standard deviation of (S, R)."""
    return math.sqrt(scores.var(1, ddof=1).mean())


def gain_in_sd(new: Floats, old: Floats, texts: npt.NDArray[Any], unit: float | None = None) -> dict[str, Any]:
    """The mean over scenarios of new (S, K) minus old (S, R), in `unit`; in the old's within_sd if none is given."""
    unit = within_sd(old) if unit is None else unit
    if unit == 0:
        return {"value": None, "low": None, "high": None, "unit": 0.0, "n": len(new)}
    return {**_figure((new.mean(1) - old.mean(1)) / unit, texts), "unit": round(unit, 4)}


def _figure(values: Floats, texts: npt.NDArray[Any]) -> dict[str, Any]:
    told = mean_by_scenario(values, texts).as_json()  # clustered by text: its scenarios share their words
    return {"value": told["value"], "low": told["low"], "high": told["high"], "n": told["n"]}


def _plan_accuracy(new: Sequence[Reply], old: Sequence[Reply], n: int, texts: npt.NDArray[Any]) -> dict[str, Any]:
    after, before = (np.array([reply.plan_score for reply in said]).reshape(n, -1) for said in (new, old))
    change = _figure(after.mean(1) - before.mean(1), texts)
    return {"policy": round(float(after.mean()), 4), "reference": round(float(before.mean()), 4), "change": change}


def _sound(heard: Sequence[Heard]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in together([one.measures for one in heard]).items()}


def _sharpened(
    config: EvaluationConfig,
    scenarios: Sequence[Scenario],
    rows: npt.NDArray[np.int64],
    speakers: Speakers,
    judges: Judges,
    temperature: float,
    old: _Scored,
) -> dict[str, Any]:
    """The rival that learned nothing: the reference, as little varied as the policy has become."""
    chosen = [scenarios[row] for row in rows]
    prompts = speakers.encoder.encode(chosen).repeated(config.rollouts)
    chance = uniforms(len(prompts), prompts.n_exchanges, config.seed, "evaluate sharpened")
    divergence, said = divergence_of(sharpened(speakers.reference, temperature), speakers.reference, prompts, chance)
    scored = _score(_replies(chosen, said), len(chosen), speakers, judges)
    found: dict[str, Any] = {"temperature": round(temperature, 4), "entropy": round(divergence.entropy, 4)}
    found |= {"kl_nats_per_token": round(divergence.total, 5), "n_scenarios": len(chosen)}
    return found | _rival_gains(scored, old, chosen, rows)


def _best_of_n(
    config: EvaluationConfig,
    scenarios: Sequence[Scenario],
    rows: npt.NDArray[np.int64],
    speakers: Speakers,
    judges: Judges,
    divergence: float,
    old: _Scored,
    report: Report,
) -> dict[str, Any]:
    """The rival that searches: the best of n reference replies by the same reward models, at the policy's divergence.

    Candidates are scored by the surrogate; the chosen ones are rendered and scored like all others.
    """
    chosen_scenarios = [scenarios[row] for row in rows]
    prompts = speakers.encoder.encode(chosen_scenarios)
    n = best_of_for(divergence * GENERATED * prompts.n_exchanges)
    best = []
    for place, scenario in enumerate(chosen_scenarios):
        report(place / len(chosen_scenarios), f"The rival: best of {n} in scenario {place + 1}")
        best.append(_best(speakers, judges, prompts.rows([place]), scenario, n, config.seed))
    scored = _score(best, len(best), speakers, judges)
    per_token = best_of_divergence(n) / (GENERATED * prompts.n_exchanges)
    found: dict[str, Any] = {"n": n, "kl_nats_per_token": round(per_token, 5), "n_scenarios": len(best)}
    return found | _rival_gains(scored, old, chosen_scenarios, rows)


def _rival_gains(
    scored: _Scored, old: _Scored, scenarios: Sequence[Scenario], rows: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """In the policy's unit: the reference's spread within all scenarios, though a rival is tried on fewer."""
    texts = np.array([scenario.text.text_id for scenario in scenarios])
    gains = {}
    for judge, scores in scored.scores.items():
        before = old.scores[judge][OVERALL]
        gains[f"{judge}_gain_sd"] = gain_in_sd(scores[OVERALL], before[rows], texts, within_sd(before))
    return gains


def _best(speakers: Speakers, judges: Judges, prompt: Prompts, scenario: Scenario, n: int, seed: int) -> Reply:
    candidates: list[Reply] = []
    for first in range(0, n, SAMPLED_AT_ONCE):
        rows = min(SAMPLED_AT_ONCE, n - first)
        chance = uniforms(rows, prompt.n_exchanges, seed, "best of n", scenario.scenario_id, first)
        candidates += _replies([scenario], sample(speakers.reference, prompt.repeated(rows), chance))
    features = speakers.quick.features(candidates)
    place = judges.models[0].dimensions.index(OVERALL)
    scores = np.mean([model.score_features(features)[:, place] for model in judges.models], axis=0)
    return candidates[int(scores.argmax())]
