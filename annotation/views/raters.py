"""Raters of a study, what the checks say of them, and excluding one: a filter that can be lifted."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.forms.quality import ReasonForm
from annotation.models import Exclusion, Study
from annotation.queries.checks import checks_of_rater
from annotation.queries.quality import exclusion_rate, raters_of, with_checks
from annotation.services import exclusions as services
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for, tell
from earshot.accounts.access import researcher_required
from earshot.accounts.models import User

MOST_PAST = 50


@require_safe
@researcher_required
def rater_checks(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    page = newest_first(request, raters_of(study), size=30)
    past = Exclusion.objects.filter(study=study, lifted_at__isnull=False)
    context = {
        "study": study,
        "page": page,
        "rows": with_checks(page.rows, study),
        "rate": exclusion_rate(study),
        "past": past.select_related("rater", "excluded_by", "lifted_by")[:MOST_PAST],
    }
    return render(request, "annotation/quality/raters.html", context)


@require_http_methods(READ_OR_WRITE)
@researcher_required
def exclude_rater(request: SignedInRequest, study_id: int, rater_id: int) -> HttpResponse:
    """Shows what the checks say of the rater, then excludes them with a reason."""
    study = study_for(request, study_id)
    rater = _rater(study, rater_id)
    form = ReasonForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            services.exclude(study, rater, reason=form.cleaned_data["reason"], by=request.user, at=timezone.now())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            words = _("%(rater)s is excluded. Every number is without their judgments now; lift it to have them back.")
            messages.success(request, words % {"rater": rater})
            return redirect("annotation:rater_checks", study.pk)
    context = {
        "study": study,
        "row": with_checks([rater], study)[0],
        "checks": checks_of_rater(study, rater),
        "form": form,
    }
    return render(request, "annotation/quality/exclude.html", context, status=422 if form.is_bound else 200)


@require_POST
@researcher_required
def lift_exclusion(request: SignedInRequest, study_id: int, exclusion_id: int) -> HttpResponse:
    whole = Exclusion.objects.select_related("study", "rater")
    exclusion = get_object_or_404(whole, pk=exclusion_id, study=study_for(request, study_id))
    try:
        services.lift(exclusion, by=request.user, at=timezone.now())
    except ValidationError as error:
        tell(request, error)
    else:
        words = _("The judgments of %(rater)s count again.") % {"rater": exclusion.rater}
        messages.success(request, words)
    return redirect("annotation:rater_checks", study_id)


def _rater(study: Study, rater_id: int) -> User:
    return get_object_or_404(raters_of(study), pk=rater_id)
