"""The reference, spoken with less variety: how much of a gain needs no vote at all.

An update lowers the entropy, whatever it is rewarded for. Where the reference guesses fairly, the middle of its guess
is better than the guess, so a lower temperature pleases too. Measured: docs/loop.md, "Controls".
"""

import copy
import math

import torch
from torch import Tensor

from policy.learning.kl import divergence_of
from policy.learning.model import ProsodyPolicy
from policy.learning.stream import Prompts

COLDEST, HOTTEST = 0.1, 4.0
HALVINGS = 12  # of the logarithm of the temperature, to within a thousandth


def sharpened(policy: ProsodyPolicy, temperature: float) -> ProsodyPolicy:
    """A copy that speaks at this temperature: its logits are divided by it.

    Raises:
        ValueError: if the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"The temperature is {temperature}; give one above 0, such as 0.8.")
    cold = copy.deepcopy(policy)
    with torch.no_grad():
        cold.head.weight /= temperature
    return cold


def temperature_for(policy: ProsodyPolicy, entropy: float, prompts: Prompts, chance: Tensor) -> float:
    """At which `policy` has so much entropy on these prompts, in nats per token; the nearest of COLDEST … HOTTEST.

    Args:
        chance: (B, G) uniform numbers, see sampling.py.
    """
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        cold = sharpened(policy, math.exp(middle))
        if divergence_of(cold, policy, prompts, chance)[0].entropy > entropy:
            high = middle
        else:
            low = middle
    return math.exp((low + high) / 2)
