"""The rubric editor, with its questions as annotators see them."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_POST

from annotation.forms.rubric import RUBRIC_FIELDS, BaseRubricFormSet, RubricFormSet
from annotation.models import Dimension, Study
from annotation.queries.questions import NOT_A_NUMBER, Question, question_for_reader
from annotation.queries.wording import LANGUAGES, reader_language
from annotation.services import studies as services
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for, tell, tell_outdated
from earshot.accounts.access import researcher_required


def formset_of(request: SignedInRequest, study: Study) -> BaseRubricFormSet:
    rows = [
        {name: getattr(each, name) for name in RUBRIC_FIELDS} | {"position": place}
        for place, each in enumerate(study.dimensions.all(), start=1)
    ]
    return cast(BaseRubricFormSet, RubricFormSet(request.POST or None, initial=rows, prefix="rubric"))


@require_http_methods(READ_OR_WRITE)
@researcher_required
def edit_rubric(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    formset = formset_of(request, study)
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
    questions = [question_for_reader(dimension) for dimension in study.dimensions.all()]
    context = {"study": study, "formset": formset, "is_fixed": services.has_answers(study)}
    context |= preview_context(questions, reader_language())
    return render(request, "annotation/studies/rubric.html", context, status=422 if formset.is_bound else 200)


@require_POST
@researcher_required
def preview_rubric(request: SignedInRequest, study_id: int) -> HttpResponse:
    """The questions as the form has them now, in one language; nothing is stored."""
    study = study_for(request, study_id)
    language = request.POST.get("preview_language", "")
    language = language if language in LANGUAGES else reader_language()
    with override(language):
        questions = [question_for_reader(dimension) for dimension in drafts_of(request, study)]
    context = {"study": study} | preview_context(questions, language)  # the frame around them speaks the researcher's
    return render(request, "annotation/studies/_rubric_preview.html", context)


def drafts_of(request: SignedInRequest, study: Study) -> list[Dimension]:
    """The dimensions as the form has them now; where it has none, since the rubric is fixed, as they are stored."""
    stored = list(study.dimensions.all())
    if "rubric-TOTAL_FORMS" not in request.POST:
        return stored
    known = {dimension.key: dimension for dimension in stored}
    formset = formset_of(request, study)
    formset.is_valid()  # fills what can be read; what is wrong is said when it is saved
    return [draft(study, row, known.get(row["key"])) for row in formset.drafts()]


def draft(study: Study, row: dict[str, Any], known: Dimension | None) -> Dimension:
    """A dimension that is not stored, with what stays with its key."""
    kept = {"translations": known.translations, "examples": known.examples} if known else {}
    return Dimension(study=study, **row, **kept)


def preview_context(questions: list[Question], language: str) -> dict[str, object]:
    return {
        "questions": questions,
        "not_a_number": NOT_A_NUMBER,
        "languages": LANGUAGES,
        "preview_language": language,
    }
