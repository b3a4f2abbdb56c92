"""Where in the dialogues the marks fall."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Turn, TurnMark
from annotation.queries.statistics.plots import Cell, Plot
from earshot.charts import Bars, draw_bars

GOOD, BAD = TurnMark.Polarity.GOOD, TurnMark.Polarity.BAD
PER = 100  # listenings: what counts are given out of
MOST_SYSTEMS = 12  # drawn, and in the table; the CSV has all


def marks_plots(payload: Mapping[str, Any]) -> list[Plot]:
    marks = payload["marks"]
    names = {each["key"]: each["name"] for each in payload["dimensions"]} | {"": _("no dimension named")}
    total = sum(marks["listenings"].values())
    dimensions, systems, roles = (_series(marks, name) for name in ("dimension", "system", "role"))
    by_dimension = {name: _per_hundred(dimensions.get(key), total) for key, name in names.items()}
    by_system = {
        payload["systems"][system]: _per_hundred(systems.get(int(system)), n)
        for system, n in marks["listenings"].items()
    }
    by_role = {str(role.label): _per_hundred(roles.get(role.value), total) for role in Turn.Role}
    return [
        _plot("marks-dimensions", _("By dimension"), _kept(by_dimension), marks),
        _plot("marks-systems", _("By system"), _kept(by_system), marks),
        _plot("marks-roles", _("By whose turn it is"), _kept(by_role), marks),
    ]


Sides = tuple[list[float], list[float]]  # good and bad marks per bin


def _series(marks: Mapping[str, Any], name: str) -> dict[str | int, Sides]:
    """Good and bad marks per bin, for each value of `name`."""
    found: dict[str | int, Sides] = {}
    for row in marks["rows"]:
        sides = found.setdefault(row[name], ([0.0] * marks["bins"], [0.0] * marks["bins"]))
        side = sides[row["polarity"] == BAD]
        for place, count in enumerate(row["counts"]):
            side[place] += count
    return found


def _per_hundred(sides: Sides | None, n: int) -> Sides:
    good, bad = sides or ([], [])
    return [count * PER / max(n, 1) for count in good], [count * PER / max(n, 1) for count in bad]


def _kept(series: Mapping[str, Sides]) -> dict[str, Sides]:
    return {name: each for name, each in series.items() if any(each[0]) or any(each[1])}


def _plot(name: str, title: str, series: Mapping[str, Sides], marks: Mapping[str, Any]) -> Plot:
    bars = [Bars(label, good, bad) for label, (good, bad) in series.items()]
    sentence = _sentence(bars, marks)
    drawn = bars[:MOST_SYSTEMS]

    def draw(width: float) -> str:
        return draw_bars(
            drawn,
            title=f"{title}. {sentence}",
            axis=_("place in the dialogue; marks per %(n)d listenings") % {"n": PER},
            ends=(_("begin"), _("end")),
            words=(str(GOOD.label), str(BAD.label)),
            width=width,
        )

    rows = _table(bars, 100 // marks["bins"])
    shown = rows if len(bars) <= MOST_SYSTEMS else _table(drawn, 100 // marks["bins"])
    heading = [_("name"), _("place in the dialogue"), _("good per 100"), _("bad per 100")]
    return Plot(name, title, sentence, heading=heading, rows=shown, all_rows=rows, draw=draw if bars else None)


def _table(bars: Sequence[Bars], step: int) -> list[Sequence[Cell]]:
    return [
        [bar.label, f"{place * step}–{(place + 1) * step} %", up, down]
        for bar in bars
        for place, (up, down) in enumerate(zip(bar.up, bar.down, strict=True))
        if up or down
    ]


def _sentence(bars: Sequence[Bars], marks: Mapping[str, Any]) -> str:
    if not bars:
        return _("Nobody has marked a turn yet.")
    n = ngettext("%(n)d mark", "%(n)d marks", marks["n"]) % {"n": marks["n"]}
    worst = max(bars, key=lambda bar: sum(bar.down))
    if not sum(worst.down):
        return _("%(marks)s, none of them bad.") % {"marks": n}
    place = max(range(len(worst.down)), key=lambda index: worst.down[index])
    third = (_("beginning"), _("middle"), _("end"))[min(3 * place // len(worst.down), 2)]
    return _("%(marks)s. Most bad ones are on %(what)s, above all in the %(third)s third of the dialogue.") % {
        "marks": n,
        "what": worst.label,
        "third": third,
    }
