"""The pages of jobs. Admins see all jobs, researchers those they started; another's job is not there at all (404)."""

import json
from collections.abc import Iterator
from uuid import UUID

from django.contrib import messages
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header, url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from earshot.accounts.access import researcher_required, signed_in
from earshot.accounts.services import record_action
from earshot.jobs import artefacts, queries, services
from earshot.jobs.models import Job
from earshot.paging import page_of

STOP_POLLING = 286  # htmx: swap once more, then poll no longer


def health(request: HttpRequest) -> HttpResponse:
    """For load balancers and the supervisor: the web side answers and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


def reload_page() -> HttpResponse:
    """To the question of jobs/_live.html: the job has ended, so the page that shows it is another one now."""
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


def _job(request: HttpRequest, job_id: UUID) -> Job:
    visible = Job.objects.visible_to(signed_in(request)).select_related("created_by")
    return get_object_or_404(visible, pk=job_id)


@require_GET
@researcher_required
def job_list(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    jobs = Job.objects.visible_to(person).select_related("created_by").defer("arguments", "result")
    chosen = {name: request.GET.get(name, "").replace("\0", "") for name in ("state", "kind")}
    for name, value in chosen.items():
        if value:
            jobs = jobs.filter(**{name: value})
    context = {
        "page": page_of(request, jobs, "-created_at", "-pk"),
        "states": Job.State.choices,
        "kinds": queries.kinds_visible_to(person),
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
    }
    return render(request, "jobs/list.html", context)


@require_GET
@researcher_required
def detail(request: HttpRequest, job_id: UUID) -> HttpResponse:
    job = _job(request, job_id)
    context = queries.status_context(job) | {
        "arguments": json.dumps(job.arguments, indent=2, ensure_ascii=False),
        **queries.curve_groups(job),
    }
    return render(request, "jobs/detail.html", context)


@require_GET
@researcher_required
def status(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The live part of a job's page; the last answer ends the polling."""
    job = _job(request, job_id)
    return _polled(render(request, "jobs/_status.html", queries.status_context(job) | {"is_reply": True}), job)


@require_GET
@researcher_required
def progress(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The small progress that other pages include (jobs/_progress.html)."""
    job = _job(request, job_id)
    return _polled(render(request, "jobs/_progress_body.html", {"job": job}), job)


def _polled(response: HttpResponse, job: Job) -> HttpResponse:
    if job.is_finished:
        response.status_code = STOP_POLLING
        response["HX-Trigger"] = json.dumps({"job-finished": {"job": str(job.pk), "state": job.state}})
    return response


@require_GET
@researcher_required
def curves(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The live curves of a job's page, drawn anew every few seconds; `?further=1`: those that are folded away."""
    job = _job(request, job_id)
    groups = queries.curve_groups(job)
    shown = groups["further_curves" if request.GET.get("further") else "curves"]
    response = render(
        request, "jobs/_curves.html", {"job": job, "curves": shown, "group": request.GET.get("further", "")}
    )
    response.status_code = STOP_POLLING if job.is_finished else 200
    return response


@require_GET
@researcher_required
def log(request: HttpRequest, job_id: UUID) -> StreamingHttpResponse:
    """The whole log as a text file."""
    job = _job(request, job_id)

    def lines() -> Iterator[str]:
        for line in job.log_lines.order_by("id").iterator(chunk_size=1000):
            yield f"{line.at:%Y-%m-%d %H:%M:%S} {line.level:<8}{line.text}\n"

    response = StreamingHttpResponse(lines(), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"job-{job.pk}.log") or ""
    return response


@require_GET
@researcher_required
def metrics(request: HttpRequest, job_id: UUID) -> JsonResponse:
    """One curve, `?name=loss`, as the page's plot reads it."""
    return JsonResponse(queries.curve(_job(request, job_id), request.GET.get("name", "")))


@require_GET
@researcher_required
def artefact(request: HttpRequest, job_id: UUID, artefact_id: int) -> HttpResponseBase:
    """A file the job made: sent by us from a local store, by the object store itself through a signed link."""
    kept = get_object_or_404(_job(request, job_id).artefacts, pk=artefact_id)
    storage = storages["artefacts"]
    if not isinstance(storage, FileSystemStorage):
        disposition = {"ResponseContentDisposition": content_disposition_header(True, kept.name)}
        return redirect(storage.url(artefacts.artefact_name(kept.sha256), parameters=disposition))  # type: ignore[call-arg]  # S3 has it
    try:
        file = artefacts.open_artefact(kept.sha256)
    except FileNotFoundError:
        raise Http404(f"The bytes of {kept.name} are no longer stored. Start the job again to make them.") from None
    return FileResponse(file, as_attachment=True, filename=kept.name)


@require_POST
@researcher_required
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    job, person = _job(request, job_id), signed_in(request)
    if services.cancel(job, by=person, at=timezone.now()):
        record_action(person, "job.cancelled", job)
        messages.success(request, _("Cancelled, or about to stop at its next step."))
    else:
        messages.info(request, _("It had finished already. Nothing was changed."))
    return _back(request, job)


@require_POST
@researcher_required
def retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    job, person = _job(request, job_id), signed_in(request)
    if services.retry(job, by=person, at=timezone.now()):
        record_action(person, "job.started_again", job)
        messages.success(request, _("Started again. What it had finished before is not done twice."))
    else:
        messages.info(request, _("Only a failed or cancelled job can be started again. Nothing was changed."))
    return _back(request, job)


def _back(request: HttpRequest, job: Job) -> HttpResponse:
    """To the page of ours that the form stood on, else to the job's own."""
    page = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return redirect(page)
    return redirect("jobs:detail", job_id=job.pk)
