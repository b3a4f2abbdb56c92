"""Pages of rounds: start one, watch it stage by stage, hear what came of it. Admins start, researchers read."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from annotation.models import Study
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from earshot.accounts.access import admin_required, researcher_required
from earshot.jobs.queries import live_context
from earshot.jobs.views import reload_page
from policy.forms import RoundForm
from policy.models import Round
from policy.queries.figures import read_report
from policy.queries.instruments import read_sound
from policy.queries.samples import sample_of
from policy.services import names
from policy.services import rounds as services
from policy.services.estimates import estimate_round
from policy.views.policies import READ_OR_WRITE, number_asked
from rewardmodel.models import RewardModelRun

HELD_OUT_STUDY = "held_out_reward_model__snapshot__study"  # says whether its votes are simulated


@dataclass(frozen=True)
class ShownStage:
    label: str
    state: str  # done, running, failed, waiting
    state_label: str
    finished_at: str


@require_safe
@researcher_required
def rounds(request: SignedInRequest) -> HttpResponse:
    rows = Round.objects.select_related("policy__system", "job", "created_by", "checkpoint__system", HELD_OUT_STUDY)
    rows = rows.prefetch_related("reward_models__snapshot__study")
    page = newest_first(request, rows)
    context = {
        "page": page,
        "entries": [(row, read_report(row)) for row in page.rows],
        "shows_truth": any(row.is_simulated for row in page.rows),
    }
    return render(request, "policy/rounds/list.html", context)


@require_http_methods(READ_OR_WRITE)
@admin_required
def round_new(request: SignedInRequest) -> HttpResponse:
    """Shows what the round will cost first; starts it when that was seen (`start` in the form)."""
    form = RoundForm(request.POST or None, initial=_suggested(request))
    estimate = None
    if form.is_bound and form.is_valid():
        chosen = form.cleaned_data
        estimate = estimate_round(form.plan, form.judges)
        if "start" in request.POST:
            try:
                made = services.request_round(
                    chosen["policy"],
                    list(chosen["reward_models"]),
                    form.plan,
                    by=request.user,
                    held_out_reward_model=chosen["held_out_reward_model"],
                )
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("policy:round", pk=made.pk)
    estimate = estimate if form.is_valid() else None
    shares_votes = estimate is not None and form.held_out_shares_votes
    context = {"form": form, "estimate": estimate, "shares_votes": shares_votes}
    is_refused = form.is_bound and not form.is_valid()
    return render(request, "policy/rounds/new.html", context, status=422 if is_refused else 200)


def _suggested(request: SignedInRequest) -> dict[str, Any]:
    return {
        "policy": request.GET.get("policy", ""),
        "reward_models": request.GET.getlist("reward_models"),
        "system": names.free_name("policy-r", Round.objects.count() + 1),
    }


@require_safe
@researcher_required
def round_(request: SignedInRequest, pk: int) -> HttpResponse:
    whole = Round.objects.select_related("policy__system", "job", "created_by", "study", HELD_OUT_STUDY)
    found = get_object_or_404(whole, pk=pk)
    if request.htmx:
        return reload_page()
    readable = Study.objects.readable_by(request.user)
    models = found.reward_models.select_related("snapshot__study").order_by("pk")
    may_read = set(RewardModelRun.objects.readable_by(request.user).values_list("pk", flat=True))
    context = {
        "round": found,
        "stages": stages_of(found),
        "reward_models": [(model, model.pk in may_read) for model in models],
        "may_read_held_out": found.held_out_reward_model_id in may_read,
        "report": read_report(found),
        "sound": read_sound(found),
        "study": found.study if found.study is not None and readable.filter(pk=found.study.pk).exists() else None,
        "sample": sample_of(found, number_asked(request, "sample")),
        **live_context(found.job, request.user),
    }
    return render(request, "policy/rounds/detail.html", context)


def stages_of(round: Round) -> list[ShownStage]:
    """Each stage in its state; the job's own state says how the one under way stands."""
    current = round.next_stage
    shown = []
    for stage in Round.Stage:
        finished_at = round.finished_stages.get(stage.value, "")
        state, words = ("done", _("done")) if finished_at else ("waiting", _("waiting"))
        if stage == current and round.job is not None and round.job.state != "queued":
            state, words = round.job.state, round.job.get_state_display()
        shown.append(ShownStage(str(stage.label), state, str(words), finished_at))
    return shown
