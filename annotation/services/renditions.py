"""Renditions: the bytes that a browser plays, made from the master alone: one level, one content.

The second side of an identical check (A = A) is the first one's rendition with other pauses, so that neither the page
nor the bytes show that both are the same. What changes follows from the pair's id and the dialogue's speech, so it is
worked out anew wherever it is needed; only the sound that came of it is kept.

The treated side of another check (`Pair.treatment`) was made when the check was: its sound, how its times moved and
what was said into it stand in the pair's row (annotation/services/checks).
"""

import hashlib
import json
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotation.models import Dialogue, Lease, Pair, Rendition
from earshot.acoustics.decoding import read_sound
from earshot.acoustics.pauses import ChangedTime, PauseChange, changed_stretches, plan_pauses, vary_pauses
from earshot.acoustics.peaks import Peaks, make_peaks
from earshot.acoustics.rendition import read_pcm16_wav, write_pcm16_wav, write_rendition_wav
from earshot.jobs import artefacts

LEVEL_STEP_LU = 0.1
LEVEL_TOLERANCE_LU = 0.5  # sides closer than this are played as they are
WIDEST_PICTURE_PIXELS = 2048  # of a side in the room; for half an hour that leaves 7 of 223 KB
PAUSES_RECIPE = 1  # raise it when the same changes would give other bytes


def rounded_level(level_lufs: float) -> float:
    """As renditions are kept: to 0.1 LU."""
    return round(level_lufs, 1)


def write_rendition(samples: NDArray[np.float32], rate: int, gain_db: float, path: Path) -> None:
    write_rendition_wav(samples, rate, gain_db, path, settings.RENDITION_RATE)


def ensure_rendition(dialogue: Dialogue, level_lufs: float) -> Rendition:
    """The rendition of this dialogue at this level, made from its master if there is none yet.

    Args:
        level_lufs: integrated; the master's own, or lower where the other side of a pair cannot be as loud.
    Raises:
        ValueError: if it is louder than the master, which would clip.
    """
    level = rounded_level(level_lufs)
    own_level = rounded_level(dialogue.level_lufs)
    if level > own_level:
        raise ValueError(
            f"Dialogue {dialogue.dialogue_id!r} is at {own_level:.1f} LUFS and cannot be played at {level:.1f} LUFS "
            f"without clipping. Play the pair at {own_level:.1f} LUFS or lower."
        )
    rate = settings.RENDITION_RATE
    known = dialogue.renditions.filter(level_lufs=level, sample_rate=rate).first()
    if known is not None:
        return known
    with artefacts.local_copy(dialogue.master_sha256) as master, _scratch() as folder:
        sound = read_sound(master, max_seconds=dialogue.seconds + 1)
        path = Path(folder) / "rendition.wav"
        write_rendition(sound.samples, sound.rate, _gain_db(dialogue, level), path)
        sha256, size_bytes = artefacts.put_file(path), path.stat().st_size
    # Two requests may come here at once: both made the same bytes, one makes the row.
    rendition, _ = Rendition.objects.get_or_create(
        dialogue=dialogue,
        level_lufs=level,
        sample_rate=rate,
        defaults={"sha256": sha256, "size_bytes": size_bytes},
    )
    return rendition


def _gain_db(dialogue: Dialogue, level_lufs: float) -> float:
    """From the master to a rendition at this level."""
    level = rounded_level(level_lufs)
    return 0.0 if level == rounded_level(dialogue.level_lufs) else level - dialogue.level_lufs


@dataclass(frozen=True)
class PlayedSound:
    """The bytes of a side, mono PCM in a WAV file, and its waveform."""

    sha256: str
    size_bytes: int
    sample_rate: int  # Hz
    peaks_sha256: str


@dataclass(frozen=True)
class PlayedSide:
    """One side of a pair as it is played: a dialogue at the pair's level, in a check perhaps changed."""

    dialogue: Dialogue
    level_lufs: float
    changes: Sequence[PauseChange] = ()  # only in a check: pauses that are longer or shorter
    inserted: Sequence[Sequence[float]] = ()  # … speech that the dialogue does not have, in this side's own time
    sound: PlayedSound | None = None  # … and its own sound, where that was made with the check

    @property
    def seconds(self) -> float:
        return self.at(self.dialogue.seconds)

    @property
    def speech(self) -> list[list[float]]:
        spoken = changed_stretches(self.dialogue.speech, self.changes)
        return sorted([*spoken, *map(list, self.inserted)]) if self.inserted else spoken

    def at(self, second: float) -> float:
        """When a moment of the dialogue is heard on this side."""
        return self._after(second)

    @cached_property
    def _after(self) -> ChangedTime:
        return ChangedTime(self.changes)


def side_of(lease: Lease, side: str) -> PlayedSide:
    """What the lease's `left` or `right` side plays."""
    return side_of_pair(lease.pair, lease.letter(side))


