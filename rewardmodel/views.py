"""Pages of reward models: train one, watch it, read how good it is. For researchers of its study, and admins."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from annotation.models import Study
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.sound import send_archive
from earshot.accounts.access import researcher_required
from earshot.accounts.services import record_action
from earshot.jobs.queries import live_context
from earshot.jobs.views import reload_page
from rewardmodel import queries, services
from rewardmodel.forms import RunForm
from rewardmodel.models import RewardModelRun

CHOSEN = ("epochs", "probes", "evaluate_on")  # what a training's time depends on beside its snapshot


def _run(request: SignedInRequest, pk: int) -> RewardModelRun:
    whole = RewardModelRun.objects.readable_by(request.user)
    return get_object_or_404(whole.select_related("snapshot__study", "evaluation_snapshot", "job", "created_by"), pk=pk)


@require_safe
@researcher_required
def runs(request: SignedInRequest) -> HttpResponse:
    rows = RewardModelRun.objects.readable_by(request.user).select_related("snapshot__study", "job", "created_by")
    page = newest_first(request, rows.defer("config"))
    entries = [(row, queries.overall_of(row)) for row in page.rows]
    return render(request, "rewardmodel/list.html", {"page": page, "entries": entries})


@require_http_methods(["GET", "HEAD", "POST"])
@researcher_required
def run_new(request: SignedInRequest) -> HttpResponse:
    """Shows what the training will cost first; starts it when that was seen (`start` in the form)."""
    asked = request.POST or (_prefilled(request) if "snapshot" in request.GET else None)
    form = RunForm(asked, user=request.user)
    estimate = None
    if form.is_bound and form.is_valid():
        chosen = form.cleaned_data
        estimate = services.estimate_run(**{name: chosen[name] for name in ("snapshot", *CHOSEN)})
        if "start" in request.POST:
            try:
                run = services.request_run(by=request.user, **chosen)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("rewardmodel:run", pk=run.pk)
    context = {"form": form, "estimate": estimate}
    is_refused = request.method == "POST" and not form.is_valid()
    return render(request, "rewardmodel/new.html", context, status=422 if is_refused else 200)


def _prefilled(request: HttpRequest) -> dict[str, Any]:
    initial = {name: RunForm.base_fields[name].initial for name in ("seed", "probes")}
    return {**initial, **request.GET.dict()}


@require_safe
@researcher_required
def run(request: SignedInRequest, pk: int) -> HttpResponse:
    found = _run(request, pk)
    if request.htmx:
        return reload_page()
    measured_on = found.evaluation_snapshot
    readable = Study.objects.readable_by(request.user)
    context = {
        "run": found,
        "may_read_measured": measured_on is not None and readable.filter(pk=measured_on.study_id).exists(),
        **live_context(found.job, request.user),
    }
    if found.is_registered:
        context["report"] = queries.read_report(found)
    return render(request, "rewardmodel/detail.html", context)


@require_safe
@researcher_required
def run_download(request: SignedInRequest, pk: int) -> HttpResponseBase:
    """The model's files as one archive."""
    found = _run(request, pk)
    if not found.is_registered:
        raise Http404("The model is not ready, so there is nothing to download yet.")
    name = f"{slugify(found.name)[:60] or 'reward-model'}-{found.content_hash[:12]}.zip"
    response = send_archive(request, found.archive_sha256, size=found.size_bytes, name=name)
    if request.method == "GET":
        record_action(request.user, "reward_model.downloaded", found, content_hash=found.content_hash)
    return response
