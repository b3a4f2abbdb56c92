"""How well a reward model foretells people's votes on scenarios that it has not heard. See docs/reward-model.md."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from earshot.estimation import Ceiling, ceiling_from_votes
from rewardmodel.learning.checkpoint import load_checkpoint
from rewardmodel.learning.features import DialogueFeatures
from rewardmodel.learning.figures import accuracy, mean_by_scenario, rank_correlation, reliability
from rewardmodel.learning.judgments import Judgments, audio_of_dialogues, load_features, places_of, read_judgments
from rewardmodel.learning.loss import LEVELS, MOST
from rewardmodel.learning.scoring import LoadedRewardModel

HELD_OUT = "held-out"
PRACTICE_SCENARIO = re.compile(r"practice-(.+)-[a-z]+-[0-9]+")  # text, arc, openers: see docs/practice-world.md

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def evaluate(
    model: Path,
    snapshot: Path,
    *,
    split: str = HELD_OUT,
    include_trained: bool = False,
    cache: Path | None = None,
) -> dict[str, Any]:
    """The report on one split of a snapshot: per head accuracy beside the ceiling, calibration, baselines.

    Args:
        split: `held-out` is every scenario that the model was not trained on.
        include_trained: allow scenarios that it was trained on; the report says how many there were.
    Raises:
        ValueError, SnapshotError: if the model or the snapshot cannot be read, a head is unknown to the rubric, or the
            split holds scenarios that the model was trained on.
    """
    checkpoint = load_checkpoint(model)
    loaded = LoadedRewardModel(checkpoint.model)
    trained = set(checkpoint.training.get("scenarios", ()))
    judgments = _choose(read_judgments(snapshot, "all" if split == HELD_OUT else split), split, trained)
    known = trained & set(judgments.scenarios)
    if known and not include_trained:
        raise ValueError(
            f"{len(known)} of the {len(judgments.scenarios)} scenarios in split {split!r} were trained on "
            f"({min(known)!r} is one). Evaluate the held-out split, or add --include-trained."
        )
    if missing := [key for key in loaded.dimensions if key not in judgments.dimensions]:
        raise ValueError(f"The snapshot has no votes on {missing[0]!r}. Evaluate on a snapshot of the same rubric.")
    features = load_features(judgments, cache=cache, progress=(0.0, 0.9))
    scores = loaded.score_features(features)  # (dialogues, H)
    return {
        "snapshot": judgments.snapshot.manifest.id,
        "split": split,
        "scenarios": len(judgments.scenarios),
        "scenarios_trained_on": len(known),
        "judgments": len(judgments.judged),
        "left_out": dict(judgments.left_out),
        "trained_on_snapshot": checkpoint.training.get("snapshot"),
        "heads": {key: _head_report(loaded, judgments, scores, key) for key in loaded.dimensions},
        "baselines": {key: _baselines(judgments, features, key) for key in loaded.dimensions},
    }


def _choose(judgments: Judgments, split: str, trained: set[str]) -> Judgments:
    if split != HELD_OUT:
        return judgments
    kept = tuple(each for each in judgments.judged if each.scenario_id not in trained)
    if not kept:
        raise ValueError(
            f"All {len(judgments.scenarios)} scenarios of the snapshot {judgments.snapshot.folder} were trained on, so "
            "none can tell how the model does on others. Evaluate on a snapshot with other scenarios, train on the "
            "train split alone, or evaluate split 'all' with --include-trained."
        )
    return replace(judgments, judged=kept)


def _head_report(model: LoadedRewardModel, judgments: Judgments, scores: Floats, key: str) -> dict[str, Any]:
    rows, votes = _votes_on(judgments, key)
    if not len(rows):
        return {"accuracy": None, "reason": "no votes"}
    place = model.dimensions.index(key)
    a, b = places_of(judgments, list(audio_of_dialogues(judgments)))
    margin = scores[a[rows], place] - scores[b[rows], place]  # (n,)
    scenario = np.array([judgments.judged[row].scenario_id for row in rows])
    pair = np.array([judgments.judged[row].pair_id for row in rows])
    probabilities = vote_probabilities(margin, model.thresholds[place])  # (n, 7)
    wins, losses = probabilities[:, MOST + 1 :].sum(axis=1), probabilities[:, :MOST].sum(axis=1)
    calibration = reliability(wins / (wins + losses), votes)
    nats = -np.log(probabilities[np.arange(len(votes)), votes + MOST])
    return {
        "accuracy": accuracy(margin, votes, scenario).as_json(),
        **_accuracy_by_text(margin, votes, scenario),
        "ceiling": _ceiling_json(ceiling_from_votes(pair, votes, scenario)),
        "nats_per_vote": mean_by_scenario(nats, scenario).as_json(),
        "nats_knowing_nothing": round(_nats_knowing_nothing(votes), 4),
        "ties": {"said": round(float(probabilities[:, MOST].mean()), 4), "was": round(float((votes == 0).mean()), 4)},
        "expected_calibration_error": calibration.expected_calibration_error,
        "reliability": list(calibration.table),
        "rank_correlation_with_cmos": _cmos_correlation(margin, votes, pair, scenario),
    }


def _accuracy_by_text(margin: Floats, votes: Ints, scenario: npt.NDArray[Any]) -> dict[str, Any]:
    """The same accuracy, its interval clustered by practice text; nothing where a scenario is of no practice text.

    Practice scenarios of one text share their words and differ in what the user feels: they hang together.
    """
    texts = [PRACTICE_SCENARIO.fullmatch(name) for name in scenario.tolist()]
    if not all(texts):
        return {}
    found = accuracy(margin, votes, np.array([text[1] for text in texts if text])).as_json()
    found["n_texts"] = found.pop("n_scenarios")
    return {"accuracy_by_text": {**found, "reason": found["reason"].replace("scenarios", "texts")}}


def _votes_on(judgments: Judgments, key: str) -> tuple[Ints, Ints]:
    """Places of the judgments that scored this dimension, and their votes."""
    rows = [place for place, each in enumerate(judgments.judged) if key in each.votes]
    return np.array(rows, np.int64), np.array([judgments.judged[row].votes[key] for row in rows], np.int64)


def vote_probabilities(margin: Floats, thresholds: Floats) -> Floats:
    """P of each vote −3 … +3: (n, 7) from margins (n,) and one head's thresholds (3,)."""
    cuts = np.concatenate([-thresholds[::-1], thresholds])
    below = (1 + np.tanh((cuts - margin[:, None]) / 2)) / 2  # (n, 6): σ(c − margin)
    edges = np.concatenate([np.zeros((len(margin), 1)), below, np.ones((len(margin), 1))], axis=1)
    return np.asarray(np.maximum(np.diff(edges, axis=1), 1e-12))


