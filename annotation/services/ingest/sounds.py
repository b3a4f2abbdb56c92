"""One dialogue's sound: from its original files to a master, a rendition, peaks and what was measured.

The result is kept by the hash of what went in until the import is over, so a job that is started again, or a manifest
that was corrected in one line, repeats no work.
"""

import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotation.services.renditions import write_rendition
from earshot.acoustics.assembly import TurnSound, assemble_turns
from earshot.acoustics.decoding import AudioError, read_sound
from earshot.acoustics.levels import constant_gain_db, measure_level
from earshot.acoustics.peaks import make_peaks
from earshot.acoustics.rendition import write_master_flac
from earshot.acoustics.speech import speech_segments
from earshot.jobs import artefacts

RECIPE = 1  # raise it when the same original would give another result
KEPT_DAYS = 7  # of a failed import: time enough to correct the manifest
FLAC_ANY_RATE_TO = 65_535  # hertz; above, FLAC's header holds only multiples of ten


@dataclass(frozen=True)
class PreparedSound:
    """All that a Dialogue row says about its sound. Times in seconds, levels of the original."""

    master_sha256: str
    peaks_sha256: str
    rendition_sha256: str
    rendition_bytes: int
    rendition_rate: int
    seconds: float
    sample_rate: int
    lufs: float
    true_peak_dbtp: float
    gain_db: float
    clipped_runs: int
    speech: list[list[float]]
    turn_times: list[list[float]] | None  # where the sound came turn by turn

    @property
    def artefacts(self) -> tuple[str, str, str]:
        return self.master_sha256, self.peaks_sha256, self.rendition_sha256


def sound_key(originals: Sequence[str], starts: Sequence[float | None]) -> str:
    """What the prepared sound depends on, as a hash: the originals' bytes, where turns are laid, and the settings."""
    recipe = [RECIPE, settings.TARGET_LUFS, settings.RENDITION_RATE, settings.MAX_AUDIO_SECONDS]
    return hashlib.sha256(json.dumps([recipe, list(originals), list(starts)]).encode()).hexdigest()


def prepare_sound(paths: Sequence[Path], starts: Sequence[float | None], key: str) -> PreparedSound:
    """Decode, measure and store the sound of one dialogue: one file, or one for each turn with its start if known.

    Raises:
        AudioError: if a file cannot be used, or the whole is over the length limit.
    """
    known = _recall(key)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(dir=artefacts.scratch_folder()) as folder:
        prepared = _prepare(paths, starts, Path(folder))
    _remember(key, prepared)
    return prepared


def forget_sounds(keys: Sequence[str]) -> None:
    """The import is over: its dialogues' rows hold everything now. What failed imports left long ago goes too."""
    for key in keys:
        _place(key).unlink(missing_ok=True)
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for place in _folder().glob("*"):
        with suppress(FileNotFoundError):  # another import is tidying up as well
            if place.stat().st_mtime < oldest:
                place.unlink()


def _prepare(paths: Sequence[Path], starts: Sequence[float | None], folder: Path) -> PreparedSound:
    flac = folder / "master.flac"
    if starts:
        samples, rate, clipped_runs, turn_times = _assemble(paths, starts)
    else:
        sound = read_sound(paths[0], max_seconds=settings.MAX_AUDIO_SECONDS)
        samples, rate, clipped_runs, turn_times = sound.samples, sound.rate, sound.clipped_runs, None
        del sound
    if rate > FLAC_ANY_RATE_TO and rate % 10:
        raise AudioError(f"The sample rate is {rate} Hz, which FLAC cannot hold. Resample to 48000 Hz.")
    level = measure_level(samples, rate)
    gain_db = constant_gain_db(level, settings.TARGET_LUFS)
    write_master_flac(samples, rate, gain_db, flac)
    del samples  # an hour has 659 MiB of them: never two at once
    # All that people see and hear is made from the master, so that it can be made again from it.
    master = read_sound(flac, max_seconds=settings.MAX_AUDIO_SECONDS + 1)
    wav = folder / "rendition.wav"
    write_rendition(master.samples, master.rate, 0.0, wav)
    return PreparedSound(
        master_sha256=artefacts.put_file(flac),
        peaks_sha256=artefacts.put_bytes(make_peaks(master.samples, master.rate).to_bytes()),
        rendition_sha256=artefacts.put_file(wav),
        rendition_bytes=wav.stat().st_size,
        rendition_rate=settings.RENDITION_RATE,
        seconds=master.seconds,
        sample_rate=master.rate,
        lufs=level.lufs,
        true_peak_dbtp=level.true_peak_dbtp,
        gain_db=gain_db,
        clipped_runs=clipped_runs,
        speech=[[round(start, 3), round(end, 3)] for start, end in speech_segments(master.samples, master.rate)],
        turn_times=turn_times,
    )


def _assemble(
    paths: Sequence[Path], starts: Sequence[float | None]
) -> tuple[NDArray[np.float32], int, int, list[list[float]]]:
    turns = []
    for number, (path, start) in enumerate(zip(paths, starts, strict=True), start=1):
        try:
            turns.append(TurnSound(read_sound(path, max_seconds=settings.MAX_AUDIO_SECONDS), start))
        except AudioError as error:
            raise AudioError(f"Turn {number}: {error}") from error
    whole = assemble_turns(turns, max_seconds=settings.MAX_AUDIO_SECONDS)
    clipped_runs = sum(turn.sound.clipped_runs for turn in turns)
    return whole.samples, whole.rate, clipped_runs, [[start, end] for start, end in whole.times]


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "prepared"


def _place(key: str) -> Path:
    return _folder() / f"{key}.json"


def _recall(key: str) -> PreparedSound | None:
    try:
        prepared = PreparedSound(**json.loads(_place(key).read_text()))
    except (FileNotFoundError, ValueError, TypeError):  # never made, or by an older version
        return None
    return prepared if all(artefacts.has_artefact(sha256) for sha256 in prepared.artefacts) else None


def _remember(key: str, prepared: PreparedSound) -> None:
    place = _place(key)
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(f".{secrets.token_hex(4)}.draft")
    draft.write_text(json.dumps(asdict(prepared)))
    draft.replace(place)
