"""Instruments: what is measured on the sound of two sets of rollouts, before and after a round. See docs/policy.md.

They share no code with the reward model's ears: F0 by DIO and StoneMask instead of YIN, loudness by BS.1770, gaps from
the samples about each turn. What each is expected to show is declared here, before any run. Word error comes from a
recogniser outside (tests/benchmarks/rollout_sound.py).
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from earshot.acoustics.levels import count_clipped_runs, integrated_lufs, measure_level
from earshot.acoustics.pitch import f0_contour
from earshot.formats.dialogues import Dialogue, DialogueTurn
from earshot.formats.manifest import Manifest, read_manifest
from earshot.jobs.child import emit
from policy.learning.cli import write_report
from rewardmodel.learning.figures import Figure, jackknife_by_scenario, mean_by_scenario

FRAME_SECONDS = 0.01
SPEECH_BELOW_LOUD_DB = 35.0  # a frame this far below the turn's loud ones (95th percentile) is not its speech
SHORTEST_GAP = 0.02  # seconds: the logarithm of a shorter one says nothing
FEWEST_VOICED_FRAMES = 5
RANGE_PERCENTILES = (5, 95)  # of F0 in a turn: single octave errors must not make its range
WARM, SAD = "joy", "sadness"  # whose replies are told apart

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


# The reward model hears no absolute level and no clipping: these lie outside what it learns from, as word error does.
# The others measure by other means what it hears too: they describe what changed, and warn of flat or hurried speech,
# but what fools a reward model would show in some of them as success.
MEASURE, DESCRIPTION = "instrument", "description"


@dataclass(frozen=True)
class Instrument:
    """One number per set of rollouts, with what it must do from before to after."""

    name: str
    kind: str
    unit: str
    wanted: str  # for people
    holds: Callable[[float, float, Figure], bool]  # of (before, after, change)


def _stays_within(most: float) -> Callable[[float, float, Figure], bool]:
    return lambda before, after, change: abs(after - before) <= most


def _surely_rises(before: float, after: float, change: Figure) -> bool:
    return change.low is not None and change.low > 0


INSTRUMENTS = (
    Instrument("loudness", MEASURE, "LUFS", "changes by at most 1 LU", _stays_within(1.0)),
    Instrument("true_peak", MEASURE, "dBTP", "stays below −1", lambda before, after, change: after < -1.0),
    Instrument("clipped_runs", MEASURE, "a dialogue", "stays 0", lambda before, after, change: after == 0),
    Instrument(
        "f0_range", DESCRIPTION, "semitones", "keeps 80 % at least", lambda before, after, change: after >= 0.8 * before
    ),
    Instrument("gap", DESCRIPTION, "ln s", "changes by at most 0.5", _stays_within(0.5)),
    Instrument("seconds_per_word", DESCRIPTION, "s", "changes by at most 0.1", _stays_within(0.1)),
    Instrument("pitch_contrast", DESCRIPTION, "semitones", "surely rises", _surely_rises),
    Instrument("level_contrast", DESCRIPTION, "LU", "surely rises", _surely_rises),
    Instrument("gap_contrast", DESCRIPTION, "ln s", "surely rises", _surely_rises),
)
BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}
# Contrasts: replies to joy less replies to sadness; a fitting voice is higher and louder there, and answers sooner.
CONTRASTS = {"pitch_contrast": ("pitch", 1), "level_contrast": ("level", 1), "gap_contrast": ("gap", -1)}
OF_TURNS = ("f0_range", "gap", "seconds_per_word")
OF_DIALOGUES = ("loudness", "true_peak", "clipped_runs")


@dataclass(frozen=True)
class Measured:
    """One dialogue's replies: `turns` hold pitch (semitones above 100 Hz), f0_range, level (LUFS), gap (ln s) and
    seconds_per_word of each assistant turn, NaN where it cannot be told; `whole` what is measured on all of them."""

    scenario_id: str
    topic: str  # scenarios of one text have it in common
    arc: tuple[str, ...]
    whole: Mapping[str, float]
    turns: tuple[Mapping[str, float], ...]


def compare(
    before: Path, after: Path, report: Callable[[float, str], object] = lambda share, message: None
) -> dict[str, Any]:
    """Both manifest folders measured, paired by scenario and sample.

    Args:
        report: is told how far it is, 0…1, and what is being done.
    Returns:
        Plain JSON: `n_dialogues`, and per instrument `unit`, `wanted`, `before`, `after`, `change` (value, low, high:
        95 %, clustered by topic) and whether it `holds`; None where nothing can be told.
    Raises:
        ValueError: if the two do not speak the same scenarios equally often, or a sound is missing.
    """
    pairs = _paired(
        measure_folder(before, lambda share, message: report(share / 2, message)),
        measure_folder(after, lambda share, message: report((1 + share) / 2, message)),
    )
    found = {name: _told(name, *_values(name, pairs)) for name in (*OF_DIALOGUES, *OF_TURNS)}
    found |= {name: _contrast(name, pairs) for name in CONTRASTS if _has_arcs(pairs)}
    return {"n_dialogues": len(pairs), "instruments": {name: found[name] for name in BY_NAME if name in found}}


def run_compare(options: argparse.Namespace) -> int:
    """The command `compare`: here and not in commands.py, because it needs no torch."""
    report = compare(options.before, options.after, lambda share, message: emit(progress=share, message=message))
    write_report(options.out, report)
    broken = [name for name, told in report["instruments"].items() if told["holds"] is False]
    emit(progress=1.0, message="Measured", result={"n_dialogues": report["n_dialogues"], "not_as_wanted": broken})
    return 0


def measure_folder(
    folder: Path, report: Callable[[float, str], object] = lambda share, message: None
) -> list[Measured]:
    """Every dialogue of a manifest folder, in its order."""
    manifest = read_manifest(folder)
    found = []
    for place, dialogue in enumerate(manifest.dialogues):
        report(place / len(manifest.dialogues), f"Measuring dialogue {place + 1} of {len(manifest.dialogues)}")
        found.append(measure_dialogue(manifest, dialogue))
    return found


def measure_dialogue(manifest: Manifest, dialogue: Dialogue) -> Measured:
    """Raises ValueError if it has not one sound with the times of all turns."""
    if dialogue.audio is None or not dialogue.has_times:
        raise ValueError(f"{dialogue.dialogue_id!r} has no single sound with turn times; speak it again.")
    samples, rate = soundfile.read(manifest.local_path(dialogue.audio), dtype="float32")
    spoken = [(turn, _cut(samples, rate, turn)) for turn in dialogue.turns]
    replies = np.concatenate([sound for turn, sound in spoken if turn.role == "assistant"])
    scenario = manifest.scenario(dialogue.scenario_id)
    turns = [
        _measure_turn(turn, sound, _gap(spoken[place - 1], (turn, sound), rate) if place else float("nan"), rate)
        for place, (turn, sound) in enumerate(spoken)
        if turn.role == "assistant"
    ]
    whole = {
        "loudness": integrated_lufs(replies, rate),
        "true_peak": measure_level(samples, rate).true_peak_dbtp,
        "clipped_runs": float(count_clipped_runs(samples)),
    }
    return Measured(dialogue.scenario_id, scenario.topic, scenario.arc, whole, tuple(turns))


def _cut(samples: Samples, rate: int, turn: DialogueTurn) -> Samples:
    assert turn.start is not None
    assert turn.end is not None
    return samples[round(turn.start * rate) : max(round(turn.start * rate) + 1, round(turn.end * rate))]


def _measure_turn(turn: DialogueTurn, sound: Samples, gap: float, rate: int) -> dict[str, float]:
    f0 = f0_contour(sound, rate)
    tones = 12 * np.log2(f0[f0 > 0] / 100.0)
    is_voiced = len(tones) >= FEWEST_VOICED_FRAMES
    low, high = np.percentile(tones, RANGE_PERCENTILES) if is_voiced else (np.nan, np.nan)
    return {
        "pitch": float(np.median(tones)) if is_voiced else float("nan"),
        "f0_range": float(high - low),
        "level": integrated_lufs(sound, rate),
        "gap": gap,
        "seconds_per_word": len(sound) / rate / max(1, len(turn.text.split())),
    }


def _gap(before: tuple[DialogueTurn, Samples], after: tuple[DialogueTurn, Samples], rate: int) -> float:
    """ln of the seconds from the last loud frame of one turn to the first of the next."""
    (earlier, said), (later, answered) = before, after
    assert earlier.end is not None
    assert later.start is not None
    silent = later.start - earlier.end + _edges(said, rate)[1] + _edges(answered, rate)[0]
    return float(np.log(max(silent, SHORTEST_GAP)))


def _edges(sound: Samples, rate: int) -> tuple[float, float]:
    """Seconds without speech at the beginning and at the end of a turn."""
    length = round(FRAME_SECONDS * rate)
    frames = sound[: len(sound) // length * length].reshape(-1, length).astype(np.float64)
    level = 10 * np.log10(np.maximum((frames**2).mean(axis=1), 1e-12))
    if not len(level):
        return 0.0, 0.0
    loud = np.flatnonzero(level >= np.percentile(level, 95) - SPEECH_BELOW_LOUD_DB)
    return float(loud[0] * FRAME_SECONDS), float((len(level) - 1 - loud[-1]) * FRAME_SECONDS)


def _paired(before: Sequence[Measured], after: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    groups = [_by_scenario(before), _by_scenario(after)]
    counts = [{name: len(found) for name, found in group.items()} for group in groups]
    if counts[0] != counts[1]:
        odd = sorted(name for name in {*counts[0], *counts[1]} if counts[0].get(name) != counts[1].get(name))
        raise ValueError(
            f"Scenario {odd[0]!r} is spoken {counts[0].get(odd[0], 0)} times before and {counts[1].get(odd[0], 0)} "
            "times after; have both policies speak the same scenarios equally often."
        )
    return [pair for name in groups[0] for pair in zip(groups[0][name], groups[1][name], strict=True)]


def _by_scenario(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = defaultdict(list)
    for one in measured:
        found[one.scenario_id].append(one)
    return found


def _values(name: str, pairs: Sequence[tuple[Measured, Measured]]) -> tuple[Floats, Floats, npt.NDArray[Any]]:
    """Before and after of every dialogue or turn in which both are known, and their topics."""
    rows = [
        (one[name], other[name], old.topic)
        for old, new in pairs
        for one, other in ([(old.whole, new.whole)] if name in OF_DIALOGUES else zip(old.turns, new.turns, strict=True))
        if np.isfinite(one[name]) and np.isfinite(other[name])
    ]
    before, after = (np.array([row[side] for row in rows], dtype=np.float64) for side in (0, 1))
    return before, after, np.array([row[2] for row in rows])


def _told(name: str, before: Floats, after: Floats, topics: npt.NDArray[Any]) -> dict[str, Any]:
    if not len(before):
        return _as_json(name, None, None, Figure(None, None, None, 0, 0, "nothing was measured"))
    together = np.max if name == "true_peak" else np.mean
    return _as_json(name, float(together(before)), float(together(after)), mean_by_scenario(after - before, topics))


def _has_arcs(pairs: Sequence[tuple[Measured, Measured]]) -> bool:
    return any({WARM, SAD} <= set(old.arc) for old, _ in pairs)


def _contrast(name: str, pairs: Sequence[tuple[Measured, Measured]]) -> dict[str, Any]:
    """Replies to WARM less replies to SAD. The change goes turn by turn, so that words and voices cancel."""
    quantity, sign = CONTRASTS[name]
    rows = [
        (one[quantity], other[quantity], emotion, old.topic)
        for old, new in pairs
        for one, other, emotion in zip(old.turns, new.turns, old.arc, strict=True)
        if emotion in (WARM, SAD) and np.isfinite(one[quantity]) and np.isfinite(other[quantity])
    ]
    sides = [np.array([row[side] for row in rows], dtype=np.float64) for side in (0, 1)]
    is_warm = np.array([row[2] == WARM for row in rows])
    topics = np.array([row[3] for row in rows])

    def between(values: Floats) -> Callable[[npt.NDArray[np.int64]], float]:
        def difference(chosen: npt.NDArray[np.int64]) -> float:
            warm, sad = values[chosen][is_warm[chosen]], values[chosen][~is_warm[chosen]]
            return sign * float(warm.mean() - sad.mean()) if len(warm) and len(sad) else float("nan")

        return difference

    everything = np.arange(len(rows))
    before, after = (between(side)(everything) for side in sides)
    return _as_json(name, before, after, jackknife_by_scenario(between(sides[1] - sides[0]), topics))


def _as_json(name: str, before: float | None, after: float | None, change: Figure) -> dict[str, Any]:
    instrument = BY_NAME[name]
    is_known = before is not None and after is not None and np.isfinite(before) and np.isfinite(after)
    return {
        "kind": instrument.kind,
        "unit": instrument.unit,
        "wanted": instrument.wanted,
        "before": _rounded(before),
        "after": _rounded(after),
        "change": {key: change.as_json()[key] for key in ("value", "low", "high", "n")},
        "holds": bool(instrument.holds(float(before), float(after), change)) if is_known else None,  # type: ignore[arg-type]
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
