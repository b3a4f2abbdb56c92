"""Examples to hear beside a study's questions: the page that adds them, and their sound."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation.forms.examples import ExampleForm
from annotation.material import examples_of
from annotation.models import Dimension, Study
from annotation.queries.examples import address_of, example_named
from annotation.queries.wording import LANGUAGES, reader_language
from annotation.services.studies import examples, has_answers
from annotation.views.material import SHIPPED, send_stimulus
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for, tell
from earshot.accounts.access import researcher_required
from earshot.jobs import artefacts


@require_http_methods(READ_OR_WRITE)
@researcher_required
def edit_examples(request: SignedInRequest, study_id: int, key: str) -> HttpResponse:
    study = study_for(request, study_id)
    dimension = get_object_or_404(Dimension.objects.select_related("study"), study=study, key=key)
    form = ExampleForm(request.POST or None, request.FILES or None, initial={"language": reader_language()})
    if form.is_bound and form.is_valid():
        try:
            add_uploaded(study, key, form, request)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("The example is kept."))
            return redirect("annotation:edit_examples", study.pk, key)
    context = {
        "study": study,
        "dimension": dimension,
        "form": form,
        "is_fixed": has_answers(study),
        "own": [
            (place, each, LANGUAGES.get(each["language"]), address_of(dimension, each["sha256"]))
            for place, each in enumerate(dimension.examples)
        ],
        "shipped": examples_of(key, reader_language()),
    }
    return render(request, "annotation/studies/examples.html", context, status=422 if form.is_bound else 200)


def add_uploaded(study: Study, key: str, form: ExampleForm, request: SignedInRequest) -> None:
    data = form.cleaned_data
    with tempfile.TemporaryDirectory(dir=artefacts.scratch_folder()) as folder:
        path = Path(folder) / "upload"
        write_upload(data["sound"], path)
        examples.add_example(
            study, key, path, side=data["side"], language=data["language"], words=data["words"], by=request.user
        )


def write_upload(upload: "UploadedFile[Any]", path: Path) -> None:
    with path.open("wb") as file:
        for chunk in upload.chunks():
            file.write(chunk)


@require_POST
@researcher_required
def remove_example(request: SignedInRequest, study_id: int, key: str, place: int) -> HttpResponse:
    study = study_for(request, study_id)
    get_object_or_404(Dimension, study=study, key=key)
    try:
        examples.remove_example(study, key, place, request.POST.get("sha256", ""), by=request.user)
    except ValidationError as error:
        tell(request, error)
    else:
        messages.success(request, _("The example is removed."))
    return redirect("annotation:edit_examples", study.pk, key)


@dataclass(frozen=True)
class StoredSound:
    sha256: str
    content_type: str = "audio/wav"

    def content(self) -> bytes:
        with artefacts.open_artefact(self.sha256) as file:
            return file.read()


@require_safe
@login_required
def own_example(request: SignedInRequest, study_id: int, name: str) -> HttpResponse:
    """For whoever judges in the study or reads it."""
    mine = Study.objects.judged_by(request.user).filter(pk=study_id).first()
    study = mine or Study.objects.readable_by(request.user).filter(pk=study_id).first()
    if study is None:
        raise Http404("There is no such study.")
    return send_stimulus(request, StoredSound(example_named(study, name)), cache_control=SHIPPED)
