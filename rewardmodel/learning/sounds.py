"""From sound files to frames, once per sound: the frames are kept on disk under the sound's hash."""

import hashlib
import os
from pathlib import Path

import numpy as np
import soxr
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from earshot.acoustics.decoding import read_sound
from rewardmodel.learning.features import FEATURE_VERSION, RATE, Frames, frames_of

_CHUNK = 1 << 20


def frames_of_file(path: Path, *, cache: Path | None = None, sha256: str | None = None) -> Frames:
    """Decode a sound, bring it to 16 kHz and make its frames, or take them from the cache.

    An hour is held as 230 MB of samples while its frames are made, and as 16 MB in the cache.

    Args:
        cache: folder for the frames; none are kept without it. Several processes may share one.
        sha256: of the file, if it is known already.
    Raises:
        AudioError: if the file is no sound that can be used.
    """
    if cache is None:
        return _make_frames(path)
    kept = cache / f"frames-v{FEATURE_VERSION}" / f"{sha256 or sha256_of(path)}.safetensors"
    found = _read_frames(kept)
    if found is None:
        found = _make_frames(path)
        _keep_frames(kept, found)
    return found


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _make_frames(path: Path) -> Frames:
    sound = read_sound(path)
    samples = sound.samples if sound.rate == RATE else soxr.resample(sound.samples, sound.rate, RATE, quality="HQ")
    return _as_kept(frames_of(samples))


def _as_kept(frames: Frames) -> Frames:
    """With mel and energy in half precision: 0.03 dB; the same whether the cache was used or not."""
    mel, energy = (values.astype(np.float16).astype(np.float32) for values in (frames.mel, frames.energy))
    return Frames(mel, frames.f0, energy)


def _read_frames(path: Path) -> Frames | None:
    try:
        kept = load_file(path)
    except (OSError, SafetensorError):
        return None  # not there, or cut off by a power cut: made again
    return Frames(kept["mel"].astype(np.float32), kept["f0"], kept["energy"].astype(np.float32))


def _keep_frames(path: Path, frames: Frames) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    save_file(
        {
            "mel": np.ascontiguousarray(frames.mel.astype(np.float16)),
            "f0": np.ascontiguousarray(frames.f0),
            "energy": frames.energy.astype(np.float16),
        },
        draft,
    )
    draft.replace(path)
