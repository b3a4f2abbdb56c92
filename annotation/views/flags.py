"""Flags: raised in the room by the annotator of its lease, read and resolved by the study's researchers."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.forms.flags import FlagForm, ResolutionForm
from annotation.models import Flag
from annotation.queries.flags import count_open, flags_of
from annotation.queries.listening import lease_of
from annotation.services import flags as services
from annotation.views.requests import SignedInRequest
from annotation.views.studies import study_for, tell
from earshot.accounts.access import researcher_required
from earshot.paging import page_of


@require_POST
@login_required
def flag_pair(request: SignedInRequest, key: str) -> HttpResponse:
    """From the room's dialog, which stays open and says what was kept; without scripts the room comes back."""
    lease = lease_of(request.user, key)
    form = FlagForm(request.POST)
    kept = None
    if form.is_valid():
        try:
            kept = services.flag_pair(lease, **form.cleaned_data, at=timezone.now())
        except ValidationError as error:
            form.add_error(None, error)
    if request.htmx:
        context = {"lease": lease, "flag_form": FlagForm() if kept else form, "kept": kept}
        status = 200 if kept else 422
        return render(request, "annotation/listening/_flag_form.html", context, status=status)
    if kept:
        messages.success(request, _("The pair is flagged. The researchers of this study see it."))
    else:
        messages.error(request, " ".join(str(sentence) for sentences in form.errors.values() for sentence in sentences))
    return redirect("annotation:room", key=lease.key)


@require_safe
@researcher_required
def study_flags(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    page = page_of(request, flags_of(study), "-is_open", "-pk", size=50)
    context = {"study": study, "page": page, "n_open": count_open(study)}
    return render(request, "annotation/studies/flags.html", context)


@require_POST
@researcher_required
def resolve_flag(request: SignedInRequest, study_id: int, flag_id: int) -> HttpResponse:
    flag = _flag(request, study_id, flag_id)
    form = ResolutionForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(sentence) for sentence in form.errors["resolution"]))
        return _back_to(flag)
    try:
        services.resolve(flag, **form.cleaned_data, by=request.user, at=timezone.now())
    except ValidationError as error:
        tell(request, error)
    else:
        messages.success(request, _("The flag is resolved."))
    return _back_to(flag)


@require_POST
@researcher_required
def reopen_flag(request: SignedInRequest, study_id: int, flag_id: int) -> HttpResponse:
    flag = _flag(request, study_id, flag_id)
    services.reopen(flag, by=request.user)
    messages.success(request, _("The flag is open again."))
    return _back_to(flag)


def _flag(request: SignedInRequest, study_id: int, flag_id: int) -> Flag:
    return get_object_or_404(flags_of(study_for(request, study_id)), pk=flag_id)


def _back_to(flag: Flag) -> HttpResponse:
    return redirect(reverse("annotation:study_flags", args=[flag.lease.pair.study_id]))
