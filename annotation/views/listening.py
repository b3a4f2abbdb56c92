"""The listening room of one lease, and the sound that only this lease's address gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from annotation.forms.listening import SkipForm
from annotation.models import Dimension, Judgment, Lease, Score, Study
from annotation.queries.listening import (
    CLOSED,
    can_submit_late,
    lease_of,
    listening_state,
    open_lease_of,
    questions_for,
    rendition_for,
    scene_of,
    transcript_is_shown,
)
from annotation.services import leases, listening
from annotation.views.dialogues import send_peaks
from annotation.views.requests import SignedInRequest
from annotation.views.sound import NO_STORE, send_range
from annotation.views.work import JudgedPair, undoable_leases

State = Lease.State
WAV_HEADER_BYTES = 44
BYTES_PER_SAMPLE = 2
ANCHORS = (
    (-3, gettext_lazy("A much better"), "a"),
    (-2, gettext_lazy("A better"), "a"),
    (-1, gettext_lazy("A slightly better"), "a"),
    (0, gettext_lazy("About the same"), ""),
    (1, gettext_lazy("B slightly better"), "b"),
    (2, gettext_lazy("B better"), "b"),
    (3, gettext_lazy("B much better"), "b"),
)
NOT_A_NUMBER = (("both_bad", gettext_lazy("Both are bad"), "x"), ("cannot_tell", gettext_lazy("Cannot tell"), "u"))
CONFIDENCE = (
    (1, gettext_lazy("A guess")),
    (2, gettext_lazy("Not very sure")),
    (3, gettext_lazy("Fairly sure")),
    (4, gettext_lazy("Sure")),
    (5, gettext_lazy("Certain")),
)


@dataclass(frozen=True)
class Question:
    dimension: Dimension
    answer: str  # "-3" … "3", "both_bad", "cannot_tell", or nothing yet


@require_safe
@login_required
def room(request: SignedInRequest, key: str) -> HttpResponse:
    """Opening the page opens the lease."""
    now = timezone.now()
    lease = leases.open_lease(lease_of(request.user, key), at=now)
    if lease.state in CLOSED:
        context = {"lease": lease, "can_undo": lease.can_undo(now)}
        response = render(request, "annotation/listening/closed.html", context)
    elif lease.state == State.EXPIRED:
        response = render(request, "annotation/listening/expired.html", expired_context(lease))
    else:
        response = render(request, "annotation/listening/room.html", room_context(lease, at=now))
    response.headers["Cache-Control"] = NO_STORE  # going back must not show a room as it was
    return response


def room_context(lease: Lease, *, at: datetime) -> dict[str, Any]:
    study = lease.pair.study
    judgment = Judgment.objects.filter(lease=lease).prefetch_related("scores__dimension").first()
    state = listening_state(lease, at=at)
    return {
        "lease": lease,
        "study": study,
        "questions": questions_with_answers(lease, judgment),
        "judgment": judgment,
        "state": state,
        "sides": [("left", "a"), ("right", "b")],
        "room_data": room_data(lease, state),
        "anchors": ANCHORS,
        "not_a_number": NOT_A_NUMBER,
        "confidence": CONFIDENCE,
        "skip_form": SkipForm(),
        "undoable": undoable_leases(lease.annotator, at=at)[:1],
    }


def expired_context(lease: Lease) -> dict[str, Any]:
    """What is left of a pair whose time ran out and whose seat is gone: its answers, and whether they may come late."""
    judgment = Judgment.objects.filter(lease=lease).prefetch_related("scores__dimension").first()
    study = lease.pair.study
    return {
        "lease": lease,
        "judgment": judgment,
        "answers": JudgedPair(judgment, can_undo=False).answers if judgment else [],
        "is_taken": study.state == Study.State.RUNNING,
        "can_submit_late": can_submit_late(lease, judgment),
    }


def questions_with_answers(lease: Lease, judgment: Judgment | None) -> list[Question]:
    given: dict[int, Score] = {}
    if judgment is not None:
        given = {score.dimension_id: score for score in judgment.scores.all()}
    return [
        Question(dimension, _shown_answer(lease, given.get(dimension.pk)))
        for dimension in questions_for(lease.annotator, lease.pair.study)
    ]


def _shown_answer(lease: Lease, score: Score | None) -> str:
    if score is None:
        return ""
    return score.kind if score.value is None else str(lease.shown_value(score.value))


def room_data(lease: Lease, state: dict[str, Any]) -> dict[str, Any]:
    """What the page's scripts need: addresses, scenes, policies. Nothing that tells one system from another."""
    study = lease.pair.study
    return {
        "policy": study.listening_policy,
        "transcript": study.transcript_policy,
        "first": lease.heard_first,
        "coverage_wanted": study.coverage_wanted,
        "state": state,
        "heartbeat": reverse("annotation:heartbeat", args=[lease.key]),
        "draft": reverse("annotation:draft", args=[lease.key]),
        "submit": reverse("annotation:submit", args=[lease.key]),
        "sides": {side: _side_data(lease, side) for side in listening.SIDES},
    }


def _side_data(lease: Lease, side: str) -> dict[str, Any]:
    scene = scene_of(lease, side, with_text=transcript_is_shown(lease, side))
    return scene | {
        "peaks": reverse("annotation:lease_peaks", args=[lease.key, side]),
        "turns_url": reverse("annotation:lease_turns", args=[lease.key, side]),
    }


@require_POST
@login_required
def skip(request: SignedInRequest, key: str) -> HttpResponse:
    lease = lease_of(request.user, key)
    form = SkipForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a reason, then skip the pair."))
        return redirect("annotation:room", key=lease.key)
    try:
        leases.skip(lease, reason=form.sentence(), at=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("The pair is skipped. It will not be offered to you again."))
    return redirect("annotation:work")


@require_POST
@login_required
def undo(request: SignedInRequest, key: str) -> HttpResponse:
    lease = lease_of(request.user, key)
    try:
        leases.undo(lease, at=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("annotation:work")
    messages.success(request, _("The judgment is a draft again. Change it and submit."))
    return redirect("annotation:room", key=lease.key)


@require_safe
@login_required
def lease_sound(request: SignedInRequest, key: str, side: str) -> HttpResponseBase:
    lease = open_lease_of(request.user, key)
    rendition = rendition_for(lease, side)

    def delivered(start: int, end: int) -> None:
        first, last = (seconds_at(byte, rendition.sample_rate) for byte in (start, end))
        listening.record_delivery(lease, side, start=first, end=last, at=timezone.now())

    records = lease.pair.study.listening_policy != Study.ListeningPolicy.NONE and lease.state == State.LIVE
    return send_range(
        request,
        rendition.sha256,
        size=rendition.size_bytes,
        delivered=delivered if records else None,
    )


def seconds_at(byte: int, sample_rate: int) -> float:
    """Where in the sound a byte of the rendition's WAV file stands."""
    return max(0, byte - WAV_HEADER_BYTES) / (BYTES_PER_SAMPLE * sample_rate)


@require_safe
@login_required
def lease_peaks(request: SignedInRequest, key: str, side: str) -> HttpResponse:
    return send_peaks(open_lease_of(request.user, key).dialogue(side))
