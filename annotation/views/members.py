"""The page of a study's people: who they are, what they qualified in, and their rater groups."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from annotation.forms.members import GroupForm, MemberForm
from annotation.models import Membership, Study
from annotation.queries.members import annotators_of, group_rows, people_of
from annotation.services import studies as services
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for, tell
from earshot.accounts.access import researcher_required


@require_http_methods(READ_OR_WRITE)
@researcher_required
def members(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    form = MemberForm(request.POST or None)
    if form.is_bound and form.is_valid() and form.user is not None:
        role, group = form.cleaned_data["role"], form.cleaned_data["group"]
        try:
            services.add_member(study, form.user, role, group=group, by=request.user)
        except ValidationError as error:
            form.add_error("role", error)
        else:
            messages.success(request, _("%(user)s belongs to the study now.") % {"user": form.user})
            return redirect("annotation:members", study.pk)
    return _people(request, study, form)


def _people(request: SignedInRequest, study: Study, form: MemberForm) -> HttpResponse:
    page = newest_first(request, study.memberships.select_related("user"), size=50)
    context = {
        "study": study,
        "form": form,
        "page": page,
        "people": people_of(study, page.rows, at=timezone.now()),
        "groups": group_rows(study),
        "group_form": GroupForm(known=[]),
    }
    return render(request, "annotation/studies/members.html", context, status=422 if form.is_bound else 200)


@require_POST
@researcher_required
def set_group(request: SignedInRequest, study_id: int) -> HttpResponse:
    """One rater group for the ticked annotators, or for all of them."""
    study = study_for(request, study_id)
    form = GroupForm(request.POST, known=annotators_of(study))
    if not form.is_valid():
        tell(request, ValidationError([error for errors in form.errors.values() for error in errors]))
        return redirect("annotation:members", study.pk)
    chosen = None if form.cleaned_data["everybody"] else form.cleaned_data["members"]
    moved = services.set_group(study, form.cleaned_data["group"], memberships=chosen, by=request.user)
    words = ngettext("%(n)d annotator was moved.", "%(n)d annotators were moved.", moved)
    messages.success(request, words % {"n": moved})
    return redirect("annotation:members", study.pk)


@require_POST
@researcher_required
def remove_member(request: SignedInRequest, study_id: int, membership_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    membership = get_object_or_404(Membership, pk=membership_id, study=study)
    try:
        services.remove_member(membership, by=request.user)
    except ValidationError as error:
        tell(request, error)
    else:
        messages.success(
            request, _("%(user)s is no longer in the study; their judgments stay.") % {"user": membership.user}
        )
    return redirect("annotation:members", study.pk)
