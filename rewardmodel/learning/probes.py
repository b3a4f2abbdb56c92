"""What must not move a score: loudness, silence at the ends, the order of the sides, the vocoder's own sound.

Every shift is given in units of the spread of scores within a scenario, so that 1 is as much as between two dialogues
that people compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr
from scipy.stats import spearmanr

from earshot.acoustics.decoding import read_sound
from earshot.acoustics.vocoder import Prosody, analyse, render
from rewardmodel.learning.checkpoint import load_checkpoint
from rewardmodel.learning.distributed import report
from rewardmodel.learning.evaluation import size_of_change
from rewardmodel.learning.features import RATE, DialogueFeatures, TurnInput, frames_of, turn_features
from rewardmodel.learning.judgments import (
    Judgments,
    audio_of_dialogues,
    load_features,
    places_of,
    read_judgments,
    turns_of_dialogues,
)
from rewardmodel.learning.scoring import LoadedRewardModel, Scores

LOUDER_DB = 6.0
SILENCE_SECONDS = 1.507  # not a whole number of frames
LONGER_GAP_SECONDS = 1.0
FULL_SCALE = 1.0
VOCODER = "vocoder"

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Spoken:
    """A dialogue's sound at 16 kHz and its turns."""

    samples: Samples
    turns: tuple[TurnInput, ...]

    def features(self) -> DialogueFeatures:
        return turn_features(frames_of(self.samples), self.turns)


def probe(
    model: Path, snapshot: Path, *, dialogues: int = 48, vocoder_dialogues: int = 12, cache: Path | None = None
) -> dict[str, Any]:
    """Change dialogues in ways that should not matter and say how far the scores move.

    Args:
        dialogues: how many to change; those of scenarios that the model was not trained on come first.
        vocoder_dialogues: how many of them to synthesise again.
    Raises:
        ValueError, SnapshotError: if the model or the snapshot cannot be read.
    """
    checkpoint = load_checkpoint(model)
    loaded = LoadedRewardModel(checkpoint.model)
    judgments = read_judgments(snapshot)
    trained = set(checkpoint.training.get("scenarios", ()))
    features = load_features(judgments, cache=cache, progress=(0.0, 0.4))
    scores = loaded.score_features(features)
    spread = within_scenario_spread(judgments, scores)  # (H,)
    chosen = _choose(judgments, trained, dialogues)
    changed = _changed_features(judgments, chosen, vocoder_dialogues)
    original = loaded.score_features(changed.pop("nothing"))
    shifts = {
        name: _shift_report(loaded, original[: len(heard)], loaded.score_features(heard), spread)
        for name, heard in changed.items()
        if heard
    }
    return {
        "unit": "standard deviations of scores within a scenario",
        "dialogues": len(chosen),
        "spread_in_logits": _by_head(loaded, spread),
        "shifts": shifts,
        "swapped_sides": _swap_report(loaded, judgments, scores),
        "size_of_change": _size_report(loaded, judgments, features, scores),
    }


def within_scenario_spread(judgments: Judgments, scores: Scores) -> Scores:
    """Standard deviation of scores within scenarios, pooled, per head: (H,)."""
    scenario = _scenarios(judgments)
    names, group = np.unique(scenario, return_inverse=True)
    counts = np.bincount(group)
    means = np.stack([np.bincount(group, weights=column) / counts for column in scores.T], axis=1)
    freedom = max(len(scores) - len(names), 1)
    return np.asarray(np.sqrt(((scores - means[group]) ** 2).sum(axis=0) / freedom)) + 1e-9


def _scenarios(judgments: Judgments) -> npt.NDArray[Any]:
    scenario: dict[str, str] = {}
    for each in judgments.judged:
        scenario[each.dialogue_a] = scenario[each.dialogue_b] = each.scenario_id
    return np.array([scenario[dialogue] for dialogue in audio_of_dialogues(judgments)])


def _choose(judgments: Judgments, trained: set[str], count: int) -> list[str]:
    scenario = dict(zip(audio_of_dialogues(judgments), _scenarios(judgments).tolist(), strict=True))
    return sorted(scenario, key=lambda dialogue: (scenario[dialogue] in trained, dialogue))[:count]


def _changed_features(
    judgments: Judgments, chosen: Sequence[str], vocoder_dialogues: int
) -> dict[str, list[DialogueFeatures]]:
    """Features of the chosen dialogues by what was done to them; one sound in memory at a time."""
    sounds = audio_of_dialogues(judgments)
    turns = turns_of_dialogues(judgments.snapshot, chosen)
    found: dict[str, list[DialogueFeatures]] = {name: [] for name in ("nothing", *CHANGES, VOCODER)}
    for number, dialogue in enumerate(chosen):
        report(0.4 + 0.6 * number / len(chosen), f"changing dialogue {number + 1} of {len(chosen)}")
        sound = read_sound(judgments.snapshot.audio_path(sounds[dialogue]))
        samples = sound.samples if sound.rate == RATE else soxr.resample(sound.samples, sound.rate, RATE, quality="HQ")
        spoken = Spoken(samples, tuple(turns[dialogue]))
        found["nothing"].append(spoken.features())
        for name, change in CHANGES.items():
            found[name].append(change(spoken).features())
        if number < vocoder_dialogues:
            found[VOCODER].append(resynthesised(spoken).features())
    return found


