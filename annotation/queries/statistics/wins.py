"""Who was preferred to whom: shares of decided votes with their intervals."""

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from annotation.queries.statistics.plots import Cell, Plot, sizes_heard, votes
from annotation.queries.statistics.ranking import Board
from annotation.queries.statistics.reasons import cannot_say
from earshot.charts import draw_matrix
from earshot.charts.matrix import MOST_WRITTEN
from earshot.estimation.estimates import wilson


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
    sentence = _wins_sentence(board, order, wins) if order else cannot_say(board["reason"])
    ends = [_("95 % low"), _("95 % high")]
    return Plot(
        f"wins-{board['key']}",
        board["name"],
        sentence,
        heading=[_("system"), _("against"), _("won"), _("lost"), _("tied"), _("share won"), *ends],
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


def _share_won(won: int, lost: int) -> tuple[Cell, Cell, Cell]:
    """The share of decided votes with Wilson's interval."""
    found = wilson(won, won + lost)
    return found.value, found.low, found.high


def _cells(names: Sequence[str], wins: Any, ties: Any) -> list[list[Cell]]:
    return [
        [one, other, wins[i][j], wins[j][i], ties[i][j], *_share_won(wins[i][j], wins[j][i])]
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if i != j and wins[i][j] + wins[j][i] + ties[i][j]
    ]


def _sums(names: Sequence[str], wins: Any, ties: Any) -> list[list[Cell]]:
    """Each system against all others together: for the page, where the cells are too many."""
    rows: list[list[Cell]] = []
    for i, name in enumerate(names):
        won, lost = sum(wins[i]), sum(row[i] for row in wins)
        rows.append([name, _("all others"), won, lost, sum(ties[i]), *_share_won(won, lost)])
    return rows


def _wins_sentence(board: Board, names: Sequence[str], wins: Any) -> str:
    """Names a system only where every interval of its shares lies above a half."""
    size = sizes_heard(votes(board["n_votes"]), board["n_raters"], board["n_scenarios"])
    met = {
        name: [wilson(wins[i][j], wins[i][j] + wins[j][i]) for j in range(len(names)) if wins[i][j] + wins[j][i]]
        for i, name in enumerate(names)
    }
    if not any(met.values()):
        return cannot_say("every vote is a tie")
    ahead = [name for name, shares in met.items() if shares and all(share.is_above(0.5) for share in shares)]
    if ahead:
        words = _("%(system)s won most of its decided votes against every system that it met (%(size)s).")
        return words % {"system": ahead[0], "size": size}
    return _("Of no system can it be said yet that it won most votes against every system that it met (%(size)s).") % {
        "size": size
    }


def wins_remark() -> str:
    """Said once, beside all matrices."""
    return _(
        "Intervals of shares are Wilson's. They take votes as independent of each other, so they are narrower than "
        "those of the ranking, which know raters and scenarios."
    )