def _nats_knowing_nothing(votes: Ints) -> float:
    """Of a guess that knows how often each strength of vote occurs, but neither side: what a model has to beat."""
    counts = np.bincount(np.concatenate([votes, -votes]) + MOST, minlength=LEVELS)
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _cmos_correlation(
    margin: Floats, votes: Ints, pair: npt.NDArray[Any], scenario: npt.NDArray[Any]
) -> dict[str, Any]:
    _, first, of_pair = np.unique(pair, return_index=True, return_inverse=True)
    cmos = np.bincount(of_pair, weights=votes) / np.bincount(of_pair)
    return rank_correlation(margin[first], cmos, scenario[first]).as_json()


def _ceiling_json(ceiling: Ceiling) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(ceiling).items()}


def _baselines(judgments: Judgments, features: Sequence[DialogueFeatures], key: str) -> Mapping[str, Any]:
    """What a listener who only measured would reach: "the longer, louder, more changed one is better"."""
    rows, votes = _votes_on(judgments, key)
    scenario = np.array([judgments.judged[row].scenario_id for row in rows])
    pairs = [judgments.pairs[judgments.judged[row].pair_id] for row in rows]
    a, b = places_of(judgments, list(audio_of_dialogues(judgments)))
    size = size_of_change(judgments, features)
    longer = np.array([pair.seconds_a - pair.seconds_b for pair in pairs])
    louder = np.array([pair.lufs_a + pair.gain_db_a - pair.lufs_b - pair.gain_db_b for pair in pairs])
    return {
        "longer": accuracy(longer, votes, scenario).as_json(),
        "louder": accuracy(louder, votes, scenario).as_json(),
        "further_from_the_scenario_mean": accuracy(size[a[rows]] - size[b[rows]], votes, scenario).as_json(),
    }


def size_of_change(judgments: Judgments, features: Sequence[DialogueFeatures]) -> Floats:
    """How far each dialogue's replies lie from the mean of its scenario's dialogues, in standard deviations: (n,)."""
    described = [each.descriptors[~each.is_user] for each in features]
    scale = np.concatenate(described).std(axis=0) + 1e-6
    scenario = _scenario_of_dialogues(judgments)
    n_replies = Counter(zip(scenario, map(len, described), strict=True))
    size = np.zeros(len(features))
    for group in n_replies:  # dialogues of unequal numbers of replies have no common mean
        members = [
            place for place, known in enumerate(scenario) if known == group[0] and len(described[place]) == group[1]
        ]
        stacked = np.stack([described[place] for place in members]) / scale
        size[members] = np.sqrt(((stacked - stacked.mean(axis=0)) ** 2).mean(axis=(1, 2)))
    return size


def _scenario_of_dialogues(judgments: Judgments) -> list[str]:
    scenario: dict[str, str] = {}
    for each in judgments.judged:
        scenario[each.dialogue_a] = scenario[each.dialogue_b] = each.scenario_id
    return [scenario[dialogue] for dialogue in audio_of_dialogues(judgments)]
