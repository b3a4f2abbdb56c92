"""Pairs for researchers: which there are, which to add, and one to hear with all that was judged about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from annotation.forms.pairs import PairsForm
from annotation.models import Judgment, Lease, Pair, Score, Study
from annotation.queries.counting import raters_left_out
from annotation.queries.families import designs_of
from annotation.queries.members import n_annotators
from annotation.queries.pair_quality import quality_of
from annotation.queries.studies import pairs_of
from annotation.services import studies as services
from annotation.services.adjudication import is_blind_for
from annotation.services.quality import lines_of
from annotation.services.studies import Plan, costs
from annotation.services.studies.costs import Cost
from annotation.views.dialogues import picture
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.studies import READ_OR_WRITE, study_for, tell
from earshot.accounts.access import researcher_required


@require_safe
@researcher_required
def study_pairs(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = study_for(request, study_id)
    page = newest_first(request, pairs_of(study).filter(kind=Pair.Kind.REGULAR), size=50)
    context = {"study": study, "page": page, "designs": designs_of(study)}
    return render(request, "annotation/studies/pairs.html", context)


@require_http_methods(READ_OR_WRITE)
@researcher_required
def add_pairs(request: SignedInRequest, study_id: int) -> HttpResponse:
    """First shows what the pairs would cost, anew at each change; makes those that were seen (`make`: their number)."""
    study = study_for(request, study_id)
    form = PairsForm(request.POST or None, study=study, n_raters=n_annotators(study) or study.overlap)
    preview = preview_of(study, form) if form.is_bound or form.systems_to_begin_with else None
    if preview is not None and preview.plan is not None and "make" in request.POST:
        if request.POST["make"] != str(len(preview.plan.pairs)):
            messages.warning(request, _("The number of pairs has changed meanwhile. Look at it again, then make them."))
        elif make_planned(request, study, preview.plan):
            return redirect("annotation:study_pairs", study.pk)
    context = {"study": study, "form": form, "preview": preview}
    if request.htmx:
        return render(request, "annotation/studies/_plan.html", context)
    status = 422 if form.is_bound and not form.is_valid() else 200
    return render(request, "annotation/studies/add_pairs.html", context, status=status)


@dataclass(frozen=True)
class Preview:
    """What the page says before anything is made: the plan with its cost, or why there is none."""

    problems: list[str]
    plan: Plan | None = None
    cost: Cost | None = None
    meetings: str = ""
    cautions: Sequence[str] = ()


def preview_of(study: Study, form: PairsForm) -> Preview:
    design = form.design() if not form.is_bound or form.is_valid() else None
    if design is None:
        return Preview([str(error) for errors in form.errors.values() for error in errors])
    try:
        plan = services.plan_design(study, design)
    except ValidationError as error:
        return Preview(error.messages)
    cost = costs.cost_of(study, plan, n_raters=form.raters)
    return Preview([], plan, cost, costs.meetings_in_words(plan), list(costs.cautions(study, plan, cost)))


def make_planned(request: SignedInRequest, study: Study, plan: Plan) -> bool:
    try:
        made = services.make_design(study, plan, by=request.user, at=timezone.now())
    except ValidationError as error:
        tell(request, error)
        return False
    words = ngettext("%(n)d pair was added.", "%(n)d pairs were added.", len(made))
    messages.success(request, words % {"n": len(made)})
    return True


@dataclass(frozen=True)
class ShownJudgment:
    """A judgment with its scores in the rubric's order."""

    judgment: Judgment
    answers: list[str]

    @property
    def left_letter(self) -> str:
        return self.judgment.lease.side_left.upper()

    @property
    def checked(self) -> list[tuple[str, str, str]]:
        """(check, verdict, sentence) of each thing that quality control looked at."""
        return lines_of(self.judgment.quality.checks) if hasattr(self.judgment, "quality") else []


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
    if is_blind_for(request.user, row):
        return render(request, "annotation/quality/blind.html", {"pair": row})
    dimensions = list(study.dimensions.all())
    judgments = (
        Judgment.objects.submitted()
        .filter(lease__pair=row, lease__purpose=Lease.Purpose.JUDGING)
        .select_related("lease__annotator", "quality")
        .prefetch_related("scores", "marks__turn", "marks__dimension")
    )
    shown = []
    for judgment in judgments:
        scores = {score.dimension_id: score for score in judgment.scores.all()}
        shown.append(ShownJudgment(judgment, [answer_in_words(scores.get(each.pk)) for each in dimensions]))
    quality = quality_of(row, dimensions)
    context: dict[str, Any] = {
        "study": study,
        "pair": row,
        "sides": [
            {"letter": letter, "dialogue": dialogue, "picture": picture(dialogue), "picture_id": f"picture-{letter}"}
            for letter, dialogue in (("a", row.dialogue_a), ("b", row.dialogue_b))
        ],
        "dimensions": dimensions,
        "judgments": shown,
        "left_out": raters_left_out(study),
        "quality": quality,
        "decided_answers": [(name, answer_in_words(score)) for name, score in quality.scores],
    }
    return render(request, "annotation/studies/pair.html", context)