def louder(spoken: Spoken) -> Spoken:
    return replace(spoken, samples=spoken.samples * np.float32(10 ** (LOUDER_DB / 20)))


def louder_and_clipped(spoken: Spoken) -> Spoken:
    """As loud as a file that cannot hold more than full scale."""
    return replace(spoken, samples=np.clip(louder(spoken).samples, -FULL_SCALE, FULL_SCALE))


def padded(spoken: Spoken) -> Spoken:
    """Silence before and after, the turns' times moved along."""
    silence = np.zeros(round(SILENCE_SECONDS * RATE), np.float32)
    turns = [replace(turn, start=turn.start + SILENCE_SECONDS, end=turn.end + SILENCE_SECONDS) for turn in spoken.turns]
    return Spoken(np.concatenate([silence, spoken.samples, silence]), tuple(turns))


def longer_end_gaps(spoken: Spoken) -> Spoken:
    """The first turn is said to begin, and the last to end, a second too early and too late."""
    wide = padded(spoken)
    first, *rest = wide.turns
    turns = [replace(first, start=max(0.0, first.start - LONGER_GAP_SECONDS)), *rest]
    turns[-1] = replace(turns[-1], end=turns[-1].end + LONGER_GAP_SECONDS)
    return replace(wide, turns=tuple(turns))


def resynthesised(spoken: Spoken) -> Spoken:
    """Taken apart by the vocoder and put together with nothing changed."""
    again = render(analyse(spoken.samples.astype(np.float64), RATE), Prosody())
    samples = np.zeros_like(spoken.samples)
    length = min(len(again), len(samples))
    samples[:length] = again[:length]
    return replace(spoken, samples=samples)


CHANGES: dict[str, Callable[[Spoken], Spoken]] = {
    "louder_by_6_db": louder,
    "louder_by_6_db_and_clipped": louder_and_clipped,
    "silence_at_both_ends": padded,
    "longer_gaps_at_the_ends": longer_end_gaps,
}


def _shift_report(model: LoadedRewardModel, before: Scores, after: Scores, spread: Scores) -> dict[str, Any]:
    """How far scores moved, from (n, H) to (n, H)."""
    shift = (after - before) / spread  # (n, H)
    error = shift.std(axis=0, ddof=1) / np.sqrt(len(shift)) if len(shift) > 1 else np.full(shift.shape[1], np.nan)
    return {
        key: {
            "mean": round(float(shift[:, place].mean()), 4),
            "standard_error": round(float(error[place]), 4) if np.isfinite(error[place]) else None,
            "largest": round(float(np.abs(shift[:, place]).max()), 4),
            "changed_preferred": round(float(model.preference(after, before, key).mean()), 4),
            "n": len(shift),
        }
        for place, key in enumerate(model.dimensions)
    }


def _swap_report(model: LoadedRewardModel, judgments: Judgments, scores: Scores) -> dict[str, float]:
    """The largest |P(a) + P(b) − 1| when every pair is asked in both orders, ties as half: nought by construction."""
    a, b = places_of(judgments, list(audio_of_dialogues(judgments)))
    return {
        key: float(
            np.abs(model.preference(scores[a], scores[b], key) + model.preference(scores[b], scores[a], key) - 1).max()
        )
        for key in model.dimensions
    }


def _size_report(
    model: LoadedRewardModel, judgments: Judgments, features: Sequence[DialogueFeatures], scores: Scores
) -> dict[str, float | None]:
    """Spearman's ρ between a score's and a change's distance from their scenario's mean; near nought is good."""
    size = size_of_change(judgments, features)
    group = np.unique(_scenarios(judgments), return_inverse=True)[1]
    counts = np.bincount(group)

    def within(values: Scores) -> Scores:
        return np.asarray(values - (np.bincount(group, weights=values) / counts)[group])

    found = {
        key: float(spearmanr(within(scores[:, place]), within(size)).statistic)
        for place, key in enumerate(model.dimensions)
    }
    return {key: round(value, 4) if np.isfinite(value) else None for key, value in found.items()}


def _by_head(model: LoadedRewardModel, values: Scores) -> dict[str, float]:
    return dict(zip(model.dimensions, values.round(4).tolist(), strict=True))
