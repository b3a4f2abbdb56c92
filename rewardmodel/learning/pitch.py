"""F0 of hours of speech in seconds: YIN in batches of frames, by FFT.

Method: difference function, its cumulative mean normal form and parabolic interpolation as in de Cheveigné and Kawahara
(2002), JASA 111, 1917, on the sound at 8 kHz; then a median over three frames. DIO (earshot.acoustics.pitch) is about
twenty times slower; docs/reward-model.md says how far the two differ.
"""

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

PITCH_RATE = 8_000  # Hz; F0 lies far below
FRAME_SAMPLES = 480  # 60 ms at 8 kHz: two and a half periods of the lowest voice and its longest lag
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
LONGEST_LAG = int(PITCH_RATE / LOWEST_HZ) + 2  # samples; one more on each side for the parabola
SHORTEST_LAG = int(PITCH_RATE / HIGHEST_HZ)
WINDOW = FRAME_SAMPLES - LONGEST_LAG  # samples that every lag is summed over
VOICED_BELOW = 0.5  # of the normalised difference: 0 is perfectly periodic, 1 is noise
NEARLY_AS_DEEP = 0.1  # the first dip this near to the deepest one is the period; deeper ones are its multiples
LARGEST_STEP_OCTAVES = 0.35  # from frame to frame; a larger one is an octave error or the edge of a voiced stretch
CHUNK_FRAMES = 512  # worked on at a time, which bounds the memory
_FFT = 512


def f0_of(samples: npt.NDArray[np.float32], rate: int, n_frames: int, hop: int) -> Tensor:
    """F0 in hertz per frame, 0 where unvoiced: (n_frames,); frame i is centred on sample (i + ½)·hop of (N,) `samples`.

    Args:
        hop: samples at `rate`; hop·8000/rate must be whole.
    """
    narrow = torch.from_numpy(soxr.resample(samples, rate, PITCH_RATE, quality="LQ"))
    narrow_hop = hop * PITCH_RATE // rate
    left = FRAME_SAMPLES // 2 - narrow_hop // 2
    right = max(0, (n_frames - 1) * narrow_hop + FRAME_SAMPLES - left - len(narrow))
    padded = torch.nn.functional.pad(narrow, (left, right))
    frames = padded.unfold(0, FRAME_SAMPLES, narrow_hop)[:n_frames]  # (n_frames, FRAME_SAMPLES)
    return _smooth(torch.cat([_period_search(part) for part in torch.split(frames, CHUNK_FRAMES)]))


def _period_search(frames: Tensor) -> Tensor:
    """F0 of each of (B, FRAME_SAMPLES), 0 where no lag fits."""
    frames = frames - frames.mean(dim=1, keepdim=True)
    difference, normalised = _differences(frames)  # each (B, LONGEST_LAG + 1)
    inner = normalised[:, SHORTEST_LAG:LONGEST_LAG]
    before, after = normalised[:, SHORTEST_LAG - 1 : LONGEST_LAG - 1], normalised[:, SHORTEST_LAG + 1 :]
    is_dip = (inner <= before) & (inner < after)
    depth = torch.where(is_dip, inner, torch.inf)
    deepest = depth.min(dim=1).values
    first = (depth <= deepest[:, None] + NEARLY_AS_DEEP).to(torch.uint8).argmax(dim=1, keepdim=True)
    # The parabola goes through the plain difference: the normal form leans towards short lags.
    low, mid, high = (difference.gather(1, SHORTEST_LAG + first + place).squeeze(1) for place in (-1, 0, 1))
    offset = 0.5 * (low - high) / (low - 2 * mid + high).clamp_min(1e-9)
    lag = SHORTEST_LAG + first.squeeze(1) + offset.clamp(-1.0, 1.0)
    return torch.where(deepest < VOICED_BELOW, PITCH_RATE / lag, 0.0)


def _differences(frames: Tensor) -> tuple[Tensor, Tensor]:
    """YIN's d(τ) and d′(τ) for τ = 0 … LONGEST_LAG: each (B, LONGEST_LAG + 1)."""
    # Circular correlation over 512 samples: only lags above 512 − WINDOW wrap round, and none of those is asked for.
    head = torch.fft.rfft(frames[:, :WINDOW], _FFT)
    whole = torch.fft.rfft(frames, _FFT)
    products = torch.fft.irfft(head.conj() * whole, _FFT)[:, : LONGEST_LAG + 1]  # Σ x_j x_{j+τ}
    power = torch.nn.functional.pad(frames.square().cumsum(dim=1), (1, 0))
    energy = power[:, WINDOW : WINDOW + LONGEST_LAG + 1] - power[:, : LONGEST_LAG + 1]
    difference = (energy[:, :1] + energy - 2 * products).clamp_min(0.0)
    lags = torch.arange(LONGEST_LAG + 1, dtype=frames.dtype)
    mean_so_far = difference.cumsum(dim=1) / lags.clamp_min(1.0)
    # Digital silence has no difference at any lag; it must not count as perfectly periodic.
    return difference, torch.where(mean_so_far > 1e-10, difference / mean_so_far.clamp_min(1e-10), 1.0)


def _smooth(f0: Tensor) -> Tensor:
    """Median over three frames; frames that step away from both neighbours, or have none, become unvoiced."""
    neighbours = torch.nn.functional.pad(f0, (1, 1)).unfold(0, 3, 1)  # (T, 3)
    f0 = torch.where(f0 > 0, neighbours.median(dim=1).values, 0.0)
    log_f0 = torch.nn.functional.pad(f0, (1, 1)).clamp_min(1.0).log2()
    step = (log_f0[1:] - log_f0[:-1]).abs()  # (T + 1,)
    return torch.where(torch.minimum(step[1:], step[:-1]) < LARGEST_STEP_OCTAVES, f0, 0.0)
