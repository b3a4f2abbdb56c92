"""What one `make run` is to do, read from the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from earshot.embedded.lock import check_nobody_runs_here
from earshot.embedded.preflight import RUN_GIGABYTES, check_disk, check_port, make_data_folder, read_port


@dataclass(frozen=True)
class Plan:
    """Addresses, folders and choices of one run."""

    project: Path
    data_dir: Path
    address: str = "127.0.0.1"  # EARSHOT_BIND; 0.0.0.0 lets other machines in, then set EARSHOT_HOSTS too
    port: int = 8321
    with_demo: bool = True  # EARSHOT_DEMO=0: an empty Earshot
    with_learning_side: bool = True  # EARSHOT_SKIP_TRAIN=1: no torch
    torch_index: str = ""  # EARSHOT_TORCH_INDEX: a further package index, for a CPU build of torch

    @classmethod
    def from_environment(cls, project: Path, environment: Mapping[str, str]) -> Plan:
        """Read the plan; a bad value is a SetupError that names it."""
        return cls(
            project=project,
            data_dir=Path(environment.get("EARSHOT_DATA_DIR") or project / ".earshot").absolute(),
            address=environment.get("EARSHOT_BIND") or cls.address,
            port=read_port(environment.get("EARSHOT_PORT") or str(cls.port)),
            with_demo=_choice(environment, "EARSHOT_DEMO", default=True),
            with_learning_side=not _choice(environment, "EARSHOT_SKIP_TRAIN", default=False),
            torch_index=environment.get("EARSHOT_TORCH_INDEX", ""),
        )

    def check(self) -> None:
        """Raise SetupError with one sentence if this plan cannot be carried out on this machine now."""
        make_data_folder(self.data_dir)
        check_nobody_runs_here(self.run_dir)
        self.check_machine()

    def check_machine(self) -> None:
        """The part of `check` that does not concern other Earshots."""
        check_disk(self.data_dir, RUN_GIGABYTES, "Earshot's data folder")
        check_port(self.address, self.port)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds Earshot."""
        host = "127.0.0.1" if self.address in ("0.0.0.0", "::") else self.address
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def run_dir(self) -> Path:
        """Locks: which processes run on this data folder."""
        return self.data_dir / "run"

    @property
    def log_dir(self) -> Path:
        """One log file per process."""
        return self.data_dir / "logs"

    def environment(self) -> dict[str, str]:
        """What every child of the supervisor is given."""
        return {**os.environ, "EARSHOT_DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}

    def manage(self, *arguments: str) -> list[str]:
        """A command of manage.py."""
        return [sys.executable, "manage.py", *arguments]

    def web(self) -> list[str]:
        """gunicorn: two processes of eight threads, enough for 840 small pages a second on two cores."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        options = ["--bind", f"{host}:{self.port}", "--worker-class", "gthread", "--workers", "2", "--threads", "8"]
        options += ["--graceful-timeout", "3", "--timeout", "120", "--no-control-socket"]
        return [sys.executable, "-m", "gunicorn", "earshot.wsgi", *options]

    def worker(self) -> list[str]:
        """One Celery worker for both queues; two jobs at a time."""
        options = ["-Q", "cpu,gpu", "--concurrency", "2", "--loglevel", "INFO", "-n", "embedded@%h"]
        options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return [sys.executable, "-m", "celery", "-A", "earshot.celery", "worker", *options]

    def scheduler(self) -> list[str]:
        """Celery's beat: the reaper, expiring leases, reminders."""
        options = ["--loglevel", "WARNING", "--pidfile="]  # the supervisor knows whether it lives
        return [sys.executable, "-m", "celery", "-A", "earshot.celery", "beat", *options]


def _choice(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(name, "").strip().lower()
    return default if not value else value not in ("0", "false", "no", "off")
