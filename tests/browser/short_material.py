"""Trials as annotation.material makes them, but 0.3 s of silence each: the real ones take a browser four minutes."""

import random
from functools import partial

import numpy as np

from annotation import material
from annotation.material import checks, pairs
from annotation.material.stimulus import Stimulus, opaque_name


def sound(*parts):
    return Stimulus(opaque_name(*parts), 0.3, partial(np.zeros, 7200))


def channel_trials(seed, language):
    ears = ["left", "left", "right", "right", "both"]
    random.Random(seed).shuffle(ears)
    return [checks.ChannelTrial(sound("channel", seed, n), ear) for n, ear in enumerate(ears)]


def huggins_trials(seed):
    places = [1, 1, 2, 2, 3, 3]
    random.Random(seed).shuffle(places)
    return [checks.HugginsTrial(sound("huggins", seed, n), place) for n, place in enumerate(places)]


class Digits(checks.DigitTrial):
    def is_right(self, typed):
        return typed == self.answer


def digit_trials(seed, language):
    chance = random.Random(seed)
    return [Digits(sound("digits", seed, n), f"{chance.randrange(1000):03}", -8.0) for n in range(5)]


def jnd_trials(seed, language):
    answers = ["first", "first", "second", "second"]
    random.Random(seed).shuffle(answers)
    return [
        checks.JndTrial((sound("jnd", seed, n, 0), sound("jnd", seed, n, 1)), each, (40.0, 50.0))
        for n, each in enumerate(answers)
    ]


def level_setting(seed, language):
    choices = (checks.Choice("k1", "A dog"), checks.Choice("k2", "A cat"), checks.Choice("k3", "A bird"))
    right = random.Random(seed).choice(choices).key
    return checks.LevelSetting(
        sound("sentence"), "The train leaves at nine.", sound("soft", seed), "The cat sleeps.", choices, right
    )


def pair(kind, number):
    dimension = ("prosody", "emotional_continuity", "immersion")[number % 3]
    left, right = sound(kind, number, "left"), sound(kind, number, "right")
    lines = (("user", "How was your day?"), ("assistant", "It was long, and I am glad it is over."))
    words = "The melody of one voice falls where the words ask something."
    return pairs.MaterialPair(f"{kind}-{number}", "en", dimension, left, right, 2, words, lines)


def training_pairs(language):
    return [pair("training", number) for number in range(3)]


def draw_gold(seed, language, count=4):
    drawn = random.Random(seed).sample([pair("gold", number) for number in range(6)], count)
    return [each.swapped() if number % 2 else each for number, each in enumerate(drawn)]


def channel_demonstration(language):
    return {"left": sound("left"), "right": sound("right")}


def huggins_example(seed):
    return checks.HugginsTrial(sound("example", seed), 2)


SHORT = (
    channel_demonstration,
    channel_trials,
    digit_trials,
    draw_gold,
    huggins_example,
    huggins_trials,
    jnd_trials,
    level_setting,
    training_pairs,
)


def use(monkeypatch):
    for each in SHORT:
        monkeypatch.setattr(material, each.__name__, each)
