"""Boards, plain and style-controlled, and who was preferred to whom."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from annotation.queries.statistics.plots import Cell, Plot, interval_plot, interval_words, intervals, sizes, votes
from annotation.queries.statistics.reasons import cannot_say
from earshot.charts import Interval, draw_matrix
from earshot.charts.matrix import MOST_WRITTEN

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
    names = ("system", "rank", "rank_low", "rank_high", "strength", "low", "high", "cmos", "cmos_low", "cmos_high")
    rows = board["rows"][:most]
    sentence = board_sentence(board)
    if len(rows) < len(board["rows"]):
        sentence += " " + _("Shown: the first %(most)d of %(n)d.") % {"most": len(rows), "n": len(board["rows"])}
    table = [[row[name] for name in (*names, "n_votes")] for row in rows]
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
    same = [row["system"] for row in found["rows"]] == [row["system"] for row in board["rows"]]
    sentence = (
        _("Win, tie and loss alone give the same order.") if same else _("Win, tie and loss alone give another order.")
    )
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
    if not style["coefficients"]:
        return _("Nothing in the sound tells the sides of a pair apart, so the controlled board is the raw one.")
    held = ", ".join(str(COVARIATES[each["name"]]) for each in style["coefficients"])
    orders = [[row["system"] for row in style[name]] for name in ("rows", "raw")]
    moved = _("the order stays") if orders[0] == orders[1] else _("the order changes")
    return _("With %(held)s held equal, %(moved)s (%(votes)s).") % {
        "held": held,
        "moved": moved,
        "votes": votes(style["n_votes"]),
    }


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


def wins_plot(board: Board) -> Plot:
    """Shares of decided votes, in the order of the ranking; the CSV has every cell's counts."""
    found = board["wins"]
    place = {name: index for index, name in enumerate(found["systems"])}
    order = [row["system"] for row in board["rows"]]
    picked = [place[name] for name in order]
    wins = [[found["wins"][row][column] for column in picked] for row in picked]
    ties = [[found["ties"][row][column] for column in picked] for row in picked]
    shares = [
        [_share(wins[row][column], wins[column][row]) if row != column else None for column in range(len(order))]
        for row in range(len(order))
    ]
    sentence = _wins_sentence(order, shares) if order else cannot_say(board["reason"])
    return Plot(
        f"wins-{board['key']}",
        board["name"],
        sentence,
        heading=[_("system"), _("against"), _("won"), _("lost"), _("tied"), _("share won")],
        rows=_cells(order, wins, ties) if len(order) <= MOST_WRITTEN else _sums(order, wins, ties),
        all_rows=_cells(order, wins, ties),
        draw=_matrix(order, shares, f"{board['name']}. {sentence}") if order else None,
        scrolls=True,
    )


def _matrix(names: Sequence[str], shares: Any, title: str) -> Callable[[float], str]:
    # xgettext:no-python-format
    label = pgettext("win matrix", "against: % of decided votes that the row's system won")
    return lambda width: draw_matrix(names, shares, title=title, column_label=label)


def _share(won: int, lost: int) -> float | None:
    return won / (won + lost) if won + lost else None


def _cells(names: Sequence[str], wins: Any, ties: Any) -> list[list[Cell]]:
    return [
        [one, other, wins[i][j], wins[j][i], ties[i][j], _share(wins[i][j], wins[j][i])]
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if i != j and wins[i][j] + wins[j][i] + ties[i][j]
    ]


def _sums(names: Sequence[str], wins: Any, ties: Any) -> list[list[Cell]]:
    """Each system against all others together: for the page, where the cells are too many."""
    rows: list[list[Cell]] = []
    for i, name in enumerate(names):
        won, lost = sum(wins[i]), sum(row[i] for row in wins)
        rows.append([name, _("all others"), won, lost, sum(ties[i]), _share(won, lost)])
    return rows


def _wins_sentence(names: Sequence[str], shares: Sequence[Sequence[float | None]]) -> str:
    ahead = [
        name
        for name, row in zip(names, shares, strict=True)
        if (known := [share for share in row if share is not None]) and all(share > 0.5 for share in known)
    ]
    if ahead:
        return _("%(system)s won most of its decided votes against every system that it met.") % {"system": ahead[0]}
    return _("No system won most of its decided votes against every system that it met.")


def side_sentence(board: Board) -> str:
    side = board["side_intercept"]
    if side is None:
        return ""
    words = interval_words(side["value"], side["low"], side["high"])
    return _("Being on the left is worth %(value)s logits.") % {"value": words}
