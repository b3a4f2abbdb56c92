"""What is computed from votes: rankings, means, agreement, ceilings. Pure numpy and scipy: no Django, no torch."""

from earshot.estimation.agreement import Agreement, krippendorff_alpha
from earshot.estimation.boards import Board, Coefficient, Difference, SideIntercept, Standing
from earshot.estimation.ceilings import Ceiling, ceiling_from_probabilities, ceiling_from_votes
from earshot.estimation.means import MeanScore, WinMatrix, mean_cmos, win_matrix
from earshot.estimation.ranking import fit_davidson, fit_ordinal_bradley_terry
from earshot.estimation.style import StyleBoards, fit_style_controlled
from earshot.estimation.votes import Votes, code_votes

__all__ = [
    "Agreement",
    "Board",
    "Ceiling",
    "Coefficient",
    "Difference",
    "MeanScore",
    "SideIntercept",
    "Standing",
    "StyleBoards",
    "Votes",
    "WinMatrix",
    "ceiling_from_probabilities",
    "ceiling_from_votes",
    "code_votes",
    "fit_davidson",
    "fit_ordinal_bradley_terry",
    "fit_style_controlled",
    "krippendorff_alpha",
    "mean_cmos",
    "win_matrix",
]
