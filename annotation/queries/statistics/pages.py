"""The pages of a study's statistics: which there are, and what stands on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from annotation.models import Study
from annotation.queries.statistics.agreement import (
    agreement_plots,
    halo_facts,
    halo_sentence,
    self_agreement_facts,
)
from annotation.queries.statistics.alarms import alarms_of
from annotation.queries.statistics.forecast import forecast_plot, forecast_remark
from annotation.queries.statistics.marks import marks_plots
from annotation.queries.statistics.plots import Plot
from annotation.queries.statistics.ranking import (
    board_plot,
    cmos_plot,
    coefficients_plot,
    davidson_plot,
    not_scored_words,
    side_sentence,
    style_notes,
    style_plot,
)
from annotation.queries.statistics.raters import cards_of, reliability_plot
from annotation.queries.statistics.wins import wins_plot, wins_remark

SECTIONS: dict[str, Promise] = {
    "ranking": gettext_lazy("Ranking"),
    "style": gettext_lazy("Style-controlled"),
    "wins": gettext_lazy("Win matrix"),
    "agreement": gettext_lazy("Agreement"),
    "raters": gettext_lazy("Raters"),
    "forecast": gettext_lazy("Forecast"),
    "marks": gettext_lazy("Where marks fall"),
    "alarms": gettext_lazy("Alarms"),
}
BY_DIMENSION = {"ranking", "style", "wins", "forecast"}  # sections with a choice of dimension
WHOLE = {"alarms"}  # sections that are about all judgments and offer no stratum
FEW_SYSTEMS = 12  # up to here a page shows all dimensions at once
STRATUM_KINDS = {
    "language": gettext_lazy("language"),
    "tag": gettext_lazy("scenario tag"),
    "group": gettext_lazy("rater group"),
}


@dataclass(frozen=True)
class View:
    """What of the statistics is looked at: a section, a stratum ("" for all) and a dimension ("" for all)."""

    section: str
    stratum: str
    dimension: str
    dimensions: Sequence[tuple[str, str]]  # key and name of those to choose from
    shows_all: bool  # whether all dimensions can be shown at once
    strata: Sequence[tuple[str, str]]  # key, and what it is called

    @property
    def has_dimensions(self) -> bool:
        return self.section in BY_DIMENSION and len(self.dimensions) > 1

    @property
    def query(self) -> str:
        chosen = {"stratum": self.stratum, "dimension": self.dimension}
        return urlencode({name: value for name, value in chosen.items() if value})


def view_of(payload: Mapping[str, Any], section: str, *, stratum: str, dimension: str) -> View:
    """The view that was asked for; a dimension that is not there is all of them, or overall where systems are many."""
    dimensions = [(each["key"], each["name"]) for each in payload.get("dimensions", [])]
    shows_all = len(payload.get("systems", {})) <= FEW_SYSTEMS
    known = {key for key, _name in dimensions}
    if section not in BY_DIMENSION:
        dimension = ""
    elif dimension not in known:
        dimension = "" if shows_all or not dimensions else dimensions[-1][0]
    if section in WHOLE:
        return View(section, "", dimension, dimensions, shows_all, [])
    strata = [
        (each["key"], f"{STRATUM_KINDS[each['kind']]}: {each['name']} ({each['n_judgments']})")
        for each in payload.get("strata", [])
    ]
    return View(section, stratum, dimension, dimensions, shows_all, strata)


def plots_of(payload: Mapping[str, Any], view: View, *, most: int | None = None) -> list[Plot]:
    """The section's plots, overall first. Args: most: systems on a board; by default all."""
    boards = _chosen(payload, view)
    if view.section == "ranking":
        plots = [board_plot(board, most) for board in boards]
        return plots + [
            plot(board) for board in boards if view.dimension and not most for plot in (cmos_plot, davidson_plot)
        ]
    if view.section == "style":
        plots = [style_plot(board) for board in boards]
        return plots + [coefficients_plot(board) for board in boards if view.dimension]
    if view.section == "agreement":
        return agreement_plots(payload["dimensions"])
    if view.section == "raters":
        return [reliability_plot(payload, cards_of(payload))]
    if view.section == "marks":
        return marks_plots(payload)
    plain = {"wins": wins_plot, "forecast": forecast_plot}.get(view.section)
    return [plain(board) for board in boards] if plain else []


def _chosen(payload: Mapping[str, Any], view: View) -> list[Mapping[str, Any]]:
    boards = [each for each in payload["dimensions"] if view.dimension in ("", each["key"])]
    return [*boards[-1:], *boards[:-1]]


def facts_of(study: Study, payload: Mapping[str, Any], view: View) -> dict[str, Any]:
    """What a section says beside its plots."""
    if view.section == "ranking":
        boards = _chosen(payload, view)
        return {
            "sides": [(board["name"], words) for board in boards if (words := side_sentence(board))],
            "not_scored": [(board["name"], words) for board in boards if (words := not_scored_words(board))],
        }
    if view.section == "style":
        return {"notes": [(board["name"], style_notes(board)) for board in _chosen(payload, view)]}
    if view.section == "agreement":
        return {
            "self_agreement": self_agreement_facts(payload),
            "halo": halo_facts(payload),
            "halo_sentence": halo_sentence(payload),
        }
    if remark := {"wins": wins_remark, "forecast": forecast_remark}.get(view.section):
        return {"remark": remark()}
    if view.section == "raters":
        return {"cards": cards_of(payload)}
    if view.section == "alarms":
        return {"alarms": alarms_of(study, payload)}
    return {}
