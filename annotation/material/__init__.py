"""What is heard on the way to becoming an annotator: tones, noise, digits, prompts, and pairs with a known answer.

Every function is pure: the same seed and language give the same trials, so a page needs to keep the seed alone. A trial
carries its stimuli, which make their bytes only when they are asked for, and its right answer, which must stay on the
server. docs/material.md says where each comes from and what was measured.
"""

from annotation.material.checks import (
    ChannelTrial,
    Choice,
    DigitTrial,
    HugginsTrial,
    JndTrial,
    LevelSetting,
    channel_demonstration,
    channel_trials,
    digit_trials,
    digits_in,
    huggins_example,
    huggins_trials,
    jnd_trials,
    level_setting,
)
from annotation.material.examples import Excerpt, examples_of, stimulus_named
from annotation.material.pairs import MaterialPair, draw_gold, explanation_for, gold_pairs, training_pairs
from annotation.material.shipped import LANGUAGES, material_language
from annotation.material.stimulus import Stimulus

__all__ = [
    "LANGUAGES",
    "ChannelTrial",
    "Choice",
    "DigitTrial",
    "Excerpt",
    "HugginsTrial",
    "JndTrial",
    "LevelSetting",
    "MaterialPair",
    "Stimulus",
    "channel_demonstration",
    "channel_trials",
    "digit_trials",
    "digits_in",
    "draw_gold",
    "examples_of",
    "explanation_for",
    "gold_pairs",
    "huggins_example",
    "huggins_trials",
    "jnd_trials",
    "level_setting",
    "material_language",
    "stimulus_named",
    "training_pairs",
]
