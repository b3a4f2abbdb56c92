"""The way of a person to their first pair of a study: consent, and one step after the other."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import material
from annotation.material import Stimulus
from annotation.models import Attempt, Step, Study
from annotation.queries.home import participant_studies, sheet_rows
from annotation.queries.sheets import as_cell
from annotation.services.qualification import attempts
from annotation.services.qualification import consent as consents
from annotation.services.qualification.consent_text import hash_of, text_for_reader
from annotation.services.qualification.leaving import leaving_of
from annotation.services.qualification.rules import RULES, STEPS
from annotation.services.qualification.standing import Standing, StepStanding, standing_of
from annotation.services.qualification.trials import trials_of
from annotation.views.material import send_stimulus
from annotation.views.requests import SignedInRequest
from annotation.views.sound import NO_STORE
from annotation.views.studies import READ_OR_WRITE

EXAMPLE_SEED = 1  # of the tone that may be tried out before the trials that count


def my_study(request: SignedInRequest, study_id: int) -> Study:
    return get_object_or_404(Study.objects.judged_by(request.user), pk=study_id)


def study_of_consent(request: SignedInRequest, study_id: int) -> Study:
    """Also one that the person is not in any more, or that is over: its consent can still be taken back."""
    mine = Q(pk__in=Study.objects.judged_by(request.user)) | Q(pk__in=request.user.consents.values("study"))
    return get_object_or_404(Study.objects.filter(mine), pk=study_id)


def my_attempt(request: SignedInRequest, key: str) -> Attempt:
    """The person's own attempt; another's is not there at all (404)."""
    if len(key) > 32 or "\0" in key:
        raise Http404
    return get_object_or_404(Attempt.objects.select_related("study").filter(user=request.user), key=key)


def step_named(step: str) -> Step:
    if step not in Step.values:
        raise Http404
    return Step(step)


@require_safe
@login_required
def entry(request: SignedInRequest, study_id: int) -> HttpResponse:
    """Every step with its state, and the one to take next."""
    study = my_study(request, study_id)
    standing = standing_of(request.user, study, at=timezone.now())
    minutes = sum(RULES[each.step].minutes for each in standing.steps if each.state != "passed")
    context = {"study": study, "standing": standing, "minutes": minutes}
    return render(request, "annotation/entry/overview.html", context)


@require_http_methods(READ_OR_WRITE)
@login_required
def consent(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = my_study(request, study_id)
    text = text_for_reader(study)
    if request.method == "POST":
        if request.POST.get("read") == hash_of(text):
            consents.give_consent(request.user, study, at=timezone.now())
            return redirect("annotation:entry", study.pk)
        messages.warning(request, _("The words have changed since you opened this page. Read them, then agree."))
        return redirect("annotation:consent", study.pk)
    standing = standing_of(request.user, study, at=timezone.now())
    words = standing.consent.text if standing.consent else text
    context = {"study": study, "standing": standing, "text": words, "read": hash_of(words)}
    return render(request, "annotation/entry/consent.html", context)


@require_http_methods(READ_OR_WRITE)
@login_required
def withdraw(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_of_consent(request, study_id)
    if request.method == "POST":
        if consents.withdraw_consent(request.user, study, at=timezone.now()):
            messages.success(request, _("Your consent is withdrawn. No pair of this study is lent to you any more."))
        return redirect("annotation:work")
    return render(request, "annotation/entry/withdraw.html", {"study": study})


@require_safe
@login_required
def entry_step(request: SignedInRequest, study_id: int, step: str) -> HttpResponse:
    """What the step needs, and the button that begins it; when it can be tried again; or that it is passed."""
    study, chosen = my_study(request, study_id), step_named(step)
    standing = standing_of(request.user, study, at=timezone.now())
    found = next((each for each in standing.steps if each.step == chosen), None)
    if found is None:
        raise Http404
    if standing.needs_consent:
        return redirect("annotation:consent", study.pk)
    context = {"study": study, "standing": standing, "found": found, "rule": RULES[chosen]}
    return render(request, "annotation/entry/step.html", context | {"examples": examples_of(chosen, study)})


@require_POST
@login_required
def begin_step(request: SignedInRequest, study_id: int, step: str) -> HttpResponse:
    study, chosen = my_study(request, study_id), step_named(step)
    try:
        begun = attempts.begin(request.user, study, chosen, at=timezone.now())
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
        return redirect("annotation:entry", study.pk)
    return redirect("annotation:attempt", begun.key)


@never_cache
@require_safe
@login_required
def attempt(request: SignedInRequest, key: str) -> HttpResponse:
    """The trial to answer now; after each one of the training what was right; at the end the verdict."""
    found = my_attempt(request, key)
    current = attempts.current_trial(found)
    standing = standing_of(request.user, found.study, at=timezone.now())
    context = {"attempt": found, "study": found.study, "standing": standing, "rule": RULES[Step(found.step)]}
    if current.before is not None and tells_answers(found) and request.GET.get("told") == str(current.before.number):
        context |= {"told": current.before, "trial": trials_of(found)[current.before.number]}
        return render(request, "annotation/entry/told.html", context)
    if current.trial is None:
        return render(request, "annotation/entry/result.html", context | {"mine": of_step(standing, found)})
    return render(request, "annotation/entry/trial.html", context | {"trial": current.trial, "number": current.number})


def tells_answers(attempt: Attempt) -> bool:
    """Only the training tells what was right, after each answer."""
    return attempt.step == Step.TRAINING


def of_step(standing: Standing, attempt: Attempt) -> StepStanding | None:
    return next((each for each in standing.steps if each.step == attempt.step), None)


@require_POST
@login_required
def answer_trial(request: SignedInRequest, key: str, number: int) -> HttpResponse:
    found = my_attempt(request, key)
    try:
        kept = attempts.answer(found, number, request.POST.get("answer", "").replace("\0", ""), at=timezone.now())
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
        return redirect("annotation:attempt", found.key)
    told = f"?told={kept.number}" if tells_answers(found) else ""
    return redirect(f"{redirect('annotation:attempt', found.key).url}{told}")


@require_safe
@login_required
def stimulus(request: SignedInRequest, key: str, number: int, part: int) -> HttpResponse:
    """A sound of the trial to answer now; of the training also of those before."""
    found = my_attempt(request, key)
    now = found.answers.count()
    may_hear = number <= now if tells_answers(found) else number == now
    if not may_hear or number >= found.n_trials:
        raise Http404
    return sound_at(request, [sound.stimulus for sound in trials_of(found)[number].sounds], part)


@require_safe
@login_required
def example(request: SignedInRequest, study_id: int, step: str, part: int) -> HttpResponse:
    """A sound to try out before a step; no trial of anybody's."""
    study, chosen = my_study(request, study_id), step_named(step)
    if chosen not in STEPS[Study.Entry(study.entry)]:
        raise Http404
    return sound_at(request, [each.stimulus for each in examples_of(chosen, study)], part)


