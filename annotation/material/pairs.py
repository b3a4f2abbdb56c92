"""Pairs of excerpts with a known verdict: to train on with feedback, and as gold."""

import random
from dataclasses import dataclass, replace
from typing import Any

from annotation.material.shipped import material_language, recorded, table
from annotation.material.stimulus import Stimulus

TOLERANCE = 1  # steps of the scale, as for every gold pair


@dataclass(frozen=True)
class MaterialPair:
    """Two excerpts of one conversation, of which one is better in one dimension by construction.

    `answer` is as shown: −3 left much better … +3 right much better. `words` explains it, in the pair's language, and
    says "the first" and "the second" nowhere, so that it stays true when the sides are swapped.
    """

    key: str
    language: str
    dimension: str  # prosody, emotional_continuity or immersion
    left: Stimulus
    right: Stimulus
    answer: int
    words: str
    lines: tuple[tuple[str, str], ...]  # (role, what is said), the same on both sides

    def is_right(self, value: int) -> bool:
        """Whether a score from −3 to +3, as shown, counts as the right answer."""
        return abs(value - self.answer) <= TOLERANCE

    def swapped(self) -> "MaterialPair":
        return replace(self, left=self.right, right=self.left, answer=-self.answer)


def explanation_for(pair: MaterialPair, language: str) -> str:
    """Why its answer is right, in the reader's language: the pairs are the same in every one, only spoken anew."""
    entries = table(material_language(language))["pairs"]
    return next((str(entry["words"]) for entry in entries if entry["key"] == pair.key), pair.words)


def training_pairs(language: str) -> list[MaterialPair]:
    """Three pairs, clear to subtle, one per dimension."""
    return _pairs(language, "training")


def gold_pairs(language: str) -> list[MaterialPair]:
    """Six pairs, two per dimension."""
    return _pairs(language, "gold")


def draw_gold(seed: int, language: str, count: int = 4) -> list[MaterialPair]:
    """`count` gold pairs in random order with random sides, at least one of each dimension if `count` allows.

    Raises:
        ValueError: if there are not so many.
    """
    pairs = gold_pairs(language)
    if not 0 <= count <= len(pairs):
        raise ValueError(f"{count} gold pairs were asked for, but there are {len(pairs)}.")
    chance = random.Random(f"gold:{seed}")
    chance.shuffle(pairs)
    first_of_each = list({pair.dimension: pair for pair in reversed(pairs)}.values())
    others = [pair for pair in pairs if pair not in first_of_each]
    drawn = [*first_of_each, *others][:count]
    chance.shuffle(drawn)
    return [pair.swapped() if chance.random() < 0.5 else pair for pair in drawn]


def _pairs(language: str, purpose: str) -> list[MaterialPair]:
    language = material_language(language)
    return [_pair(language, entry) for entry in table(language)["pairs"] if entry["purpose"] == purpose]


def _pair(language: str, entry: dict[str, Any]) -> MaterialPair:
    left, right = (recorded(language, side) for side in entry["sides"])
    return MaterialPair(
        key=entry["key"],
        language=language,
        dimension=entry["dimension"],
        left=left,
        right=right,
        answer=entry["answer"],
        words=entry["words"],
        lines=tuple((role, text) for role, text in entry["lines"]),
    )
