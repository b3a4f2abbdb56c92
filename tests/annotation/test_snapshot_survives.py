"""A snapshot by real workers that are killed: the reaper brings it back, and it ends as an undisturbed one does."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.storage import storages

from annotation.models import Snapshot, Study
from annotation.services import snapshots
from earshot.embedded.processes import is_alive
from earshot.jobs import artefacts
from earshot.jobs.guardian import descendants_of
from earshot.jobs.models import Job
from tests import servers
from tests.annotation.judged import LONG_AGO, make_judged_study, run

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True), pytest.mark.slow]

N_PAIRS = 12
SOUND_BYTES = 3 * 1024 * 1024  # so that packing 24 of them takes long enough to be caught at it
SHORT = {
    "EARSHOT_JOB_HEARTBEAT_SECONDS": "0.3",
    "EARSHOT_JOB_SILENCE_SECONDS": "3",
    "EARSHOT_REAPER_SECONDS": "1",
}


@pytest.fixture
def study():
    return make_judged_study(N_PAIRS, at=LONG_AGO, sound_bytes=SOUND_BYTES)


def test_snapshot_killed_in_copying_and_in_packing_ends_as_an_undisturbed_one(study, start_worker, start_beat):
    expected = undisturbed(study)
    job = snapshots.request_snapshot(study, name="first", by=None, at=LONG_AGO)
    Job.objects.filter(pk=job.pk).update(created_at=expected["created_at"])  # it stands in the manifest
    start_beat(**SHORT)

    worker = start_worker(**SHORT)
    with sound_that_never_opens(study, number=N_PAIRS) as blocked:
        servers.wait_until(lambda: copied(job) == N_PAIRS, "half of the sounds being copied")
        assert not list(scratch(job)[0].rglob(f"{blocked}*"))
        kill_9(worker)
    worker = start_worker(**SHORT)
    servers.wait_until(lambda: is_packing(job), "packing after the reaper brought it back", every=0.002)
    kill_9(worker)
    assert Snapshot.objects.count() == 0
    assert len(scratch(job)) == 1  # of this attempt; that of the first is gone
    start_worker(**SHORT)
    wait_for_the_end(job)

    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    assert (job.attempts, job.fence) == (3, 3)
    reasons = [line.text.split(" since ")[0] for line in job.log_lines.filter(level="warning")]
    assert reasons == ["No heartbeat"] * 2  # the reaper, not this test
    assert facts(Snapshot.objects.get()) == expected
    assert job.result["is_new"] is True
    assert scratch(job) == []
    assert artefacts.hash_file(place_of(expected["archive_sha256"])) == expected["archive_sha256"]


def undisturbed(study: Study) -> dict:
    """What a run in this process makes of the study; its snapshot and its archive are taken away again."""
    run(snapshots.store_snapshot_job(study, name="first", by=None, at=LONG_AGO))
    expected = facts(Snapshot.objects.get())
    Snapshot.objects.all().delete()
    place_of(expected["archive_sha256"]).unlink()
    return expected


def facts(snapshot: Snapshot) -> dict:
    names = ("content_id", "archive_sha256", "size_bytes", "counts", "filter", "name", "parent_id", "created_at")
    return {name: getattr(snapshot, name) for name in names}


@contextmanager
def sound_that_never_opens(study: Study, *, number: int):
    """Sounds are copied in the order of their hashes; who opens this one waits in the kernel until killed."""
    pairs = study.pairs.values_list("dialogue_a__master_sha256", "dialogue_b__master_sha256")
    sha256 = sorted(sound for pair in pairs for sound in pair)[number]
    place = place_of(sha256)
    aside = place.rename(place.with_suffix(".aside"))
    os.mkfifo(place)
    try:
        yield sha256
    finally:
        aside.replace(place)


def place_of(sha256: str) -> Path:
    return Path(storages["artefacts"].path(artefacts.artefact_name(sha256)))


def scratch(job: Job) -> list[Path]:
    return list(artefacts.scratch_folder().glob(f"snapshot-{job.pk}-*"))


def copied(job: Job) -> int:
    return len(list(artefacts.scratch_folder().glob(f"snapshot-{job.pk}-*/snapshot.partial/audio/*.flac")))


def is_packing(job: Job) -> bool:
    archives = artefacts.scratch_folder().glob(f"snapshot-{job.pk}-*/snapshot.zip")
    return any(archive.stat().st_size > SOUND_BYTES for archive in archives)


def kill_9(worker) -> None:
    """The worker's first process alone; the others must die with it."""
    processes = descendants_of(worker.pid)
    assert processes != []
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    servers.wait_until(lambda: not any(map(is_alive, processes)), "the worker's processes dying with it", 5)


def wait_for_the_end(job: Job) -> None:
    def is_finished() -> bool:
        job.refresh_from_db()
        return job.is_finished

    servers.wait_until(is_finished, "the end of the snapshot", 60)
