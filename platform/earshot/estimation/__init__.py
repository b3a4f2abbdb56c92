"""What is computed from votes: rankings, means, agreement, ceilings. Pure numpy and scipy: no Django, no torch."""

from earshot.estimation.agreement import Agreement, krippendorff_alpha
from earshot.estimation.ceilings import Ceiling, ceiling_from_probabilities, ceiling_from_votes
from earshot.estimation.means import MeanScore, WinMatrix, mean_cmos, win_matrix
from earshot.estimation.ranking import Board, SideIntercept, Standing, fit_ordinal_bradley_terry
from earshot.estimation.votes import Votes, code_votes

__all__ = [
    "Agreement",
    "Board",
    "Ceiling",
    "MeanScore",
    "SideIntercept",
    "Standing",
    "Votes",
    "WinMatrix",
    "ceiling_from_probabilities",
    "ceiling_from_votes",
    "code_votes",
    "fit_ordinal_bradley_terry",
    "krippendorff_alpha",
    "mean_cmos",
    "win_matrix",
]
