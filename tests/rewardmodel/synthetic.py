"""Snapshots of made-up speech: tones with harmonics in syllables, where one known property decides every vote."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
import soundfile

from earshot.formats.snapshot import JudgmentRow, PairRow, ScoreRow, TurnRow, write_snapshot

RATE = 16_000
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DIMENSIONS = ("prosody", "overall")
WORDS = ["we", "can", "look", "at", "this", "together", "and", "find", "a", "way"]


@dataclass(frozen=True)
class Manner:
    """How an assistant turn is spoken."""

    pitch: float = 180.0  # Hz
    spread: float = 2.0  # semitones
    level_db: float = -26.0
    syllable: float = 0.2  # seconds
    gap: float = 0.4  # seconds of silence before it


@dataclass(frozen=True)
class SpokenTurn:
    role: str
    start: float
    end: float
    text: str


def say(manner: Manner, n_syllables: int, rng: np.random.Generator) -> np.ndarray:
    """A voice-like tone whose F0 swings by `spread` around `pitch`, one swell per syllable: (N,) float32."""
    n = round(manner.syllable * RATE)
    bends = manner.spread * rng.standard_normal(n_syllables + 1)
    bends -= bends.mean()
    tones = np.interp(np.arange(n * n_syllables) / n, np.arange(n_syllables + 1), bends)
    phase = 2 * np.pi * np.cumsum(manner.pitch * 2 ** (tones / 12)) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 11))
    swell = np.tile(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 0.5, n_syllables)
    return (10 ** (manner.level_db / 20) * sound * swell).astype(np.float32)


def dialogue_of(manners: list[Manner], texts: list[str], seed: int) -> tuple[np.ndarray, list[SpokenTurn]]:
    """Exchanges of a user turn, always the same, and a reply in the given manner."""
    rng, user = np.random.default_rng(seed), np.random.default_rng(0)
    pieces, turns, at = [np.zeros(RATE // 4, np.float32)], [], 0.25
    for manner, text in zip(manners, texts, strict=True):
        for role, how in (("user", Manner(pitch=120.0, gap=0.3)), ("assistant", manner)):
            pieces.append(np.zeros(round(how.gap * RATE), np.float32))
            at += len(pieces[-1]) / RATE
            pieces.append(say(how, len(text.split()), user if role == "user" else rng))
            turns.append(SpokenTurn(role, at, at + len(pieces[-1]) / RATE, text))
            at += len(pieces[-1]) / RATE
    return np.concatenate([*pieces, np.zeros(RATE // 4, np.float32)]), turns


def flac_of(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def write_synthetic_snapshot(
    folder: Path,
    *,
    n_scenarios: int = 30,
    per_scenario: int = 4,
    seed: int = 0,
    votes_per_pair: int = 1,
    noise: float = 0.3,
    draw: Callable[[np.random.Generator], Manner] = lambda rng: Manner(pitch=float(rng.uniform(140, 260))),
    liking: Callable[[Manner], float] = lambda manner: 12 * np.log2(manner.pitch / 190),
    change: Callable[[list, list, list], None] = lambda judgments, scores, pairs: None,
    dimensions: tuple[str, ...] = DIMENSIONS,
) -> Path:
    """Votes prefer the dialogue whose replies have the higher `liking`, with logistic noise; every pair once."""
    rng = np.random.default_rng(seed)
    judgments, scores, pairs, turns, audio = [], [], [], [], {}
    for number in range(n_scenarios):
        texts = [" ".join(rng.permutation(WORDS)[:5]) for _ in range(2)]
        spoken = {}
        for variant in range(per_scenario):
            manners = [draw(rng)] * 2
            name = f"d{number}-{variant}"
            samples, said = dialogue_of(manners, texts, seed=int(rng.integers(1 << 31)))
            sound = flac_of(samples)
            sha256 = hashlib.sha256(sound).hexdigest()
            audio[sha256] = (lambda held: lambda: io.BytesIO(held))(sound)
            spoken[name] = (sha256, len(samples) / RATE, liking(manners[0]))
            turns += [
                TurnRow(
                    dialogue_id=name,
                    turn=place,
                    scenario_turn=1 + place // 2,
                    role=turn.role,
                    speaker=turn.role,
                    start=round(turn.start, 3),
                    end=round(turn.end, 3),
                    text=turn.text,
                    times_estimated=False,
                )
                for place, turn in enumerate(said)
            ]
        for one, other in combinations(spoken, 2):
            pair = _pair(f"{one}+{other}", f"s{number}", one, other, spoken)
            pairs.append(pair)
            for vote in range(votes_per_pair):
                felt = spoken[one][2] - spoken[other][2] + rng.logistic(scale=noise)
                value = int(np.sign(felt) * np.searchsorted((0.3, 1.4, 2.8), abs(felt)))
                judgments.append(_judgment(f"{pair.pair_id}#{vote}", pair.pair_id, f"r{rng.integers(8)}", rng))
                scores += [
                    ScoreRow(judgment_id=judgments[-1].judgment_id, dimension=key, value=value, kind="scored")
                    for key in dimensions
                ]
    change(judgments, scores, pairs)
    write_snapshot(
        folder,
        {"judgments": judgments, "scores": scores, "marks": [], "pairs": pairs, "turns": turns},
        rubric={"dimensions": [{"key": key} for key in dimensions]},
        filter={"study": "synthetic"},
        counts={"in": len(judgments), "out": {}},
        code_version="test",
        parent=None,
        audio=audio,
        created_at=NOON,
    )
    return folder


def _pair(pair_id: str, scenario_id: str, one: str, other: str, spoken: dict) -> PairRow:
    return PairRow(
        pair_id=pair_id,
        scenario_id=scenario_id,
        system_a="x",
        system_b="y",
        dialogue_a=one,
        dialogue_b=other,
        audio_sha256_a=spoken[one][0],
        audio_sha256_b=spoken[other][0],
        seconds_a=spoken[one][1],
        seconds_b=spoken[other][1],
        lufs_a=-23.0,
        lufs_b=-23.0,
        gain_db_a=0.0,
        gain_db_b=0.0,
    )


def _judgment(judgment_id: str, pair_id: str, rater: str, rng: np.random.Generator) -> JudgmentRow:
    side = "ab"[rng.integers(2)]
    return JudgmentRow(
        judgment_id=judgment_id,
        study_id="st",
        rubric_version=1,
        pair_id=pair_id,
        pair_kind="regular",
        rater=rater,
        is_simulated=True,
        is_late=False,
        side_left=side,
        heard_first=side,
        confidence=None,
        reason="",
        coverage_a=None,
        coverage_b=None,
        seconds_a=None,
        seconds_b=None,
        judging_seconds=None,
        stalls=0,
        transcript_condition="never",
        headphones="unknown",
        quality="unknown",
        quality_reasons=(),
        selection_probability=None,
        created_at=NOON,
    )


def change_row(rows: list, place: int, **changes) -> None:
    rows[place] = replace(rows[place], **changes)
