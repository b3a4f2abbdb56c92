"""Makes the shipped material from recordings of the script: trimmed, levelled, said well and said badly, encoded.

The same sources and the same libraries give the same bytes.
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from annotation.material.ogg import with_serial
from annotation.material.plan import NARROWEST_RANGE, PAIRS, TONE_LANGUAGES, Line, PairPlan
from annotation.material.script import line_name, read_script
from annotation.material.shipped import FORMAT, VERSION
from annotation.material.stimulus import RATE
from earshot.acoustics import vocoder
from earshot.acoustics.decoding import read_sound
from earshot.acoustics.levels import TARGET_LUFS, constant_gain_db, measure_level
from earshot.acoustics.noise import speech_power
from earshot.acoustics.vocoder import Prosody

Samples = NDArray[np.float64]
Report = Callable[[str], None]

EDGE_SECONDS = 0.06  # of silence kept before and after speech
QUIET_DB = -50.0  # below the loudest 10 ms of a recording: silence
FADE_SECONDS = 0.01
LEAD_SECONDS = 0.3  # at both ends of an excerpt
DIGIT_LEVEL_DB = -26.0  # of every digit, dBFS of its speech: all equally far above the noise
OPUS_COMPRESSION = 0.87  # about 36 kbit/s


def make_material(sources: Path, out: Path, languages: tuple[str, ...], report: Report) -> None:
    """Write `out`/material.json and `out`/sound/<language>/ from the recordings in `sources`/<language>/.

    Raises:
        ValueError: if a recording is missing or cannot be used.
    """
    made = {}
    for language in languages:
        folder = out / "sound" / language
        folder.mkdir(parents=True, exist_ok=True)
        made[language] = _Maker(sources / language, folder, language, report).make()
    table = {"format": FORMAT, "version": VERSION, "languages": made}
    (out / "material.json").write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class _Maker:
    """Makes the material of one language."""

    def __init__(self, sources: Path, folder: Path, language: str, report: Report) -> None:
        self._sources, self._folder, self._language, self._report = sources, folder, language, report
        self._script = read_script(language)

    def make(self) -> dict[str, Any]:
        script = self._script
        level = script["level"]
        return {
            "channel": {name: self._prompt(f"channel-{name}", text) for name, text in script["channel"].items()},
            "digits": [self._digit(number) for number in range(10)],
            "level": {
                "sentence": self._prompt("level", level["sentence"]),
                "soft": {
                    name: {**self._prompt(f"soft-{name}", soft["words"]), "choice": soft["choice"]}
                    for name, soft in level["soft"].items()
                },
            },
            "jnd": [self._prompt(f"jnd-{number}", text) for number, text in enumerate(script["jnd"])],
            "spoken": {wish: self._prompt(f"spoken-{wish}", text) for wish, text in script["spoken"].items()},
            "examples": script["examples"],
            "pairs": [self._pair(plan) for plan in PAIRS],
        }

    def _prompt(self, name: str, words: str) -> dict[str, Any]:
        return {**self._keep(at_level(self._source(name))), "words": words}

    def _digit(self, number: int) -> dict[str, Any]:
        digit = self._source(f"digit-{number}")
        return self._keep(digit * 10 ** (DIGIT_LEVEL_DB / 20) / np.sqrt(speech_power(digit, RATE)))

    def _pair(self, plan: PairPlan) -> dict[str, Any]:
        said = self._script["pairs"][plan.key]
        recordings = [self._source(line_name(plan.key, number)) for number in range(len(plan.lines))]
        narrowest = NARROWEST_RANGE[self._language in TONE_LANGUAGES]
        better, worse = map(self._keep, at_one_level(*say_both(plan.lines, recordings, narrowest)))
        self._report(f"{self._language} {plan.key}: {better['seconds']} s better, {worse['seconds']} s worse")
        return {
            "key": plan.key,
            "purpose": plan.purpose,
            "dimension": plan.dimension,
            "sides": [better, worse] if plan.better == "left" else [worse, better],
            "answer": plan.answer,
            "words": said["words"],
            "lines": [[line.role, text] for line, text in zip(plan.lines, said["lines"], strict=True)],
        }

    def _source(self, name: str) -> Samples:
        path = self._sources / f"{name}.wav"
        if not path.exists():
            raise ValueError(f"{path} is missing. Record what `make_material --list` says of it.")
        sound = read_sound(path)
        samples = sound.samples.astype(np.float64)
        return trim(samples if sound.rate == RATE else soxr.resample(samples, sound.rate, RATE))

    def _keep(self, samples: Samples) -> dict[str, Any]:
        content = opus_bytes(samples)
        name = hashlib.sha256(content).hexdigest()[:16]
        (self._folder / f"{name}.opus").write_bytes(content)
        return {"name": name, "seconds": round(len(samples) / RATE, 3)}


def say_both(lines: tuple[Line, ...], recordings: list[Samples], narrowest: float) -> tuple[Samples, Samples]:
    """The better and the worse side (N,) of an excerpt whose lines were recorded so.

    Args:
        narrowest: ratio below which the range of F0 is never brought.
    """
    better, worse = [], []
    for line, recording in zip(lines, recordings, strict=True):
        if line.is_as_recorded:
            better.append(recording)
            worse.append(recording)
            continue
        analysis = vocoder.analyse(recording, RATE)
        better.append(vocoder.render(analysis, _within(line.better, narrowest)))
        worse.append(vocoder.render(analysis, _within(line.worse or line.better, narrowest)))
    gaps = [line.better_gap for line in lines]
    worse_gaps = [line.better_gap if line.worse_gap is None else line.worse_gap for line in lines]
    return lay_out(better, gaps), lay_out(worse, worse_gaps)


def lay_out(spoken: list[Samples], gaps: list[float]) -> Samples:
    """One after the other (N,), each but the first after its gap: over the end of the one before if that is below 0."""
    starts = [LEAD_SECONDS]
    for (before, _), gap in zip(pairwise(spoken), gaps[1:], strict=True):
        starts.append(starts[-1] + len(before) / RATE + gap)
    places = [round(start * RATE) for start in starts]
    length = max(place + len(sound) for place, sound in zip(places, spoken, strict=True))
    samples = np.zeros(length + round(LEAD_SECONDS * RATE))
    for place, sound in zip(places, spoken, strict=True):
        samples[place : place + len(sound)] += sound
    return samples


def _within(prosody: Prosody, narrowest: float) -> Prosody:
    return replace(prosody, range_ratio=max(prosody.range_ratio, narrowest))


def at_level(samples: Samples, target_lufs: float = TARGET_LUFS) -> Samples:
    """At `target_lufs`, or less where its true peak would pass −1 dBTP."""
    return samples * 10 ** (constant_gain_db(measure_level(samples.astype(np.float32), RATE), target_lufs) / 20)


def at_one_level(*sides: Samples) -> list[Samples]:
    """All at −23 LUFS, or all at what the one with the highest peak can reach."""
    levelled = [at_level(side) for side in sides]
    lowest = min(measure_level(side.astype(np.float32), RATE).lufs for side in levelled)
    return [at_level(side, lowest) for side in levelled]


def trim(samples: Samples) -> Samples:
    """Without the silence at both ends but EDGE_SECONDS of it, faded in and out."""
    frame = RATE // 100
    n_frames = len(samples) // frame
    powers = np.square(samples[: n_frames * frame]).reshape(n_frames, frame).mean(axis=1)
    loud = np.flatnonzero(powers > powers.max() * 10 ** (QUIET_DB / 10))
    edge = round(EDGE_SECONDS * RATE)
    kept = samples[max(0, int(loud[0]) * frame - edge) : (int(loud[-1]) + 1) * frame + edge].copy()
    fade = np.linspace(0, 1, round(FADE_SECONDS * RATE))
    kept[: len(fade)] *= fade
    kept[-len(fade) :] *= fade[::-1]
    return kept


def opus_bytes(samples: Samples) -> bytes:
    """Mono Ogg Opus at RATE; the same samples give the same bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="OGG", subtype="OPUS", compression_level=OPUS_COMPRESSION)
    return with_serial(buffer.getvalue(), int.from_bytes(hashlib.sha256(samples.tobytes()).digest()[:4]))
