"""What the statistics pages show: plots with their numbers and the sentence that says what is seen, cards, alarms."""

from annotation.queries.statistics.pages import SECTIONS, View, facts_of, plots_of, view_of
from annotation.queries.statistics.plots import Plot

__all__ = ["SECTIONS", "Plot", "View", "facts_of", "plots_of", "view_of"]
