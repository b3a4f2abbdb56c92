"""The listening room of one lease, and the sound that only this lease's address gives."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from annotation.forms.flags import FlagForm
from annotation.forms.listening import SkipForm
from annotation.models import Judgment, Lease, Study
from annotation.queries.drafts import draft_data
from annotation.queries.lending import load_dialogues
from annotation.queries.listening import (
    CLOSED,
    can_submit_late,
    lease_of,
    listening_state,
    open_lease_of,
    scene_of,
    sound_for,
    transcript_is_shown,
)
from annotation.queries.marks import WITH_MARKS
from annotation.queries.questions import CONFIDENCE, NOT_A_NUMBER, questions_with_answers, words_for_the_page
from annotation.services import leases, listening, renditions
from annotation.views.requests import SignedInRequest
from annotation.views.room_words import ROOM_WORDS
from annotation.views.sound import FIRST_ANSWER_BYTES, NO_STORE, send_range
from annotation.views.work import JudgedPair, undoable_leases

State = Lease.State
# Browsers fetch 256 to 512 KiB of a sound to learn its length: of a long pair only once somebody turns to that side.
LONG_PAIR_SECONDS = 600.0
WAV_HEADER_BYTES = 44
BYTES_PER_SAMPLE = 2


@require_safe
@login_required
@gzip_page  # half an hour has 600 turns; Django pads the answer, and masks the CSRF token, against BREACH
def room(request: SignedInRequest, key: str) -> HttpResponse:
    """Opening the page opens the lease."""
    now = timezone.now()
    lease = lease_of(request.user, key)
    load_dialogues(lease.pair)
    leases.open_lease(lease, at=now)
    if lease.state in CLOSED:
        response = render(request, "annotation/listening/closed.html", closed_context(lease, at=now))
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
    draft = draft_data(lease, judgment, at=at)
    return {
        "lease": lease,
        "study": study,
        "questions": questions_with_answers(lease, judgment),
        "judgment": judgment,
        "state": state,
        "sides": [("left", "a"), ("right", "b")],
        "is_long": renditions.seconds_played(lease.pair) >= LONG_PAIR_SECONDS,
        "room_data": room_data(lease, state) | {"marks": draft["saved"]["marks"]},
        "room_words": ROOM_WORDS,
        "draft_data": draft,
        "not_a_number": NOT_A_NUMBER,
        "confidence": CONFIDENCE,
        "question_words": words_for_the_page(),
        "skip_form": SkipForm(),
        "flag_form": FlagForm(),
        "undoable": undoable_leases(lease.annotator, at=at)[:1],
    }


def closed_context(lease: Lease, *, at: datetime) -> dict[str, Any]:
    """What was judged, to read again: the answers and the marks."""
    judgments = Judgment.objects.submitted().filter(lease=lease).prefetch_related("scores__dimension", *WITH_MARKS)
    judgment = judgments.first()
    can_undo = lease.can_undo(at)
    entry = JudgedPair(judgment, can_undo=can_undo) if judgment else None
    return {"lease": lease, "can_undo": can_undo, "entry": entry}


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
    sound = sound_for(lease, side)

    def delivered(start: int, end: int) -> None:
        first, last = (seconds_at(byte, sound.sample_rate) for byte in (start, end))
        listening.record_delivery(lease, side, start=first, end=last, at=timezone.now())

    # Also of a reserved pair, whose address answers already: what was sent is noted, and nothing is credited before it
    # is open. Our own page fetches nothing ahead (docs/listening-room.md).
    records = lease.pair.study.listening_policy != Study.ListeningPolicy.NONE
    return send_range(
        request,
        sound.sha256,
        size=sound.size_bytes,
        at_first=FIRST_ANSWER_BYTES,
        delivered=delivered if records else None,
    )


def seconds_at(byte: int, sample_rate: int) -> float:
    """Where in the sound a byte of the rendition's WAV file stands."""
    return max(0, byte - WAV_HEADER_BYTES) / (BYTES_PER_SAMPLE * sample_rate)


@require_safe
@login_required
def lease_peaks(request: SignedInRequest, key: str, side: str) -> HttpResponse:
    lease = open_lease_of(request.user, key)
    try:
        content = renditions.peaks_of(lease.pair, lease.letter(side))
    except FileNotFoundError:
        raise Http404 from None
    return HttpResponse(content, content_type="application/octet-stream", headers={"Cache-Control": NO_STORE})
