"""Cards of raters, as a table, a plot of their reliability and the reasons to look at somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.queries.statistics.agreement import estimate_words
from annotation.queries.statistics.plots import Plot, interval_plot
from earshot.accounts.models import User
from earshot.charts import Interval

REASONS = {
    "checks": gettext_lazy("failed so many fair checks that guessing explains them better than listening"),
    "side": gettext_lazy("leans towards one side"),
    "reliability": gettext_lazy("agrees little with what the others hear"),
    "copying": gettext_lazy("gives the same answers as somebody else"),
    "halo": gettext_lazy("answers the dimensions alike"),
    "fast": gettext_lazy("judges faster than one can listen"),
}
CHECKS = {"pass": gettext_lazy("careful"), "fail": gettext_lazy("fails"), "unknown": gettext_lazy("cannot say yet")}


@dataclass(frozen=True)
class Card:
    """One rater as the page shows it; figures are words with their interval, or why there are none."""

    rater: int
    name: str
    is_simulated: bool
    is_excluded: bool
    n: int
    speed: float | None
    seconds: float | None
    left: str  # share of decided votes for the left side
    figures: Sequence[tuple[str, str]]
    reasons: Sequence[str]
    advises_exclusion: bool
    checks: str


def cards_of(payload: Mapping[str, Any]) -> list[Card]:
    people = User.objects.in_bulk([row["rater"] for row in payload["raters"]])
    names = {pk: str(person) for pk, person in people.items()}
    return [_card(row, people[row["rater"]], names) for row in payload["raters"] if row["rater"] in people]


def _card(row: Mapping[str, Any], person: User, names: Mapping[int, str]) -> Card:
    """Args: names: of all raters, by primary key."""
    found = row["card"]
    return Card(
        rater=row["rater"],
        name=str(person),
        is_simulated=person.is_simulated,
        is_excluded=row["is_excluded"],
        n=row["n"],
        # A simulated rater listens to nothing: its time says nothing.
        speed=None if person.is_simulated else row["speed"],
        seconds=None if person.is_simulated else row["seconds"],
        left=f"{row['n_left']} / {row['n_decided']}",
        figures=_figures(found) if found else [],
        reasons=[_reason(each, found["copies_with"], names) for each in found["reasons"]] if found else [],
        advises_exclusion=bool(found and found["recommends_exclusion"]),
        checks=_checks(found["checks"]) if found else "—",
    )


def _figures(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = {
        "reliability": _("reliability"),
        "side_bias": _("side bias, points towards the left"),
        "discrimination": _("discrimination"),
        "noise": _("noise, points"),
        "tendency": _("distance from 0 beyond the others'"),
        "same_sign": _("same verdict twice"),
        "alike": _("all dimensions alike"),
        "halo": _("halo"),
        "fast": _("implausibly fast"),
    }
    return [(label, estimate_words(card[name])) for name, label in words.items() if card[name] is not None]


def _reason(reason: Mapping[str, Any], copies_with: Sequence[int], names: Mapping[int, str]) -> str:
    words = str(REASONS[reason["code"]])
    if reason["code"] == "copying":
        return f"{words}: {', '.join(names.get(pk, '?') for pk in copies_with)}"
    return f"{words}: {estimate_words(reason['figure'])}" if reason["figure"] else words


def _checks(checks: Mapping[str, Any]) -> str:
    n = checks["n_passed"] + checks["n_failed"]
    if not n:
        return _("none yet")
    return _("%(passed)d of %(n)d passed: %(verdict)s") % {
        "passed": checks["n_passed"],
        "n": n,
        "verdict": CHECKS[checks["verdict"]],
    }


def reliability_plot(payload: Mapping[str, Any], cards: Sequence[Card]) -> Plot:
    names = {card.rater: card.name for card in cards}
    known = [
        (names[row["rater"]], row["card"]["reliability"], row["n"])
        for row in payload["raters"]
        if row["card"] and row["rater"] in names and row["card"]["reliability"]["low"] is not None
    ]
    rows = [
        Interval(name, found["value"], found["low"], found["high"], f"n = {n}")
        for name, found, n in sorted(known, key=lambda each: -float(each[1]["value"]))
    ]
    flagged = sum(bool(card.reasons) for card in cards)
    sentence = _("Cannot say yet: no rater has votes on pairs that others judged too.")
    if rows:
        sentence = _("How well each rater's votes go with what the others hear. Raters with a reason to be looked at:")
        sentence += " " + _("%(n)d of %(all)d.") % {"n": flagged, "all": len(cards)}
    usual = payload["usual_reliability"]
    return interval_plot(
        "reliability",
        _("Reliability"),
        sentence,
        rows,
        # xgettext:no-python-format
        axis=_("correlation with what raters hear alike, 95 % intervals, shrunk"),
        reference=usual if usual is not None else 0.0,
        reference_label=_("usual here") if usual is not None else _("chance"),
    )
