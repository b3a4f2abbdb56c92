"""By how much systems differ, and how many votes are still needed to tell them apart."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.queries.statistics.plots import Cell, Plot, interval_plot, with_interval
from annotation.queries.statistics.reasons import cannot_say, for_reader
from earshot.charts import Interval

# xgettext:no-python-format
AXIS = gettext_lazy("lead of the first over the second in logits, 95 % intervals")


def forecast_plot(board: Mapping[str, Any]) -> Plot:
    differences = board["differences"]
    known = [each for each in differences if each["low"] is not None]
    rows = [
        Interval(_pair(each), each["value"], each["low"], each["high"], forecast_words(each, short=True))
        for each in known
    ]
    heading = [
        *(_("first"), _("second"), _("lead"), _("95 % low"), _("95 % high"), _("votes between them")),
        _("votes until they are separated"),
    ]
    table: list[list[Cell]] = [
        [
            *(each["first"], each["second"]),
            *with_interval(each["value"], each["low"], each["high"]),
            *(each["n_between"], forecast_words(each)),
        ]
        for each in differences
    ]
    return interval_plot(
        f"forecast-{board['key']}",
        board["name"],
        _sentence(board, known),
        rows,
        axis=str(AXIS),
        reference_label=_("no difference"),
        heading=heading,
        table=table,
    )


def _pair(each: Mapping[str, Any]) -> str:
    return _("%(first)s over %(second)s") % {"first": each["first"], "second": each["second"]}


def forecast_words(each: Mapping[str, Any], *, short: bool = False) -> str:
    """ "42 (33 to 61) more votes", "separated", or why it cannot be foreseen."""
    if each["is_separated"]:
        return _("separated")
    found = each.get("forecast")
    if found is None:
        return _("not separated")
    if found["n"] is None:
        return _("not foreseeable") if short else for_reader(found["reason"])
    return _("%(n)d (%(low)d to %(high)d) more votes") % {name: found[name] for name in ("n", "low", "high")}


def forecast_remark() -> str:
    """Said once, beside all forecasts."""
    # xgettext:no-python-format
    return _(
        "In brackets: the middle 80 % of what may come. It holds if raters and scenarios grow in number with the "
        "votes; more votes of the same few separate later."
    )


def _sentence(board: Mapping[str, Any], known: list[Mapping[str, Any]]) -> str:
    if not known:
        return cannot_say(board["reason"] or "no votes")
    n = sum(each["is_separated"] for each in known)
    told = ngettext(
        "%(k)d of %(n)d difference shown is separated from zero.",
        "%(k)d of %(n)d differences shown are separated from zero.",
        len(known),
    ) % {"k": n, "n": len(known)}
    nearest = [each for each in known if not each["is_separated"] and (each.get("forecast") or {}).get("n") is not None]
    if not nearest:
        return told
    least = min(nearest, key=lambda each: int(each["forecast"]["n"]))
    return (
        told
        + " "
        + _("%(more)s until %(first)s and %(second)s are separated.")
        % {
            "more": forecast_words(least),
            "first": least["first"],
            "second": least["second"],
        }
    )
