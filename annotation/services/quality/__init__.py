"""What quality control says of a judgment. A check that could not run is unknown, never a fail."""

from datetime import datetime

from annotation.models import Judgment, QualityVerdict, Study

MAX_STALLED_SECONDS = 3.0  # over this, crackles may have been rated as bad quality
Verdict = QualityVerdict.Verdict


def judge_judgment(judgment: Judgment, *, at: datetime) -> QualityVerdict:
    """Decide the verdict and keep every check with its reason."""
    checks = {"listening": _check_listening(judgment), "stalls": _check_stalls(judgment)}
    found = {verdict for verdict, _reason in checks.values()}
    verdict = next((each for each in (Verdict.FAIL, Verdict.UNKNOWN) if each in found), Verdict.PASS)
    return QualityVerdict.objects.update_or_create(
        judgment=judgment, defaults={"verdict": verdict, "checks": checks, "decided_at": at}
    )[0]


def _check_listening(judgment: Judgment) -> tuple[str, str]:
    study = judgment.lease.pair.study
    if judgment.is_simulated:
        return Verdict.UNKNOWN, "a simulated rater listens to nothing"
    if study.listening_policy == Study.ListeningPolicy.NONE:
        return Verdict.UNKNOWN, "the study records no listening"
    least = min(judgment.coverage_a or 0.0, judgment.coverage_b or 0.0)
    if least >= study.coverage_wanted:
        return Verdict.PASS, f"at least {least:.0%} of each side's speech was heard"
    if study.listening_policy == Study.ListeningPolicy.RECORDED:
        return Verdict.UNKNOWN, f"only {least:.0%} of one side's speech was heard; the study does not enforce it"
    return Verdict.FAIL, f"only {least:.0%} of one side's speech was heard"


def _check_stalls(judgment: Judgment) -> tuple[str, str]:
    if judgment.is_simulated:
        return Verdict.UNKNOWN, "a simulated rater plays nothing"
    stalled = sum(log.stalled_seconds for log in judgment.lease.listening_logs.all())
    if stalled > MAX_STALLED_SECONDS:
        return Verdict.UNKNOWN, f"the sound stalled for {stalled:.1f} s"
    return Verdict.PASS, f"the sound stalled for {stalled:.1f} s"
