"""Boards, plain and style-controlled."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models import Score
from annotation.queries.statistics.plots import (
    Plot,
    interval_plot,
    interval_words,
    intervals,
    sizes,
    votes,
    with_interval,
)
from annotation.queries.statistics.reasons import cannot_say
from earshot.charts import Interval

Board = Mapping[str, Any]  # one dimension of a payload
# xgettext:no-python-format
LOGITS = gettext_lazy("strength in logits, 95 % intervals")
COVARIATES = {
    "duration": gettext_lazy("duration"),
    "level": gettext_lazy("level"),
    "speech_rate": gettext_lazy("speech rate"),
    "pitch_mean": gettext_lazy("mean pitch"),
    "pitch_spread": gettext_lazy("spread of pitch"),
    "response_gap": gettext_lazy("response gap"),
    "turns": gettext_lazy("number of turns"),
}
UNITS = {  # of the usual difference between two sides, with how it is written
    "duration": ("ln s", 3),
    "level": ("LU", 2),
    "speech_rate": (gettext_lazy("ln characters per second"), 3),
    "pitch_mean": (gettext_lazy("semitones"), 2),
    "pitch_spread": (gettext_lazy("semitones"), 2),
    "response_gap": ("s", 2),
    "turns": (gettext_lazy("turns"), 1),
}
WHY_LEFT_OUT = {
    "unknown": gettext_lazy("%(names)s: not known on enough pairs"),
    "alike": gettext_lazy("%(names)s: alike on both sides of every pair"),
    "as_systems": gettext_lazy("%(names)s: cannot be told apart from the systems"),
}


def board_plot(board: Board, most: int | None = None) -> Plot:
    """Ordinal Bradley-Terry: strengths with intervals, ranks and CMOS in the table.

    Args: most: so many systems from the top; by default all.
    """
    heading = [
        *(_("system"), _("rank"), _("best rank"), _("worst rank")),
        *(_("strength"), _("95 % low"), _("95 % high"), "CMOS", _("CMOS low"), _("CMOS high"), _("votes")),
    ]
    rows = board["rows"][:most]
    sentence = board_sentence(board)
    if len(rows) < len(board["rows"]):
        sentence += " " + _("Shown: the first %(most)d of %(n)d.") % {"most": len(rows), "n": len(board["rows"])}
    table = [
        [
            *(row[name] for name in ("system", "rank", "rank_low", "rank_high")),
            *with_interval(row["strength"], row["low"], row["high"]),
            *with_interval(row["cmos"], row["cmos_low"], row["cmos_high"]),
            row["n_votes"],
        ]
        for row in rows
    ]
    return interval_plot(
        f"ranking-{board['key']}",
        board["name"],
        sentence,
        intervals(rows),
        axis=str(LOGITS),
        reference_label=_("mean of all"),
        heading=heading,
        table=table,
    )


def board_sentence(board: Board) -> str:
    """What the picture shows, or why it cannot be said yet."""
    if board["reason"]:
        return cannot_say(board["reason"])
    size = sizes(board["n_votes"], board["n_raters"], board["n_pairs"])
    first = [row["system"] for row in board["rows"] if row["rank"] == 1]
    if len(first) == 1:
        return _("%(system)s stands above all others (%(size)s).") % {"system": first[0], "size": size}
    return _("%(systems)s cannot be told apart at the top yet (%(size)s).") % {
        "systems": listed(first),
        "size": size,
    }


def listed(names: Sequence[str], most: int = 5) -> str:
    """good, fair and so on: at most so many names."""
    if len(names) <= most:
        return ", ".join(names)
    return _("%(names)s and %(n)d more") % {"names": ", ".join(names[:most]), "n": len(names) - most}


def cmos_plot(board: Board) -> Plot:
    rows = sorted((row for row in board["rows"] if row["cmos"] is not None), key=lambda row: -float(row["cmos"]))
    drawn = intervals(rows, estimate="cmos", low="cmos_low", high="cmos_high")
    sentence = _("The plain mean of the votes from each system's point of view. It depends on whom a system met.")
    if not drawn:
        sentence = cannot_say(board["reason"] or _("no system has an interval"))
    return interval_plot(
        f"cmos-{board['key']}",
        _("Mean comparison score (CMOS), %(dimension)s") % {"dimension": board["name"]},
        sentence,
        drawn,
        # xgettext:no-python-format
        axis=_("mean vote on −3 … +3, 95 % intervals"),
        reference_label=_("no preference"),
    )


def davidson_plot(board: Board) -> Plot:
    found = board["davidson"]
    sentence = {
        "same": _("Win, tie and loss alone give the same order."),
        "open": _("Win, tie and loss alone give another order, within what the intervals leave open."),
        "other": _("Win, tie and loss alone give another order."),
    }[compare_orders(found["rows"], board["rows"])]
    if found["tie_parameter"] is not None:
        sentence += " " + _("Its tie parameter ν is %(value).2f; strengths are on its own scale.") % {
            "value": found["tie_parameter"]
        }
    return interval_plot(
        f"davidson-{board['key']}",
        _("Davidson's model, %(dimension)s") % {"dimension": board["name"]},
        cannot_say(found["reason"]) if found["reason"] else sentence,
        intervals(found["rows"]),
        axis=str(LOGITS),
        reference_label=_("mean of all"),
    )


def style_plot(board: Board) -> Plot:
    """The controlled board, each system's raw strength below it, hollow."""
    style = board["style"]
    raw = {row["system"]: row for row in style["raw"]}
    rows: list[Interval] = []
    for controlled, plain in zip(
        intervals(style["rows"]), intervals([raw[row["system"]] for row in style["rows"]]), strict=False
    ):
        rows.append(controlled)
        label = _("%(system)s, raw") % {"system": plain.label}
        rows.append(Interval(label, plain.estimate, plain.low, plain.high, is_hollow=True))
    return interval_plot(
        f"style-{board['key']}",
        board["name"],
        style_sentence(board),
        rows,
        axis=str(LOGITS),
        reference_label=_("mean of all"),
    )


