"""Scores of dialogues by a trained reward model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from earshot.formats.manifest import Dialogue, Manifest, read_manifest
from rewardmodel.learning.batch import collate, exchanges_of
from rewardmodel.learning.checkpoint import load_checkpoint
from rewardmodel.learning.features import DialogueFeatures, TurnInput, turn_features
from rewardmodel.learning.model import RewardModel
from rewardmodel.learning.sounds import frames_of_file

BATCH = 256  # dialogues at a time

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoadedRewardModel:
    """A reward model that only scores."""

    model: RewardModel

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the columns of the scores stand for; "overall" is the last."""
        return self.model.config.dimensions

    @property
    def thresholds(self) -> Scores:
        """Margins in logits at which a vote reaches 1, 2 and 3, (n_heads, 3)."""
        return self.model.thresholds.detach().numpy().astype(np.float64)

    def score_features(self, dialogues: Sequence[DialogueFeatures]) -> Scores:
        """Scores in logits, (B, n_heads). Only differences within a scenario mean anything."""
        scores = []
        for first in range(0, len(dialogues), BATCH):
            batch = collate([exchanges_of(features) for features in dialogues[first : first + BATCH]])
            with torch.inference_mode():
                scores.append(self.model(batch).double().numpy())
        return np.concatenate(scores) if scores else np.zeros((0, len(self.dimensions)))

    def score_manifest(self, folder: Path, *, cache: Path | None = None) -> dict[str, Scores]:
        """Scores (n_heads,) of every dialogue of a manifest, by dialogue_id.

        Raises:
            ManifestError, ValueError: if the manifest is wrong, or a dialogue lacks times or a sound of its own.
        """
        ids, features = [], []
        for dialogue, found in manifest_features(read_manifest(folder), cache=cache):
            ids.append(dialogue.dialogue_id)
            features.append(found)
        return dict(zip(ids, self.score_features(features), strict=True))

    def preference(self, score_a: Scores, score_b: Scores, head: str) -> Scores:
        """P(a beats b) with ties as half, from two arrays of scores (…, n_heads); shape (…).

        Raises:
            ValueError: if there is no such head.
        """
        if head not in self.dimensions:
            raise ValueError(f"The reward model has no head {head!r}; it has {', '.join(self.dimensions)}.")
        place = self.dimensions.index(head)
        return preference_from(score_a[..., place] - score_b[..., place], float(self.thresholds[place, 0]))


def preference_from(margin: Scores, first_threshold: float) -> Scores:
    """P(a beats b) + ½ P(tie) from the difference of two scores, same shape."""
    halves = (1.0 + np.tanh((margin - first_threshold) / 2)) / 2, (1.0 + np.tanh((margin + first_threshold) / 2)) / 2
    return np.asarray((halves[0] + halves[1]) / 2)


def load_reward_model(folder: Path) -> LoadedRewardModel:
    """Raises ValueError if the folder holds no reward model of this version."""
    return LoadedRewardModel(load_checkpoint(Path(folder)).model)


def manifest_features(manifest: Manifest, *, cache: Path | None = None) -> Iterator[tuple[Dialogue, DialogueFeatures]]:
    """Each dialogue of a manifest with its features, one sound in memory at a time."""
    for dialogue in manifest.dialogues:
        if dialogue.audio is None or not dialogue.has_times:
            raise ValueError(
                f"Dialogue {dialogue.dialogue_id!r} has no turn times or one sound per turn; "
                "import it first, and score the study's snapshot."
            )
        frames = frames_of_file(manifest.local_path(dialogue.audio), cache=cache)
        turns = [TurnInput(turn.role, turn.start or 0.0, turn.end or 0.0, turn.text) for turn in dialogue.turns]
        try:
            yield dialogue, turn_features(frames, turns)
        except ValueError as error:
            raise ValueError(f"Dialogue {dialogue.dialogue_id!r}: {error}") from error
