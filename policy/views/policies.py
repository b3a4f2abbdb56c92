"""Pages of policies: where each comes from, how it sounds. Researchers read, admins make them and have them speak."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from annotation.models import Study
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.sound import send_archive
from earshot.accounts.access import admin_required, researcher_required
from earshot.accounts.services import record_action
from earshot.jobs.models import Job
from earshot.jobs.queries import live_context
from earshot.jobs.views import reload_page
from policy.forms import PolicyForm, SpeechForm
from policy.models import PolicyCheckpoint, Speech
from policy.queries.lineage import ROUND, Lineage
from policy.queries.samples import own_sample, sample_of
from policy.services import first, names, speeches

READ_OR_WRITE = ["GET", "HEAD", "POST"]


def number_asked(request: HttpRequest, name: str) -> int:
    """A small number from the address; 1 if it is none."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


@require_safe
@researcher_required
def policies(request: SignedInRequest) -> HttpResponse:
    rows = PolicyCheckpoint.objects.select_related("system", "parent__system", "round", "created_by").defer("lineage")
    page = newest_first(request, rows.annotate(n_dialogues=Count("system__dialogues")))
    unfinished = [Job.State.QUEUED, Job.State.RUNNING, Job.State.FAILED]
    making = Job.objects.filter(kind=first.KIND, state__in=unfinished)[:5] if request.user.is_admin else []
    return render(request, "policy/policies/list.html", {"page": page, "making": making})


@require_http_methods(READ_OR_WRITE)
@admin_required
def policy_new(request: SignedInRequest) -> HttpResponse:
    proposed = names.free_name("policy-", PolicyCheckpoint.objects.count() + 1)
    form = PolicyForm(request.POST or None, initial={"name": proposed})
    if form.is_bound and form.is_valid():
        try:
            job = first.request_policy(by=request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("policy:policy_job", job_id=job.pk)
    return render(request, "policy/policies/new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
@admin_required
def policy_job(request: SignedInRequest, job_id: UUID) -> HttpResponse:
    """How far the making of a first policy is; when it is registered, on to its own page."""
    job = get_object_or_404(Job, pk=job_id, kind=first.KIND)
    if job.state == Job.State.SUCCEEDED:
        made = get_object_or_404(PolicyCheckpoint, pk=job.result["policy"])
        if not job.result["is_new"]:
            messages.info(request, _("The same seed and steps gave this policy before: %(name)s.") % {"name": made})
        address = reverse("policy:policy", args=[made.pk])
        return HttpResponse(status=204, headers={"HX-Redirect": address}) if request.htmx else redirect(address)
    if request.htmx:
        return reload_page()
    return render(request, "policy/policies/making.html", live_context(job, request.user))


@require_safe
@researcher_required
def policy(request: SignedInRequest, pk: int) -> HttpResponse:
    whole = PolicyCheckpoint.objects.select_related("system", "parent__system", *ROUND, "created_by", "job")
    found = get_object_or_404(whole, pk=pk)
    number = number_asked(request, "sample")
    context = {
        "policy": found,
        "generations": Lineage(request.user).of(found),
        "sample": sample_of(found.round, number) if found.round else own_sample(found, number),
        "speeches": found.speeches.filter(round=None).select_related("job", "dialogue_import"),
        "rounds": found.rounds.select_related("job"),
    }
    return render(request, "policy/policies/detail.html", context)


@require_http_methods(READ_OR_WRITE)
@admin_required
def speak(request: SignedInRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(PolicyCheckpoint.objects.select_related("system"), pk=pk)
    form = SpeechForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            speech = speeches.request_speech(found, form.plan, by=request.user, study=form.study)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("policy:speech", pk=found.pk, speech_id=speech.pk)
    context = {"policy": found, "form": form}
    return render(request, "policy/policies/speak.html", context, status=422 if form.is_bound else 200)


@require_safe
@researcher_required
def speech(request: SignedInRequest, pk: int, speech_id: int) -> HttpResponse:
    """How far a speech is, and what came of it."""
    whole = Speech.objects.select_related("policy__system", "job", "dialogue_import", "study")
    found = get_object_or_404(whole, pk=speech_id, policy=pk)
    if request.htmx:
        return reload_page()
    readable = Study.objects.readable_by(request.user)
    may_read_study = found.study is not None and readable.filter(pk=found.study.pk).exists()
    context = {"speech": found, "policy": found.policy, "may_read_study": may_read_study}
    context |= live_context(found.job, request.user)
    return render(request, "policy/policies/speech.html", context)


@require_safe
@researcher_required
def policy_download(request: SignedInRequest, pk: int) -> HttpResponseBase:
    """The policy's files as one archive."""
    found = get_object_or_404(PolicyCheckpoint.objects.select_related("system"), pk=pk)
    name = f"{slugify(found.system.name)[:60] or 'policy'}-{found.content_hash[:12]}.zip"
    response = send_archive(request, found.archive_sha256, size=found.size_bytes, name=name)
    if request.method == "GET":
        record_action(request.user, "policy.downloaded", found, content_hash=found.content_hash)
    return response
