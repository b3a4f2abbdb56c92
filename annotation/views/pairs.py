"""Pairs for researchers: which there are, which to add, and one to hear with all that was judged about it."""

import math
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from annotation.forms.studies import PairsForm
from annotation.models import Dialogue, Judgment, Pair, Score, Study
from annotation.queries.studies import pairs_of
from annotation.services import studies as services
from annotation.views.dialogues import picture
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for, tell
from earshot.accounts.access import researcher_required


@require_safe
@researcher_required
def study_pairs(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    page = newest_first(request, pairs_of(study), size=50)
    return render(request, "annotation/studies/pairs.html", {"study": study, "page": page})


@dataclass(frozen=True)
class Plan:
    """What the chosen pairs would cost."""

    n_pairs: int
    n_scenarios: int
    n_votes: int
    hours: float  # of listening: both sides once, for every vote

    @property
    def listening(self) -> str:
        if self.hours >= 1:
            return _("%(n).1f hours") % {"n": self.hours}
        minutes = math.ceil(self.hours * 60)
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def plan_of(study: Study, pairs: list[tuple[Dialogue, Dialogue]]) -> Plan:
    seconds = sum(one.seconds + other.seconds for one, other in pairs) * study.overlap
    return Plan(
        n_pairs=len(pairs),
        n_scenarios=len({one.scenario_id for one, _other in pairs}),
        n_votes=len(pairs) * study.overlap,
        hours=seconds / 3600,
    )


@require_http_methods(READ_OR_WRITE)
@researcher_required
def add_pairs(request: SignedInRequest, study_id: int) -> HttpResponse:
    """First shows what the pairs would cost; makes them when that was seen (`make` in the form)."""
    study = study_for(request, study_id)
    form = PairsForm(request.POST or None, study=study)
    plan = None
    if form.is_bound and form.is_valid():
        pairs = services.plan_pairs(study, form.cleaned_data["systems"], reference=form.cleaned_data["reference"])
        plan = plan_of(study, pairs)
        if "make" in request.POST and pairs:
            try:
                made = services.add_pairs(study, pairs, by=request.user)
            except ValidationError as error:
                tell(request, error)
            else:
                words = ngettext("%(n)d pair was added.", "%(n)d pairs were added.", len(made))
                messages.success(request, words % {"n": len(made)})
                return redirect("annotation:study_pairs", study.pk)
    context = {"study": study, "form": form, "plan": plan}
    status = 422 if form.is_bound and not form.is_valid() else 200
    return render(request, "annotation/studies/add_pairs.html", context, status=status)


@dataclass(frozen=True)
class ShownJudgment:
    """A judgment with its scores in the rubric's order."""

    judgment: Judgment
    answers: list[str]

    @property
    def left_letter(self) -> str:
        return self.judgment.lease.side_left.upper()


def answer_in_words(score: Score | None) -> str:
    """+2 → "A by 2"; what is no number in its own words."""
    if score is None:
        return "—"
    if score.value is None:
        return str(score.get_kind_display())
    if score.value == 0:
        return _("same")
    return _("%(letter)s by %(n)d") % {"letter": "A" if score.value > 0 else "B", "n": abs(score.value)}


@require_safe
@researcher_required
def pair(request: SignedInRequest, study_id: int, pair_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    whole = Pair.objects.select_related("scenario", "dialogue_a__system", "dialogue_b__system")
    row = get_object_or_404(whole.prefetch_related("dialogue_a__turns", "dialogue_b__turns"), pk=pair_id, study=study)
    dimensions = list(study.dimensions.all())
    judgments = (
        Judgment.objects.submitted()
        .filter(lease__pair=row)
        .select_related("lease__annotator", "quality")
        .prefetch_related("scores", "marks__turn", "marks__dimension")
    )
    shown = []
    for judgment in judgments:
        scores = {score.dimension_id: score for score in judgment.scores.all()}
        shown.append(ShownJudgment(judgment, [answer_in_words(scores.get(each.pk)) for each in dimensions]))
    context: dict[str, Any] = {
        "study": study,
        "pair": row,
        "sides": [
            {"letter": letter, "dialogue": dialogue, "picture": picture(dialogue), "picture_id": f"picture-{letter}"}
            for letter, dialogue in (("a", row.dialogue_a), ("b", row.dialogue_b))
        ],
        "dimensions": dimensions,
        "judgments": shown,
    }
    return render(request, "annotation/studies/pair.html", context)
