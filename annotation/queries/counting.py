"""The one place that says which judgments count: on boards, in agreement, ceilings, progress and new snapshots."""

from django.db.models import Exists, OuterRef

from annotation.models import Consent, Exclusion, Judgment, Lease, Pair, QualityVerdict, Study
from annotation.models.judgments import JudgmentQuerySet
from annotation.models.pairs import LeaseQuerySet
from annotation.services.qualification.standing import withdrawn_from


def raters_left_out(study: Study) -> set[int]:
    """Whose judgments count nowhere in the study, by primary key: excluded for now, or took their consent back."""
    return excluded_from(study) | withdrawn_from(study)


def excluded_from(study: Study) -> set[int]:
    """The raters, by primary key, whose exclusion from the study stands."""
    standing = Exclusion.objects.filter(study=study, lifted_at__isnull=True)
    return set(standing.values_list("rater", flat=True))


def judgments_in_time(study: Study) -> JudgmentQuerySet:
    """Submitted in time on regular pairs, whatever quality control says of them or of their rater."""
    return Judgment.objects.counted().filter(lease__study=study, lease__pair__kind=Pair.Kind.REGULAR)


def counting_judgments(study: Study) -> JudgmentQuerySet:
    """The judgments that every number on screen is made from.

    In time and not to adjudicate, on regular pairs, not failed by quality control, of a rater who is not excluded and
    whose consent stands.
    """
    judgments = judgments_in_time(study).exclude(quality__verdict=QualityVerdict.Verdict.FAIL)
    left_out = raters_left_out(study)
    return judgments.exclude(lease__annotator__in=sorted(left_out)) if left_out else judgments


def judged_leases() -> LeaseQuerySet:
    """Leases whose judgment is in time and on a regular pair; with a study and a time, found by that index.

    What a lease must not be is said, not what it must be: else SQLite prefers an index of states or kinds, and reads
    them all.
    """
    judged = Lease.objects.filter(submitted_at__isnull=False).exclude(state=Lease.State.LATE)
    checks = [kind for kind in Pair.Kind.values if kind != Pair.Kind.REGULAR]
    return judged.exclude(purpose=Lease.Purpose.ADJUDICATION).exclude(pair__kind__in=checks)


def counting_of_each() -> JudgmentQuerySet:
    """The same rule for many studies in one query: the counting judgments of all of them."""
    here = {"study": OuterRef("lease__study")}
    consents = Consent.objects.filter(user=OuterRef("lease__annotator"), **here)
    excluded = Exclusion.objects.filter(rater=OuterRef("lease__annotator"), lifted_at__isnull=True, **here)
    stands = ~Exists(consents) | Exists(consents.filter(withdrawn_at__isnull=True))
    judgments = Judgment.objects.counted().filter(lease__pair__kind=Pair.Kind.REGULAR)
    return judgments.exclude(quality__verdict=QualityVerdict.Verdict.FAIL).filter(~Exists(excluded), stands)