def sound_at(request: SignedInRequest, stimuli: Sequence[Stimulus], part: int) -> HttpResponse:
    """The bytes, under no name and without a validator: nothing beside the sound itself tells an answer."""
    if part >= len(stimuli):
        raise Http404
    return send_stimulus(request, stimuli[part])


@dataclass(frozen=True)
class Example:
    words: str  # on its button
    tells: str  # what is to be heard
    stimulus: Stimulus


def examples_of(step: Step, study: Study) -> list[Example]:
    if step == Step.CHANNELS:
        ears = material.channel_demonstration(material.material_language(study.language))
        return [
            Example(_("Play left"), _("You should hear it in your left ear alone."), ears["left"]),
            Example(_("Play right"), _("You should hear it in your right ear alone."), ears["right"]),
        ]
    if step == Step.HEADPHONES:
        trial = material.huggins_example(EXAMPLE_SEED)
        tells = (
            _("The tone is in the first burst."),
            _("The tone is in the second burst."),
            _("The tone is in the third burst."),
        )
        return [Example(_("Play the example"), tells[trial.answer - 1], trial.stimulus)]
    return []


@require_safe
@login_required
def done(request: SignedInRequest, study_id: int) -> HttpResponse:
    """The completion code of a crowd worker whose pairs are done, or to whom none is open any more."""
    study = my_study(request, study_id)
    if study.pk not in participant_studies(request.user):
        raise Http404
    leaving = leaving_of(request.user, {study.pk: standing_of(request.user, study, at=timezone.now())})
    context = {
        "study": study,
        "has_code": leaving.get(study.pk, False),
        "skipped_most": leaving.get(study.pk) is False,
        "researcher": study.created_by,
    }
    return render(request, "annotation/entry/done.html", context)


@require_safe
@login_required
def time_sheet(request: SignedInRequest) -> HttpResponse:
    """The person's own work by day and study, for pay."""
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers={"Cache-Control": NO_STORE})
    response["Content-Disposition"] = 'attachment; filename="earshot-time.csv"'
    sheet = csv.writer(response)
    sheet.writerow(["date", "study", "pairs", "seconds_listened", "judging_seconds"])
    for row in sheet_rows(request.user):
        sheet.writerow(
            [row.day, as_cell(row.study), row.pairs, f"{row.seconds_listened:.1f}", f"{row.judging_seconds:.1f}"]
        )
    return response
