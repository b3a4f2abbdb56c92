"""Pages by which researchers bring dialogues in."""

from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from annotation.forms.imports import ImportForm
from annotation.models import DialogueImport
from annotation.services import ingest
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.upload_handler import CappedUploadHandler
from earshot.accounts.access import researcher_required


@require_safe
@researcher_required
def imports(request: SignedInRequest) -> HttpResponse:
    page = newest_first(request, DialogueImport.objects.select_related("job", "created_by").defer("problems"))
    return render(request, "annotation/imports/list.html", {"page": page})


@csrf_exempt  # only out here: the upload handler must be set before anything, the CSRF check too, reads the body
@require_http_methods(["GET", "HEAD", "POST"])
@researcher_required
def new_import(request: SignedInRequest) -> HttpResponse:
    handler = CappedUploadHandler(request)
    request.upload_handlers = [handler]
    return _new_import(request, handler)


@csrf_protect
def _new_import(request: SignedInRequest, handler: CappedUploadHandler) -> HttpResponse:
    if request.method != "POST":
        return render(request, "annotation/imports/new.html", {"form": ImportForm()})
    files = request.FILES  # reads the body
    form = ImportForm(request.POST, files, refused_bytes=handler.sent_bytes if handler.is_too_large else 0)
    if not form.is_valid():
        template = "annotation/imports/_upload.html" if request.htmx else "annotation/imports/new.html"
        return render(request, template, {"form": form}, status=422)
    path = Path(form.cleaned_data["archive"].temporary_file_path())
    dialogue_import = ingest.start_import(path, name=form.import_name, created_by=request.user)
    if request.htmx:
        address = reverse("annotation:import", args=[dialogue_import.pk])
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect("annotation:import", pk=dialogue_import.pk)


@require_safe
@researcher_required
def show_import(request: SignedInRequest, pk: int) -> HttpResponse:
    dialogue_import = get_object_or_404(DialogueImport.objects.select_related("job", "created_by"), pk=pk)
    template = "annotation/imports/_outcome.html" if request.htmx else "annotation/imports/detail.html"
    job, person = dialogue_import.job, request.user
    context: dict[str, Any] = {
        "dialogue_import": dialogue_import,
        "job": job,
        # Every researcher sees every import, but a job's own page only who started it, and admins.
        "may_open_job": job is not None and (person.is_admin or job.created_by_id == person.pk),
    }
    if dialogue_import.dialogues_new:
        context["new_dialogues"] = dialogue_import.dialogues.select_related("scenario", "system").order_by("pk")[:50]
    return render(request, template, context)
