"""An import by real workers that are killed: it resumes and ends as an undisturbed one does, nothing doubled."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connections

from annotation.models import Dialogue, DialogueImport, Rendition, Scenario, System, Turn
from annotation.services import ingest
from annotation.services.renditions import ensure_rendition
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests import servers
from tests.annotation.manifests import dialogue, write_folder

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parents[2]
COUNT = 8


def content() -> dict[str, list]:
    """Everything an import makes, without keys and clocks."""
    return {
        "systems": list(System.objects.order_by("name").values_list("name", flat=True)),
        "scenarios": list(Scenario.objects.order_by("scenario_id").values_list("scenario_id", "content_hash")),
        "dialogues": list(
            Dialogue.objects.order_by("dialogue_id").values_list(
                "dialogue_id", "content_hash", "master_sha256", "peaks_sha256", "lufs", "gain_db", "speech"
            )
        ),
        "turns": list(
            Turn.objects.order_by("dialogue__dialogue_id", "position").values_list("text", "start", "end", "role")
        ),
        "renditions": list(Rendition.objects.order_by("dialogue__dialogue_id").values_list("sha256", "size_bytes")),
    }


def clear() -> None:
    Dialogue.objects.all().delete()
    Scenario.objects.all().delete()
    System.objects.all().delete()


def test_import_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path, start_worker, start_beat):
    rows = [dialogue(f"d{n}", system=f"system {n % 2}") for n in range(COUNT)]
    folder = write_folder(tmp_path / "m", rows, seconds=90)  # long enough to be caught in the middle
    undisturbed = ingest.store_folder_import(ingest.check_folder(folder))
    with jobs.running(undisturbed.job_id, 1) as held:
        ingest.run_import(held)
    expected = content()
    clear()
    settings = {
        "EARSHOT_JOB_SILENCE_SECONDS": "3",
        "EARSHOT_JOB_HEARTBEAT_SECONDS": "0.3",
        "EARSHOT_REAPER_SECONDS": "1",
    }

    disturbed = ingest.start_folder_import(ingest.check_folder(folder))
    job = Job.objects.get(pk=disturbed.job_id)
    start_beat(**settings)
    for wanted in (0.1, 0.4):
        worker = start_worker(**settings)
        servers.wait_until(lambda wanted=wanted: reached(job, wanted), f"progress {wanted}", 60)
        servers.kill_worker(worker)
    start_worker(**settings)
    servers.wait_until(lambda: finished(job), "the end of the import", 60)

    assert job.state == Job.State.SUCCEEDED, job.error
    assert job.attempts == 3  # both kills met it in the middle
    put_back = job.log_lines.filter(text__startswith="No heartbeat since")
    assert put_back.count() == 2  # by the reaper
    assert content() == expected
    disturbed.refresh_from_db()
    assert (disturbed.dialogues_new, disturbed.dialogues_known) == (COUNT, 0)
    assert list(artefacts.scratch_folder().glob("import-*")) == []


def reached(job: Job, progress: float) -> bool:
    job.refresh_from_db()
    return job.progress >= progress or job.is_finished


def finished(job: Job) -> bool:
    job.refresh_from_db()
    return job.is_finished


def import_by_command(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "import_dialogues", str(folder)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_command_follows_its_job_on_a_worker(tmp_path, start_worker, worker_environment):
    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])
    start_worker()

    done = import_by_command(folder, worker_environment)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Imported: 2 dialogues new, 0 known already."
    assert DialogueImport.objects.get().dialogues_new == 2


def test_command_exits_with_1_and_a_table_when_a_line_is_bad(tmp_path, worker_environment):
    folder = write_folder(tmp_path / "m", [dialogue("d1", scenario_id="s9")])

    done = import_by_command(folder, worker_environment)

    assert done.returncode == 1
    assert "dialogues.jsonl:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_imports_of_the_same_manifest_at_once_make_it_once(tmp_path, start_worker):
    folder = write_folder(tmp_path / "m", [dialogue(f"d{n}") for n in range(3)])
    manifest = ingest.check_folder(folder)
    imports = [ingest.start_folder_import(manifest) for _ in range(3)]

    start_worker(concurrency=3)
    rows = [Job.objects.get(pk=entry.job_id) for entry in imports]
    servers.wait_until(lambda: all(finished(job) for job in rows), "the end of all three", 90)

    assert [job.state for job in rows] == [Job.State.SUCCEEDED] * 3, [job.error for job in rows]
    assert Dialogue.objects.count() == 3
    assert Turn.objects.count() == 12
    for entry in imports:
        entry.refresh_from_db()
    assert sum(entry.dialogues_new for entry in imports) == 3
    assert all(entry.dialogues_new + entry.dialogues_known == 3 for entry in imports)


def test_rendition_asked_for_by_many_at_once_is_made_once(tmp_path):
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(tmp_path / "m")))
    with jobs.running(dialogue_import.job_id, 1) as held:
        ingest.run_import(held)
    row = Dialogue.objects.get()
    gate, made, failures = threading.Barrier(8), [], []

    def ask() -> None:
        try:
            gate.wait()
            made.append(ensure_rendition(row, -30.0).pk)
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(set(made)) == 1
    assert row.renditions.filter(level_lufs=-30.0).count() == 1
