"""What each step lets people hear, and how their answers are judged: the material in the form that the pages need."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotation import material
from annotation.material import Stimulus
from annotation.models import Attempt, Step
from annotation.queries.questions import scale
from annotation.services.qualification.rules import RULES

N_DIGITS = 3


@dataclass(frozen=True)
class Option:
    """One answer to choose: its value, its words, and the side it favours (a, b or neither)."""

    value: str
    words: str
    side: str = ""


@dataclass(frozen=True)
class Sound:
    """One thing to play: its words on the button, and the side it stands for (a, b or neither)."""

    words: str
    stimulus: Stimulus
    side: str = ""


@dataclass(frozen=True)
class Trial:
    """One question of a step. `options` is empty where the answer is typed."""

    question: str
    sounds: tuple[Sound, ...]
    options: tuple[Option, ...]
    is_right: Callable[[str], bool] = field(repr=False)
    right_words: str = field(default="", repr=False)  # told after a trial of the training
    explanation: str = field(default="", repr=False)  # likewise
    note: str = ""  # what a sound says, or what is talked about
    lines: tuple[tuple[str, str], ...] = ()  # (role, words) of a conversation

    def problem(self, answer: str) -> str:
        """Why this is no answer at all; nothing if it is one."""
        if self.options:
            is_offered = answer in {option.value for option in self.options}
            return "" if is_offered else _("Give one of the answers that are offered.")
        return "" if len(material.digits_in(answer)) == N_DIGITS else _("Type three digits. Guess those you missed.")


def trials_of(attempt: Attempt) -> list[Trial]:
    """The trials of an attempt: the same every time, because they follow from its seed."""
    return MAKERS[Step(attempt.step)](attempt.seed, attempt.language)


def _channels(seed: int, language: str) -> list[Trial]:
    options = (Option("left", _("Left")), Option("right", _("Right")), Option("both", _("Both, or the middle")))
    return [
        Trial(_("Where do you hear the word?"), _one(trial.stimulus), options, _equals(trial.answer))
        for trial in material.channel_trials(seed, language)
    ]


def _headphones(seed: int, _language: str) -> list[Trial]:
    options = (Option("1", _("The first")), Option("2", _("The second")), Option("3", _("The third")))
    question = _("There are three bursts of noise. In which of them is a faint tone?")
    return [
        Trial(question, _one(trial.stimulus), options, _equals(str(trial.answer)))
        for trial in material.huggins_trials(seed)
    ]


def _level(seed: int, language: str) -> list[Trial]:
    setting = material.level_setting(seed, language)
    sounds = (
        Sound(_("Play the sentence"), setting.sentence),
        Sound(_("Play the soft sentence"), setting.soft),
    )
    options = tuple(Option(choice.key, choice.words) for choice in setting.choices)
    question = _("What does the soft sentence speak of?")
    return [Trial(question, sounds, options, _equals(setting.answer), note=setting.words)]


def _digits(seed: int, language: str) -> list[Trial]:
    return [
        Trial(_("Which three digits do you hear?"), _one(trial.stimulus), (), trial.is_right)
        for trial in material.digit_trials(seed, language)
    ]


def _differences(seed: int, language: str) -> list[Trial]:
    options = (Option("first", _("The first")), Option("second", _("The second")))
    question = _("The same words twice, once with more noise. Which one is cleaner?")
    return [
        Trial(
            question,
            (Sound(_("Play the first"), trial.stimuli[0]), Sound(_("Play the second"), trial.stimuli[1])),
            options,
            _equals(trial.answer),
        )
        for trial in material.jnd_trials(seed, language)
    ]


def _training(_seed: int, language: str) -> list[Trial]:
    return [_pair(pair) for pair in material.training_pairs(language)]


def _gold(seed: int, language: str) -> list[Trial]:
    return [_pair(pair) for pair in material.draw_gold(seed, language, RULES[Step.GOLD].n_trials)]


def _pair(pair: material.MaterialPair) -> Trial:
    options = pair_options()
    return Trial(
        pair_question(pair.dimension),
        (Sound(_("Play A"), pair.left, "a"), Sound(_("Play B"), pair.right, "b")),
        options,
        lambda answer: pair.is_right(int(answer)),
        right_words=next(option.words for option in options if option.value == str(pair.answer)),
        explanation=material.explanation_for(pair, get_language() or pair.language),
        lines=pair.lines,
    )


def pair_options() -> tuple[Option, ...]:
    """The scale of the listening room."""
    return tuple(Option(str(point.value), point.words, point.letter) for point in scale())


def pair_question(dimension: str) -> str:
    """One of the three usual questions, in the reader's language."""
    questions = {
        "prosody": _("In which one do melody, rhythm and stress of the voices fit better what is being said?"),
        "emotional_continuity": _("In which one do the feelings follow more believably from turn to turn?"),
        "immersion": _("In which one do timing, pauses and replies make you feel more present in the conversation?"),
    }
    return questions[dimension]


def _one(stimulus: Stimulus) -> tuple[Sound, ...]:
    return (Sound(_("Play"), stimulus),)


def _equals(right: str) -> Callable[[str], bool]:
    return lambda answer: answer == right


MAKERS: dict[Step, Callable[[int, str], list[Trial]]] = {
    Step.CHANNELS: _channels,
    Step.HEADPHONES: _headphones,
    Step.LEVEL: _level,
    Step.DIGITS: _digits,
    Step.DIFFERENCES: _differences,
    Step.TRAINING: _training,
    Step.GOLD: _gold,
}
