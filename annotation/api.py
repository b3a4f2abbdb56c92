"""The listening room's JSON: heartbeats, drafts, submit. Each view finds the caller's own lease, or there is none."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.forms.listening import BeatSerializer, DraftSerializer, SubmitSerializer, sentence_of
from annotation.models import Judgment, Lease, Study
from annotation.queries.drafts import draft_of
from annotation.queries.lending import belonging_of, study_of
from annotation.queries.listening import (
    lease_data,
    lease_of,
    listening_state,
    open_lease_of,
    scene_of,
    transcript_is_shown,
)
from annotation.services import judgments, leases, listening, sittings
from annotation.views.sound import NO_STORE
from annotation.views.work import address_after_submit
from earshot.accounts.models import User

PRIVATE = {"Cache-Control": NO_STORE}


def _lease(request: Request, key: str) -> Lease:
    assert isinstance(request.user, User), "IsAuthenticated lets nobody else in"
    return lease_of(request.user, key)


def _refused(serializer: serializers.Serializer[Any]) -> Response:
    return Response({"detail": sentence_of(serializer.errors)}, status=status.HTTP_400_BAD_REQUEST, headers=PRIVATE)


def _against_the_rules(error: ValidationError) -> Response:
    return Response({"detail": " ".join(error.messages)}, status=status.HTTP_409_CONFLICT, headers=PRIVATE)


@api_view(["POST"])
def next_pair(request: Request, study_id: int) -> Response:
    """The next pair of a study, open to be judged, for programs that show it themselves; none where nothing is open."""
    assert isinstance(request.user, User), "IsAuthenticated lets nobody else in"
    try:
        study = study_of(study_id)
    except Study.DoesNotExist:
        raise Http404 from None
    now = timezone.now()
    try:
        lease = leases.next_lease(request.user, study, at=now)
    except ValidationError as error:
        if belonging_of(request.user, study) is None:  # to strangers there is no such study
            raise Http404 from None
        return _against_the_rules(error)
    if lease is None:
        return Response({"lease": None}, headers=PRIVATE)
    return Response(lease_data(leases.open_lease(lease, at=now)), headers=PRIVATE)


@api_view(["POST"])
def heartbeat(request: Request, key: str) -> Response:
    """Credit what was played and keep the lease alive. Where the study records no listening, only the latter."""
    lease = _lease(request, key)
    serializer = BeatSerializer(data=request.data)
    if not serializer.is_valid():
        return _refused(serializer)
    now = timezone.now()
    leases.expire_if_overdue(lease, at=now)
    if lease.pair.study.listening_policy == Study.ListeningPolicy.NONE:
        outcome: dict[str, Any] = {"accepted": leases.renew(lease, at=now), "refusal": ""}
    else:
        stored = listening.record_heartbeat(lease, serializer.beat(), at=now)
        outcome = {"accepted": stored is not None, "refusal": stored.refusal if stored else ""}
    return Response(outcome | listening_state(_lease(request, key), at=now), headers=PRIVATE)


@api_view(["GET", "PATCH"])
def draft(request: Request, key: str) -> Response:
    """What the server has of the draft (GET), for a page to compare with what its browser has kept; or a change."""
    lease = _lease(request, key)
    if request.method == "GET":
        judgment_so_far = Judgment.objects.filter(lease=lease).prefetch_related("scores__dimension").first()
        return Response(draft_of(lease, judgment_so_far, at=timezone.now()), headers=PRIVATE)
    serializer = DraftSerializer(data=request.data)
    if not serializer.is_valid():
        return _refused(serializer)
    try:
        judgment = judgments.save_draft(lease, **serializer.validated_data, at=timezone.now())
    except ValidationError as error:
        return _against_the_rules(error)
    missing = [dimension.key for dimension in judgments.missing_answers(judgment)]
    if judgment.confidence is None:
        missing.append("confidence")
    return Response({"saved_at": judgment.updated_at, "missing": missing}, headers=PRIVATE)


@api_view(["POST"])
def reserve_ahead(request: Request, key: str) -> Response:
    """The pair is being judged: reserve the next one, unless a break is due before it."""
    lease = _lease(request, key)
    now = timezone.now()
    if sittings.break_is_due(lease, at=now):
        return Response({"reserved": False}, headers=PRIVATE)
    try:
        following = leases.reserve_ahead(lease, at=now)
    except ValidationError:  # the study rests, or the annotator was removed: the work page says so
        following = None
    return Response({"reserved": following is not None}, headers=PRIVATE)


@api_view(["POST"])
def submit(request: Request, key: str) -> Response:
    lease = _lease(request, key)
    serializer = SubmitSerializer(data=request.data)
    if not serializer.is_valid():
        return _refused(serializer)
    now, sent = timezone.now(), serializer.validated_data
    try:
        judgments.submit(lease, answers=judgments.Answers(**sent.get("answers", {})), at=now)
    except ValidationError as error:
        return _against_the_rules(error)
    address = reverse("annotation:work")
    if sent["go_on"]:
        address = address_after_submit(lease, at=now)
    else:
        leases.release_reserved(lease.annotator)
    return Response(
        {"state": lease.state, "is_late": lease.state == Lease.State.LATE, "next": address}, headers=PRIVATE
    )


@api_view(["GET"])
def lease_turns(request: Request, key: str, side: str) -> Response:
    """A side's turns; with their words once the study's transcript policy shows them."""
    assert isinstance(request.user, User), "IsAuthenticated lets nobody else in"
    lease = open_lease_of(request.user, key)
    with_text = transcript_is_shown(lease, side, says_heard=request.query_params.get("heard") == "1")
    return Response(scene_of(lease, side, with_text=with_text), headers=PRIVATE)
