import itertools

import pytest

from tests import servers

SHORT = {
    "EARSHOT_JOB_HEARTBEAT_SECONDS": "0.2",
    "EARSHOT_JOB_SILENCE_SECONDS": "1.5",
    "EARSHOT_REAPER_SECONDS": "0.5",
}


@pytest.fixture
def start_worker(worker_environment, tmp_path):
    """Real Celery workers that know the tasks of tests/jobs/worker_app.py and lose patience fast."""
    workers, numbers = [], itertools.count(1)

    def start(**environment):
        log = tmp_path / f"worker{next(numbers)}.log"
        worker = servers.start_worker(worker_environment | SHORT | environment, log, app="tests.jobs.worker_app")
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        servers.kill_worker(worker)
