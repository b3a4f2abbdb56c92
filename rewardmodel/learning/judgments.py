"""A snapshot as the reward model learns from it: pairs of dialogues with votes, and the features of every dialogue."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from earshot.formats.snapshot import JudgmentRow, PairRow, ScoreRow, Snapshot, TurnRow, read_snapshot
from rewardmodel.learning.distributed import report
from rewardmodel.learning.features import DialogueFeatures, TurnInput, turn_features
from rewardmodel.learning.sounds import frames_of_file

KINDS = ("regular", "repeat")  # what people compared; gold, identical and spoken checks tell about raters
SPLITS = ("train", "validation", "test", "all")

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class NoJudgments(ValueError):
    """The snapshot is whole, but nothing in this split of it was scored."""


@dataclass(frozen=True)
class JudgedPair:
    """One judgment: which dialogues, and how the rater voted per dimension (−3 … +3, positive favours a)."""

    judgment_id: str
    pair_id: str
    scenario_id: str
    rater: str
    dialogue_a: str
    dialogue_b: str
    side: int  # +1 where a was shown on the left, −1 on the right
    votes: Mapping[str, int]  # by dimension; missing where nothing was scored


@dataclass(frozen=True, eq=False)
class Judgments:
    """The judgments of one split of a snapshot, and what became of the rest."""

    snapshot: Snapshot
    dimensions: tuple[str, ...]
    judged: tuple[JudgedPair, ...]
    pairs: Mapping[str, PairRow]
    left_out: Mapping[str, int]  # reason → judgments; "both_bad" and "cannot_tell" count scores

    @property
    def scenarios(self) -> tuple[str, ...]:
        return tuple(sorted({each.scenario_id for each in self.judged}))

    def vote_table(self) -> tuple[Ints, Bools]:
        """Votes (n, H), 0 where nothing was scored, and whether something was."""
        votes = np.array([[each.votes.get(key, 0) for key in self.dimensions] for each in self.judged], np.int64)
        known = np.array([[key in each.votes for key in self.dimensions] for each in self.judged], np.bool_)
        shape = (len(self.judged), len(self.dimensions))
        return votes.reshape(shape), known.reshape(shape)

    def with_shuffled_votes(self, seed: int) -> "Judgments":
        """The control: every vote goes to another pair, turned round by a coin; nothing about sound decides it."""
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self.judged))
        signs = rng.choice([-1, 1], size=len(self.judged)).tolist()
        shuffled = [
            replace(each, votes={key: sign * value for key, value in self.judged[other].votes.items()})
            for each, other, sign in zip(self.judged, order.tolist(), signs, strict=True)
        ]
        return replace(self, judged=tuple(shuffled))


def read_judgments(folder: Path, split: str = "all") -> Judgments:
    """The judgments of a snapshot's split.

    "Both bad" says that both are poor, not that they are equal: as a tie it would teach equality, and a difference of
    scores cannot hold it. It is left out and counted, and so is "cannot tell".

    Raises:
        SnapshotError: if the folder is no whole snapshot.
        NoJudgments: for a split without a scored judgment.
        ValueError: for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")
    snapshot = read_snapshot(folder)
    pairs = {row.pair_id: row for row in snapshot.rows("pairs") if isinstance(row, PairRow)}
    votes: dict[str, dict[str, int]] = {}
    left_out: Counter[str] = Counter()
    kept = _kept_judgments(snapshot, pairs, split, left_out)
    for score in snapshot.rows("scores"):
        if not isinstance(score, ScoreRow) or score.judgment_id not in kept:
            continue
        if score.value is None:
            left_out[score.kind] += 1
        else:
            votes.setdefault(score.judgment_id, {})[score.dimension] = score.value
    judged = tuple(_judged_pair(row, pairs[row.pair_id], votes[id]) for id, row in kept.items() if id in votes)
    if not judged:
        raise NoJudgments(
            f"The snapshot {folder} has no scored judgment in its split {split!r}. "
            "Choose another split, or collect more."
        )
    return Judgments(snapshot, snapshot.manifest.dimensions, judged, pairs, dict(sorted(left_out.items())))


