"""Computed once, kept, read at once: small studies on request, large ones by a job; and how fresh a result is."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Q

from annotation.models import Judgment, Lease, Membership, Pair, Study, StudyStatistics, System
from annotation.queries.counting import judged_leases, raters_left_out
from annotation.services.boards import board_of
from annotation.services.queue.stopping import stop_if_enough
from annotation.services.statistics.computing import payload_of
from annotation.services.statistics.material import FAIL, Material, read_material
from annotation.services.statistics.sounds import measure_missing_pitch
from annotation.services.statistics.strata import ALL
from earshot.accounts.models import User
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob

KIND = "annotation.update_statistics"
FORM = 2  # of the payload; raise it when its keys change
SMALL_SCORES = 20_000  # up to here a study is computed while somebody waits for its page
ENOUGH_SHARE, ENOUGH_JUDGMENTS = 0.05, 25  # … new ones, the larger of the two, and a large study is computed anew
MOST_NEW = 10_000  # counted; beyond it is "more than"
REST = timedelta(seconds=60)  # between two updates of a large study that nobody asked for
UNFINISHED = (Job.State.QUEUED, Job.State.RUNNING)


@dataclass(frozen=True)
class Freshness:
    """How old the numbers on a page are, and whether newer ones are on their way."""

    n_judgments: int
    newest_at: datetime | None
    made_at: datetime | None  # None: nothing was computed yet
    n_new: int  # judgments since, at most MOST_NEW
    is_outdated: bool  # somebody was excluded, or came back, since
    has_unmeasured: bool  # sounds that no job has tried to measure
    job: Job | None  # that computes now
    is_growing: bool  # the study runs, so more will come

    @property
    def has_more_new(self) -> bool:
        return self.n_new >= MOST_NEW

    @property
    def is_settled(self) -> bool:
        """Nothing will change by itself."""
        return self.job is None and not self.is_growing


def current_statistics(study: Study, stratum: str = ALL, *, at: datetime) -> StudyStatistics | None:
    """The newest statistics of a stratum; a small study's are computed now if anything changed since.

    Returns: None, if nothing was computed yet (a large study: a job is on its way), or there is no such stratum.
    """
    kept = _kept(study, stratum)
    if not is_small(study):
        return kept
    made_from = fingerprint(study)
    if kept is not None and kept.made_from == made_from:
        return kept
    begun = time.perf_counter()
    material = read_material(study)
    if stratum != ALL and stratum not in material.strata:
        return None
    n_tried = kept.payload.get("n_tried", 0) if kept else 0
    return _keep(material, stratum, made_from=made_from, n_tried=n_tried, at=at, begun=begun)


def _kept(study: Study, stratum: str) -> StudyStatistics | None:
    """What is kept in today's form; one of an older version's is computed anew, as if nothing was there."""
    kept = StudyStatistics.objects.filter(study=study, stratum=stratum).first()
    return kept if kept is not None and kept.payload.get("form") == FORM else None


def is_on_its_way(study: Study, stratum: str) -> bool:
    """Whether a stratum without numbers will have some: a job, which begins with all judgments, has not come to it."""
    if is_small(study):
        return False
    whole = _kept(study, ALL)
    return whole is None or any(each["key"] == stratum for each in whole.payload["strata"])


def is_small(study: Study) -> bool:
    """Whether all its scores are few enough to be read while somebody waits."""
    most = SMALL_SCORES // max(study.dimensions.count(), 1)
    judged = Lease.objects.filter(study=study, state=Lease.State.SUBMITTED).order_by()
    return judged[: most + 1].count() <= most


def fingerprint(study: Study) -> str:
    """What the statistics are made from, as a hash: when it changes they are outdated. It reads every judgment."""
    judgments = Judgment.objects.counted().filter(lease__study=study)
    facts = judgments.aggregate(
        n=Count("pk"),
        n_failed=Count("pk", filter=Q(quality__verdict=FAIL)),
        n_checks=Count("pk", filter=~Q(lease__pair__kind=Pair.Kind.REGULAR)),
        newest=Max("submitted_at"),
        decided=Max("quality__decided_at"),
    )
    groups = Membership.objects.filter(study=study).exclude(group="").values_list("user", "group")
    made_from = [
        FORM,
        facts,
        sorted(raters_left_out(study)),
        sorted(groups),
        list(study.dimensions.values_list("pk", "key", "name")),
        list(System.objects.values_list("pk", "name")),
    ]
    return hashlib.sha256(json.dumps(made_from, default=str).encode()).hexdigest()


def _keep(
    material: Material, stratum: str, *, made_from: str, n_tried: int, at: datetime, begun: float
) -> StudyStatistics:
    """Keep a stratum's numbers; those of all judgments may pause the study by its rule.

    Args: n_tried: dialogues whose pitch a job tried to measure in vain.
    """
    payload = payload_of(material, stratum) | {"n_tried": n_tried, "form": FORM}
    kept = StudyStatistics.objects.update_or_create(
        study=material.study,
        stratum=stratum,
        defaults={
            "payload": payload,
            "made_from": made_from,
            "n_judgments": payload["n"]["judgments"],
            "newest_at": material.newest_at,
            "made_at": at,
            "seconds": time.perf_counter() - begun,
        },
    )[0]
    if stratum == ALL and payload["dimensions"]:
        stop_if_enough(material.study, board_of(payload["dimensions"][-1]))
    return kept


def freshness_of(study: Study, kept: StudyStatistics | None) -> Freshness:
    """A few indexed queries, however large the study is."""
    return Freshness(
        n_judgments=kept.n_judgments if kept else 0,
        newest_at=kept.newest_at if kept else None,
        made_at=kept.made_at if kept else None,
        n_new=_count_new(study, kept.newest_at if kept else None),
        is_outdated=kept is not None and _left_out_changed(study, kept),
        has_unmeasured=kept is not None and kept.payload.get("n_unmeasured", 0) > kept.payload.get("n_tried", 0),
        job=job_at_work(study),
        is_growing=study.state == Study.State.RUNNING,
    )


def _count_new(study: Study, since: datetime | None) -> int:
    judged = judged_leases().filter(study=study).order_by()
    return (judged.filter(submitted_at__gt=since) if since else judged)[:MOST_NEW].count()


def _left_out_changed(study: Study, kept: StudyStatistics) -> bool:
    return sorted(raters_left_out(study)) != list(kept.payload.get("raters_left_out", []))


def job_at_work(study: Study) -> Job | None:
    return Job.objects.filter(kind=KIND, state__in=UNFINISHED, arguments__study=study.pk).first()


def is_due(freshness: Freshness, *, at: datetime) -> bool:
    """Whether a job should compute anew: enough came since, or sounds wait to be measured; and none is at it."""
    if freshness.job is not None:
        return False
    if freshness.made_at is None:
        return freshness.n_new > 0
    if freshness.is_outdated or freshness.has_unmeasured:
        return True
    enough = max(ENOUGH_JUDGMENTS, ENOUGH_SHARE * freshness.n_judgments)
    return at - freshness.made_at > REST and freshness.n_new >= min(enough, MOST_NEW)


@transaction.atomic
def request_update(study: Study, *, by: User | None) -> Job:
    """Hand the study's statistics to a worker; the job that is already at it, if there is one."""
    job = job_at_work(study)
    return job if job is not None else _enqueue(study, by=by)


