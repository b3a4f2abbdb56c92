"""What quality control says of a judgment. A check that could not run is unknown, never a fail. See docs/quality.md."""

from datetime import datetime
from typing import Any

from annotation.models import Judgment, Lease, Pair, QualityVerdict, Score, Study
from annotation.models.studies import OVERALL
from annotation.services.quality.reasons import english_of, lines_of, sentence_of

__all__ = ["CHECK_NAMES", "english_of", "judge_judgment", "lines_of", "sentence_of"]

MAX_STALLED_SECONDS = 3.0  # over this, crackles may have been rated as bad quality
GOLD_TOLERANCE = 1  # steps from the expected answer
IDENTICAL_TOLERANCE = 1
SAME_SIDE_SUM = 4  # of a pair and its repeat, as shown: the same side of the screen strongly preferred twice
CHECK_NAMES = {  # the check that a kind of pair adds
    Pair.Kind.GOLD: "gold",
    Pair.Kind.IDENTICAL: "identical",
    Pair.Kind.REPEAT: "repeat",
    Pair.Kind.SPOKEN_CHECK: "spoken",
}
Verdict = QualityVerdict.Verdict
Said = list[Any]  # the verdict, and why: [code, numbers]; as it is stored


def judge_judgment(judgment: Judgment, *, at: datetime) -> QualityVerdict:
    """Decide the verdict and keep every check with its reason.

    A failed check fails this judgment alone: what it says of its rater's other judgments is for people to decide.
    """
    pair = judgment.lease.pair
    checks = {"listening": _check_listening(judgment), "stalls": _check_stalls(judgment)}
    if pair.kind != Pair.Kind.REGULAR:
        checks[CHECK_NAMES[Pair.Kind(pair.kind)]] = _check_answer(judgment, pair)
    found = {said[0] for said in checks.values()}
    verdict = next((each for each in (Verdict.FAIL, Verdict.UNKNOWN) if each in found), Verdict.PASS)
    decided = QualityVerdict(judgment=judgment, verdict=verdict, checks=checks, decided_at=at)
    fields = ["verdict", "checks", "decided_at"]
    QualityVerdict.objects.bulk_create(  # one statement, whether it was judged before or not
        [decided], update_conflicts=True, unique_fields=["judgment"], update_fields=fields
    )
    return decided


def _said(verdict: str, code: str, **numbers: float) -> Said:
    return [str(verdict), [code, numbers]]


def _check_listening(judgment: Judgment) -> Said:
    study = judgment.lease.pair.study
    if judgment.is_simulated:
        return _said(Verdict.UNKNOWN, "simulated")
    if study.listening_policy == Study.ListeningPolicy.NONE:
        return _said(Verdict.UNKNOWN, "not_recorded")
    least = min(judgment.coverage_a or 0.0, judgment.coverage_b or 0.0)
    if least >= study.coverage_wanted:
        return _said(Verdict.PASS, "heard", share=least)
    if study.listening_policy == Study.ListeningPolicy.RECORDED:
        return _said(Verdict.UNKNOWN, "heard_too_little_not_enforced", share=least)
    return _said(Verdict.FAIL, "heard_too_little", share=least)


def _check_stalls(judgment: Judgment) -> Said:
    if judgment.is_simulated:
        return _said(Verdict.UNKNOWN, "simulated_plays_nothing")
    if judgment.lease.pair.study.listening_policy == Study.ListeningPolicy.NONE:
        return _said(Verdict.UNKNOWN, "not_recorded")
    stalled = sum(log.stalled_seconds for log in judgment.lease.listening_logs.all())
    verdict = Verdict.UNKNOWN if stalled > MAX_STALLED_SECONDS else Verdict.PASS
    return _said(verdict, "stalled", seconds=stalled)


def _check_answer(judgment: Judgment, pair: Pair) -> Said:
    """The answer on overall against what is known of it."""
    if judgment.is_simulated:
        return _said(Verdict.UNKNOWN, "simulated")
    value = _overall(judgment)
    if pair.kind == Pair.Kind.IDENTICAL:
        return _check_identical(value)
    if pair.kind == Pair.Kind.REPEAT:
        return _check_repeat(judgment, pair, value)
    if pair.expected_value is None:
        return _said(Verdict.UNKNOWN, "no_expected_value")
    if pair.kind == Pair.Kind.GOLD:
        return _check_gold(value, pair.expected_value)
    return _check_spoken(value, pair.expected_value)


def _overall(judgment: Judgment) -> int | None:
    """As stored: positive favours dialogue_a. None if it is no number."""
    scores = Score.objects.filter(judgment=judgment, dimension__key=OVERALL)
    return scores.values_list("value", flat=True).first()


def _check_gold(value: int | None, expected: int) -> Said:
    if value is None:
        return _said(Verdict.UNKNOWN, "no_number")
    is_right = abs(value - expected) <= GOLD_TOLERANCE
    told = {"value": value, "expected": expected}
    return _said(Verdict.PASS, "gold_right", **told) if is_right else _said(Verdict.FAIL, "gold_wrong", **told)


def _check_identical(value: int | None) -> Said:
    if value is None:
        return _said(Verdict.UNKNOWN, "no_number")
    is_right = abs(value) <= IDENTICAL_TOLERANCE
    return (
        _said(Verdict.PASS, "identical_right", value=value)
        if is_right
        else _said(Verdict.FAIL, "identical_wrong", value=value)
    )


def _check_spoken(value: int | None, expected: int) -> Said:
    """Exactly what the voice asked for, and a number: it was heard, or it was not."""
    if value is None:
        return _said(Verdict.FAIL, "spoken_no_number", expected=expected)
    if value == expected:
        return _said(Verdict.PASS, "spoken_right")
    return _said(Verdict.FAIL, "spoken_wrong", value=value, expected=expected)


def _check_repeat(judgment: Judgment, pair: Pair, value: int | None) -> Said:
    """Never by sign: an honest rater repeats only about 69 % of close calls. Only one side of the screen, twice."""
    again = judgment.lease
    judged = Lease.objects.filter(judgment__submitted_at__isnull=False).select_related("judgment")
    first = judged.filter(pair=pair.check_of_id, annotator=again.annotator_id).first()
    before = _overall(first.judgment) if first is not None else None
    if first is None or before is None or value is None:
        return _said(Verdict.UNKNOWN, "no_first" if before is None else "no_number")
    if first.side_left == again.side_left:
        return _said(Verdict.UNKNOWN, "not_swapped")
    shown = {"first": first.shown_value(before), "again": again.shown_value(value)}
    if abs(shown["first"] + shown["again"]) >= SAME_SIDE_SUM:
        return _said(Verdict.FAIL, "same_side_twice", **shown)
    return _said(Verdict.PASS, "repeated", **shown)
