"""Who was preferred to whom: a square of shares, darker where the row's system won more often."""

from collections.abc import Sequence

from earshot.charts.svg import element, fitted, picture, room_for, text

MOST_WRITTEN = 24  # systems; beyond it cells are small and carry no number
CELL, SMALL_CELL = 44.0, 10.0  # pixels
LEVELS = 8  # of darkness among small cells, so that each is one path
LIGHTEST, DARKEST = 0.02, 0.34  # of ink: numbers stay readable on every cell


def draw_matrix(
    names: Sequence[str],
    shares: Sequence[Sequence[float | None]],
    *,
    title: str,
    column_label: str,
) -> str:
    """Row against column: the share of decided votes that preferred the row's system; None where none was cast."""
    is_written = len(names) <= MOST_WRITTEN
    cell = CELL if is_written else SMALL_CELL
    numbered = [f"{place}  {name}" for place, name in enumerate(names, start=1)]
    left = min(room_for(numbered) + 12, 220) if is_written else 24.0
    top = 44.0
    parts = [text(column_label, left, 14, kind="quiet")]
    for place, name in enumerate(numbered):
        middle = cell * (place + 0.5)
        if is_written:
            parts.append(text(fitted(name, left - 12), 0, top + middle + 4))
        if is_written or place % 10 == 9:
            parts.append(text(str(place + 1), left + middle, top - 8, kind="quiet", text_anchor="middle"))
        if not is_written and place % 10 == 9:
            parts.append(text(str(place + 1), left - 6, top + middle + 4, kind="quiet", text_anchor="end"))
    parts += _written_cells(shares, left, top) if is_written else _small_cells(shares, left, top)
    side = cell * len(names)
    return picture(left + side + 4, top + side + 4, title, parts)


def _written_cells(shares: Sequence[Sequence[float | None]], left: float, top: float) -> list[str]:
    parts = []
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            x, y = left + column * CELL, top + row * CELL
            if share is None:
                continue
            darkness = LIGHTEST + (DARKEST - LIGHTEST) * share
            parts.append(
                element("rect", kind="cell", x=x, y=y, width=CELL - 2, height=CELL - 2, fill_opacity=round(darkness, 3))
            )
            kind = "strong" if share > 0.5 else ""
            parts.append(text(f"{share:.0%}"[:-1], x + CELL / 2 - 1, y + CELL / 2 + 4, kind=kind, text_anchor="middle"))
    return parts


def _small_cells(shares: Sequence[Sequence[float | None]], left: float, top: float) -> list[str]:
    paths: dict[int, list[str]] = {}
    size = int(SMALL_CELL) - 1
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            if share is not None:
                x, y = left + column * SMALL_CELL, top + row * SMALL_CELL
                paths.setdefault(round(share * (LEVELS - 1)), []).append(f"M{x:g} {y:g}h{size}v{size}h-{size}z")
    return [
        element("path", kind="cell", d="".join(path), fill_opacity=round(0.04 + 0.9 * level / (LEVELS - 1), 3))
        for level, path in sorted(paths.items())
    ]
