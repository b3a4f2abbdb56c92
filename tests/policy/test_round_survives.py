"""A round by real workers that are killed in each of its long stages: it ends as an undisturbed one does."""

import os
import signal

import pytest

from annotation.models import Dialogue, DialogueImport, Study
from earshot.embedded.processes import is_alive
from earshot.jobs import programs
from earshot.jobs.guardian import descendants_of
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint, Round, Speech
from policy.services import rounds
from policy.services.plans import RoundPlan
from tests import servers
from tests.policy.fake_round import make_policy
from tests.rewardmodel.fake_learning import make_reward_model

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True), pytest.mark.slow]
SHORT = {
    "EARSHOT_JOB_HEARTBEAT_SECONDS": "0.3",
    "EARSHOT_JOB_SILENCE_SECONDS": "3",
    "EARSHOT_REAPER_SECONDS": "1",
}


def test_a_round_killed_in_the_update_in_speaking_and_in_the_import_ends_once(worker_environment, start_beat, tmp_path):
    plan = RoundPlan(system="policy-r1", per_text=1, start_study=True)
    round = rounds.request_round(make_policy(), [make_reward_model()], plan, by=None)
    folder = programs.run_folder(round.job_id)
    workers = []

    def start():
        log = tmp_path / f"worker{len(workers)}.log"
        environment = worker_environment | SHORT | {"FAKE_STEP_SECONDS": "0.4"}
        workers.append(servers.start_worker(environment, log, app="tests.rewardmodel.fake_worker"))

    try:
        start_beat(**SHORT)
        start()
        servers.wait_until(lambda: len(list((folder / "new" / "run").glob("*"))) >= 3, "the middle of the update", 60)
        kill_9(workers[-1])
        start()
        servers.wait_until(lambda: Speech.objects.count() == 2, "speaking", 60)
        kill_9(workers[-1])
        assert DialogueImport.objects.count() == 0
        start()
        servers.wait_until(lambda: DialogueImport.objects.count() == 1, "the first import", 60)
        kill_9(workers[-1])
        start()
        servers.wait_until(lambda: Job.objects.get(pk=round.job_id).is_finished, "the end of the round", 90)
    finally:
        for worker in workers:
            servers.kill_worker(worker)

    job = Job.objects.get(pk=round.job_id)
    assert (job.state, job.error, job.attempts, job.fence) == ("succeeded", "", 4, 4)
    round = Round.objects.get()
    assert set(round.finished_stages) == {stage.value for stage in Round.Stage}
    assert job.result == rounds.result_of(round)  # with the figures of stages that an earlier start finished
    assert (job.result["reward_gain_sd"], job.result["checkpoint"]) == (1.21, round.new_policy.content_hash)
    assert sorted(policy.system.name for policy in PolicyCheckpoint.objects.all()) == ["policy-1", "policy-r1"]
    assert list(job.metrics.filter(name="reward").values_list("step", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert (DialogueImport.objects.count(), Dialogue.objects.count()) == (2, 4)
    assert (round.study.pairs.count(), round.study.state, Study.objects.count()) == (2, "running", 2)
    assert not (folder / "new").exists()


def kill_9(worker) -> None:
    """The worker's first process alone; the others, children of jobs too, must die with it."""
    processes = descendants_of(worker.pid)
    assert processes != []
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    servers.wait_until(lambda: not any(map(is_alive, processes)), "the worker's processes dying with it", 10)
