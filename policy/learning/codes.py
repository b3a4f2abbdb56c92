"""Prosody codes: how a phrase of the assistant is to be said, relative to how it was recorded.

The codes of a dialogue are an int array (T, 2, 5): T exchanges, two phrases of the reply, and one level each of pitch,
range, pace, energy and pause. A level is a place in the tables below.
"""

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]  # (T, 2, 5) levels
FloatArray = npt.NDArray[np.float64]

KINDS = ("pitch", "range", "pace", "energy", "pause")
PITCH_SEMITONES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
RANGE_LOG_RATIOS = (-0.4, -0.2, 0.0, 0.2, 0.4)  # ln of the spread of log F0 about the phrase's mean
PACE_LOG_RATIOS = (-0.2, -0.1, 0.0, 0.1, 0.2)  # ln of the pace: 0.1 is about ten per cent faster
ENERGY_DB = (-4.0, -2.0, 0.0, 2.0, 4.0)
GAP_SECONDS = (0.15, 0.35, 0.7, 1.3)  # silence between the user's turn and the first phrase
BREAK_SECONDS = (0.08, 0.2, 0.4, 0.7)  # silence between the two phrases
LEVELS = tuple(map(len, (PITCH_SEMITONES, RANGE_LOG_RATIOS, PACE_LOG_RATIOS, ENERGY_DB, GAP_SECONDS)))
NEUTRAL_LEVELS = (3, 2, 2, 2, 1)  # as recorded, after the pauses that neither hurry nor wait
N_PHRASES = 2  # of a reply


def neutral_codes(n_exchanges: int) -> Codes:
    """The codes that leave every phrase as it was recorded, (n_exchanges, 2, 5)."""
    return np.tile(np.array(NEUTRAL_LEVELS, dtype=np.int64), (n_exchanges, N_PHRASES, 1))


def random_codes(n_exchanges: int, rng: np.random.Generator) -> Codes:
    """Every level equally likely, each code drawn alone: (n_exchanges, 2, 5)."""
    return rng.integers(0, LEVELS, size=(n_exchanges, N_PHRASES, len(LEVELS)), dtype=np.int64)


def code_values(codes: Codes) -> FloatArray:
    """What the levels (T, 2, 5) stand for: semitones, ln of range, ln of pace, dB and seconds of silence, (T, 2, 5).

    Raises:
        ValueError: if the array has another shape or a level lies outside its table.
    """
    check_codes(codes)
    values = np.empty(codes.shape)
    for kind, table in enumerate((PITCH_SEMITONES, RANGE_LOG_RATIOS, PACE_LOG_RATIOS, ENERGY_DB)):
        values[:, :, kind] = np.array(table)[codes[:, :, kind]]
    values[:, 0, 4] = np.array(GAP_SECONDS)[codes[:, 0, 4]]
    values[:, 1, 4] = np.array(BREAK_SECONDS)[codes[:, 1, 4]]
    return values


def check_codes(codes: Codes, n_exchanges: int | None = None) -> None:
    """Raises ValueError unless the codes are (T, 2, 5) levels inside their tables, for `n_exchanges` if it is given."""
    wanted = (len(codes) if n_exchanges is None else n_exchanges, N_PHRASES, len(LEVELS))
    if codes.shape != wanted or not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"The codes are {codes.dtype} of shape {codes.shape}; give whole numbers of shape {wanted}.")
    outside = np.argwhere((codes < 0) | (codes >= np.array(LEVELS)))
    if len(outside):
        exchange, phrase, kind = map(int, outside[0])
        raise ValueError(
            f"The {KINDS[kind]} of exchange {exchange}, phrase {phrase} is level {codes[exchange, phrase, kind]}; "
            f"give one from 0 to {LEVELS[kind] - 1}."
        )
