"""Plots as SVG text, drawn on the server: they stand in a page, are downloaded as they are, and need no script.

Colours are attributes, so that a downloaded file looks right by itself; in a page `static/css/charts.css` overrides
them by class, and the theme is followed. Pure text: no Django, no numpy.
"""

from earshot.charts.bars import Bars, draw_bars
from earshot.charts.intervals import Interval, draw_intervals
from earshot.charts.matrix import draw_matrix

__all__ = ["Bars", "Interval", "draw_bars", "draw_intervals", "draw_matrix"]
