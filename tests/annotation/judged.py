"""Studies with judgments whose sounds are in the store, for what reads them whole."""

from datetime import timedelta

from annotation.models import Judgment, Study, TurnMark
from annotation.services import judgments
from annotation.services.snapshots import run_snapshot, store_snapshot_job
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests.factories import NOW, answer, make_dialogue, make_lease, make_pair, make_scenario, make_study, make_system

LONG_AGO = NOW - timedelta(days=300)  # before the wall clock, for what is asked for now


def make_sounding_pair(study: Study, number: int = 0, sound_bytes: int = 0):
    """Systems x and y on a new scenario; two stored sounds of their own, of at least so many bytes."""
    scenario = make_scenario()
    sounds = [artefacts.put_bytes(f"sound {number} of {name}".encode().ljust(sound_bytes)) for name in "xy"]
    dialogue_a, dialogue_b = (
        make_dialogue(scenario, make_system(name), master_sha256=sha256)
        for name, sha256 in zip("xy", sounds, strict=True)
    )
    return make_pair(study, scenario=scenario, dialogue_a=dialogue_a, dialogue_b=dialogue_b)


def judge(pair, value: int = 1, annotator=None, *, at=NOW, **values: int) -> Judgment:
    """A submitted judgment; values as stored (positive favours dialogue_a)."""
    lease = make_lease(pair, annotator, at=at)
    answer(lease, lease.shown_value(value), at=at, **{key: lease.shown_value(each) for key, each in values.items()})
    return judgments.submit(lease, at=at)


def make_judged_study(n_pairs: int = 2, n_raters: int = 2, *, at=NOW, sound_bytes: int = 0, **fields) -> Study:
    study = make_study(**fields)
    for number in range(n_pairs):
        pair = make_sounding_pair(study, number, sound_bytes)
        for value in range(1, n_raters + 1):
            judge(pair, value, at=at)
    return study


def mark_turn(judgment: Judgment, *, dimension: str | None = None) -> TurnMark:
    pair = judgment.lease.pair
    return TurnMark.objects.create(
        judgment=judgment,
        turn=pair.dialogue_a.turns.get(position=1),
        side="a",
        seconds=6.0,
        dimension=pair.study.dimensions.get(key=dimension) if dimension else None,
        polarity="bad",
        note="flat",
    )


def run(job: Job) -> Job:
    """The job's body, here, as a worker runs it."""
    with jobs.running(job.pk, job.fence) as held:
        if held is not None:
            run_snapshot(held)
    job.refresh_from_db()
    return job


def make_snapshot(study: Study, **asked):
    """A snapshot of the study, made in this process."""
    from annotation.models import Snapshot

    job = run(store_snapshot_job(study, **{"name": "first", "by": None, "at": NOW, **asked}))
    assert job.state == "succeeded", job.error
    return Snapshot.objects.get(pk=job.result["snapshot"])
