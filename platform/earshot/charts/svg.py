"""The few things that every plot needs: elements, a scale with round steps, numbers with a true minus sign."""

import math
from collections.abc import Sequence
from html import escape

INK, SOFT, LINE, PANEL = "#22252b", "#5c6068", "#dedcd6", "#ffffff"  # the light theme of static/css/tokens.css
FONT = "Ubuntu, Calibri, 'Noto Sans', 'DejaVu Sans', sans-serif"
TEXT_SIZE = 13
LETTER = 7.5  # pixels of one character, amply
WIDE_LETTER = 13.5  # of a Chinese or Japanese one
Attribute = str | float | int

STYLES: dict[str, dict[str, Attribute]] = {  # by class, for files that stand alone
    "quiet": {"fill": SOFT},
    "strong": {"font-weight": 600},
    "grid": {"stroke": LINE},
    "reference": {"stroke": SOFT, "stroke-dasharray": "4 3"},
    "whisker": {"stroke": INK, "stroke-width": 2},
    "dot": {"fill": INK, "stroke": PANEL, "stroke-width": 1.5},
    "hollow": {"fill": PANEL, "stroke": INK, "stroke-width": 1.5},
    "cell": {"fill": INK},
    "bar": {"fill": INK},
    "bar-bad": {"fill": PANEL, "stroke": INK},
}


def element(name: str, content: str = "", *, kind: str = "", **attributes: Attribute) -> str:
    """One element. `kind` is its class, whose style stands in the attributes too; `text_anchor` becomes text-anchor."""
    found: dict[str, Attribute] = {"class": kind} if kind else {}
    found |= STYLES.get(kind, {}) | {key.replace("_", "-"): value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(_written(value))}"' for key, value in found.items())
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(words: str, x: float, y: float, *, kind: str = "", **attributes: Attribute) -> str:
    return element("text", escape(words), kind=kind, x=x, y=y, **attributes)


def picture(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """The whole file. `label` is what a screen reader says of it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_written(width)} {_written(height)}" '
        f'width="{_written(width)}" height="{_written(height)}" role="img" aria-label="{escape(label)}" '
        f'font-family="{escape(FONT)}" font-size="{TEXT_SIZE}" fill="{INK}">'
    )
    return head + "".join(parts) + "</svg>"


def _written(value: Attribute) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def number(value: float, digits: int = 2) -> str:
    shown = f"{value:.{digits}f}"
    return shown.replace("-", "−") if float(shown) else shown.removeprefix("-")


def room_for(texts: Sequence[str]) -> float:
    """Pixels that the longest of these may need."""
    return max((_length(words) for words in texts), default=0.0)


def _length(words: str) -> float:
    return sum(WIDE_LETTER if ord(letter) > 0x2E7F else LETTER for letter in words)


def wrapped(words: str, room: float) -> list[str]:
    """The words in lines that fit, broken at spaces."""
    lines = [""]
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _length(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def caption(words: str, at: float, y: float, width: float) -> str:
    """A label centred at `at`, moved inside the picture where it would stick out."""
    half = _length(words) / 2
    if at < half:
        return text(words, 0, y, kind="quiet")
    if at > width - half:
        return text(words, width, y, kind="quiet", text_anchor="end")
    return text(words, at, y, kind="quiet", text_anchor="middle")


def fitted(words: str, room: float) -> str:
    """The words, shortened in the middle where they do not fit."""
    if _length(words) <= room:
        return words
    most = max(8, int(room / LETTER))
    return f"{words[: most // 2]}…{words[-(most - most // 2 - 1) :]}"


def round_steps(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers over low … high: steps of 1, 2 or 5 times a power of ten, about `wanted` of them."""
    rough = ((high - low) or 1.0) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def shown_step(value: float) -> str:
    return f"{value:g}".replace("-", "−")
