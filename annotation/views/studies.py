"""Pages by which researchers make and watch studies. Another researcher's study is not there at all (404)."""

import random
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.forms.pairs import PilotForm
from annotation.forms.studies import StudyForm
from annotation.models import Pair, Study
from annotation.queries.families import family_of
from annotation.queries.flags import count_open
from annotation.queries.studies import progress_of, with_progress
from annotation.queries.wording import LANGUAGES, STUDY_TEXTS
from annotation.services import studies as services
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.statistics import overview_context
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
    fixed = [str(words) for words in services.FIXED_BY_VOTES.values()]
    context = {"form": form, "study": Study.objects.get(pk=study.pk), "fixed": fixed}
    return render(request, "annotation/studies/form.html", context, status=422 if form.is_bound else 200)


@require_safe
@researcher_required
def study(request: SignedInRequest, study_id: int) -> HttpResponse:
    study_for(request, study_id)
    row = with_progress(Study.objects.filter(pk=study_id)).get()
    context: dict[str, Any] = {
        "study": row,
        "progress": progress_of(row),
        **overview_context(row),
        "dimensions": row.dimensions.all(),
        "n_open_flags": count_open(row),
        "family": family_of(row, request.user),
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
def new_pilot(request: SignedInRequest, study_id: int) -> HttpResponse:
    """A small trial of the study with a few of its pairs; running at once."""
    study = study_for(request, study_id)
    n_pairs = study.pairs.filter(kind=Pair.Kind.REGULAR).count()
    form = PilotForm(request.POST or None, initial={"n_pairs": min(10, n_pairs)})
    if form.is_bound and form.is_valid():
        seed = random.randint(1, 2**31 - 1)
        try:
            pilot = services.pilot_study(study, **form.cleaned_data, by=request.user, at=timezone.now(), seed=seed)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The pilot runs. Its votes stay apart from those of the study."))
            return redirect("annotation:study", pilot.pk)
    context = {"study": study, "form": form, "n_pairs": n_pairs}
    return render(request, "annotation/studies/pilot.html", context, status=422 if form.is_bound else 200)
