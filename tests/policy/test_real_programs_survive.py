"""The learning side itself under a real worker: worker and program are killed in the middle of a training and a round.

Both end with the bytes of a program that nobody disturbed, nothing stands twice, and no process is left.
"""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.utils import timezone

from annotation.models import Dialogue, DialogueImport, Snapshot
from earshot.embedded.processes import is_alive
from earshot.formats.bundles import hash_files
from earshot.jobs import artefacts, programs
from earshot.jobs import services as jobs
from earshot.jobs.guardian import descendants_of
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint
from policy.services import first, registry, rounds
from policy.services.plans import RoundPlan
from rewardmodel.services import request_run
from rewardmodel.services.training import MODEL_FILES, unpack_model, unpack_snapshot
from tests import servers
from tests.factories import make_study
from tests.policy.test_round_survives import SHORT, kill_9
from tests.rewardmodel.synthetic import write_synthetic_snapshot

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(900)]
EPOCHS, STEPS = 250, 7
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{servers.ROOT}:{servers.ROOT / 'platform'}", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def snapshot(tmp_path) -> Snapshot:
    """Made-up speech whose pitch decides every vote, as a row with its archive."""
    folder = write_synthetic_snapshot(tmp_path / "snapshot", n_scenarios=20)
    packed = tmp_path / "snapshot.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    content_id = json.loads((folder / "manifest.json").read_text())["id"]
    return Snapshot.objects.create(
        study=make_study(is_simulated=True),
        name="synthetic",
        content_id=content_id,
        filter={"include_simulated": True},
        counts={"in": 120, "out": {}},
        archive_sha256=artefacts.put_file(packed),
        size_bytes=packed.stat().st_size,
    )


class Workers:
    """One worker at a time, each in the place of a killed one."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment | SHORT | {"OMP_NUM_THREADS": "1"}, folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        log = self.folder / f"worker{len(self.started)}.log"
        self.started.append(servers.start_worker(self.environment, log))

    def kill(self) -> None:
        kill_9(self.started[-1])

    def program(self, words: str) -> int | None:
        """The process that runs a program of ours with these words in its command; not its guardian."""
        found = [pid for pid in descendants_of(self.started[-1].pid) if words in command_of(pid)]
        return next((pid for pid in found if "earshot.jobs.guardian" not in command_of(pid)), None)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""


@pytest.fixture
def workers(worker_environment, start_beat, tmp_path):
    start_beat(**SHORT)
    found = Workers(worker_environment, tmp_path)
    yield found
    for worker in found.started:
        servers.kill_worker(worker)


def killed_twice(workers: Workers, job: Job, words: str, checkpoint, seconds: float) -> Job:
    """The worker is killed once a checkpoint stands; then, once it goes on, the program; a person starts it again."""
    workers.start()
    servers.wait_until(checkpoint, "the first checkpoint", seconds)
    workers.kill()
    workers.start()
    servers.wait_until(lambda: workers.program(words), "the program going on", 60)
    program = workers.program(words)
    os.kill(program, signal.SIGKILL)
    servers.wait_until(lambda: Job.objects.get(pk=job.pk).is_finished, "the failure", 60)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "was killed by signal 9" in job.error
    assert not is_alive(program)
    assert jobs.retry(job, by=None, at=timezone.now())
    return ended(job, seconds)


def ended(job: Job, seconds: float) -> Job:
    servers.wait_until(lambda: Job.objects.get(pk=job.pk).is_finished, "the end of the job", seconds)
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", "")
    return job


def undisturbed(*arguments: object) -> None:
    command = [sys.executable, "-m", *map(str, arguments)]
    subprocess.run(command, cwd=servers.ROOT, env=ENVIRONMENT, check=True, capture_output=True, timeout=300)


def test_a_training_and_a_round_killed_in_the_middle_end_as_undisturbed_ones(snapshot, workers, tmp_path):
    run = request_run(snapshot, by=None, seed=3, epochs=EPOCHS, probes=False)
    model = programs.run_folder(run.job_id) / "model"
    killed_twice(workers, run.job, "rewardmodel train", lambda: list((model / "run").glob("checkpoint-*")), 120)
    run.refresh_from_db()

    options = ("--seed", 3, "--epochs", EPOCHS, "--cache", programs.cache_folder())
    undisturbed("rewardmodel", "train", unpack_snapshot(snapshot, tmp_path), "--out", tmp_path / "model", *options)
    assert run.content_hash == hash_files(tmp_path / "model", MODEL_FILES)

    made = ended(first.request_policy(name="policy-1", seed=1, steps=8, by=None), 120)
    start = PolicyCheckpoint.objects.get(pk=made.result["policy"])
    plan = RoundPlan(system="policy-r1", steps=STEPS, per_text=1, start_study=True)
    round = rounds.request_round(start, [run], plan, by=None)
    state = programs.run_folder(round.job_id) / "new" / "run" / "state.pt"
    workers.kill()
    killed_twice(workers, round.job, "policy round", state.exists, 240)
    round.refresh_from_db()

    new = tmp_path / "new"
    options = ("--steps", STEPS, "--seed", plan.seed, "--kl-target", plan.kl_target, "--cache", programs.cache_folder())
    origin = ("--policy", registry.unpack_policy(start, tmp_path), "--reward-model", unpack_model(run, tmp_path))
    undisturbed("policy", "round", *origin, "--part", "train", "--out", new, *options)
    assert round.new_policy.content_hash == hash_files(new, registry.FILES)
    curve = list(round.job.metrics.filter(name="reward").order_by("step").values_list("step", flat=True))
    assert curve == list(range(1, STEPS + 1))
    assert (DialogueImport.objects.count(), Dialogue.objects.count(), round.study.pairs.count()) == (2, 20, 10)
    assert PolicyCheckpoint.objects.count() == 2
    assert (workers.program("-m policy"), workers.program("-m rewardmodel")) == (None, None)
