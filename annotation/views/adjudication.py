"""Adjudication: researchers ask for it and read what came of it; adjudicators find and begin it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.forms.quality import ReasonForm
from annotation.models import Adjudication, Pair
from annotation.queries.disputes import adjudications_of, most_disputed
from annotation.services import adjudication as services
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.studies import study_for, tell
from earshot.accounts.access import researcher_required


@require_safe
@researcher_required
def study_adjudications(request: SignedInRequest, study_id: int) -> HttpResponse:
    """What was asked for and decided, and the pairs on which raters disagree most."""
    study = study_for(request, study_id)
    context = {
        "study": study,
        "page": newest_first(request, adjudications_of(study), size=30),
        "disputed": most_disputed(study),
    }
    return render(request, "annotation/quality/adjudications.html", context)


@require_POST
@researcher_required
def request_adjudication(request: SignedInRequest, study_id: int, pair_id: int) -> HttpResponse:
    """From the pair's page, a flag, or the list of disputed pairs."""
    pair = get_object_or_404(Pair.objects.select_related("study"), pk=pair_id, study=study_for(request, study_id))
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(sentence) for sentence in form.errors["reason"]))
        return redirect("annotation:pair", study_id, pair_id)
    try:
        services.request(pair, reason=form.cleaned_data["reason"], by=request.user, at=timezone.now())
    except ValidationError as error:
        tell(request, error)
    else:
        messages.success(
            request, _("The pair waits for an adjudicator: somebody of the study who has not heard it, and not you.")
        )
    return redirect("annotation:study_adjudications", study_id)


@require_POST
@researcher_required
def take_back_adjudication(request: SignedInRequest, study_id: int, adjudication_id: int) -> HttpResponse:
    whole = Adjudication.objects.select_related("lease", "pair__study")
    row = get_object_or_404(whole, pk=adjudication_id, pair__study=study_for(request, study_id))
    if services.is_blind_for(request.user, row.pair):
        messages.error(request, _("You adjudicate this pair yourself. Give it back in the room, by skipping it."))
        return redirect("annotation:my_adjudications")
    services.take_back(row, by=request.user)
    messages.success(request, _("The adjudication is taken back. The votes stand as they were."))
    return redirect("annotation:study_adjudications", study_id)


@require_safe
@login_required
def my_adjudications(request: SignedInRequest) -> HttpResponse:
    """What the person may adjudicate: topics alone, no votes, no systems, no reasons."""
    page = newest_first(request, services.open_to(request.user), size=30)
    return render(request, "annotation/quality/mine.html", {"page": page})


@require_POST
@login_required
def begin_adjudication(request: SignedInRequest, adjudication_id: int) -> HttpResponse:
    row = get_object_or_404(services.open_to(request.user), pk=adjudication_id)
    try:
        lease = services.begin(row, request.user, at=timezone.now())
    except ValidationError as error:
        tell(request, error)
        return redirect("annotation:my_adjudications")
    return redirect("annotation:room", key=lease.key)
