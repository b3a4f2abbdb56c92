"""A sound to play, whose bytes are made when they are asked for."""

import hashlib
import io
import wave
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RATE = 24_000  # hertz, as everything in the listening room
CONTENT_TYPE = "audio/wav"  # PCM plays in every browser, Safari included


@dataclass(frozen=True)
class Stimulus:
    """`name` is opaque: it says nothing about the answer. Two stimuli of one name are the same sound."""

    name: str
    seconds: float
    samples: Callable[[], NDArray[np.float64]] = field(repr=False, compare=False)  # (N,) or (N, 2), full scale ±1

    @property
    def content_type(self) -> str:
        return CONTENT_TYPE

    def content(self) -> bytes:
        """A WAV file, 16 bit, mono or stereo, with a plain header of 44 bytes."""
        return wav_bytes(self.samples())


def opaque_name(*parts: object) -> str:
    """Sixteen hexadecimal digits from what a stimulus was made of."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:16]


def wav_bytes(samples: NDArray[np.float64]) -> bytes:
    """16-bit PCM at RATE of mono (N,) or stereo (N, 2) samples.

    Raises:
        ValueError: if a sample passes full scale: it would be heard as a crackle.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        raise ValueError(f"The sound reaches {peak:.2f}; full scale is 1. Make it quieter.")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframesraw(np.rint(samples * 32_767).astype("<i2").tobytes())
    return buffer.getvalue()
