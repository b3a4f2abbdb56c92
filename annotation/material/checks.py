"""The checks of device and ears, made from a seed: channels, headphones, level, digits in noise, small differences.

What each is for, and whose practice, stands in docs/material.md.
"""

import hashlib
import random
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from annotation.material.shipped import material_language, read_recording, recorded, table
from annotation.material.stimulus import RATE, Stimulus, opaque_name
from earshot.acoustics.huggins import N_INTERVALS, huggins_seconds, huggins_trial
from earshot.acoustics.noise import add_noise, speech_power, speech_shaped_noise

Ear = Literal["left", "right", "both"]
Samples = NDArray[np.float64]

N_HUGGINS_TRIALS = 6
N_DIGIT_TRIALS = 5
N_JND_TRIALS = 4

DIGIT_SNR_DB = -6.0
DIGIT_NOISE_RMS = 10 ** (-29 / 20)  # with the digits about as loud as speech at −23 LUFS
DIGIT_LEAD_SECONDS = 0.5  # of noise alone, at both ends
DIGIT_GAP_SECONDS = 0.2
JND_SNR_DB = (50.0, 40.0)  # better, worse
JND_LEAD_SECONDS, JND_PAUSE_SECONDS = 0.7, 1.0  # in silence the noise is heard best
SOFT_DB = -18.0  # below the sentence that the level is set by


@dataclass(frozen=True)
class ChannelTrial:
    """A word in one ear, or in both."""

    stimulus: Stimulus
    answer: Ear


@dataclass(frozen=True)
class HugginsTrial:
    """Three bursts of noise, one with a faint tone that exists only between the ears."""

    stimulus: Stimulus
    answer: int  # 1, 2 or 3: the burst with the tone


@dataclass(frozen=True)
class DigitTrial:
    """Three spoken digits in noise."""

    stimulus: Stimulus
    answer: str  # such as "407"
    snr_db: float

    def is_right(self, typed: str) -> bool:
        """Whether these are the digits; what stands between them, and full-width forms, are forgiven."""
        return digits_in(typed) == self.answer


def digits_in(typed: str) -> str:
    """The digits of what was typed, full-width forms made plain."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", typed) if sign.isdecimal())


@dataclass(frozen=True)
class JndTrial:
    """The same speech twice, once with more noise."""

    stimuli: tuple[Stimulus, Stimulus]  # first, second
    answer: Literal["first", "second"]  # the better one
    snr_db: tuple[float, float]  # of the first and the second


@dataclass(frozen=True)
class Choice:
    """One of the answers to a question about what was said."""

    key: str
    words: str


@dataclass(frozen=True)
class LevelSetting:
    """A sentence to set the volume by, and a soft one that must still be understood."""

    sentence: Stimulus
    words: str  # what the sentence says
    soft: Stimulus
    soft_words: str
    choices: tuple[Choice, ...]  # which animal the soft sentence names
    answer: str  # the key of the right choice


def channel_demonstration(language: str) -> dict[str, Stimulus]:
    """Under "left" the spoken word for it in the left ear alone, under "right" the other; not a trial."""
    language = material_language(language)
    words = table(language)["channel"]
    return {ear: _in_ear(language, words[ear], ear, "demonstration") for ear in ("left", "right")}


def channel_trials(seed: int, language: str) -> list[ChannelTrial]:
    """Five trials: "here" twice in each ear and once in both, in random order.

    The word does not tell the ear, and "both" is sometimes right: where a device mixes to mono it always seems so.
    """
    language = material_language(language)
    ears: list[Ear] = ["left", "left", "right", "right", "both"]
    random.Random(f"channel:{seed}").shuffle(ears)
    here = table(language)["channel"]["here"]
    return [ChannelTrial(_in_ear(language, here, ear, f"{seed}:{n}"), ear) for n, ear in enumerate(ears)]


def huggins_example(seed: int) -> HugginsTrial:
    """One to try out, with feedback, before the trials that count."""
    return _huggins(seed, N_HUGGINS_TRIALS, random.Random(f"huggins example:{seed}").randint(1, N_INTERVALS))


def huggins_trials(seed: int) -> list[HugginsTrial]:
    """Six trials, the tone twice in each place, in random order."""
    targets = [1, 2, 3] * (N_HUGGINS_TRIALS // N_INTERVALS)
    random.Random(f"huggins:{seed}").shuffle(targets)
    return [_huggins(seed, number, target) for number, target in enumerate(targets)]


def digit_trials(seed: int, language: str) -> list[DigitTrial]:
    """Five triplets of digits, no digit twice in one."""
    language = material_language(language)
    chance = random.Random(f"digits:{seed}")
    triplets = [tuple(chance.sample(range(10), 3)) for _ in range(N_DIGIT_TRIALS)]
    return [_digit_trial(seed, language, number, triplet) for number, triplet in enumerate(triplets)]


def jnd_trials(seed: int, language: str = "en") -> list[JndTrial]:
    """Four pairs, the better one twice first and twice second, in random order."""
    language = material_language(language)
    places: list[Literal["first", "second"]] = ["first", "first", "second", "second"]
    random.Random(f"jnd:{seed}").shuffle(places)
    return [_jnd_trial(seed, language, number, place) for number, place in enumerate(places)]


def level_setting(seed: int, language: str) -> LevelSetting:
    """The sentence is always the same; which soft one follows is drawn."""
    language = material_language(language)
    level = table(language)["level"]
    answer = random.Random(f"level:{seed}").choice(sorted(level["soft"]))
    soft = level["soft"][answer]
    return LevelSetting(
        sentence=recorded(language, level["sentence"]),
        words=level["sentence"]["words"],
        soft=Stimulus(opaque_name("soft", soft["name"]), soft["seconds"], partial(_soft_sound, language, soft["name"])),
        soft_words=soft["words"],
        choices=tuple(Choice(key, entry["choice"]) for key, entry in sorted(level["soft"].items())),
        answer=answer,
    )


def _generator(*parts: object) -> np.random.Generator:
    """The same parts give the same noise, on every machine."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:8]))


