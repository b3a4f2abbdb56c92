"""Drafts and submits. Values come as shown (+3: right much better) and are stored by dialogue (positive favours a)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Dimension, Judgment, Lease, QualityVerdict, Score, Study, Turn, TurnMark
from annotation.queries.lending import belonging_of, judgment_of, rubric_of
from annotation.queries.wording import for_reader
from annotation.services import leases, listening, quality
from annotation.services.queue import stopping
from annotation.services.renditions import side_of

State = Lease.State
SCALE = range(-3, 4)
MOST_MARKS = 200
LONGEST_NOTE = 300  # characters, as the column has
ROUNDING_SECONDS = 0.05  # the page knows a dialogue's length to the millisecond


@dataclass(frozen=True)
class ShownScore:
    """An answer as it stands on the screen: a value with kind `scored`, or one of the kinds that are not a number."""

    kind: str = Score.Kind.SCORED
    value: int | None = None

    def problem(self) -> str:
        if self.kind not in Score.Kind.values:
            return _("'%(kind)s' is no kind of answer. Use scored, both_bad or cannot_tell.") % {"kind": self.kind}
        if self.kind == Score.Kind.SCORED and (isinstance(self.value, bool) or self.value not in SCALE):
            return _("%(value)s is not on the scale. Use a whole number from -3 to 3.") % {"value": self.value}
        if self.kind != Score.Kind.SCORED and self.value is not None:
            return _("An answer of kind %(kind)s has no number. Leave it out.") % {"kind": self.kind}
        return ""


LOCKED = ["state", "side_left", "heard_first", "opened_at", "expires_at", "submitted_at"]


def lock(lease: Lease) -> None:
    """Hold the lease's row until the commit, and know its state: the study's and the pair's rows are everybody's."""
    lease.refresh_from_db(fields=LOCKED, from_queryset=Lease.objects.select_for_update(of=("self",)).order_by())


@dataclass(frozen=True)
class ShownMark:
    """A flag on a turn: which side and turn, when in the side's own time (seconds), good or bad, of which dimension."""

    side: str
    turn: int  # position in the dialogue
    seconds: float
    polarity: str
    dimension: str = ""
    note: str = ""

    def problem(self) -> str:
        if self.side not in listening.SIDES or self.polarity not in TurnMark.Polarity.values:
            return _("A mark needs the side left or right, and good or bad.")
        if len(self.note) > LONGEST_NOTE:
            return _("The word on a mark has %(n)d characters; at most %(most)d fit.") % {
                "n": len(self.note),
                "most": LONGEST_NOTE,
            }
        return ""


@dataclass(frozen=True)
class Answers:
    """What was answered; None changes nothing. A score of None is taken back, and marks replace all."""

    scores: Mapping[str, ShownScore | None] | None = None
    confidence: int | None = None
    reason: str | None = None
    marks: Sequence[ShownMark] | None = None


@transaction.atomic
def save_draft(
    lease: Lease,
    *,
    scores: Mapping[str, ShownScore | None] | None = None,
    confidence: int | None = None,
    reason: str | None = None,
    marks: Sequence[ShownMark] | None = None,
    at: datetime,
) -> Judgment:
    """Keep what was answered so far. Only what is given changes; a score of None is taken back; marks replace all.

    Raises:
        ValidationError: for an unknown dimension, a value off the scale, a mark outside its dialogue, or a judgment
            already submitted.
    """
    lock(lease)
    if lease.state not in {State.RESERVED, State.LIVE, State.EXPIRED}:
        raise ValidationError(
            _("This pair is %(state)s, so its draft cannot change. Undo the submit first, within ten minutes.")
            % {"state": lease.get_state_display()}
        )
    judgment = judgment_of(lease) or Judgment(lease=lease, is_simulated=lease.annotator.is_simulated, created_at=at)
    answers = Answers(scores, confidence, reason, marks)
    _keep_answers(judgment, lease, answers, dimensions_of(lease), at=at)
    return judgment


def dimensions_of(lease: Lease) -> dict[str, Dimension]:
    """The study's questions by key, in their order, overall last."""
    return {dimension.key: dimension for dimension in rubric_of(lease.pair.study)}


