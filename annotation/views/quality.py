"""Checks of a study: which there are, how they are answered, making more, hearing one."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.forms.quality import ChecksForm
from annotation.models import Pair
from annotation.queries.checks import answers_of, newest_job, shown_treatment
from annotation.queries.quality import checks_of
from annotation.services import checks, renditions
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.sound import send_range
from annotation.views.studies import READ_OR_WRITE, study_for, tell
from earshot.accounts.access import researcher_required

LETTERS = ("a", "b")


@require_http_methods(READ_OR_WRITE)
@researcher_required
def study_checks(request: SignedInRequest, study_id: int) -> HttpResponse:
    """Lists them, and makes more."""
    study = study_for(request, study_id)
    form = ChecksForm(request.POST or None, study=study)
    if form.is_bound and form.is_valid():
        try:
            checks.request_checks(study, form.numbers, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The checks are being made. They are lent as soon as they stand."))
            return redirect("annotation:study_checks", study.pk)
    page = newest_first(request, checks_of(study), size=50)
    context = {
        "study": study,
        "form": form,
        "page": page,
        "rows": [(row, shown_treatment(row)) for row in page.rows],
        "job": newest_job(study),
    }
    return render(request, "annotation/quality/checks.html", context, status=422 if form.is_bound else 200)


@require_safe
@researcher_required
def checks_progress(request: SignedInRequest, study_id: int) -> HttpResponse:
    """How far the making is; asked again until it has ended, and then the page is loaded anew."""
    study = study_for(request, study_id)
    job = newest_job(study)
    if job is None or job.is_finished:
        return HttpResponse(status=286, headers={"HX-Refresh": "true"})
    return render(request, "annotation/quality/_making.html", {"study": study, "job": job})


@require_safe
@researcher_required
def check(request: SignedInRequest, study_id: int, pair_id: int) -> HttpResponse:
    """One check, to hear as raters hear it, and how it was answered."""
    study = study_for(request, study_id)
    row = _check(request, study_id, pair_id)
    context = {
        "study": study,
        "check": row,
        "treatment": shown_treatment(row),
        "sides": [(letter, row.dialogue(letter)) for letter in LETTERS],
        "answers": answers_of(row),
    }
    return render(request, "annotation/quality/check.html", context)


@require_safe
@researcher_required
def check_sound(request: SignedInRequest, study_id: int, pair_id: int, letter: str) -> HttpResponseBase:
    row = _check(request, study_id, pair_id)
    if letter not in LETTERS:
        raise Http404
    try:
        sound = renditions.ensure_sounds(row)[letter]
    except FileNotFoundError:
        raise Http404(_("The sound is missing from the store.")) from None
    return send_range(request, sound.sha256, size=sound.size_bytes)


@require_POST
@researcher_required
def take_out_check(request: SignedInRequest, study_id: int, pair_id: int) -> HttpResponse:
    checks.take_out(_check(request, study_id, pair_id), by=request.user)
    messages.success(request, _("The check is lent to nobody any more. What was answered stays."))
    return redirect("annotation:check", study_id, pair_id)


@require_POST
@researcher_required
def put_back_check(request: SignedInRequest, study_id: int, pair_id: int) -> HttpResponse:
    checks.put_back(_check(request, study_id, pair_id), by=request.user)
    messages.success(request, _("The check is lent again."))
    return redirect("annotation:check", study_id, pair_id)


@require_POST
@researcher_required
def declare_gold(request: SignedInRequest, study_id: int, pair_id: int) -> HttpResponse:
    pair = get_object_or_404(Pair, pk=pair_id, study=study_for(request, study_id))
    try:
        made = checks.declare_gold(pair, by=request.user, at=timezone.now())
    except ValidationError as error:
        tell(request, error)
        return redirect("annotation:pair", study_id, pair_id)
    messages.success(request, _("A copy of the pair is gold now, for raters who have not had the pair."))
    return redirect("annotation:check", study_id, made.pk)


def _check(request: SignedInRequest, study_id: int, pair_id: int) -> Pair:
    whole = Pair.objects.exclude(kind=Pair.Kind.REGULAR).select_related(
        "study", "scenario", "dialogue_a__system", "dialogue_b__system", "check_of"
    )
    return get_object_or_404(whole, pk=pair_id, study=study_for(request, study_id))
