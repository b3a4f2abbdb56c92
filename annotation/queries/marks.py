"""Marks as their annotator reads them again, in the history and on the page of a judged pair."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from annotation.models import Judgment, TurnMark
from annotation.queries.wording import for_reader
from annotation.templatetags.sound_numbers import clock

WITH_MARKS = ("marks__turn", "marks__dimension")  # prefetched, a page of judgments takes two queries more, not two each


@dataclass(frozen=True)
class ReadMark:
    side: str  # "a" or "b", as it stood on the screen: a is left
    polarity: str  # "good" or "bad"
    words: str  # "Good at 1:05, turn 3", as in the room
    about: str  # the dimension and the word on it, where there are any


def marks_of(judgment: Judgment) -> list[ReadMark]:
    """The judgment's marks by side and time."""
    side_left = judgment.lease.side_left
    marks = sorted(judgment.marks.all(), key=lambda mark: (mark.side != side_left, mark.seconds))
    return [_read(mark, side_left) for mark in marks]


def _read(mark: TurnMark, side_left: str) -> ReadMark:
    polarity = _("Good") if mark.polarity == TurnMark.Polarity.GOOD else _("Bad")
    now = clock(int(mark.seconds))  # the room's clock has not struck the next second either
    name = for_reader(mark.dimension, "name") if mark.dimension else ""
    return ReadMark(
        side="a" if mark.side == side_left else "b",
        polarity=mark.polarity,
        words=_("{polarity} at {now}, turn {turn}").format(polarity=polarity, now=now, turn=mark.turn.position + 1),
        about=": ".join(part for part in (name, mark.note) if part),
    )