def style_sentence(board: Board) -> str:
    style = board["style"]
    if style["reason"]:
        return cannot_say(style["reason"])
    if not style["coefficients"] and set(style["left_out"].values()) - {"alike"}:
        return _("Nothing could be held equal, so the controlled board is the raw one.")
    if not style["coefficients"]:
        return _("Nothing in the sound tells the sides of a pair apart, so the controlled board is the raw one.")
    held = ", ".join(str(COVARIATES[each["name"]]) for each in style["coefficients"])
    moved = {
        "same": _("the order stays"),
        "open": _("the order of the estimates changes, within what the intervals leave open"),
        "other": _("the order changes"),
    }[compare_orders(style["rows"], style["raw"])]
    return _("With %(held)s held equal, %(moved)s (%(votes)s).") % {
        "held": held,
        "moved": moved,
        "votes": votes(style["n_votes"]),
    }


def compare_orders(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> str:
    """Whether two boards order the systems alike.

    Returns: "same"; "other" where two systems stand clear of each other on both boards, one way here and the other way
        there; "open" where only estimates change places.
    """
    if [row["system"] for row in one] == [row["system"] for row in other]:
        return "same"
    return "other" if _stands_clear(one) & {(below, above) for above, below in _stands_clear(other)} else "open"


def _stands_clear(rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    known = [row for row in rows if row["low"] is not None]
    return {(one["system"], other["system"]) for one in known for other in known if one["low"] > other["high"]}


def style_notes(board: Board) -> list[str]:
    """Which covariates are not used, and why; and votes that are in neither board."""
    style = board["style"]
    by_reason: dict[str, list[str]] = {}
    for name, why in style["left_out"].items():
        by_reason.setdefault(why, []).append(str(COVARIATES[name]))
    notes = [str(WHY_LEFT_OUT[why]) % {"names": ", ".join(names)} for why, names in by_reason.items()]
    if style["n_without"]:
        notes.append(
            _("in neither board: %(votes)s on pairs where one of them is not known")
            % {"votes": votes(style["n_without"])}
        )
    return notes


def coefficients_plot(board: Board) -> Plot:
    """What the usual difference between two sides is worth, covariate by covariate."""
    style = board["style"]
    rows = []
    for each in style["coefficients"]:
        unit, digits = UNITS[each["name"]]
        usual = f"{style['units'][each['name']]:.{digits}f} {unit}"
        rows.append({**each, "label": f"{COVARIATES[each['name']]} ({usual})"})
    drawn = intervals(rows, label="label", estimate="value")
    worth = [row.label for row in drawn if row.low > 0 or row.high < 0]
    sentence = (
        _("Worth something by themselves: %(names)s.") % {"names": ", ".join(worth)}
        if worth
        else _("None of them is worth anything by itself that could be told from zero.")
    )
    return interval_plot(
        f"coefficients-{board['key']}",
        _("What style is worth, %(dimension)s") % {"dimension": board["name"]},
        sentence if drawn else cannot_say(style["reason"] or _("no covariate differs")),
        drawn,
        # xgettext:no-python-format
        axis=_("logits for a difference as usual between two sides (in brackets), 95 % intervals"),
        reference_label=_("no effect"),
    )


def not_scored_words(board: Board) -> str:
    """How often a dimension was answered without a number: such answers are on no board."""
    counts = board["not_scored"]
    if not any(counts.values()):
        return ""
    return ", ".join(f"{kind.label} {counts[kind.value]}" for kind in Score.Kind if counts.get(kind.value))


def side_sentence(board: Board) -> str:
    side = board["side_intercept"]
    if side is None:
        return ""
    if side["low"] is None or side["high"] is None:
        return cannot_say(board["reason"])
    words = interval_words(side["value"], side["low"], side["high"])
    return _("Being on the left is worth %(value)s logits.") % {"value": words}
