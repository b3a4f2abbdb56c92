"""What a vote may end, and when the study knows enough."""

from typing import TYPE_CHECKING

from annotation.models import Judgment, Pair, Study
from annotation.services.queue import agreeing, limits, seats

if TYPE_CHECKING:  # every submit comes here, and the boards bring scipy along
    from annotation.services.boards import DimensionBoard


def after_vote(judgment: Judgment, *, counts: bool) -> None:
    """What a submitted judgment may end: its pair, or by its budget the study. Run after the submit, not with it.

    Args:
        counts: False where quality control failed it, or its rater is excluded: then its seat is given back.
    """
    pair = judgment.lease.pair
    study = pair.study
    if pair.kind != Pair.Kind.REGULAR or not judgment.lease.has_seat:
        return
    if not counts:
        seats.recount_seats(study, pairs=[pair.pk])
    elif study.agreeing_votes_enough:
        agreeing.settle(pair)
    limits.pause_if_spent(study)


def stop_if_enough(study: Study, board: "DimensionBoard") -> bool:
    """Pause a running study whose ranking on overall is known as well as its researcher asked; True if that was now.

    Every system's 95 % interval must be at most half_width_enough to each side, from at least raters_at_least raters.
    The statistics job calls this with the board of overall that it made. A rule that looks again and again stops a
    little early: a decision between two systems that must stand by itself needs a planned number of votes
    (docs/queue.md).
    """
    if study.half_width_enough is None or board.n_raters < study.raters_at_least or not board.rows:
        return False
    widths = [(row.high - row.low) / 2 for row in board.rows if row.low is not None and row.high is not None]
    if len(widths) < len(board.rows) or max(widths) > study.half_width_enough:
        return False
    return limits.pause(study, Study.StopRule.WIDTH)
