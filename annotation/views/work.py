"""Where an annotator's work stands: what waits, what is open, what can still be undone, what was judged."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.models import Judgment, Lease, ListeningLog, Pair, Study
from annotation.models.pairs import UNDO_TIME
from annotation.services import leases
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from earshot.accounts.models import User

State = Lease.State


@dataclass(frozen=True)
class WaitingStudy:
    study: Study
    waiting: int
    judged: int

    @property
    def lends(self) -> bool:
        return self.study.state == Study.State.RUNNING and self.waiting > 0


@require_safe
@login_required
def work(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    studies = waiting_studies(request.user)
    unfinished = list(unfinished_leases(request.user)[:20])
    totals = ListeningLog.objects.filter(lease__annotator=request.user).aggregate(seconds=Sum("seconds_played"))
    context = {
        "studies": studies,
        "primary": next((each for each in studies if each.lends), None) if not unfinished else None,
        "unfinished": unfinished,
        "undoable": undoable_leases(request.user, at=now),
        "judged": Judgment.objects.submitted().filter(lease__annotator=request.user).count(),
        "seconds_listened": totals["seconds"] or 0.0,
    }
    return render(request, "annotation/listening/work.html", context)


def waiting_studies(user: User) -> list[WaitingStudy]:
    """The user's studies that run or rest, with how many pairs are open to them now."""
    mine = Study.objects.judged_by(user).exclude(state__in=[Study.State.DRAFT, Study.State.FINISHED])
    studies = list(mine.order_by("title", "pk"))
    held = Lease.objects.held_by(user).exclude(state=State.EXPIRED, judgment__isnull=True)
    open_pairs = Pair.objects.filter(study__in=studies, seats_left__gt=0, is_open=True)
    open_pairs = open_pairs.exclude(pk__in=held.values("pair"))
    waiting = dict(open_pairs.order_by().values_list("study").annotate(Count("pk")))
    done = Lease.objects.held_by(user).filter(state__in=[State.SUBMITTED, State.LATE], pair__study__in=studies)
    judged = dict(done.order_by().values_list("pair__study").annotate(Count("pk")))
    rows = [WaitingStudy(study, waiting.get(study.pk, 0), judged.get(study.pk, 0)) for study in studies]
    return sorted(rows, key=lambda row: not row.lends)


def unfinished_leases(user: User) -> QuerySet[Lease]:
    """Pairs that were begun: open ones, and expired ones with a draft."""
    mine = Lease.objects.held_by(user).select_related("pair__study", "pair__scenario")
    begun = mine.filter(state__in=[State.RESERVED, State.LIVE]) | mine.filter(
        state=State.EXPIRED, judgment__isnull=False
    )
    return begun.order_by("-opened_at", "-pk")


def undoable_leases(user: User, *, at: datetime) -> list[Lease]:
    mine = Lease.objects.held_by(user).select_related("pair__study", "pair__scenario")
    recent = mine.filter(state=State.SUBMITTED, submitted_at__gte=at - UNDO_TIME)
    return list(recent.order_by("-submitted_at")[:10])


@require_POST
@login_required
def next_pair(request: SignedInRequest, study_id: int) -> HttpResponse:
    study = get_object_or_404(Study.objects.judged_by(request.user), pk=study_id)
    try:
        lease = leases.next_lease(request.user, study, at=timezone.now())
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
        return redirect("annotation:work")
    if lease is None:
        messages.info(request, _("No pair of '%(study)s' is open to you now. Look again later.") % {"study": study})
        return redirect("annotation:work")
    return redirect("annotation:room", key=lease.key)


def address_after_submit(lease: Lease, *, at: datetime) -> str:
    """The room of the next pair of the same study, or the work page when none is open."""
    try:
        following = leases.next_lease(lease.annotator, lease.pair.study, at=at)
    except ValidationError:  # the study was paused meanwhile; the work page says so
        following = None
    return reverse("annotation:room", args=[following.key]) if following else reverse("annotation:work")


@require_safe
@login_required
def history(request: SignedInRequest) -> HttpResponse:
    rows = Judgment.objects.submitted().filter(lease__annotator=request.user)
    rows = rows.select_related("lease__pair__study", "lease__pair__scenario").prefetch_related("scores__dimension")
    page = newest_first(request, rows, size=30)
    now = timezone.now()
    entries = [JudgedPair(row, can_undo=row.lease.can_undo(now)) for row in page.rows]
    return render(request, "annotation/listening/history.html", {"page": page, "entries": entries})


@dataclass(frozen=True)
class ShownAnswer:
    name: str
    words: str
    side: str  # "a", "b" or nothing


@dataclass(frozen=True)
class JudgedPair:
    judgment: Judgment
    can_undo: bool

    @property
    def answers(self) -> list[ShownAnswer]:
        scores = sorted(self.judgment.scores.all(), key=lambda score: score.dimension.position)
        return [self._answer(score) for score in scores]

    def _answer(self, score) -> ShownAnswer:  # type: ignore[no-untyped-def]
        if score.value is None:
            return ShownAnswer(score.dimension.name, score.get_kind_display(), "")
        shown = self.judgment.lease.shown_value(score.value)
        return ShownAnswer(score.dimension.name, str(DEGREES[abs(shown)]), "a" if shown < 0 else "b" if shown else "")


DEGREES = ("about the same", "slightly better", "better", "much better")
