"""A bank of made-up words without sound, and deliveries worked out from the codes: what the policy's tests run on."""

import random
import zlib
from pathlib import Path

import numpy as np

from policy.learning.bank import Bank, Exchange, Phrase, Recording, Text
from policy.learning.codes import code_values
from policy.learning.scenarios import Scenario, draw_scenarios
from policy.learning.stream import USUAL_SPREAD

WORDS = [f"word{number}" for number in range(200)]
NOWHERE = Recording(Path("nowhere.opus"), Path("nowhere.npz"))
# What the user's voice does in each emotion: level in semitones, ln of the spread ratio, ln of the pace, dB.
USER = {
    "calm": (0.0, 0.0, 0.0, 0.0),
    "joy": (4.0, 0.45, 0.12, 3.0),
    "sadness": (-3.0, -0.5, -0.18, -4.0),
    "worry": (3.0, -0.4, 0.18, -2.0),
    "anger": (-0.5, 0.5, 0.1, 5.0),
}


def _phrase(words: random.Random, count: int, voice: str) -> Phrase:
    return Phrase(" ".join(words.choices(WORDS, k=count)), 2 * count, voice, 0.0, 1.0, NOWHERE)


def _text(text_id: str, part: str) -> Text:
    words = random.Random(text_id)
    exchanges = [
        Exchange(_phrase(words, 6, "user"), (_phrase(words, 4, "assistant"), _phrase(words, 4, "assistant")))
        for _ in range(4)
    ]
    return Text(text_id, part, "a topic", "user", "assistant", tuple(exchanges))


BANK = Bank(
    Path("nowhere"),
    (
        *(_text(f"train-{number}", "train") for number in range(12)),
        *(_text(f"apart-{number}", "held_out") for number in range(4)),
    ),
    openers={},
)


def draw(part: str = "train", *, exchanges: int = 2):
    """A seed to one scenario of each text of the part."""
    return lambda seed: draw_scenarios(BANK, part, 1, seed, exchanges=exchanges)


def delivery_of(scenario: Scenario, codes: np.ndarray) -> dict:
    """What the renderer would realise, if each base recording were a little off by its own amount."""
    values = code_values(codes)
    users, replies = [], []
    for index, emotion in enumerate(scenario.arc):
        base = np.random.default_rng(zlib.crc32(f"{scenario.text.text_id} {index}".encode()))
        users.append(_realised(np.array(USER[emotion]) + base.normal(0, (0.5, 0.1, 0.03, 0.5))))
        phrases = []
        for phrase in range(2):
            off = base.normal(0, (0.7, 0.15, 0.08, 0.7))
            phrases.append(_realised(values[index, phrase, :4] + off) | {"pause_s": float(values[index, phrase, 4])})
        replies.append(phrases)
    return {"user": users, "assistant": replies}


def _realised(values: np.ndarray) -> dict[str, float]:
    level, spread, rate, energy = map(float, values)
    return {"level_st": level, "spread": USUAL_SPREAD * float(np.exp(spread)), "log_rate": rate, "energy_db": energy}
