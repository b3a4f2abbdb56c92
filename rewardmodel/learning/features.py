"""What the reward model hears: frames of log-mel, F0 and energy, cut into turns. See docs/reward-model.md.

`frames_of` is the slow part and depends on the sound alone, so it is cached by the sound's hash. `turn_features` is
fast and takes the turns' times and words. A surrogate that warps frames without synthesis calls the same function.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.transforms import MelSpectrogram  # type: ignore[import-untyped]

from rewardmodel.learning import descriptors
from rewardmodel.learning.descriptors import DESCRIPTORS, Contour, Speech
from rewardmodel.learning.pitch import f0_of
from rewardmodel.learning.words import hash_words

__all__ = ["DESCRIPTORS", "DialogueFeatures", "Frames", "TurnInput", "frames_of", "turn_features"]

FEATURE_VERSION = 1  # raise it whenever frames_of gives other numbers: cached frames of an older one are not used
RATE = 16_000  # Hz
FRAME_RATE = 50  # Hz
HOP = RATE // FRAME_RATE
N_MELS = 40
MEL_FFT, MEL_WINDOW = 512, 400  # samples: 25 ms
CHUNK_FRAMES = 3_000  # one minute at a time bounds the memory
POWER_FLOOR = 1e-10  # −100 dB
TURN_FRAMES = 24  # each turn is brought to so many frames
FRAME_CHANNELS = N_MELS + 2
DEEPEST_DB = 50.0  # below the dialogue's level everything is silence

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Frames:
    """A sound as frames at FRAME_RATE; frame i is centred on (i + ½) / FRAME_RATE seconds."""

    mel: Floats  # (T, N_MELS) dB
    f0: Floats  # (T,) Hz, 0 where unvoiced
    energy: Floats  # (T,) dB full scale

    def __len__(self) -> int:
        return len(self.f0)


@dataclass(frozen=True)
class TurnInput:
    """One turn of a dialogue; start and end in seconds from the beginning of the sound."""

    role: str  # user or assistant
    start: float
    end: float
    text: str


@dataclass(frozen=True, eq=False)
class DialogueFeatures:
    """A dialogue of T turns as the model takes it.

    Nothing in it changes with the sound's gain, or with silence at its ends that is a whole number of frames (20 ms).
    Silence of any other length shifts the frames within the speech. That favours nobody, but it moved scores by about a
    quarter of the standard deviation within a scenario, and one by 0.89 of it: see docs/reward-model.md.

    `frames` hold log-mel and energy in units of 10 dB relative to the dialogue's level, F0 in units of 4 semitones
    relative to the speaker's mean (0 where unvoiced).
    """

    frames: npt.NDArray[np.float16]  # (T, TURN_FRAMES, FRAME_CHANNELS)
    descriptors: Floats  # (T, len(DESCRIPTORS))
    words: tuple[npt.NDArray[np.int64], ...]  # hashed words of each turn
    is_user: npt.NDArray[np.bool_]  # (T,)

    def __len__(self) -> int:
        return len(self.is_user)


def frames_of(samples: Floats, rate: int = RATE) -> Frames:
    """Log-mel, F0 and energy of a mono sound (N,), one core, 1 h in a few seconds.

    Raises:
        ValueError: if the rate is not 16 kHz, the sound is not mono, empty, or holds NaN or infinity.
    """
    if rate != RATE:
        raise ValueError(f"The sound has {rate} Hz; resample it to {RATE} Hz first.")
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"The samples have shape {samples.shape}; give one mono sound, shape (N,), of any length.")
    if not np.isfinite(samples).all():
        raise ValueError("The samples hold NaN or infinity; decode the recording again.")
    n_frames = -(-len(samples) // HOP)
    with torch.no_grad():
        sound = np.ascontiguousarray(samples, np.float32)
        mel, energy = _mel_and_energy(torch.from_numpy(sound), n_frames)
        f0 = f0_of(sound, RATE, n_frames, HOP)
    return Frames(mel.numpy(), f0.numpy(), energy.numpy())


def _mel_and_energy(sound: torch.Tensor, n_frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    left = MEL_FFT // 2 - HOP // 2
    right = max(0, (n_frames - 1) * HOP + MEL_FFT - left - len(sound))
    padded = torch.nn.functional.pad(sound, (left, right))
    mels, energies = [], []
    for first in range(0, n_frames, CHUNK_FRAMES):
        last = min(first + CHUNK_FRAMES, n_frames)
        part = padded[first * HOP : (last - 1) * HOP + MEL_FFT]
        mels.append(_decibels(_mel_filter()(part).T[: last - first]))  # (t, N_MELS)
        inner = part.unfold(0, MEL_FFT, HOP)[:, (MEL_FFT - MEL_WINDOW) // 2 : (MEL_FFT + MEL_WINDOW) // 2]
        energies.append(_decibels(inner.square().mean(dim=1)))
    return torch.cat(mels), torch.cat(energies)


@lru_cache(maxsize=1)
def _mel_filter() -> MelSpectrogram:
    return MelSpectrogram(
        RATE, n_fft=MEL_FFT, win_length=MEL_WINDOW, hop_length=HOP, f_min=50.0, n_mels=N_MELS, center=False
    )


def _decibels(power: torch.Tensor) -> torch.Tensor:
    return 10 * power.clamp_min(POWER_FLOOR).log10()


def turn_features(frames: Frames, turns: Sequence[TurnInput]) -> DialogueFeatures:
    """The turns of one dialogue as the model takes them.

    Raises:
        ValueError: if there is no assistant turn, a turn has another role, or lies outside the sound.
    """
    _check_turns(frames, turns)
    contour = Contour.of(frames.energy, frames.f0)
    spoken = [descriptors.find_speech(contour, turn.start * FRAME_RATE, turn.end * FRAME_RATE) for turn in turns]
    level = descriptors.dialogue_level(spoken)
    is_user = np.array([turn.role == "user" for turn in turns])
    height = descriptors.speaker_heights(contour, spoken, is_user)  # (T,) semitones
    return DialogueFeatures(
        frames=_resample(frames, contour, spoken, level, height),
        descriptors=descriptors.describe(
            contour,
            spoken,
            texts=[turn.text for turn in turns],
            level=level,
            heights=height,
            frame_rate=FRAME_RATE,
        ),
        words=tuple(hash_words(turn.text) for turn in turns),
        is_user=is_user,
    )


def _check_turns(frames: Frames, turns: Sequence[TurnInput]) -> None:
    if not any(turn.role == "assistant" for turn in turns):
        raise ValueError(f"The dialogue has no assistant turn among its {len(turns)}; leave it out.")
    seconds = len(frames) / FRAME_RATE
    for number, turn in enumerate(turns):
        if turn.role not in ("user", "assistant"):
            raise ValueError(f"Turn {number} has the role {turn.role!r}; it must be user or assistant.")
        if not 0 <= turn.start < turn.end <= seconds + 0.5:
            raise ValueError(
                f"Turn {number} lasts from {turn.start} to {turn.end} s, but the sound {seconds:.2f} s. "
                "Correct the turn's times."
            )


def _resample(
    frames: Frames, contour: Contour, spoken: Sequence[Speech], level: float, heights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float16]:
    """Each turn's speech at TURN_FRAMES frames, each the mean of the ones it covers: (T, TURN_FRAMES, FRAME_CHANNELS).

    Sums are in double precision and begin anew in each turn, or silence before it would move their last bits.
    """
    found = np.empty((len(spoken), TURN_FRAMES, FRAME_CHANNELS), np.float16)
    tones = 12 * np.log2(np.maximum(frames.f0, 1.0) / 100.0)  # (frames,)
    for turn, (speech, height) in enumerate(zip(spoken, heights.tolist(), strict=True)):
        first, last = speech.first, speech.last
        channels = np.empty((last - first, FRAME_CHANNELS))
        channels[:, :N_MELS] = frames.mel[first:last] - level
        tone = np.where(contour.is_voiced[first:last], tones[first:last].astype(np.float64) - height, 0.0)
        channels[:, N_MELS] = 2.5 * np.minimum(np.maximum(tone, -12), 12)
        channels[:, N_MELS + 1] = frames.energy[first:last] - level
        np.maximum(channels, -DEEPEST_DB, out=channels)
        np.minimum(channels, DEEPEST_DB, out=channels)
        channels /= 10
        sums = np.zeros((len(channels) + 1, FRAME_CHANNELS))
        np.cumsum(channels, axis=0, out=sums[1:])
        whole, following, share = _edges(len(channels))
        upto = sums[whole]
        upto += share * (sums[following] - upto)
        means = (upto[1:] - upto[:-1]) * (TURN_FRAMES / len(channels))
        found[turn] = means.astype(np.float32)  # twice rounded, as the models of this version were trained
    return found


@lru_cache(maxsize=1024)
def _edges(n_frames: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Where TURN_FRAMES equal parts of `n_frames` begin and end: the frame, the next one, the share of the frame."""
    edges = np.linspace(0, n_frames, TURN_FRAMES + 1)
    whole = np.floor(edges).astype(np.int64)
    return whole, np.minimum(whole + 1, n_frames), (edges - whole)[:, None]
