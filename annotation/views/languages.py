"""The page on which researchers write what annotators read of their study in further languages."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation.forms.languages import LanguagesForm
from annotation.queries.wording import LANGUAGES
from annotation.services import studies as services
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for
from earshot.accounts.access import researcher_required


@require_http_methods(READ_OR_WRITE)
@researcher_required
def edit_languages(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    is_fixed = services.has_answers(study)
    # A page that was loaded before the first answer still sends them: the service says why they stay.
    sends_dimensions = any(name.startswith("dimension-") for name in request.POST)
    form = LanguagesForm(request.POST or None, study=study, fixed=is_fixed and not sends_dimensions)
    if form.is_bound and form.is_valid():
        dimensions = {key: form.translations(key) for key in form.dimensions} if sends_dimensions else {}
        try:
            services.save_translations(study, form.translations(), dimensions, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The languages are saved."))
            return redirect("annotation:study", study.pk)
    context = {"study": study, "form": form, "is_fixed": is_fixed, "languages": LANGUAGES}
    return render(request, "annotation/studies/languages.html", context, status=422 if form.is_bound else 200)
