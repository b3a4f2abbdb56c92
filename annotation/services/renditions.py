"""Renditions: the bytes that a browser plays, made from the master alone: one level, one content."""

import tempfile
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotation.models import Dialogue, Rendition
from earshot.acoustics.decoding import read_sound
from earshot.acoustics.rendition import write_rendition_wav
from earshot.jobs import artefacts

LEVEL_STEP_LU = 0.1


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
    gain_db = 0.0 if level == own_level else level - dialogue.level_lufs
    with artefacts.local_copy(dialogue.master_sha256) as master, _scratch() as folder:
        sound = read_sound(master, max_seconds=dialogue.seconds + 1)
        path = Path(folder) / "rendition.wav"
        write_rendition(sound.samples, sound.rate, gain_db, path)
        sha256, size_bytes = artefacts.put_file(path), path.stat().st_size
    # Two requests may come here at once: both made the same bytes, one makes the row.
    rendition, _ = Rendition.objects.get_or_create(
        dialogue=dialogue,
        level_lufs=level,
        sample_rate=rate,
        defaults={"sha256": sha256, "size_bytes": size_bytes},
    )
    return rendition


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=artefacts.scratch_folder())
