"""Pages by which researchers make and watch studies. Another researcher's study is not there at all (404)."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.forms.studies import RUBRIC_FIELDS, BaseRubricFormSet, MemberForm, RubricFormSet, StudyForm
from annotation.models import Membership, Study
from annotation.queries.flags import count_open
from annotation.queries.studies import pictures_of, progress_of, with_progress
from annotation.queries.wording import LANGUAGES, STUDY_TEXTS
from annotation.services import studies as services
from annotation.services.boards import study_board
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from earshot.accounts.access import researcher_required

READ_OR_WRITE = ["GET", "HEAD", "POST"]


def study_for(request: SignedInRequest, study_id: int) -> Study:
    return get_object_or_404(Study.objects.readable_by(request.user), pk=study_id)


def tell(request: HttpRequest, error: ValidationError) -> None:
    for sentence in error.messages:
        messages.error(request, sentence)


def tell_outdated(request: HttpRequest, names: list[str]) -> None:
    words = _("The words of %(names)s changed. Look at Languages whether the other languages still say the same.")
    messages.warning(request, words % {"names": ", ".join(names)})


@require_safe
@researcher_required
def studies(request: SignedInRequest) -> HttpResponse:
    page = newest_first(request, with_progress(Study.objects.readable_by(request.user)), size=30)
    return render(request, "annotation/studies/list.html", {"page": page})


@require_http_methods(READ_OR_WRITE)
@researcher_required
def new_study(request: SignedInRequest) -> HttpResponse:
    form = StudyForm(request.POST or None)
    if form.is_bound and form.is_valid():
        # People qualify unless the study says otherwise (its page Before the first pair); simulated raters cannot.
        entry = Study.Entry.NONE if form.cleaned_data["is_simulated"] else Study.Entry.FULL
        study = services.create_study(by=request.user, at=timezone.now(), entry=entry, **form.cleaned_data)
        messages.success(request, _("The study stands as a draft. Add pairs and people, then start it."))
        return redirect("annotation:study", study.pk)
    return render(request, "annotation/studies/form.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(READ_OR_WRITE)
@researcher_required
def edit_study(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    form = StudyForm(request.POST or None, instance=study)
    if form.is_bound and form.is_valid():
        try:
            services.change_study(form.instance, changed=form.changed_data, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The study is saved."))
            if form.instance.translations and set(STUDY_TEXTS) & set(form.changed_data):
                tell_outdated(request, [str(form.instance)])
            return redirect("annotation:study", study.pk)
    context = {"form": form, "study": Study.objects.get(pk=study.pk)}
    return render(request, "annotation/studies/form.html", context, status=422 if form.is_bound else 200)


@require_http_methods(READ_OR_WRITE)
@researcher_required
def edit_rubric(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    rows = [
        {name: getattr(each, name) for name in RUBRIC_FIELDS} | {"position": place}
        for place, each in enumerate(study.dimensions.all(), start=1)
    ]
    formset = cast(BaseRubricFormSet, RubricFormSet(request.POST or None, initial=rows, prefix="rubric"))
    if formset.is_bound and formset.is_valid():
        try:
            outdated = services.save_dimensions(study, formset.rows(), by=request.user)
        except ValidationError as error:
            tell(request, error)
        else:
            messages.success(request, _("The rubric is saved."))
            if outdated:
                tell_outdated(request, [dimension.name for dimension in outdated])
            return redirect("annotation:study", study.pk)
    context = {"study": study, "formset": formset, "is_fixed": study.has_votes}
    return render(request, "annotation/studies/rubric.html", context, status=422 if formset.is_bound else 200)


@require_safe
@researcher_required
def study(request: SignedInRequest, study_id: int) -> HttpResponse:
    study_for(request, study_id)
    row = with_progress(Study.objects.filter(pk=study_id)).get()
    board = study_board(row)
    context: dict[str, Any] = {
        "study": row,
        "progress": progress_of(row),
        "board": board,
        "pictures": pictures_of(board),
        "dimensions": row.dimensions.all(),
        "n_open_flags": count_open(row),
        "languages": [LANGUAGES[code] for code in row.translations if code in LANGUAGES],
    }
    return render(request, "annotation/studies/detail.html", context)


@require_POST
@researcher_required
def change_study_state(request: SignedInRequest, study_id: int, state: str) -> HttpResponse:
    study = study_for(request, study_id)
    try:
        services.change_state(study, state, by=request.user)
    except ValidationError as error:
        tell(request, error)
    else:
        messages.success(request, _("The study is %(state)s.") % {"state": Study.State(state).label})
    return redirect("annotation:study", study.pk)


@require_POST
@researcher_required
def copy_study(request: SignedInRequest, study_id: int) -> HttpResponse:
    copy = services.copy_study(study_for(request, study_id), by=request.user, at=timezone.now())
    messages.success(
        request, _("%(study)s is a draft with the same rubric and people, and no pairs.") % {"study": copy}
    )
    return redirect("annotation:study", copy.pk)


@require_http_methods(READ_OR_WRITE)
@researcher_required
def members(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    form = MemberForm(request.POST or None)
    if form.is_bound and form.is_valid() and form.user is not None:
        try:
            services.add_member(study, form.user, form.cleaned_data["role"], by=request.user)
        except ValidationError as error:
            form.add_error("role", error)
        else:
            messages.success(request, _("%(user)s belongs to the study now.") % {"user": form.user})
            return redirect("annotation:members", study.pk)
    context = {"study": study, "form": form, "memberships": study.memberships.select_related("user")}
    return render(request, "annotation/studies/members.html", context, status=422 if form.is_bound else 200)


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
