"""Writing a dialogue's two sounds: what annotators hear (WAV) and what is kept and exported (FLAC master).

Both are written in blocks with no tags, and the same samples give the same bytes. A file appears under its name only
when it is whole.
"""

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RENDITION_RATE = 24_000  # hertz; speech-language models speak at 24 kHz, and 2.9 MB a minute streams easily
MASTER_SUBTYPE = "PCM_16"
_BLOCK_FRAMES = 65_536
_DITHER_SEED = 20_240_601  # fixed: the same dialogue must give the same bytes


def write_rendition_wav(
    samples: NDArray[np.float32],
    rate: int,
    gain_db: float,
    path: Path,
    rendition_rate: int = RENDITION_RATE,
    *,
    dither: bool = False,
) -> None:
    """Write the streaming rendition: mono 16-bit PCM WAV with a plain 44-byte header, resampled with soxr HQ.

    `dither` adds triangular noise of ±1 step, which decouples the rounding error from the signal (about −93 dBFS).
    """
    noise = np.random.default_rng(_DITHER_SEED)
    with _wav_file(path, rendition_rate) as file:
        for block in _resampled(samples, rate, gain_db, rendition_rate):
            scaled = block.astype(np.float64) * 32_767
            if dither:
                scaled += noise.random(len(scaled)) - noise.random(len(scaled))
            file.writeframesraw(_as_int16(scaled).astype("<i2").tobytes())


def write_pcm16_wav(samples: NDArray[np.int16], rate: int, path: Path) -> None:
    """Write samples that are to be played as they are, with the header of a rendition."""
    with _wav_file(path, rate) as file:
        file.writeframesraw(samples.astype("<i2").tobytes())


def read_pcm16_wav(path: Path) -> NDArray[np.int16]:
    """The samples (T,) of a rendition."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16, copy=False)


@contextmanager
def _wav_file(path: Path, rate: int) -> Iterator[wave.Wave_write]:
    partial = path.with_name(path.name + ".partial")
    with wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        yield file
    partial.replace(path)


def write_master_flac(samples: NDArray[np.float32], rate: int, gain_db: float, path: Path) -> None:
    """Write the master: mono FLAC at the sound's own rate, 16 bits.

    Why 16: the gain's rounding error (−101 dBFS, 78 dB below speech at −23 LUFS) lies under the noise of any recording,
    which also keeps it from following the signal, so no dither is needed and digital silence stays silent. 24 bits
    made a real dialogue 2.1 times as large (2.01 against 0.94 MB for 30 s), mostly to store noise; who needs more
    has the untouched original.
    """
    partial = path.with_name(path.name + ".partial")
    with soundfile.SoundFile(partial, "w", rate, 1, MASTER_SUBTYPE, format="FLAC") as file:
        for block in _resampled(samples, rate, gain_db, rate):
            file.write(_as_int16(block.astype(np.float64) * 32_767))
    partial.replace(path)


def _as_int16(scaled: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.rint(scaled), -32_768, 32_767).astype(np.int16)


def _resampled(samples: NDArray[np.float32], rate: int, gain_db: float, wanted: int) -> Iterator[NDArray[np.float32]]:
    """The sound, louder by `gain_db`, block by block at `wanted` hertz."""
    gain = np.float32(10 ** (gain_db / 20))
    stream = None if wanted == rate else soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
    for start in range(0, len(samples), _BLOCK_FRAMES):
        block = samples[start : start + _BLOCK_FRAMES] * gain
        is_last = start + _BLOCK_FRAMES >= len(samples)
        yield block if stream is None else stream.resample_chunk(block, last=is_last)
