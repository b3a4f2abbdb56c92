"""`make run`'s supervisor, tried for real: started, killed, stopped, and started again on a scratch data folder."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from earshot.embedded.processes import is_alive, signal_session
from tests.servers import ROOT, free_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks for left-over processes in /proc"),
]


class Run:
    """One `make run` without the installing: the supervisor on a scratch data folder."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{port}/"
        dropped = ("DATABASE_URL", "REDIS_URL", "EARSHOT_SECRET_KEY")
        environment = {name: value for name, value in os.environ.items() if name not in dropped}
        environment |= {"EARSHOT_DATA_DIR": str(data_dir), "EARSHOT_PORT": str(port)}
        environment |= {"EARSHOT_DEMO": "0", "EARSHOT_SKIP_TRAIN": "1"}
        self.output = data_dir.parent / f"output-{time.monotonic_ns()}"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "earshot.embedded.supervisor"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text()

    def is_up(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"The supervisor ended with status {self.process.returncode}:\n{self.said()}")
        return "Earshot is at" in self.said() and self.log("worker").count(" ready.") > 0

    def log(self, name: str) -> str:
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""


def processes_of(data_dir: Path) -> dict[int, str]:
    """Every living process that was started with this data folder, and its command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            is_ours = f"EARSHOT_DATA_DIR={data_dir}".encode() in (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if is_ours and is_alive(int(folder.name)):
            found[int(folder.name)] = command
    return found


def pid_of(data_dir: Path, words: str, parent: int) -> int:
    """The child of `parent` whose command line has `words`."""
    candidates = [pid for pid, command in processes_of(data_dir).items() if words in command]
    return next(
        pid for pid in candidates if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(parent)
    )


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """Start supervisors that share one data folder and one port; kill whatever is left at the end."""
    runs: list[Run] = []
    port = free_port()

    def start() -> Run:
        runs.append(Run(tmp_path / "data", port))
        return runs[-1]

    yield start
    for run in runs:
        signal_session(run.process.pid, signal.SIGKILL)
        run.process.wait()
    for pid in processes_of(tmp_path / "data"):
        os.kill(pid, signal.SIGKILL)


def up(run: Run) -> Run:
    wait_until(run.is_up, "an Earshot that is up", seconds=120)
    return run


def test_it_serves_and_sigterm_ends_everything_within_seconds(start_run):
    run = up(start_run())
    with urllib.request.urlopen(run.url + "healthz") as response:
        assert response.status == 200
    commands = " ".join(processes_of(run.data_dir).values())
    assert all(words in commands for words in ("gunicorn", "celery -A earshot.celery worker", "beat", "warden"))

    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)

    assert run.process.wait(timeout=30) == 0
    assert time.monotonic() - began < 15
    assert processes_of(run.data_dir) == {}
    assert "Traceback" not in run.said()


def test_ctrl_c_stops_it_and_a_second_start_goes_on(start_run):
    first = up(start_run())
    secret = (first.data_dir / "secret_key").read_text()
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(timeout=30) == 0

    second = up(start_run())

    assert (second.data_dir / "secret_key").read_text() == secret
    assert "Collecting static files" in first.said()
    assert "Collecting static files" not in second.said()


def test_sigkill_of_the_supervisor_leaves_no_orphan_and_the_next_start_works(start_run):
    run = up(start_run())
    assert len(processes_of(run.data_dir)) >= 6

    run.process.kill()
    run.process.wait()
    second = start_run()  # at once: it waits for what is left of the first

    up(second)
    survivors = set(processes_of(run.data_dir)) - descendants(second.process.pid)
    assert survivors == set()


def test_sigkill_of_the_supervisor_ends_every_process_by_itself(start_run):
    run = up(start_run())

    run.process.kill()
    run.process.wait()

    wait_until(lambda: processes_of(run.data_dir) == {}, "the end of every process", seconds=10)
    assert processes_of(run.data_dir) == {}


def descendants(pid: int) -> set[int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def test_a_killed_worker_is_started_again(start_run):
    run = up(start_run())
    worker = pid_of(run.data_dir, "celery -A earshot.celery worker", run.process.pid)

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: run.log("worker").count(" ready.") == 2, "a second worker", seconds=60)
    assert "The worker ended (killed by SIGKILL). It starts again in 1 s." in run.said()
    assert not is_alive(worker)


def test_a_second_start_on_the_same_data_names_the_first(start_run):
    first = up(start_run())

    second = start_run()

    assert second.process.wait(timeout=30) == 1
    assert f"earshot: Earshot is already running on {first.data_dir} (process {first.process.pid})" in second.said()
    assert "Traceback" not in second.said()
    assert first.process.poll() is None
    note = json.loads((first.data_dir / "run" / "supervisor").read_text())
    assert note == {"pid": first.process.pid, "url": first.url}


def test_a_failing_step_is_a_sentence_with_its_last_words(start_run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "earshot.sqlite3").write_text("this is no database, and it is longer than a header" * 50)

    run = start_run()

    assert run.process.wait(timeout=60) == 1
    assert "earshot: Preparing the database failed" in run.said()
    assert "file is not a database" in run.said()
    assert processes_of(run.data_dir) == {}