def _keep_answers(
    judgment: Judgment, lease: Lease, answers: Answers, dimensions: Mapping[str, Dimension], *, at: datetime
) -> None:
    """Save the judgment with what is new: one row is written for it, however much is answered."""
    confidence, reason = answers.confidence, answers.reason
    if confidence is not None:
        if confidence not in range(1, 6):
            raise ValidationError(_("A confidence of %(value)s is off the scale from 1 to 5.") % {"value": confidence})
        judgment.confidence = confidence
    if reason is not None:
        if len(reason) > 4000:
            raise ValidationError(_("The reason has %(n)d characters; at most 4000 fit.") % {"n": len(reason)})
        judgment.reason = reason
    rows = _score_rows(lease, answers.scores or {}, dimensions)
    judgment.updated_at = at
    is_new = judgment.pk is None
    is_sealed = judgment.submitted_at is not None
    drafted = ["confidence", "reason", "updated_at"]
    judgment.save(force_insert=is_new, update_fields=None if is_new or is_sealed else drafted)
    _save_scores(judgment, rows, is_new=is_new)
    if answers.marks is not None:
        _replace_marks(judgment, lease, answers.marks, dimensions)


def _score_rows(
    lease: Lease, scores: Mapping[str, ShownScore | None], dimensions: Mapping[str, Dimension]
) -> dict[int, Score | None]:
    """What the answers become, by the dimension's primary key; None where one is taken back."""
    rows: dict[int, Score | None] = {}
    for key, shown in scores.items():
        dimension = dimensions.get(key)
        if dimension is None:
            raise ValidationError(
                _("'%(key)s' is not asked in this study. It asks: %(asked)s.")
                % {"key": key, "asked": ", ".join(dimensions)}
            )
        if shown is None:
            rows[dimension.pk] = None
            continue
        if problem := shown.problem():
            raise ValidationError(problem)
        value = None if shown.value is None else lease.stored_value(shown.value)
        rows[dimension.pk] = Score(dimension=dimension, kind=shown.kind, value=value)
    return rows


def _save_scores(judgment: Judgment, rows: Mapping[int, Score | None], *, is_new: bool) -> None:
    """Changed and taken back answers are replaced: nothing refers to the row of a score."""
    if not rows:
        return
    if not is_new:
        Score.objects.filter(judgment=judgment, dimension__in=list(rows)).delete()
    kept = [row for row in rows.values() if row is not None]
    for row in kept:
        row.judgment = judgment
    Score.objects.bulk_create(kept)


def _replace_marks(
    judgment: Judgment, lease: Lease, marks: Sequence[ShownMark], dimensions: Mapping[str, Dimension]
) -> None:
    if len(marks) > MOST_MARKS:
        raise ValidationError(
            _("A judgment has at most %(most)d marks, not %(n)d. Delete some first.")
            % {"most": MOST_MARKS, "n": len(marks)}
        )
    turns = {side: {turn.position: turn for turn in lease.dialogue(side).turns.all()} for side in listening.SIDES}
    seconds = {side: side_of(lease, side).seconds + ROUNDING_SECONDS for side in listening.SIDES}
    rows = []
    for mark in marks:
        if problem := mark.problem():
            raise ValidationError(problem)
        turn = turns[mark.side].get(mark.turn)
        if turn is None or not 0 <= mark.seconds <= seconds[mark.side]:
            raise ValidationError(
                _("Turn %(turn)s at %(seconds)s s is outside this dialogue.")
                % {"turn": mark.turn + 1, "seconds": mark.seconds}
            )
        if mark.dimension and mark.dimension not in dimensions:
            raise ValidationError(_("'%(key)s' is not asked in this study.") % {"key": mark.dimension})
        rows.append(_mark_row(judgment, lease.letter(mark.side), mark, turn, dimensions.get(mark.dimension)))
    judgment.marks.all().delete()
    TurnMark.objects.bulk_create(rows)


def _mark_row(judgment: Judgment, letter: str, mark: ShownMark, turn: Turn, dimension: Dimension | None) -> TurnMark:
    return TurnMark(
        judgment=judgment,
        turn=turn,
        side=letter,
        seconds=mark.seconds,
        dimension=dimension,
        polarity=mark.polarity,
        note=mark.note,
    )


def shown_marks(lease: Lease, judgment: Judgment) -> list[ShownMark]:
    """The marks as they stand on the screen, by their time."""
    rows = judgment.marks.select_related("turn", "dimension").order_by("seconds", "pk")
    return [
        ShownMark(
            side="left" if row.side == lease.side_left else "right",
            turn=row.turn.position,
            seconds=row.seconds,
            polarity=row.polarity,
            dimension=row.dimension.key if row.dimension else "",
            note=row.note,
        )
        for row in rows
    ]


