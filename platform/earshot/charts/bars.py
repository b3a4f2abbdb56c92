"""Counts over an axis: one kind of count upwards, its opposite downwards, several such rows below each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from earshot.charts.svg import caption, element, fitted, number, picture, text, wrapped

HALF = 44.0  # pixels of the tallest bar
HEAD, FOOT = 22.0, 34.0


@dataclass(frozen=True)
class Bars:
    """One row: `up` and `down` have a value per bin."""

    label: str
    up: Sequence[float]
    down: Sequence[float]


def draw_bars(
    rows: Sequence[Bars], *, title: str, axis: str, ends: tuple[str, str], words: tuple[str, str], width: float = 720
) -> str:
    """Rows of bars on one scale.

    Args:
        ends: what stands below the first and the last bin.
        words: what the bars above and below the line are, such as ("good", "bad"): said, not only drawn.
    """
    tallest = max((value for row in rows for value in (*row.up, *row.down)), default=0.0) or 1.0
    height = HEAD + 2 * HALF + 14
    parts = []
    for place, row in enumerate(rows):
        parts += _row(row, place * height, tallest, words, width)
    bottom = len(rows) * height
    parts.append(text(ends[0], 0, bottom + 14, kind="quiet"))
    parts.append(text(ends[1], width, bottom + 14, kind="quiet", text_anchor="end"))
    lines = wrapped(axis, width)
    parts += [caption(words, width / 2, bottom + 32 + 16 * line, width) for line, words in enumerate(lines)]
    return picture(width, bottom + FOOT + 16 * len(lines), title, parts)


def _row(row: Bars, top: float, tallest: float, words: tuple[str, str], width: float) -> list[str]:
    middle = top + HEAD + HALF
    step = width / max(len(row.up), 1)
    parts = [
        text(fitted(row.label, width - 120), 0, top + 14),
        element("line", kind="grid", x1=0, x2=width, y1=middle, y2=middle),
    ]
    parts.append(
        text(f"{words[0]} ↑ {words[1]} ↓ · {number(tallest, 1)}", width, top + 14, kind="quiet", text_anchor="end")
    )
    for place, (up, down) in enumerate(zip(row.up, row.down, strict=True)):
        x = place * step + 1
        for value, kind, word in ((up, "bar", words[0]), (down, "bar-bad", words[1])):
            size = value / tallest * HALF
            if size > 0:
                y = middle - size if kind == "bar" else middle
                said = element("title", f"{word}: {number(value, 2)}")
                parts.append(element("rect", said, kind=kind, x=x, y=y, width=step - 2, height=size))
    return parts
