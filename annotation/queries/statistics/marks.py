"""Where in the dialogues the marks fall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Turn, TurnMark
from annotation.queries.statistics.plots import Cell, Plot, judgments, share_words, sizes_heard
from earshot.charts import Bars, draw_bars
from earshot.estimation.estimates import wilson

GOOD, BAD = TurnMark.Polarity.GOOD, TurnMark.Polarity.BAD
PER = 100  # listenings: what counts are given out of
MOST_SYSTEMS = 12  # drawn, and in the table; the CSV has all


def marks_plots(payload: Mapping[str, Any]) -> list[Plot]:
    marks = payload["marks"]
    names = {each["key"]: each["name"] for each in payload["dimensions"]} | {"": _("no dimension named")}
    total = sum(marks["listenings"].values())
    dimensions, systems, roles = (_series(marks, name) for name in ("dimension", "system", "role"))
    by_dimension = {name: Marked(dimensions.get(key), total) for key, name in names.items()}
    by_system = {
        payload["systems"][system]: Marked(systems.get(int(system)), n) for system, n in marks["listenings"].items()
    }
    by_role = {str(role.label): Marked(roles.get(role.value), total) for role in Turn.Role}
    return [
        _plot("marks-dimensions", _("By dimension"), by_dimension, payload),
        _plot("marks-systems", _("By system"), by_system, payload),
        _plot("marks-roles", _("By whose turn it is"), by_role, payload),
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


@dataclass(frozen=True)
class Marked:
    """The marks on one dimension, system or role, and how often it was listened to."""

    counts: Sides | None
    listenings: int

    @property
    def bad(self) -> list[float]:
        return self.counts[1] if self.counts else []

    def bars(self, label: str) -> Bars:
        good, bad = self.counts or ([], [])
        up, down = ([count * PER / max(self.listenings, 1) for count in side] for side in (good, bad))
        return Bars(label, up, down)


def _plot(name: str, title: str, series: Mapping[str, Marked], payload: Mapping[str, Any]) -> Plot:
    marks = payload["marks"]
    bars = [each.bars(label) for label, each in series.items() if each.counts]
    sentence = _sentence(series, payload)
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


def _sentence(series: Mapping[str, Marked], payload: Mapping[str, Any]) -> str:
    """How many marks there are, and where more bad ones fall than chance would put there, by Wilson's interval."""
    n = payload["marks"]["n"]
    if not n:
        return _("Nobody has marked a turn yet.")
    size = payload["n"]
    words = _("%(marks)s on %(size)s.") % {
        "marks": ngettext("%(n)d mark", "%(n)d marks", n) % {"n": n},
        "size": sizes_heard(judgments(size["judgments"]), size["raters"], size["scenarios"]),
    }
    n_bad = round(sum(sum(each.bad) for each in series.values()))
    if not n_bad:
        return words + " " + _("None of them is bad.")
    worst = _stands_out(series, n_bad)
    kept = [series[worst]] if worst else list(series.values())
    return f"{words} {_worst_words(series, worst, n_bad)} {_third_words(kept)}"


def _stands_out(series: Mapping[str, Marked], n_bad: int) -> str | None:
    """What has surely more of the bad marks than of the listenings; None where that cannot be said of any."""
    n_listened = sum(each.listenings for each in series.values())
    excess = {
        name: share.low - each.listenings / n_listened
        for name, each in series.items()
        if (share := wilson(round(sum(each.bad)), n_bad)).low is not None and n_listened
    }
    name = max(excess, key=lambda each: excess[each], default=None)
    return name if name is not None and excess[name] > 0 else None


def _worst_words(series: Mapping[str, Marked], worst: str | None, n_bad: int) -> str:
    if worst is None:
        return ngettext(
            "%(n)d is bad; where more of them fall than elsewhere cannot be said yet.",
            "%(n)d are bad; where more of them fall than elsewhere cannot be said yet.",
            n_bad,
        ) % {"n": n_bad}
    k = round(sum(series[worst].bad))
    return _("%(what)s has more bad ones than the others: %(k)d of %(n)d, a share of %(share)s.") % {
        **{"what": worst, "k": k, "n": n_bad},
        "share": share_words(k, n_bad),
    }


def _third_words(kept: Sequence[Marked]) -> str:
    """The third of the dialogue with more of these bad marks than of its time; nothing where that cannot be said."""
    bins = [sum(column) for column in zip(*(each.bad for each in kept if each.bad), strict=True)]
    n_bad, parts = round(sum(bins)), [0.0, 0.0, 0.0]
    sizes = [0, 0, 0]
    for place, count in enumerate(bins):
        parts[3 * place // len(bins)] += count
        sizes[3 * place // len(bins)] += 1
    third = max(range(3), key=lambda index: parts[index])
    if not wilson(round(parts[third]), n_bad).is_above(sizes[third] / len(bins)):
        return _("No third of the dialogue has clearly more of them.")
    return _("More than elsewhere fall in the %(third)s of the dialogue: %(k)d of %(n)d, a share of %(share)s.") % {
        "third": (_("first third"), _("middle third"), _("last third"))[third],
        **{"k": round(parts[third]), "n": n_bad},
        "share": share_words(round(parts[third]), n_bad),
    }
