"""One dialogue as the policy reads it: what the user says and how, then the reply that is planned and spoken.

An exchange takes 14 positions:

    0        the user's turn: hashed words of opener and sentence, and its delivery in bins (level, range, pace, energy)
    1        plan token: the emotion that the policy believes the user feels
    2        first phrase of the reply: its hashed words and its base recording in bins (level, spread, rate)
    3 … 7    its codes: pitch, range, pace, energy, pause
    8        second phrase, as 2
    9 … 13   its codes

Positions 0, 2 and 8 are given (their embedding is the mean of their words' plus the sum of their bins'); the other 11
are generated, one token each, under a mask that allows only the tokens of that position's kind. The user's emotion is
never given. Dialogues of a batch have equally many exchanges, so nothing is padded but the words.
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policy.learning.codes import LEVELS, neutral_codes
from policy.learning.scenarios import EMOTIONS, Scenario

N_PHRASES = 2
GIVEN_SLOTS = (0, 2, 8)
GENERATED_SLOTS = (1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
SLOTS = len(GIVEN_SLOTS) + len(GENERATED_SLOTS)
GENERATED = len(GENERATED_SLOTS)  # tokens a turn: the plan, and five codes for each phrase

# Tokens by kind: the plan, pitch, range, pace, energy, the gap before the first phrase, the pause before the second.
KIND_SIZES = (len(EMOTIONS), *LEVELS, LEVELS[-1])
KIND_STARTS = tuple(int(start) for start in np.cumsum((0, *KIND_SIZES[:-1])))
VOCABULARY = sum(KIND_SIZES)
KINDS = (0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 6)  # the kind of each generated token of a turn

WORD_BUCKETS = 512
MAX_WORDS = 24  # of one given position; a longer turn is cut, its opener stands first
NO_WORD = 0
NO_BIN = 0
BINS = 5
USUAL_SPREAD = 3.3  # semitones, of the assistants' recordings; spreads are binned as ln(spread / 3.3)
# Edges of the bins: between the emotions' means for the user's turns, quintiles of the bank for the base recordings.
USER_EDGES = ((-1.5, -0.1, 1.5, 3.6), (-0.35, -0.12, 0.12, 0.35), (-0.15, -0.04, 0.04, 0.11), (-2.6, -0.7, 1.8, 4.3))
BASE_EDGES = ((-0.33, -0.08, 0.13, 0.33), (-0.12, -0.05, 0.02, 0.1), (-0.11, -0.03, 0.02, 0.09))
N_BINS = 1 + BINS * (len(USER_EDGES) + len(BASE_EDGES))

Delivery = Mapping[str, Any]
DeliveryOf = Callable[[Scenario, np.ndarray], Delivery]


@dataclass(frozen=True)
class Prompts:
    """What is given of B dialogues of T exchanges: words (B, T, 3, MAX_WORDS) and bins (B, T, 3, 4), both int64."""

    words: Tensor
    bins: Tensor

    def __len__(self) -> int:
        return len(self.words)

    @property
    def n_exchanges(self) -> int:
        """T."""
        return self.words.shape[1]

    def rows(self, index: Tensor | Sequence[int]) -> "Prompts":
        """The dialogues of these numbers, in this order; a number may come more than once."""
        chosen = torch.as_tensor(index, dtype=torch.long)
        return Prompts(self.words[chosen], self.bins[chosen])

    def repeated(self, times: int) -> "Prompts":
        """Each dialogue `times` times, one after the other: a group of rollouts stands together."""
        return Prompts(self.words.repeat_interleave(times, 0), self.bins.repeat_interleave(times, 0))


class PromptEncoder:
    """Turns scenarios into prompts.

    Args:
        delivery_of: the realised delivery of (scenario, codes), as the surrogate and the renderer compute it. The
            neutral codes give the user's turns and the base recordings of the reply's phrases.
    """

    def __init__(self, delivery_of: DeliveryOf) -> None:
        self._delivery_of = delivery_of
        self._encoded: dict[tuple[str, str, int], tuple[Tensor, Tensor]] = {}

    def encode(self, scenarios: Sequence[Scenario]) -> Prompts:
        """Raises ValueError if there are none, or if they differ in their number of exchanges."""
        lengths = {len(scenario.arc) for scenario in scenarios}
        if len(lengths) != 1:
            raise ValueError(f"A batch holds dialogues of {sorted(lengths)} exchanges; give scenarios of one length.")
        exchanges = [[self._exchange(scenario, index) for index in range(len(scenario.arc))] for scenario in scenarios]
        words, bins = (torch.stack([torch.stack([e[part] for e in row]) for row in exchanges]) for part in (0, 1))
        return Prompts(words, bins)

    def _exchange(self, scenario: Scenario, index: int) -> tuple[Tensor, Tensor]:
        emotion, opener = scenario.arc[index], scenario.openers[index]
        key = (scenario.text.text_id, emotion, opener)
        if key not in self._encoded:
            # What is given of an exchange depends on its own emotion and opener alone: all of a text at once.
            n_exchanges = len(scenario.text.exchanges)
            alike = Scenario(scenario.text, (emotion,) * n_exchanges, (opener,) * n_exchanges)
            self._encoded[key] = self._encode_exchanges(alike)
        words, bins = self._encoded[key]
        return words[index], bins[index]

    def _encode_exchanges(self, scenario: Scenario) -> tuple[Tensor, Tensor]:
        delivery = self._delivery_of(scenario, neutral_codes(len(scenario.arc)))
        words, bins = [], []
        for index, exchange in enumerate(scenario.text.exchanges):
            spoken = [scenario.user_text(index), *(phrase.text for phrase in exchange.assistant)]
            words.append([hashed_words(text) for text in spoken])
            base = [_base_bins(phrase) for phrase in delivery["assistant"][index]]
            bins.append([_user_bins(delivery["user"][index]), *base])
        return torch.tensor(words), torch.tensor(bins)


def hashed_words(text: str) -> list[int]:
    """MAX_WORDS buckets 1 … WORD_BUCKETS of its words, filled up with NO_WORD. The same on every machine."""
    found = re.findall(r"[a-z0-9']+", text.lower())[:MAX_WORDS]
    buckets = [1 + zlib.crc32(word.encode()) % WORD_BUCKETS for word in found]
    return buckets + [NO_WORD] * (MAX_WORDS - len(buckets))


def _user_bins(turn: Mapping[str, float]) -> list[int]:
    values = (turn["level_st"], np.log(turn["spread"] / USUAL_SPREAD), turn["log_rate"], turn["energy_db"])
    return [1 + BINS * field + _bin(value, USER_EDGES[field]) for field, value in enumerate(values)]


def _base_bins(phrase: Mapping[str, float]) -> list[int]:
    values = (phrase["level_st"], np.log(phrase["spread"] / USUAL_SPREAD), phrase["log_rate"])
    first = 1 + BINS * len(USER_EDGES)
    return [*(first + BINS * field + _bin(value, BASE_EDGES[field]) for field, value in enumerate(values)), NO_BIN]


def _bin(value: float, edges: Sequence[float]) -> int:
    return int(np.searchsorted(edges, value))


@cache
def allowed_tokens(n_exchanges: int) -> Tensor:
    """(G, VOCABULARY) bool, G = 11 · n_exchanges: the tokens that each generated position may take."""
    allowed = torch.zeros(GENERATED, VOCABULARY, dtype=torch.bool)
    for position, kind in enumerate(KINDS):
        allowed[position, KIND_STARTS[kind] : KIND_STARTS[kind] + KIND_SIZES[kind]] = True
    return allowed.repeat(n_exchanges, 1)


@cache
def is_plan(n_exchanges: int) -> Tensor:
    """(G,) bool: the owner of each generated token, the plan (True) or the speech codes."""
    owner = torch.zeros(GENERATED, dtype=torch.bool)
    owner[0] = True
    return owner.repeat(n_exchanges)


def tokens_of(plan: np.ndarray, codes: np.ndarray) -> Tensor:
    """(B, G) token ids of plans (B, T) and codes (B, T, 2, 5).

    Raises:
        ValueError: if a level lies outside its table.
    """
    levels = np.concatenate([plan[:, :, None], codes.reshape(*plan.shape, -1)], axis=2)  # (B, T, 11)
    sizes = np.array([KIND_SIZES[kind] for kind in KINDS])
    if (levels < 0).any() or (levels >= sizes).any():
        worst = np.argwhere((levels < 0) | (levels >= sizes))[0]
        raise ValueError(
            f"Level {levels[tuple(worst)]} of turn {worst[1]}, position {worst[2]} is outside 0 … "
            f"{sizes[worst[2]] - 1}; take levels from the tables in codes.py."
        )
    starts = np.array([KIND_STARTS[kind] for kind in KINDS])
    return torch.from_numpy((levels + starts).reshape(len(levels), -1)).long()


def plan_and_codes(ids: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Plans (B, T) and codes (B, T, 2, 5), as levels, of token ids (B, G)."""
    starts = np.array([KIND_STARTS[kind] for kind in KINDS])
    levels = ids.cpu().numpy().reshape(len(ids), -1, GENERATED) - starts  # (B, T, 11)
    return levels[:, :, 0], levels[:, :, 1:].reshape(*levels.shape[:2], N_PHRASES, len(LEVELS))


def arcs_of(scenarios: Sequence[Scenario]) -> np.ndarray:
    """(B, T): the number of the emotion that the user really feels."""
    return np.array([[EMOTIONS.index(emotion) for emotion in scenario.arc] for scenario in scenarios])
