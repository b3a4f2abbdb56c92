"""Estimates with their intervals, one row each, and the reference (zero, chance) drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from earshot.charts.svg import (
    caption,
    element,
    fitted,
    number,
    picture,
    room_for,
    round_steps,
    shown_step,
    text,
    wrapped,
)

ROW, NARROW_ROW, STACKED_ROW, NOTE_ROW = 32.0, 50.0, 42.0, 16.0  # pixels; a narrow row with notes has the last one more
NARROW = 520  # below it the label stands above its interval
TOP, BOTTOM, LINE = 22.0, 44.0, 16.0
LEAST_DRAWN = 0.35  # of the width, beside labels and numbers
STEP_ROOM = 28.0  # pixels from one number of the scale to the next, at least


@dataclass(frozen=True)
class Interval:
    label: str
    estimate: float
    low: float
    high: float
    note: str = ""  # such as "204 votes"
    is_hollow: bool = False  # a second estimate of the row above, such as the raw one

    @property
    def numbers(self) -> str:
        return f"{number(self.estimate)} [{number(self.low)}, {number(self.high)}]"


@dataclass(frozen=True)
class _Frame:
    width: float
    left: float
    right: float
    low: float
    high: float
    n_rows: int
    is_narrow: bool
    has_notes: bool
    is_stacked: bool  # in a wide picture: notes stand below the numbers, to leave room for the drawing

    @property
    def row(self) -> float:
        if self.is_narrow:
            return NARROW_ROW + NOTE_ROW * self.has_notes
        return STACKED_ROW if self.is_stacked else ROW

    @property
    def middle(self) -> float:
        """Where in a row its interval is drawn."""
        return self.row - ROW / 2 if self.is_narrow else self.row / 2

    @property
    def bottom(self) -> float:
        return TOP + self.n_rows * self.row

    def x(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.width - self.left - self.right)


def draw_intervals(
    rows: Sequence[Interval],
    *,
    title: str,
    axis: str,
    reference: float | None = 0.0,
    reference_label: str = "",
    width: float = 720,
) -> str:
    """An interval plot. `title` is what a screen reader says; `axis` names the numbers with their unit."""
    frame = _frame(rows, reference, width)
    parts = _scale(frame, axis, reference, reference_label)
    for place, row in enumerate(rows):
        parts += _row(frame, row, TOP + place * frame.row + frame.middle)
    height = frame.bottom + BOTTOM + LINE * (len(wrapped(axis, width)) - 1)
    return picture(width, height, title, parts)


def _frame(rows: Sequence[Interval], reference: float | None, width: float) -> _Frame:
    is_narrow = width < NARROW
    notes = room_for([row.note for row in rows])
    left = 8.0 if is_narrow else min(room_for([row.label for row in rows]) + 16, width * 0.36)
    numbers = room_for([row.numbers for row in rows])
    is_stacked = notes > 0 and width - left - numbers - notes < LEAST_DRAWN * width
    beside = max(numbers, notes) if is_stacked else numbers + (notes + 12 if notes else 0)
    right = 8.0 if is_narrow else 12 + beside
    values = [value for row in rows for value in (row.low, row.high, row.estimate)]
    values += [] if reference is None else [reference]
    low, high = min(values, default=-1.0), max(values, default=1.0)
    room = ((high - low) or 1.0) * 0.05
    return _Frame(width, left, right, low - room, high + room, len(rows), is_narrow, bool(notes), is_stacked)


def _scale(frame: _Frame, axis: str, reference: float | None, reference_label: str) -> list[str]:
    parts = []
    most = max(1, min(4 if frame.is_narrow else 6, int((frame.width - frame.left - frame.right) / STEP_ROOM)))
    for step in round_steps(frame.low, frame.high, most):
        at = frame.x(step)
        parts.append(element("line", kind="grid", x1=at, x2=at, y1=TOP, y2=frame.bottom))
        parts.append(text(shown_step(step), at, frame.bottom + 16, kind="quiet", text_anchor="middle"))
    middle = (frame.left + frame.width - frame.right) / 2
    for line, words in enumerate(wrapped(axis, frame.width)):
        parts.append(caption(words, middle, frame.bottom + 36 + LINE * line, frame.width))
    if reference is not None:
        at = frame.x(reference)
        parts.append(element("line", kind="reference", x1=at, x2=at, y1=TOP - 4, y2=frame.bottom))
        parts.append(caption(reference_label, at, TOP - 8, frame.width))
    return parts


def _row(frame: _Frame, row: Interval, middle: float) -> list[str]:
    if frame.is_narrow:
        line = middle - 14 - NOTE_ROW * frame.has_notes
        parts = [
            text(fitted(row.label, frame.width - 165), 0, line),
            text(row.numbers, frame.width, line, kind="quiet", text_anchor="end"),
        ]
        if row.note:
            parts.append(text(fitted(row.note, frame.width), 0, line + NOTE_ROW, kind="quiet"))
    else:
        parts = [
            text(fitted(row.label, frame.left - 8), 0, middle + 4),
            text(row.numbers, frame.width - frame.right + 12, middle + (-3 if frame.is_stacked and row.note else 4)),
        ]
        if row.note and frame.is_stacked:
            parts.append(text(row.note, frame.width - frame.right + 12, middle + 12, kind="quiet"))
        elif row.note:
            parts.append(text(row.note, frame.width, middle + 4, kind="quiet", text_anchor="end"))
    low, high, at = frame.x(row.low), frame.x(row.high), frame.x(row.estimate)
    parts.append(element("line", kind="whisker", x1=low, x2=high, y1=middle, y2=middle))
    parts += [element("line", kind="whisker", x1=end, x2=end, y1=middle - 4, y2=middle + 4) for end in (low, high)]
    said = element("title", _title(row))
    parts.append(element("circle", said, kind="hollow" if row.is_hollow else "dot", cx=at, cy=middle, r=5.5))
    return parts


def _title(row: Interval) -> str:
    return escape(f"{row.label}: {row.numbers}{', ' + row.note if row.note else ''}")