def _kept_judgments(
    snapshot: Snapshot, pairs: Mapping[str, PairRow], split: str, left_out: Counter[str]
) -> dict[str, JudgmentRow]:
    kept: dict[str, JudgmentRow] = {}
    for row in snapshot.rows("judgments"):
        assert isinstance(row, JudgmentRow)
        if row.pair_kind not in KINDS:
            left_out[row.pair_kind] += 1
        elif row.quality == "fail":
            left_out["quality_fail"] += 1
        elif split not in ("all", pairs[row.pair_id].split):
            left_out["other_split"] += 1
        else:
            kept[row.judgment_id] = row
    return kept


def _judged_pair(row: JudgmentRow, pair: PairRow, votes: Mapping[str, int]) -> JudgedPair:
    return JudgedPair(
        judgment_id=row.judgment_id,
        pair_id=row.pair_id,
        scenario_id=pair.scenario_id,
        rater=row.rater,
        dialogue_a=pair.dialogue_a,
        dialogue_b=pair.dialogue_b,
        side=1 if row.side_left == "a" else -1,
        votes=votes,
    )


def audio_of_dialogues(judgments: Judgments) -> dict[str, str]:
    """The sha256 of the sound of every judged dialogue, sorted by dialogue_id."""
    found: dict[str, str] = {}
    for pair_id in {each.pair_id for each in judgments.judged}:
        pair = judgments.pairs[pair_id]
        found |= {pair.dialogue_a: pair.audio_sha256_a, pair.dialogue_b: pair.audio_sha256_b}
    return dict(sorted(found.items()))


def turns_of_dialogues(snapshot: Snapshot, dialogues: Iterable[str]) -> dict[str, list[TurnInput]]:
    """The turns of these dialogues. Raises ValueError for a dialogue without turns or without their times."""
    turns: dict[str, list[TurnInput]] = {dialogue: [] for dialogue in dialogues}
    for row in snapshot.rows("turns"):
        assert isinstance(row, TurnRow)
        if row.dialogue_id not in turns:
            continue
        if row.start is None or row.end is None:
            raise ValueError(
                f"Turn {row.turn} of dialogue {row.dialogue_id!r} has no times. Import the dialogue with times."
            )
        turns[row.dialogue_id].append(TurnInput(row.role, row.start, row.end, row.text))
    for dialogue, found in turns.items():
        if not found:
            raise ValueError(f"Dialogue {dialogue!r} has no turns in the snapshot. Make the snapshot again.")
    return turns


def load_features(judgments: Judgments, *, cache: Path | None, progress: tuple[float, float]) -> list[DialogueFeatures]:
    """Features of every judged dialogue, in the order of `audio_of_dialogues`; one sound in memory at a time.

    Args:
        progress: from where to where this moves the job's progress.
    """
    sounds = audio_of_dialogues(judgments)
    turns = turns_of_dialogues(judgments.snapshot, sounds)
    first, last = progress
    features = []
    for number, (dialogue, sha256) in enumerate(sounds.items()):
        if number % 20 == 0:
            share = number / len(sounds)
            report(first + (last - first) * share, f"hearing dialogue {number + 1} of {len(sounds)}")
        frames = frames_of_file(judgments.snapshot.audio_path(sha256), cache=cache, sha256=sha256)
        try:
            features.append(turn_features(frames, turns[dialogue]))
        except ValueError as error:
            raise ValueError(f"Dialogue {dialogue!r}: {error}") from error
    return features


def places_of(judgments: Judgments, dialogues: Sequence[str]) -> tuple[Ints, Ints]:
    """Which of `dialogues` are side a and side b of every judgment: two arrays (n,)."""
    place = {dialogue: index for index, dialogue in enumerate(dialogues)}
    a = np.array([place[each.dialogue_a] for each in judgments.judged], np.int64)
    b = np.array([place[each.dialogue_b] for each in judgments.judged], np.int64)
    return a, b
