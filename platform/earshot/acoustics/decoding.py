"""Reading a sound file into one mono signal, or saying exactly why it cannot be used.

Memory: the mono signal is held as float32, 4 bytes × rate × seconds (60 minutes at 48 kHz: 659 MiB); everything else
works in blocks. Stereo is mixed to the mean of both channels, so a dialogue with one speaker per channel keeps both.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from earshot.acoustics.containers import check_lengths, sniff_container
from earshot.acoustics.errors import AudioError
from earshot.acoustics.levels import ClippedRunCounter

__all__ = ["AudioError", "Sound", "read_sound"]

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000  # hertz
MOST_CHANNELS = 2
SILENT_BELOW = 10 ** (-70 / 20)  # BS.1770 counts nothing below −70 LUFS, so such a sound has no level
LOUDEST_SAMPLE = 16.0  # float files may pass 1.0 a little; 24 dB more than full scale is a wrong format
BLOCK_FRAMES = 65_536


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded sound: mono, its own rate. `channels` and `original_format` tell what the file was."""

    samples: NDArray[np.float32]  # (T,), full scale ±1
    rate: int
    channels: int
    original_format: str  # such as "WAV PCM_16"
    seconds: float
    clipped_runs: int  # stretches of 3 and more samples at full scale, all channels together


def read_sound(path: Path, *, max_seconds: float = 3_600.0) -> Sound:
    """Decode `path` to mono.

    Raises:
        AudioError: if the file is no sound, cut off, lies about its length, is empty, silent or longer than
            `max_seconds`, has more than two channels, a rate outside 8 … 192 kHz, or samples that are not finite.
    """
    try:
        with path.open("rb") as stream:
            container = sniff_container(stream)
            check_lengths(stream, container)
            with soundfile.SoundFile(stream) as file:
                _check_shape(file, max_seconds)
                samples, clipped_runs = _decode(file, max_seconds)
                rate, channels = int(file.samplerate), int(file.channels)
                original_format = f"{file.format} {file.subtype}"
    except OSError as error:
        raise AudioError(f"The file cannot be read ({error}). Send it again.") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless formats that want parameters
        raise AudioError(f"The file cannot be decoded ({_reason(error)}). Convert it to WAV or FLAC.") from error
    return Sound(samples, rate, channels, original_format, len(samples) / rate, clipped_runs)


def _check_shape(file: Any, max_seconds: float) -> None:
    """Everything that the header alone can tell; nothing has been decoded yet."""
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise AudioError(
            f"The sample rate is {file.samplerate} Hz; {LOWEST_RATE} … {HIGHEST_RATE} Hz can be used. Resample it."
        )
    if not 1 <= file.channels <= MOST_CHANNELS:
        raise AudioError(f"The file has {file.channels} channels; 1 or 2 can be used. Mix it down first.")
    if file.frames <= 0:
        raise AudioError("The file holds no samples (0 frames). Record or export it again.")
    seconds = file.frames / file.samplerate
    if seconds > max_seconds:
        raise AudioError(
            f"The sound lasts {seconds:.1f} s; the limit is {max_seconds:.0f} s. Cut it, or raise the limit."
        )


def _decode(file: Any, max_seconds: float) -> tuple[NDArray[np.float32], int]:
    expected = int(file.frames)
    samples = np.empty(expected, np.float32)  # pages are taken only as they are filled
    block = np.empty((BLOCK_FRAMES, file.channels), np.float32)
    clipped = [ClippedRunCounter() for _ in range(file.channels)]
    filled, loudest = 0, 0.0
    while True:
        frames = file.read(out=block, dtype="float32", always_2d=True)
        if len(frames) == 0:
            break
        if filled + len(frames) > expected:
            raise AudioError(f"The header says {expected} frames, but more follow. Write the file again.")
        loudest = max(loudest, _block_peak(frames, filled, file.samplerate))
        for counter, channel in zip(clipped, frames.T, strict=True):
            counter.add(channel)
        np.mean(frames, axis=1, out=samples[filled : filled + len(frames)])
        filled += len(frames)
    if filled < expected:
        raise AudioError(f"The header says {expected} frames, but only {filled} can be decoded. Send the file whole.")
    if loudest < SILENT_BELOW or max(float(samples.max()), -float(samples.min())) < SILENT_BELOW:
        level = f"{20 * math.log10(loudest):.1f} dBFS" if loudest > 0 else "digital zero"
        raise AudioError(f"The whole sound is silent (loudest sample: {level}). Check the recording.")
    return samples, sum(counter.runs for counter in clipped)


def _block_peak(frames: NDArray[np.float32], first: int, rate: int) -> float:
    peak = float(np.abs(frames).max())
    if not math.isfinite(peak):
        index = int(np.argmax(~np.isfinite(frames).all(axis=1)))
        value = "NaN" if np.isnan(frames[index]).any() else "infinite"
        raise AudioError(f"The sample at {(first + index) / rate:.3f} s is {value}. Export the file again.")
    if peak > LOUDEST_SAMPLE:
        raise AudioError(f"A sample has the value {peak:.3g}; full scale is 1. Export the file with samples within ±1.")
    return peak


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return str(text).strip().rstrip(".")
