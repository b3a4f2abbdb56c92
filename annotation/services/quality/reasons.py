"""Why a check decided as it did: a code and its numbers, as stored; the sentence is made when it is read.

Stored: ["gold_wrong", {"value": -2, "expected": 3}]. What was judged before reasons had codes has an English sentence
in its place, which is shown as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_lazy, pgettext_lazy

Reason = list[Any]  # [code, {name: number}]

WORST_FIRST = ("fail", "unknown", "pass")
CHECKS = {
    "listening": pgettext_lazy("quality check", "listening"),
    "stalls": pgettext_lazy("quality check", "stalls"),
    "gold": pgettext_lazy("quality check", "gold"),
    "identical": pgettext_lazy("quality check", "identical"),
    "repeat": pgettext_lazy("quality check", "repeat"),
    "spoken": pgettext_lazy("quality check", "spoken"),
}
SENTENCES = {
    "simulated": gettext_lazy("a simulated rater listens to nothing"),
    "simulated_plays_nothing": gettext_lazy("a simulated rater plays nothing"),
    "not_recorded": gettext_lazy("the study records no listening"),
    "heard": gettext_lazy("at least %(share)s of each side's speech was heard"),
    "heard_too_little": gettext_lazy("only %(share)s of one side's speech was heard"),
    "heard_too_little_not_enforced": gettext_lazy(
        "only %(share)s of one side's speech was heard; the study does not enforce it"
    ),
    "stalled": gettext_lazy("the sound stalled for %(seconds)s s"),
    "no_number": gettext_lazy("overall was answered without a number"),
    "no_expected_value": gettext_lazy("the check has no expected answer"),
    "gold_right": gettext_lazy("%(value)s on overall where %(expected)s was expected, within one step"),
    "gold_wrong": gettext_lazy("%(value)s on overall where %(expected)s was expected, more than one step off"),
    "identical_right": gettext_lazy("%(value)s on overall where both sides were the same"),
    "identical_wrong": gettext_lazy("%(value)s on overall where both sides were the same: more than one step off"),
    "spoken_right": gettext_lazy("the answer that the voice asked for"),
    "spoken_wrong": gettext_lazy("%(value)s on overall where the voice asked for %(expected)s"),
    "spoken_no_number": gettext_lazy("no number on overall where the voice asked for %(expected)s"),
    "no_first": gettext_lazy("the pair that it repeats has no answer with a number to compare"),
    "not_swapped": gettext_lazy("its sides were not swapped"),
    "repeated": gettext_lazy("as shown, %(first)s the first time and %(again)s with sides swapped"),
    "same_side_twice": gettext_lazy(
        "as shown, %(first)s and %(again)s: strongly for one side of the screen both times"
    ),
}


def sentence_of(reason: Reason | str) -> str:
    """The reason in the reader's language."""
    if isinstance(reason, str):
        return reason
    code, numbers = reason
    sentence = SENTENCES.get(code)
    if sentence is None:  # of a newer version than this one
        return f"{code} {numbers}"
    return str(sentence) % {name: _shown(name, number) for name, number in numbers.items()}


def english_of(reason: Reason | str) -> str:
    """For files: in English, whoever asked for them."""
    with translation.override("en"):
        return sentence_of(reason)


def _shown(name: str, number: Any) -> str:
    if name == "share":
        return f"{number:.0%}"
    if name == "seconds":
        return f"{number:.1f}"
    return f"{number:+d}".replace("-", "−") if number else "0"


def lines_of(checks: Mapping[str, Sequence[Any]]) -> list[tuple[str, str, str]]:
    """(name, verdict, sentence) of each check of a verdict, in the reader's language; what failed first."""
    rows = [(str(CHECKS.get(name, name)), verdict, sentence_of(reason)) for name, (verdict, reason) in checks.items()]
    return sorted(rows, key=lambda row: (WORST_FIRST.index(row[1]), row[0]))
