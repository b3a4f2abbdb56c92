"""The rows of a dataset snapshot: one dataclass per table, one field per column, in order. See docs/formats.md."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

SCHEMA_VERSION = 1
Side: TypeAlias = Literal["a", "b"]


class SnapshotError(ValueError):
    """The rows cannot be a snapshot, or the folder is not the snapshot that it says it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgmentRow:
    """One annotator's verdict on one pair. Times in seconds; the scores stand in their own table."""

    judgment_id: str
    study_id: str
    rubric_version: int
    pair_id: str
    pair_kind: Literal["regular", "gold", "identical", "repeat", "spoken_check"]
    rater: str  # a pseudonym, stable inside a snapshot family only
    is_simulated: bool
    is_late: bool
    side_left: Side  # the dialogue that was shown left
    heard_first: Side  # the dialogue that was played first
    confidence: int | None
    reason: str
    coverage_a: float | None  # share of the side's speech that was heard, 0 … 1; None where nothing was recorded
    coverage_b: float | None
    seconds_a: float | None  # listened to
    seconds_b: float | None
    judging_seconds: float | None  # from opening to submitting
    stalls: int
    transcript_condition: str
    headphones: Literal["passed", "failed", "unknown"]
    quality: Literal["pass", "fail", "unknown"]
    quality_reasons: tuple[str, ...]
    selection_probability: float | None
    created_at: datetime
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """One judgment's score on one dimension: −3 … +3, positive favours dialogue_a; None unless the kind is scored."""

    judgment_id: str
    dimension: str
    value: int | None
    kind: Literal["scored", "both_bad", "cannot_tell"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkRow:
    """A good or a bad moment that a rater marked, `seconds` after the dialogue's beginning."""

    judgment_id: str
    dialogue_id: str
    turn: int
    seconds: float
    dimension: str | None
    polarity: Literal["good", "bad"]
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRow:
    """Two dialogues of one scenario, with their sound as it was played. `split` is filled in when it is written."""

    pair_id: str
    scenario_id: str
    system_a: str
    system_b: str
    dialogue_a: str
    dialogue_b: str
    audio_sha256_a: str  # of the FLAC file in audio/
    audio_sha256_b: str
    seconds_a: float
    seconds_b: float
    lufs_a: float
    lufs_b: float
    gain_db_a: float
    gain_db_b: float
    split: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRow:
    """One turn of a dialogue; `turn` counts from 0. Times are None where none are known."""

    dialogue_id: str
    turn: int
    scenario_turn: int
    role: Literal["user", "assistant"]
    speaker: str
    start: float | None
    end: float | None
    text: str
    times_estimated: bool


Row: TypeAlias = JudgmentRow | ScoreRow | MarkRow | PairRow | TurnRow

ROW_TYPES: dict[str, type[Row]] = {
    "judgments": JudgmentRow,
    "marks": MarkRow,
    "pairs": PairRow,
    "scores": ScoreRow,
    "turns": TurnRow,
}
# What tells a table's rows apart. Two equal marks are two marks, so marks are sorted by everything and may repeat.
KEYS: dict[str, tuple[str, ...]] = {
    "judgments": ("judgment_id",),
    "marks": ("judgment_id", "dialogue_id", "turn", "seconds", "dimension", "polarity", "note"),
    "pairs": ("pair_id",),
    "scores": ("judgment_id", "dimension"),
    "turns": ("dialogue_id", "turn"),
}
DERIVED_COLUMNS: dict[str, frozenset[str]] = {"pairs": frozenset({"split"})}  # written, but outside the content id
