"""How far raters agree with each other and with themselves, and what any judge could reach at best."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from annotation.queries.statistics.plots import Plot, interval_plot, interval_words, with_interval
from annotation.queries.statistics.reasons import cannot_say, for_reader
from earshot.charts import Interval
from earshot.estimation.halo import TOO_MUCH

# xgettext:no-python-format
AXIS = gettext_lazy("95 % intervals")


def agreement_plots(dimensions: Sequence[Mapping[str, Any]]) -> list[Plot]:
    return [
        _plot("alpha", _("Krippendorff's α"), dimensions, "agreement", "alpha", 0.0, _("chance")),
        _plot("ac2", _("Gwet's AC2"), dimensions, "ac2", "ac2", 0.0, _("chance")),
        _plot(
            "ceiling", _("Ceiling of any judge against single votes"), dimensions, "ceiling", "value", 0.5, _("chance")
        ),
    ]


def _plot(
    name: str,
    title: str,
    dimensions: Sequence[Mapping[str, Any]],
    group: str,
    figure: str,
    reference: float,
    reference_label: str,
) -> Plot:
    rows, missing = [], []
    for each in dimensions:
        found = each[group]
        n_pairs = found["n_units"] if "n_units" in found else found["n_pairs"]
        note = ngettext("%(n)d pair", "%(n)d pairs", n_pairs) % {"n": n_pairs}
        if found[figure] is None or found["low"] is None:
            missing.append(f"{each['name']} ({for_reader(found['reason'])})")
        else:
            rows.append(Interval(each["name"], found[figure], found["low"], found["high"], note))
    table = [
        [
            each["name"],
            *with_interval(each[group][figure], each[group]["low"], each[group]["high"]),
            for_reader(each[group]["reason"]),
        ]
        for each in dimensions
    ]
    return interval_plot(
        name,
        title,
        _sentence(name, rows, missing),
        rows,
        axis=str(AXIS),
        reference=reference,
        reference_label=reference_label,
        table=table,
    )


def _sentence(name: str, rows: Sequence[Interval], missing: Sequence[str]) -> str:
    if not rows:
        return cannot_say(", ".join(missing) or "no votes")
    last = rows[-1]
    words = {
        "alpha": _("1 is full agreement, 0 is chance. %(dimension)s: %(value)s."),
        "ac2": _("As α, but it does not fall to 0 only because nearly all votes are alike. %(dimension)s: %(value)s."),
        "ceiling": _(
            "The share of single decided votes that the best possible judge would predict. %(dimension)s: %(value)s."
        ),
    }[name] % {"dimension": last.label, "value": last.numbers}
    return words + (" " + _("Not known yet: %(names)s.") % {"names": ", ".join(missing)} if missing else "")


def self_agreement_facts(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """From repeats with their sides exchanged."""
    found = payload["self_agreement"]
    words = {
        "same_sign": _("same verdict twice"),
        "mean_difference": _("mean distance of the two votes, in points of the scale"),
        "correlation": _("correlation of the two votes"),
    }
    return [(label, estimate_words(found[name])) for name, label in words.items()]


def halo_facts(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    halo = payload["halo"]
    return [
        (_("judgments with the same answer in all dimensions"), estimate_words(halo["alike"])),
        (_("correlation of dimensions beyond the pairs' own"), estimate_words(halo["correlation"])),
    ]


def halo_sentence(payload: Mapping[str, Any]) -> str:
    """What the interval says: too much where all of it lies above the limit, fine where all of it lies below."""
    if payload["halo"]["is_too_much"]:
        return _("One impression answers every question. Ask one dimension per pass, or fewer dimensions.")
    found = payload["halo"]["correlation"]
    if found["low"] is None or found["high"] is None:
        return cannot_say(found["reason"])
    if found["high"] >= TOO_MUCH:
        return cannot_say(_("the interval holds the limit of %(limit)s") % {"limit": TOO_MUCH})
    return _("The dimensions say different things.")


def estimate_words(estimate: Mapping[str, Any]) -> str:
    """0.69 [0.61, 0.77], n = 112; or why there is no interval, and so no figure."""
    if estimate["low"] is None or estimate["high"] is None:
        return cannot_say(estimate["reason"])
    return f"{interval_words(estimate['value'], estimate['low'], estimate['high'])}, n = {estimate['n']}"
