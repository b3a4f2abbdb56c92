"""Pages of the catalogue: dialogues, and the systems that spoke them. Never for annotators."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Count, Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from annotation.forms.dialogues import DialogueFilterForm, SystemForm
from annotation.models import Dialogue, System, Turn
from annotation.services.renditions import ensure_rendition
from annotation.services.systems import describe_system
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from annotation.views.sound import NO_STORE, send_range
from earshot.accounts.access import admin_required, researcher_required
from earshot.jobs import artefacts


@dataclass(frozen=True)
class ListedDialogue:
    dialogue: Dialogue
    picture: dict[str, Any]

    @property
    def picture_id(self) -> str:
        return f"lanes-{self.dialogue.pk}"

    @property
    def picture_label(self) -> str:
        return _("%(count)d turns") % {"count": len(self.picture["turns"])}


@dataclass(frozen=True)
class ListedTurn:
    """A turn and the silence before it, in seconds; below zero, it begins before the one before it has ended."""

    turn: Turn
    gap: float

    @property
    def seconds(self) -> float:
        return self.turn.end - self.turn.start

    @property
    def overlap(self) -> float:
        return max(0.0, -self.gap)


@require_safe
@researcher_required
def dialogues(request: HttpRequest) -> HttpResponse:
    form = DialogueFilterForm(request.GET)
    form.is_valid()
    turns = Turn.objects.only("dialogue", "position", "scenario_turn", "role", "speaker", "start", "end")
    rows = form.filtered(Dialogue.objects.all())
    rows = rows.select_related("scenario", "system").prefetch_related(Prefetch("turns", turns))
    page = newest_first(request, rows.defer("speech", "originals", "meta"), size=25)
    context = {
        "page": page,
        "form": form,
        "entries": [ListedDialogue(row, picture(row)) for row in page.rows],
        "is_filtered": any(form.cleaned_data.values()) or bool(form.errors),
    }
    return render(request, "annotation/dialogues/list.html", context)


def picture(dialogue: Dialogue) -> dict[str, Any]:
    """What the drawing of a dialogue needs: its turns on the time axis."""
    turns = [
        {
            "speaker": turn.speaker,
            "role": turn.role,
            "start": round(turn.start, 3),
            "end": round(turn.end, 3),
            "scenario_turn": turn.scenario_turn,
        }
        for turn in dialogue.turns.all()
    ]
    return {"duration": dialogue.seconds, "turns": turns}


@require_safe
@researcher_required
def show_dialogue(request: HttpRequest, pk: int) -> HttpResponse:
    whole = Dialogue.objects.select_related("scenario", "system", "source").prefetch_related("turns", "renditions")
    dialogue = get_object_or_404(whole, pk=pk)
    rows = list(dialogue.turns.all())
    ends = [0.0, *(turn.end for turn in rows[:-1])]
    turns = [ListedTurn(turn, turn.start - end) for turn, end in zip(rows, ends, strict=True)]
    others = Dialogue.objects.filter(scenario=dialogue.scenario).exclude(pk=pk).select_related("system")[:20]
    context = {"dialogue": dialogue, "turns": turns, "others": others, "picture": picture(dialogue)}
    return render(request, "annotation/dialogues/detail.html", context)


@require_safe
@researcher_required
def dialogue_sound(request: HttpRequest, pk: int) -> HttpResponseBase:
    dialogue = get_object_or_404(Dialogue, pk=pk)
    rendition = ensure_rendition(dialogue, dialogue.level_lufs)
    return send_range(request, rendition.sha256, size=rendition.size_bytes)


@require_safe
@researcher_required
def dialogue_peaks(request: HttpRequest, pk: int) -> HttpResponse:
    return send_peaks(get_object_or_404(Dialogue, pk=pk))


def send_peaks(dialogue: Dialogue) -> HttpResponse:
    """The waveform of a dialogue in the form of earshot.acoustics.peaks, without a validator or a name."""
    try:
        with artefacts.open_artefact(dialogue.peaks_sha256) as file:
            content = file.read()
    except FileNotFoundError:
        raise Http404("The waveform is missing from the store. Import the dialogue again.") from None
    return HttpResponse(content, content_type="application/octet-stream", headers={"Cache-Control": NO_STORE})


@require_safe
@researcher_required
def systems(request: HttpRequest) -> HttpResponse:
    rows = System.objects.annotate(dialogue_count=Count("dialogues"))
    return render(request, "annotation/systems/list.html", {"page": newest_first(request, rows, size=50)})


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def edit_system(request: SignedInRequest, pk: int) -> HttpResponse:
    system = get_object_or_404(System, pk=pk)
    form = SystemForm(request.POST if request.method == "POST" else None, instance=system)
    if form.is_bound and form.is_valid():
        describe_system(system, form.cleaned_data["description"], by=request.user)
        messages.success(request, _("The description of %(system)s is saved.") % {"system": system.name})
        return redirect("annotation:systems")
    status = 422 if form.is_bound else 200
    return render(request, "annotation/systems/edit.html", {"system": system, "form": form}, status=status)
