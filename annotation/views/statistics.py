"""The statistics of a study: a page per subject, its plots as files, and how fresh the numbers are."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotation.models import Study, StudyStatistics
from annotation.queries.statistics import SECTIONS, Plot, View, facts_of, plots_of, view_of
from annotation.queries.statistics.alarms import alarms_of
from annotation.queries.statistics.pages import FEW_SYSTEMS, WHOLE
from annotation.queries.statistics.plots import FILE
from annotation.services.statistics import keeping
from annotation.views.requests import SignedInRequest
from earshot.accounts.access import researcher_required
from earshot.jobs.views import STOP_POLLING


def _study(request: SignedInRequest, study_id: int) -> Study:
    return get_object_or_404(Study.objects.readable_by(request.user), pk=study_id)


def _stratum(request: SignedInRequest, section: str) -> str:
    return "" if section in WHOLE else request.GET.get("stratum", "")


def _kept(study: Study, stratum: str) -> StudyStatistics | None:
    """None: not computed yet. Raises: Http404, for a stratum that the study does not have."""
    kept = keeping.current_statistics(study, stratum.replace("\0", ""), at=timezone.now())
    if kept is None and stratum and not keeping.is_on_its_way(study, stratum):
        raise Http404(f"Study {study.pk} has no statistics of {stratum!r}. Open those of all judgments.")
    return kept


def _view(request: SignedInRequest, section: str, kept: StudyStatistics | None) -> View:
    if section not in SECTIONS:
        raise Http404(f"There is no page {section!r} among a study's statistics: {', '.join(SECTIONS)}.")
    payload = kept.payload if kept else {}
    stratum, dimension = (request.GET.get(name, "") for name in ("stratum", "dimension"))
    return view_of(payload, section, stratum=stratum, dimension=dimension)


@require_safe
@researcher_required
def statistics(request: SignedInRequest, study_id: int, section: str = "ranking") -> HttpResponse:
    """`?stratum=language:ja` shows a part of the judgments, `?dimension=prosody` one dimension in depth."""
    study = _study(request, study_id)
    kept = _kept(study, _stratum(request, section))
    context = _context(study, kept, _view(request, section, kept))
    return render(request, "annotation/statistics/page.html", context)


def _context(study: Study, kept: StudyStatistics | None, view: View, *, most: int | None = None) -> dict[str, Any]:
    now = timezone.now()
    freshness = keeping.freshness_of(study, kept)
    if keeping.is_due(freshness, at=now):
        keeping.request_update(study, by=None)
        freshness = keeping.freshness_of(study, kept)
    context = {"study": study, "view": view, "sections": SECTIONS.items(), "kept": kept, "freshness": freshness}
    if kept is None or (not kept.n_judgments and view.section != "alarms"):
        return context
    return context | {"plots": plots_of(kept.payload, view, most=most), **facts_of(study, kept.payload, view)}


def overview_context(study: Study) -> dict[str, Any]:
    """What a study's own page shows of its statistics: the boards, and the alarms that are raised."""
    kept = keeping.current_statistics(study, at=timezone.now())
    payload = kept.payload if kept else {}
    context = _context(study, kept, view_of(payload, "ranking", stratum="", dimension=""), most=FEW_SYSTEMS)
    if "plots" in context:
        context["alarms"] = [alarm for alarm in alarms_of(study, payload) if alarm.is_raised]
    return context


@require_safe
@researcher_required
def statistics_freshness(request: SignedInRequest, study_id: int, section: str) -> HttpResponse:
    """Asked again and again by the page that shows what was made at `?made=`: the line, or all of it when it is new.

    The answer that ends the polling (286) is the new page, or the line of a study that will not change by itself.
    """
    study = _study(request, study_id)
    kept = _kept(study, _stratum(request, section))
    is_overview = "overview" in request.GET  # the line stands on the study's own page
    most = FEW_SYSTEMS if is_overview else None
    context = _context(study, kept, _view(request, section, kept), most=most) | {"is_overview": is_overview}
    if kept is not None and kept.made_at.isoformat() != request.GET.get("made", ""):
        response = render(request, f"annotation/statistics/_{'overview' if is_overview else 'section'}.html", context)
        response["HX-Retarget"], response["HX-Reswap"] = "#statistics", "outerHTML"
        response.status_code = STOP_POLLING  # the new page polls by itself
        return response
    response = render(request, "annotation/statistics/_freshness.html", context)
    if context["freshness"].is_settled:
        response.status_code = STOP_POLLING
    return response


@require_POST
@researcher_required
def update_statistics(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = _study(request, study_id)
    keeping.request_update(study, by=request.user)
    section = request.POST.get("section", "")
    return redirect("annotation:statistics", study.pk, section if section in SECTIONS else "ranking")


@require_safe
@researcher_required
def statistics_picture(request: SignedInRequest, study_id: int, section: str, name: str) -> HttpResponse:
    """A plot as an SVG file."""
    plot = _plot(request, study_id, section, name)
    if plot.draw is None:
        raise Http404(f"There is nothing to draw in {name!r} yet: {plot.sentence}")
    return _file(plot.draw(FILE), "image/svg+xml", f"study-{study_id}-{name}.svg")


@require_safe
@researcher_required
def statistics_numbers(request: SignedInRequest, study_id: int, section: str, name: str) -> HttpResponse:
    """The numbers of a plot as CSV."""
    return _file(_plot(request, study_id, section, name).csv(), "text/csv", f"study-{study_id}-{name}.csv")


def _file(content: str, kind: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=f"{kind}; charset=utf-8", headers=headers)


def _plot(request: SignedInRequest, study_id: int, section: str, name: str) -> Plot:
    kept = _kept(_study(request, study_id), _stratum(request, section))
    view = _view(request, section, kept)
    plots = plots_of(kept.payload, view) if kept and kept.n_judgments else []
    found = next((plot for plot in plots if plot.name == name), None)
    if found is None:
        raise Http404(f"There is no plot {name!r} here. There is {', '.join(plot.name for plot in plots) or 'none'}.")
    return found