def _enqueue(study: Study, *, by: User | None) -> Job:
    return jobs.enqueue(KIND, {"study": study.pk}, title=f"Statistics of {study}", created_by=by)


def follow_change(study: Study) -> None:
    """What counts has changed (somebody was excluded, or came back): the numbers on every page follow.

    A small study's are computed again when they are next looked at, a large one's by a job at once. A job that is at
    work already asks for another one if it finds at its end that others are left out than when it began.
    """
    if is_small(study):
        StudyStatistics.objects.filter(study=study).update(made_from="")
    else:
        request_update(study, by=None)


def update_due_studies(*, at: datetime) -> int:
    """For the scheduler: ask for updates of all running studies that are due. Returns: how many were asked for."""
    asked = 0
    for study in Study.objects.filter(state=Study.State.RUNNING):
        kept = _kept(study, ALL)
        freshness = freshness_of(study, kept)
        if is_due(freshness, at=at):
            request_update(study, by=None)
            asked += 1
    return asked


def run_update(held: RunningJob, *, at: datetime) -> None:
    """The job: measure what is not measured yet, compute every stratum, keep them all. Safe to run again."""
    study = Study.objects.get(pk=held.arguments["study"])
    begun, made_from = time.perf_counter(), fingerprint(study)
    held.report(0.0, "Reading judgments")
    material = read_material(study)
    with held.stretch(0.1, 0.5):
        n_measured, n_in_vain = measure_missing_pitch(
            material.voted_on, lambda done, total: held.report(done / total, f"Measuring pitch {done + 1} of {total}")
        )
    if n_measured:
        material = material.with_sounds()
    keys = [ALL, *material.strata]
    for number, stratum in enumerate(keys):
        held.report(0.5 + 0.5 * number / len(keys), f"Computing {stratum or 'all judgments'}")
        held.check()
        _keep(material, stratum, made_from=made_from, n_tried=n_in_vain, at=at, begun=begun)
    _forget_gone(study, keys, held)
    if raters_left_out(study) != material.raters_left_out:  # who was excluded meanwhile found this job at work
        _enqueue(study, by=None)
    held.result = {"judgments": int(material.counts.sum()), "strata": len(keys), "measured": n_measured}


def _forget_gone(study: Study, strata: Iterable[str], held: RunningJob) -> None:
    """Results of strata that are no more, and the rows of earlier updates, which would crowd the list of jobs."""
    StudyStatistics.objects.filter(study=study).exclude(stratum__in=list(strata)).delete()
    earlier = Job.objects.filter(kind=KIND, state=Job.State.SUCCEEDED, created_by=None, arguments__study=study.pk)
    earlier.exclude(pk=held.id).delete()
