"""Speak replies: one token after the other, with a key-value cache, at temperature 1.

Chance comes as uniform numbers made from the seed and what they are for, not from a generator that moves on. So a
rollout does not depend on what was sampled before it, on how prompts are shared among processes, or on a resumed run.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from policy.learning.model import ProsodyPolicy
from policy.learning.stream import GENERATED, Prompts, allowed_tokens, plan_and_codes

FIRST_OF_SECOND_PHRASE = 6  # of the generated tokens of a turn


@dataclass(frozen=True)
class Sampled:
    """ids and log_probs (B, G): the tokens taken, and their log-probabilities under the masks they were taken with."""

    ids: Tensor
    log_probs: Tensor

    @property
    def plan(self) -> np.ndarray:
        """(B, T) numbers of emotions."""
        return plan_and_codes(self.ids)[0]

    @property
    def codes(self) -> np.ndarray:
        """(B, T, 2, 5) levels."""
        return plan_and_codes(self.ids)[1]


def derived_seed(*labels: str | int) -> int:
    """A 63-bit seed from a run's seed and what it is for."""
    digest = hashlib.sha256("/".join(str(label) for label in labels).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def uniforms(rows: int, n_exchanges: int, *labels: str | int) -> Tensor:
    """(rows, G) uniform numbers in [0, 1) that depend on the labels alone."""
    generator = torch.Generator().manual_seed(derived_seed(*labels))
    return torch.rand(rows, GENERATED * n_exchanges, generator=generator, dtype=torch.float64)


@torch.no_grad()
def sample(policy: ProsodyPolicy, prompts: Prompts, chance: Tensor) -> Sampled:
    """One reply for each prompt.

    Args:
        chance: (B, G) uniform numbers; equal numbers under equal policies give equal replies.
    Raises:
        ValueError: if `chance` has another shape.
    """
    n_generated = GENERATED * prompts.n_exchanges
    if chance.shape != (len(prompts), n_generated):
        raise ValueError(f"chance is {tuple(chance.shape)}, but {(len(prompts), n_generated)} numbers are needed.")
    given = policy.embed_given(prompts)  # (B, T, 3, H)
    allowed = allowed_tokens(prompts.n_exchanges)
    cache = DynamicCache(config=policy.llama.config)
    ids = torch.zeros(len(prompts), n_generated, dtype=torch.long)
    taken = torch.zeros(len(prompts), n_generated)
    for position in range(n_generated):
        exchange, token = divmod(position, GENERATED)
        unread = [] if position == 0 else [policy.llama.embed_tokens(ids[:, position - 1])]
        if token in (0, 1, FIRST_OF_SECOND_PHRASE):  # what is given before the plan and before each phrase's codes
            unread.append(given[:, exchange, (0, 1, FIRST_OF_SECOND_PHRASE).index(token)])
        log_probs = policy.step(torch.stack(unread, dim=1), cache, allowed[position])  # (B, V)
        ids[:, position] = _take(log_probs, allowed[position], chance[:, position])
        taken[:, position] = log_probs.gather(1, ids[:, position, None]).squeeze(1)
    return Sampled(ids, taken)


def _take(log_probs: Tensor, allowed: Tensor, chance: Tensor) -> Tensor:
    # The inverse of the cumulative distribution over the allowed tokens, which are neighbours.
    first, count = int(allowed.int().argmax()), int(allowed.sum())
    cumulative = log_probs[:, first : first + count].double().exp().cumsum(1)  # (B, count)
    index = torch.searchsorted(cumulative, (chance * cumulative[:, -1])[:, None], right=True).squeeze(1)
    return first + index.clamp(max=count - 1)
