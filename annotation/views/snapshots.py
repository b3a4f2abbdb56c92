"""Pages of snapshots: make one, see what is in it, download it. For researchers of the study, and admins."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_http_methods, require_safe

from annotation.forms.snapshots import SnapshotForm
from annotation.models import Snapshot, Study
from annotation.services import snapshots as services
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.sound import send_archive
from earshot.accounts.access import researcher_required
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.formats.snapshot import SnapshotManifest
from earshot.jobs.models import Job

SOUNDS = "audio/"
SPLITS = {"train": gettext_lazy("train"), "validation": gettext_lazy("validation"), "test": gettext_lazy("test")}
MOST_DIGITS = 18


def _readable(user: User) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(study__in=Study.objects.readable_by(user)).select_related(
        "study", "created_by", "parent"
    )


@require_safe
@researcher_required
def snapshots(request: SignedInRequest) -> HttpResponse:
    """All that the user may read, or those of the study that `?study=` names."""
    rows, wanted = _readable(request.user), request.GET.get("study", "")
    study = None
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= MOST_DIGITS:
        study = get_object_or_404(Study.objects.readable_by(request.user), pk=wanted)
        rows = rows.filter(study=study)
    return render(request, "annotation/snapshots/list.html", {"page": newest_first(request, rows), "study": study})


@require_http_methods(["GET", "HEAD", "POST"])
@researcher_required
def snapshot_new(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = get_object_or_404(Study.objects.readable_by(request.user), pk=study_id)
    form = SnapshotForm(request.POST if request.method == "POST" else None, study=study)
    if form.is_bound and form.is_valid():
        try:
            job = services.request_snapshot(study, name=form.cleaned_data["name"], filter=form.filter, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("annotation:snapshot_job", study_id=study.pk, job_id=job.pk)
    context = {"study": study, "form": form, "has_votes": study.has_votes}
    return render(request, "annotation/snapshots/new.html", context, status=422 if form.is_bound else 200)


@require_safe
@researcher_required
def snapshot_job(request: SignedInRequest, study_id: int, job_id: str) -> HttpResponse:
    """How far a snapshot is; when it is made, on to its own page."""
    study = get_object_or_404(Study.objects.readable_by(request.user), pk=study_id)
    job = get_object_or_404(Job, pk=job_id, kind=services.KIND, arguments__study=study.pk)
    if job.state == Job.State.SUCCEEDED:
        made = get_object_or_404(study.snapshots, pk=job.result["snapshot"])
        if made.name != job.arguments["name"]:
            messages.info(
                request,
                _("The same judgments under the same filter are the same snapshot: %(name)s, made before.")
                % {"name": made},
            )
        address = reverse("annotation:snapshot", args=[made.pk])
        return HttpResponse(status=204, headers={"HX-Redirect": address}) if request.htmx else redirect(address)
    template = "annotation/snapshots/_making.html" if request.htmx else "annotation/snapshots/making.html"
    context = {
        "study": study,
        "job": job,
        # A job's own page is for who started it, and admins.
        "may_open_job": request.user.is_admin or job.created_by_id == request.user.pk,
    }
    return render(request, template, context)


@require_safe
@researcher_required
def snapshot(request: SignedInRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(_readable(request.user), pk=pk)
    manifest = services.read_manifest(found)
    context = {
        "snapshot": found,
        "manifest": manifest,
        "out": [(services.reason_for_reader(reason), n) for reason, n in sorted(found.counts["out"].items())],
        "tables": _table_rows(found, manifest),
        "splits": [(words, len(manifest.splits[name])) for name, words in SPLITS.items()],
        "files": [entry for entry in sorted(manifest.files.items()) if not entry[0].startswith(SOUNDS)],
        "n_sounds": sum(name.startswith(SOUNDS) for name in manifest.files),
        "sound_bytes": sum(file["bytes"] for name, file in manifest.files.items() if name.startswith(SOUNDS)),
        "filter": _filter_facts(found, services.rater_pseudonyms(found.study)),
        "card": _card_text(services.open_member(found, "README.md").decode()),
    }
    return render(request, "annotation/snapshots/detail.html", context)


def _table_rows(found: Snapshot, manifest: SnapshotManifest) -> list[dict[str, object]]:
    changes = found.counts.get("changes") or {}
    return [{"name": name, "rows": rows, "change": changes.get(name)} for name, rows in sorted(manifest.tables.items())]


def _card_text(card: str) -> str:
    """Without the front matter, which is for machines."""
    return card.removeprefix("---\n").partition("\n---\n")[2].strip()


def _filter_facts(found: Snapshot, raters: dict[str, User]) -> list[tuple[str, str]]:
    chosen = found.filter
    left_out = ", ".join(str(raters.get(name, name)) for name in chosen["excluded_raters"])
    return [
        (_("Quality verdicts"), ", ".join(chosen["quality"])),
        (_("Dimensions"), ", ".join(chosen["dimensions"])),
        (_("Late judgments"), _("in") if chosen["include_late"] else _("out")),
        (_("Simulated judgments"), _("in, marked") if chosen["include_simulated"] else _("out")),
        (pgettext("date", "From"), chosen["since"] or _("the first judgment")),
        (pgettext("date", "Before"), chosen["until"] or _("the moment it was asked for")),
        (_("Raters left out"), left_out or _("none")),
    ]


@require_safe
@researcher_required
def snapshot_download(request: SignedInRequest, pk: int) -> HttpResponseBase:
    found = get_object_or_404(_readable(request.user), pk=pk)
    name = f"{slugify(found.name)[:60] or 'snapshot'}-{found.content_id[:12]}.zip"
    response = send_archive(request, found.archive_sha256, size=found.size_bytes, name=name)
    if request.method == "GET":
        record_action(request.user, "snapshot.downloaded", found, content_id=found.content_id)
    return response
