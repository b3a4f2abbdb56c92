"""A plot as a page shows it: the picture twice (wide and narrow), its numbers as a table, and what is seen."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.queries.sheets import as_cell
from earshot.charts import Interval, draw_intervals
from earshot.charts.svg import number
from earshot.estimation.estimates import wilson

WIDE, NARROW, FILE = 600.0, 340.0, 800.0  # pixels; a page shows the one of the first two that fits
Cell = str | int | float | None


@dataclass(frozen=True)
class Plot:
    name: str  # in its address: letters, digits, - and _
    title: str
    sentence: str
    heading: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    draw: Callable[[float], str] | None = field(default=None, compare=False)  # None: nothing to draw yet
    scrolls: bool = False  # one picture that keeps its size, in a region that scrolls
    all_rows: Sequence[Sequence[Cell]] | None = None  # of the CSV file, where they are too many for the page

    @property
    def label(self) -> str:
        return f"{self.title}. {self.sentence}"

    @property
    def is_drawn(self) -> bool:
        return self.draw is not None

    @property
    def wide(self) -> SafeString:
        return self._svg(WIDE)

    @property
    def narrow(self) -> SafeString:
        return self._svg(NARROW)

    def _svg(self, width: float) -> SafeString:
        # Every word in it was escaped by earshot.charts.svg.
        return mark_safe(self.draw(width) if self.draw else "")

    @property
    def shown_rows(self) -> list[list[tuple[str, bool]]]:
        """The table's cells as people read them, each with whether it is a number."""
        return [[(shown(cell), isinstance(cell, int | float)) for cell in row] for row in self.rows]

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        for row in (self.heading, *(self.all_rows if self.all_rows is not None else self.rows)):
            writer.writerow([as_cell(cell) for cell in row])
        return out.getvalue()


def shown(cell: Cell) -> str:
    if cell is None:
        return "—"
    return number(cell, 3) if isinstance(cell, float) else str(cell)


def interval_plot(
    name: str,
    title: str,
    sentence: str,
    rows: Sequence[Interval],
    *,
    axis: str,
    reference: float | None = 0.0,
    reference_label: str = "",
    heading: Sequence[str] = (),
    table: Sequence[Sequence[Cell]] = (),
) -> Plot:
    """Args: heading, table: the numbers, where they are more than those that are drawn."""

    def draw(width: float) -> str:
        return draw_intervals(
            rows,
            title=f"{title}. {sentence}",
            axis=axis,
            reference=reference,
            reference_label=reference_label,
            width=width,
        )

    drawn: Sequence[Sequence[Cell]] = [[row.label, row.estimate, row.low, row.high, row.note] for row in rows]
    usual = [_("name"), _("estimate"), _("95 % low"), _("95 % high"), _("note")]
    return Plot(name, title, sentence, heading=heading or usual, rows=table or drawn, draw=draw if rows else None)


def intervals(
    rows: Sequence[Mapping[str, Any]], *, label: str = "system", estimate: str = "strength", **names: str
) -> list[Interval]:
    """Rows of a payload that have an interval, as they are drawn; none of them, if one has none.

    Args: names: `low` and `high`, where they are called otherwise.
    """
    low, high = names.get("low", "low"), names.get("high", "high")
    if any(row[estimate] is None or row[low] is None or row[high] is None for row in rows):
        return []  # an estimate is never shown without its interval
    return [
        Interval(row[label], row[estimate], row[low], row[high], votes(row["n_votes"]) if "n_votes" in row else "")
        for row in rows
    ]


def votes(n: int) -> str:
    return ngettext("%(n)d vote", "%(n)d votes", n) % {"n": n}


def sizes(n_votes: int, n_raters: int, n_pairs: int) -> str:
    """204 votes of 12 raters on 68 pairs."""
    return _("%(votes)s of %(raters)s on %(pairs)s") % {
        "votes": votes(n_votes),
        "raters": ngettext("%(n)d rater", "%(n)d raters", n_raters) % {"n": n_raters},
        "pairs": ngettext("%(n)d pair", "%(n)d pairs", n_pairs) % {"n": n_pairs},
    }


def sizes_heard(counted: str, n_raters: int, n_scenarios: int) -> str:
    """204 votes of 12 raters in 34 scenarios. Args: counted: such as "204 votes"."""
    return _("%(counted)s of %(raters)s in %(scenarios)s") % {
        "counted": counted,
        "raters": ngettext("%(n)d rater", "%(n)d raters", n_raters) % {"n": n_raters},
        "scenarios": ngettext("%(n)d scenario", "%(n)d scenarios", n_scenarios) % {"n": n_scenarios},
    }


def judgments(n: int) -> str:
    return ngettext("%(n)d judgment", "%(n)d judgments", n) % {"n": n}


def with_interval(value: Cell, low: Cell, high: Cell) -> tuple[Cell, Cell, Cell]:
    """An estimate is never shown without its interval: three empty cells where that is missing."""
    return (None, None, None) if low is None or high is None else (value, low, high)


def share_words(part: int, whole: int) -> str:
    """A share with Wilson's interval. Args: whole: above 0."""
    found = wilson(part, whole)
    if found.value is None or found.low is None or found.high is None:
        raise ValueError(f"There is no share of {whole}. Ask for one of 1 or more.")
    return interval_words(found.value, found.low, found.high)


def interval_words(value: float, low: float, high: float, digits: int = 2) -> str:
    """0.41 [0.33, 0.49]"""
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"
