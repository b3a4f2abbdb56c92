"""A better and a worse example to hear for each question of the usual rubric: the two sides of its training pair."""

from dataclasses import dataclass
from functools import cache

from django.urls import reverse

from annotation.material.pairs import MaterialPair, training_pairs
from annotation.material.shipped import LANGUAGES, material_language, table
from annotation.material.stimulus import Stimulus


@dataclass(frozen=True)
class Excerpt:
    key: str  # "better" or "worse"
    words: str  # what to listen for, in the language asked for
    address: str  # where the page finds its sound: for everybody who is signed in


def examples_of(dimension_key: str, language: str) -> list[Excerpt]:
    """The better excerpt and the worse one for this question; none for overall and for questions of a study's own."""
    words = table(material_language(language))["examples"].get(dimension_key, {})
    pairs = [pair for pair in training_pairs(language) if pair.dimension == dimension_key]
    return [
        Excerpt(key, words[key], reverse("annotation:material", args=[stimulus.name]))
        for pair in pairs
        for key, stimulus in _by_quality(pair).items()
    ]


def stimulus_named(name: str) -> Stimulus | None:
    """The example of this name, in any language, or None. Gold is not among them."""
    return _examples_by_name().get(name)


@cache
def _examples_by_name() -> dict[str, Stimulus]:
    pairs = [pair for language in LANGUAGES for pair in training_pairs(language)]
    return {side.name: side for pair in pairs for side in (pair.left, pair.right)}


def _by_quality(pair: MaterialPair) -> dict[str, Stimulus]:
    better, worse = (pair.right, pair.left) if pair.answer > 0 else (pair.left, pair.right)
    return {"better": better, "worse": worse}