def side_of_pair(pair: Pair, letter: str) -> PlayedSide:
    """What dialogue `a` or `b` of the pair is played as: at the pair's level, or its own where they hardly differ."""
    dialogue = pair.dialogue(letter)
    level = played_level(dialogue, pair.level_lufs)
    if pair.treatment.get("letter") == letter:
        return _treated(dialogue, level, pair.treatment)
    if pair.kind == Pair.Kind.IDENTICAL and letter == "b":
        return PlayedSide(dialogue, level, plan_pauses(dialogue.speech, seed=f"pair {pair.pk}"))
    return PlayedSide(dialogue, level)


def seconds_played(pair: Pair) -> float:
    """How long both sides last together, in a check too as the room says it: each to 10 ms."""
    return sum(round(side_of_pair(pair, letter).seconds, 2) for letter in ("a", "b"))


def played_level(dialogue: Dialogue, pair_lufs: float) -> float:
    """In LUFS, of a dialogue in a pair of this level."""
    is_near = abs(dialogue.level_lufs - pair_lufs) <= LEVEL_TOLERANCE_LU
    return dialogue.level_lufs if is_near else pair_lufs


def _treated(dialogue: Dialogue, level: float, treatment: dict[str, Any]) -> PlayedSide:
    changes = [PauseChange(at, seconds) for at, seconds in treatment["changes"]]
    return PlayedSide(dialogue, level, changes, treatment["inserted"], PlayedSound(**treatment["sound"]))


def ensure_sounds(pair: Pair) -> dict[str, PlayedSound]:
    """What both dialogues of the pair are heard as, by letter, made where it is missing.

    Both, whichever is asked for: the first access to one side must not take longer than to the other.
    """
    return {letter: _ensure_sound(side_of_pair(pair, letter)) for letter in ("a", "b")}


def _ensure_sound(side: PlayedSide) -> PlayedSound:
    rendition = ensure_rendition(side.dialogue, side.level_lufs)
    if side.sound is not None:  # after the same look-up as for every side: time must not tell a check
        return side.sound
    if side.changes:
        return _ensure_varied(rendition, side.changes)
    return PlayedSound(
        rendition.sha256, rendition.size_bytes, rendition.sample_rate, peaks_sha256=side.dialogue.peaks_sha256
    )


def peaks_of(pair: Pair, letter: str) -> bytes:
    """The waveform of a side as loud as it is played, in the form of earshot.acoustics.peaks.

    Raises:
        FileNotFoundError: if the store has lost it.
    """
    side = side_of_pair(pair, letter)
    sha256 = ensure_sounds(pair)[letter].peaks_sha256
    with artefacts.open_artefact(sha256) as file:
        peaks = Peaks.from_bytes(file.read())
    is_as_played = bool(side.changes or side.sound)  # made from the rendition itself, not from the master
    louder = peaks.louder_by(0.0 if is_as_played else _gain_db(side.dialogue, side.level_lufs))
    return louder.for_picture(WIDEST_PICTURE_PIXELS).to_bytes()


def _ensure_varied(rendition: Rendition, changes: Sequence[PauseChange]) -> PlayedSound:
    plan = [PAUSES_RECIPE, rendition.sha256, [astuple(change) for change in changes]]
    place = _varied_folder() / f"{hashlib.sha256(json.dumps(plan).encode()).hexdigest()}.json"
    with suppress(FileNotFoundError, ValueError, TypeError):  # not made yet, or by an older version
        return PlayedSound(**json.loads(place.read_text()))
    rate = rendition.sample_rate
    varied = keep_sound(vary_pauses(read_rendition(rendition), rate, changes), rate)
    draft = place.with_suffix(f".{secrets.token_hex(4)}.draft")
    draft.write_text(json.dumps(asdict(varied)))
    draft.replace(place)
    return varied


def read_rendition(rendition: Rendition) -> NDArray[np.int16]:
    """Its samples (T,)."""
    with artefacts.local_copy(rendition.sha256) as path:
        return read_pcm16_wav(path)


def keep_sound(samples: NDArray[np.int16], rate: int) -> PlayedSound:
    """Store samples (T,) as they are to be played, and their waveform."""
    with _scratch() as folder:
        path = Path(folder) / "rendition.wav"
        write_pcm16_wav(samples, rate, path)
        size_bytes, sha256 = path.stat().st_size, artefacts.put_file(path)
    peaks = make_peaks(samples.astype(np.float32) / np.float32(32_768), rate)
    return PlayedSound(sha256, size_bytes, rate, peaks_sha256=artefacts.put_bytes(peaks.to_bytes()))


def _varied_folder() -> Path:
    """Which varied sounds the store has, by what they were made from. What is lost is made again, byte by byte."""
    folder = Path(settings.DATA_DIR) / "varied"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=artefacts.scratch_folder())
