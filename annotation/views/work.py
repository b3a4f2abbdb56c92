"""Where an annotator's work stands: what waits, what is open, what can still be undone, what was judged."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from annotation.models import Judgment, Lease, Score, Study
from annotation.models.pairs import UNDO_TIME
from annotation.queries.home import agreement_with_gold, past_consents, time_listened
from annotation.queries.lending import MOST_COUNTED, waiting_pairs
from annotation.queries.marks import WITH_MARKS, ReadMark, marks_of
from annotation.queries.questions import degree_of
from annotation.queries.wording import for_reader, title_for_reader
from annotation.services import leases, sittings
from annotation.services.adjudication import open_to
from annotation.services.qualification.leaving import leaving_of
from annotation.services.qualification.standing import JUDGED, Standing, standings_of
from annotation.views.paging import newest_first
from annotation.views.requests import SignedInRequest
from earshot.accounts.models import User

State = Lease.State
STEP = 10  # pairs that wait are told in tens


@dataclass(frozen=True)
class WaitingStudy:
    study: Study
    waiting: int
    judged: int
    standing: Standing | None = None  # what the study asks before a pair, where that was looked up
    can_leave: bool = False  # a crowd worker for whom nothing is left to do …
    has_code: bool = False  # … and who did enough of it for the completion code

    @property
    def lends(self) -> bool:
        may_judge = self.standing is None or self.standing.may_judge
        return self.study.state == Study.State.RUNNING and self.waiting > 0 and may_judge

    @property
    def asks(self) -> bool:
        """Whether the annotator has something to do before a pair can be lent."""
        standing = self.standing
        return standing is not None and not (standing.may_judge or standing.is_done or standing.limit)

    @property
    def waiting_words(self) -> str:
        """How much waits. Where checks come between the pairs not to the pair: a number that stands still would tell
        of them."""
        if self.waiting > MOST_COUNTED:
            return _("more than %(n)s pairs wait") % {"n": MOST_COUNTED}
        if self.study.check_rate == 0:
            return ngettext("%(n)d pair waits", "%(n)d pairs wait", self.waiting) % {"n": self.waiting}
        if self.waiting < STEP:
            return _("fewer than %(n)d pairs wait") % {"n": STEP}
        return _("about %(n)d pairs wait") % {"n": round(self.waiting / STEP) * STEP}


@require_safe
@login_required
def work(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    studies = with_standings(waiting_studies(request.user), request.user, at=now)
    unfinished = list(unfinished_leases(request.user)[:20])
    ready = next((each for each in studies if each.lends), None) or next((each for each in studies if each.asks), None)
    context = {
        "studies": studies,
        "primary": ready if not unfinished else None,
        "unfinished": unfinished,
        "undoable": undoable_leases(request.user, at=now),
        "judged": Judgment.objects.submitted().filter(lease__annotator=request.user).count(),
        "listened": time_listened(request.user, at=now),
        "n_adjudications": open_to(request.user).count(),
        "past_consents": past_consents(request.user, [each.study for each in studies]),
        "agreement": agreement_with_gold(request.user, [each.study for each in studies], at=now),
    }
    return render(request, "annotation/listening/work.html", context)


def with_standings(rows: list[WaitingStudy], user: User, *, at: datetime) -> list[WaitingStudy]:
    """The same rows with what each study asks before a pair; those that lend one stand first."""
    studies = [row.study for row in rows]
    standings = standings_of(user, studies, at=at)
    leaving = leaving_of(user, standings)
    known = [
        replace(
            row,
            standing=standings[row.study.pk],
            can_leave=row.study.pk in leaving,
            has_code=leaving.get(row.study.pk, False),
        )
        for row in rows
    ]
    return sorted(known, key=lambda row: not row.lends)


def waiting_studies(user: User) -> list[WaitingStudy]:
    """The user's studies that run or rest, with how many pairs are open to them now."""
    mine = Study.objects.judged_by(user).exclude(state__in=[Study.State.DRAFT, Study.State.FINISHED])
    studies = list(mine.order_by("title", "pk"))
    waiting = waiting_pairs(user, studies)
    done = Lease.objects.held_by(user).filter(state__in=JUDGED, study__in=studies, purpose=Lease.Purpose.JUDGING)
    judged = dict(done.order_by().values_list("study").annotate(Count("pk")))
    return [WaitingStudy(study, waiting.get(study.pk, 0), judged.get(study.pk, 0)) for study in studies]


def unfinished_leases(user: User) -> QuerySet[Lease]:
    """Pairs that were begun: open ones, and those not open now that have a draft."""
    mine = Lease.objects.held_by(user).select_related("pair__study", "pair__scenario")
    begun = mine.filter(state=State.LIVE) | mine.filter(
        state__in=[State.RESERVED, State.EXPIRED], judgment__isnull=False
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
        named = {"study": title_for_reader(study)}
        messages.info(request, _("No pair of '%(study)s' is open to you now. Look again later.") % named)
        return redirect("annotation:work")
    return redirect("annotation:room", key=lease.key)


def address_after_submit(lease: Lease, *, at: datetime) -> str:
    """The room of the next pair of the same study; a break that is due before it; the work page when none is open.

    After an adjudication, what else waits for one.
    """
    if lease.purpose == Lease.Purpose.ADJUDICATION:
        return reverse("annotation:my_adjudications")
    try:
        following = leases.next_lease(lease.annotator, lease.pair.study, at=at)
    except ValidationError:  # the study was paused meanwhile; the work page says so
        following = None
    if following is None:
        return reverse("annotation:work")
    if sittings.break_is_due(lease, at=at):
        leases.release_reserved(lease.annotator)
        return reverse("annotation:take_break", args=[lease.pair.study_id])
    return reverse("annotation:room", args=[following.key])


@require_safe
@login_required
def take_break(request: SignedInRequest, study_id: int) -> HttpResponse:
    """Offered between two pairs after 45 minutes. Nobody is made to take it."""
    study = get_object_or_404(Study.objects.judged_by(request.user), pk=study_id)
    now = timezone.now()
    judged = Lease.objects.held_by(request.user).filter(submitted_at__isnull=False).order_by("-submitted_at")
    last = judged.values_list("submitted_at", flat=True).first()
    if last is None:
        return redirect("annotation:work")
    context = {
        "study": study,
        "minutes": round((last - sittings.sitting_began(request.user, at=last)).total_seconds() / 60),
        "ends_at": last + sittings.BREAK,
        "is_over": now >= last + sittings.BREAK,
        "undoable": undoable_leases(request.user, at=now)[:1],
    }
    return render(request, "annotation/listening/break.html", context)


@require_safe
@login_required
def history(request: SignedInRequest) -> HttpResponse:
    rows = Judgment.objects.submitted().filter(lease__annotator=request.user)
    rows = rows.select_related("lease__pair__study", "lease__pair__scenario").prefetch_related(
        "scores__dimension", *WITH_MARKS
    )
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

    @property
    def marks(self) -> list[ReadMark]:
        return marks_of(self.judgment)

    def _answer(self, score: Score) -> ShownAnswer:
        if score.value is None:
            return ShownAnswer(for_reader(score.dimension, "name"), score.get_kind_display(), "")
        shown = self.judgment.lease.shown_value(score.value)
        side = "a" if shown < 0 else "b" if shown else ""
        return ShownAnswer(for_reader(score.dimension, "name"), degree_of(score.dimension, shown), side)
