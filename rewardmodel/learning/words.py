"""The words of a turn as numbers from 0 to WORD_BUCKETS − 1: the same on every machine, without a vocabulary."""

import re
import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

WORD_BUCKETS = 1024
MOST_WORDS = 64  # of a turn; the rest is left out
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_VOWELS = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôûæøåœ]+", re.IGNORECASE)


def hash_words(text: str) -> npt.NDArray[np.int64]:
    """The buckets of the first MOST_WORDS words: (W,)."""
    words = _WORD.findall(text.lower())[:MOST_WORDS]
    return np.array([zlib.crc32(word.encode()) % WORD_BUCKETS for word in words], dtype=np.int64)


@lru_cache(maxsize=4096)
def count_syllables(text: str) -> int:
    """Groups of vowels, a final silent e left out; at least one per word: a rough count that is the same everywhere."""
    return sum(_word_syllables(word) for word in _WORD.findall(text.lower()))


def _word_syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)


@lru_cache(maxsize=4096)
def inner_break(text: str) -> float:
    """Where the turn's middle break stands, as a share of its syllables: at the mark nearest to the middle, or ½."""
    total = count_syllables(text)
    shares = [count_syllables(text[: mark.start()]) / max(total, 1) for mark in re.finditer(r"[.!?,;:…–—]+\s", text)]
    return min((share for share in shares if 0.1 < share < 0.9), key=lambda share: abs(share - 0.5), default=0.5)