def _in_ear(language: str, entry: dict[str, Any], ear: Ear | str, use: str) -> Stimulus:
    sound = partial(_ear_sound, language, entry["name"], ear)
    return Stimulus(opaque_name("channel", use, entry["name"], ear), entry["seconds"], sound)


def _ear_sound(language: str, name: str, ear: Ear | str) -> Samples:
    word = read_recording(language, name)
    return np.stack([word * (ear != "right"), word * (ear != "left")], axis=1)


def _huggins(seed: int, number: int, target: int) -> HugginsTrial:
    return HugginsTrial(
        Stimulus(
            opaque_name("huggins", seed, number), huggins_seconds(), partial(_huggins_sound, seed, number, target)
        ),
        target,
    )


def _huggins_sound(seed: int, number: int, target: int) -> Samples:
    return huggins_trial(target, _generator("huggins", seed, number), RATE)


def _digit_trial(seed: int, language: str, number: int, triplet: tuple[int, ...]) -> DigitTrial:
    spoken = sum(table(language)["digits"][digit]["seconds"] for digit in triplet)
    seconds = 2 * DIGIT_LEAD_SECONDS + spoken + (len(triplet) - 1) * DIGIT_GAP_SECONDS
    sound = partial(_digit_sound, seed, language, number, triplet)
    stimulus = Stimulus(opaque_name("digits", seed, number), round(seconds, 3), sound)
    return DigitTrial(stimulus, "".join(map(str, triplet)), DIGIT_SNR_DB)


def _digit_sound(seed: int, language: str, number: int, triplet: tuple[int, ...]) -> Samples:
    recordings = [read_recording(language, entry["name"]) for entry in table(language)["digits"]]
    digits = [recordings[digit] for digit in triplet]
    speech = spoken_triplet(digits)
    noise = speech_shaped_noise(recordings, len(speech), _generator("digits", seed, number), RATE)
    mixed = add_noise(speech, noise, DIGIT_SNR_DB, digits_power(digits))
    return mixed * (DIGIT_NOISE_RMS / float(np.sqrt(np.mean(np.square(mixed - speech)))))


def spoken_triplet(digits: list[Samples]) -> Samples:
    """Three digits with silence before, between and after them."""
    lead, gap = (np.zeros(round(seconds * RATE)) for seconds in (DIGIT_LEAD_SECONDS, DIGIT_GAP_SECONDS))
    return np.concatenate([lead, digits[0], gap, digits[1], gap, digits[2], lead])


def digits_power(digits: list[Samples]) -> float:
    """Mean square of the speech in all of them: what the signal-to-noise ratio is counted from."""
    return speech_power(np.concatenate(digits), RATE)


def _jnd_trial(seed: int, language: str, number: int, place: Literal["first", "second"]) -> JndTrial:
    better, worse = JND_SNR_DB
    ratios = (better, worse) if place == "first" else (worse, better)
    sentences = table(language)["jnd"]
    said = [sentences[(number + step) % len(sentences)] for step in (0, 1)]
    names = (said[0]["name"], said[1]["name"])
    seconds = 2 * JND_LEAD_SECONDS + JND_PAUSE_SECONDS + said[0]["seconds"] + said[1]["seconds"]
    first, second = (
        Stimulus(
            opaque_name("jnd", seed, number, position),
            round(seconds, 3),
            partial(_jnd_sound, seed, language, number, names, ratio),
        )
        for position, ratio in enumerate(ratios)
    )
    return JndTrial((first, second), place, ratios)


def _jnd_sound(seed: int, language: str, number: int, names: tuple[str, str], snr_db: float) -> Samples:
    """Both of a pair get the same noise, at two levels."""
    one, other = (read_recording(language, name) for name in names)
    lead, pause = (np.zeros(round(seconds * RATE)) for seconds in (JND_LEAD_SECONDS, JND_PAUSE_SECONDS))
    speech = np.concatenate([lead, one, pause, other, lead])
    noise = _generator("jnd", seed, number).standard_normal(len(speech))
    return add_noise(speech, noise, snr_db, speech_power(speech, RATE))


def _soft_sound(language: str, name: str) -> Samples:
    return read_recording(language, name) * 10 ** (SOFT_DB / 20)
