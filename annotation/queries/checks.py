"""Checks as researchers read them: what was done to which side, what is expected, what was answered."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.material.wishes import words_of_wish
from annotation.models import Judgment, Lease, Pair, Study
from annotation.services.checks.making import KIND
from annotation.services.quality import lines_of
from earshot.accounts.models import User
from earshot.jobs.models import Job

MOST_ANSWERS = 100
TREATMENTS = {
    "flat": gettext_lazy("%(letter)s speaks on one note, and replies late"),
    "unsteady": gettext_lazy("%(letter)s has an unsteady level, and replies late"),
    "agreed": gettext_lazy("nothing was changed: the votes on the pair agree"),
}


def newest_job(study: Study) -> Job | None:
    """The job that makes, or made, checks of this study last."""
    return Job.objects.filter(kind=KIND, arguments__study=study.pk).order_by("-created_at").first()


@dataclass(frozen=True)
class ShownTreatment:
    """In words: what was done, and which answer on overall is right."""

    done: str
    expected: str
    words: str = ""  # that the voice says


def shown_treatment(check: Pair) -> ShownTreatment:
    done = check.treatment
    letter = str(done.get("letter", "")).upper()
    if check.kind == Pair.Kind.IDENTICAL:
        return ShownTreatment(_("B is A with other pauses"), _("at most one step from the same"))
    if check.kind == Pair.Kind.REPEAT:
        return ShownTreatment(_("the sides are swapped"), _("not strongly the same side of the screen twice"))
    expected = check.expected_value or 0
    better = {"letter": "A" if expected > 0 else "B", "n": abs(expected)}
    if check.kind == Pair.Kind.SPOKEN_CHECK:
        words = words_of_wish(done["language"], done["prompt"]) if "prompt" in done else ""
        said = _("a voice speaks in %(letter)s") % {"letter": letter}
        return ShownTreatment(said, _("%(letter)s by exactly %(n)d") % better, words)
    words = str(TREATMENTS.get(done.get("kind", ""), "")) % {"letter": letter}
    return ShownTreatment(words or _("not told"), _("%(letter)s by %(n)d, or one step off") % better)


@dataclass(frozen=True)
class ShownAnswer:
    """One rater's answer to a check: (name, verdict, sentence) of each thing that was looked at."""

    judgment: Judgment
    lines: list[tuple[str, str, str]]


def answers_of(check: Pair) -> list[ShownAnswer]:
    """The newest hundred."""
    counted = Judgment.objects.counted().filter(lease__pair=check, lease__purpose=Lease.Purpose.JUDGING)
    newest = counted.select_related("lease__annotator", "quality").order_by("-submitted_at", "-pk")[:MOST_ANSWERS]
    return [ShownAnswer(each, lines_of(each.quality.checks) if hasattr(each, "quality") else []) for each in newest]


def checks_of_rater(study: Study, rater: User) -> list[ShownAnswer]:
    """The newest hundred checks that the rater judged."""
    counted = Judgment.objects.counted().filter(lease__study=study, lease__annotator=rater)
    judged = counted.exclude(lease__pair__kind=Pair.Kind.REGULAR).select_related("lease__pair__scenario", "quality")
    newest = judged.order_by("-submitted_at", "-pk")[:MOST_ANSWERS]
    return [ShownAnswer(each, lines_of(each.quality.checks) if hasattr(each, "quality") else []) for each in newest]