def missing_answers(judgment: Judgment) -> list[Dimension]:
    """The study's questions without an answer."""
    answered = set(judgment.scores.values_list("dimension_id", flat=True))
    return [dimension for dimension in rubric_of(judgment.lease.pair.study) if dimension.pk not in answered]


def submit(lease: Lease, *, at: datetime, answers: Answers | None = None) -> Judgment:
    """Turn the draft into a judgment. Submitting twice is the same as once; after expiry it is kept as a late one.

    Args:
        answers: what the draft lacks; kept with the submit, or not at all.
    Raises:
        ValidationError: if answers are missing, too little was heard, it was not opened, it was skipped, or the
            annotator was removed.
    """
    with transaction.atomic():
        lock(lease)
        leases.expire_if_overdue(lease, at=at)
        judgment = judgment_of(lease)
        if lease.state in {State.SUBMITTED, State.LATE} and judgment is not None:
            return judgment
        _check_takes(lease)
        judgment, verdict = _submit(lease, judgment, answers or Answers(), at=at)
    # After the commit: whoever is excluded from now on has this judgment's seat counted with the others.
    belonging = belonging_of(lease.annotator, lease.pair.study)
    is_left_out = belonging is not None and (belonging.is_excluded or belonging.has_withdrawn)
    stopping.after_vote(judgment, counts=not is_left_out and verdict != QualityVerdict.Verdict.FAIL)
    return judgment


def _check_takes(lease: Lease) -> None:
    """Raises: ValidationError, if no judgment of this lease is taken. That of an excluded rater is kept."""
    if lease.state == State.SKIPPED:
        raise ValidationError(_("You skipped this pair, so it takes no judgment."))
    if lease.state == State.RESERVED:
        raise ValidationError(_("This pair is reserved for you, not open yet. Open it, then answer."))
    leases.check_takes_of(lease)


def _submit(lease: Lease, judgment: Judgment | None, answers: Answers, *, at: datetime) -> tuple[Judgment, str]:
    if judgment is None and not answers.scores:
        raise ValidationError(_("Nothing was answered yet. Answer every question, then submit."))
    judgment = judgment or Judgment(lease=lease, is_simulated=lease.annotator.is_simulated, created_at=at)
    dimensions = dimensions_of(lease)
    _check_complete(judgment, answers, dimensions)
    if not listening.gate_is_open(lease):
        raise ValidationError(_("Listen to the parts that are still missing before you submit; your answers are kept."))
    is_late = lease.state == State.EXPIRED
    _seal(judgment, lease, is_late=is_late, at=at)
    _keep_answers(judgment, lease, answers, dimensions, at=at)
    lease.state = State.LATE if is_late else State.SUBMITTED
    lease.submitted_at = at
    lease.save(update_fields=["state", "submitted_at"])
    return judgment, quality.judge_judgment(judgment, at=at).verdict


def _check_complete(judgment: Judgment, answers: Answers, dimensions: Mapping[str, Dimension]) -> None:
    given = {dimensions[key].pk: shown for key, shown in (answers.scores or {}).items() if key in dimensions}
    answered = set(judgment.scores.values_list("dimension_id", flat=True)) if judgment.pk else set()
    answered = {pk for pk in answered if pk not in given} | {pk for pk, shown in given.items() if shown}
    missing = [str(for_reader(each, "name")) for each in dimensions.values() if each.pk not in answered]
    if judgment.confidence is None and answers.confidence is None:
        missing.append(_("confidence"))
    if missing:
        raise ValidationError(_("Still to answer: %(missing)s.") % {"missing": ", ".join(missing)})


def _seal(judgment: Judgment, lease: Lease, *, is_late: bool, at: datetime) -> None:
    study = lease.pair.study
    judgment.submitted_at = judgment.updated_at = at
    judgment.is_late = is_late
    judgment.judging_seconds = (at - (lease.opened_at or lease.created_at)).total_seconds()
    judgment.transcript_condition = study.transcript_policy
    if study.listening_policy != Study.ListeningPolicy.NONE and not judgment.is_simulated:
        heard = listening.heard_so_far(lease)
        by_letter = {lease.letter(side): heard[side] for side in listening.SIDES}
        judgment.coverage_a, judgment.coverage_b = by_letter["a"].coverage, by_letter["b"].coverage
        judgment.seconds_a, judgment.seconds_b = by_letter["a"].seconds_played, by_letter["b"].seconds_played
        judgment.stalls = sum(log.stalls for log in lease.listening_logs.all())
