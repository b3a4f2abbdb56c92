"""python -m tests.benchmarks.annotation_cycle: what one judgment costs the server, from the pair to the next one.

1, 8 and 16 annotators judge 500 pairs three times each without a moment to think, against gunicorn as `make run` starts
it, on SQLite and on PostgreSQL; listening policy none, checks off. Prints a JSON line.

What a cycle is, `--cycle` says:
- `api` (the default), "get next and submit" as the rivals were measured: next.json lends a pair and opens it; the
  submit carries the answers and records the judgment.
- `page`, what a browser asks for between two pairs: the room's page, which opens the lease; and the same submit,
  which lends the next pair too.
- `drafts`, the page with what it sends while somebody takes their time: the next pair is reserved ahead, and the
  answers are saved before the submit. The only one that the code before this benchmark knows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.servers import ROOT, Server, free_port, start_postgresql, wait_until

CROWDS = (1, 8, 16)
N_PAIRS, OVERLAP = 500, 3
N_SYSTEMS = 5  # ten pairs of them per scenario
KEYS = ("prosody", "emotional_continuity", "immersion", "overall")
TOKEN = "a" * 32  # a CSRF cookie and the header that repeats it
LIMIT_CPU_MS = 12.0
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--annotators", nargs="+", type=int, default=list(CROWDS))
    parser.add_argument("--pairs", type=int, default=N_PAIRS, help="a multiple of 10")
    parser.add_argument("--cycle", choices=["api", "page", "drafts"], default="api")
    parser.add_argument("--part", choices=["world", "verdict"], help=argparse.SUPPRESS)  # run inside the project
    options = parser.parse_args()
    if options.part:
        start_django()
        print(json.dumps(make_world(options) if options.part == "world" else verdict()))
        return
    figures: dict[str, dict[str, Any]] = {}
    for database in options.databases:
        figures[database] = {}
        for crowd in options.annotators:
            figures[database][str(crowd)] = found = measure(database, crowd, options)
            told = ", ".join(f"{name} {value:g}" for name, value in found.items())
            is_missed = found["cpu_ms_per_cycle"] > LIMIT_CPU_MS or found["over_assigned"] or found["errors"]
            print(f"{database}, {crowd} at once: {told}{'  <-- missed' if is_missed else ''}", flush=True)
    print(json.dumps(figures))


# --- Inside the project: a study, and what became of it ---------------------------------------------------------------
def start_django() -> None:
    sys.path.append("platform")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "earshot.settings")
    import django
    from django.core.management import call_command

    django.setup()
    if not Path(os.environ["EARSHOT_DATA_DIR"], "static").exists():
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)


def make_world(options: argparse.Namespace) -> dict[str, Any]:
    """A running study with its pairs, and signed-in annotators: their session cookies."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    from annotation.models import Pair
    from tests.factories import join, make_dialogue, make_scenario, make_study, make_system

    study = make_study(overlap=OVERLAP, listening_policy="none", transcript_policy="never", check_rate=0.0)
    systems = [make_system() for _each in range(N_SYSTEMS)]
    pairs = []
    while len(pairs) < options.pairs:
        scenario = make_scenario()
        made = [make_dialogue(scenario, system) for system in systems]
        both = [(one, other) for number, one in enumerate(made) for other in made[number + 1 :]]
        pairs += [
            Pair(study=study, scenario=scenario, dialogue_a=a, dialogue_b=b, level_lufs=-23.0, seats_left=OVERLAP)
            for a, b in both
        ]
    Pair.objects.bulk_create(pairs[: options.pairs])
    sessions = []
    for number in range(options.annotators[0]):
        user = get_user_model()(email=f"annotator{number}@example.org", name=f"Annotator {number}", password="!")
        user.save()
        client = Client()
        client.force_login(join(study, user))
        sessions.append(client.cookies["sessionid"].value)
    return {"study": study.pk, "sessions": sessions}


def verdict() -> dict[str, int]:
    """How many judgments count, and how many too many there are: over the overlap, or a second one of a rater."""
    from collections import Counter

    from annotation.models import Judgment

    rows = list(Judgment.objects.counted().values_list("lease__pair", "lease__annotator"))
    by_pair = Counter(pair for pair, _rater in rows)
    over = sum(max(0, count - OVERLAP) for count in by_pair.values())
    twice = sum(count - 1 for count in Counter(rows).values())
    return {"judged": len(rows), "over_assigned": over + twice}


# --- The measurement --------------------------------------------------------------------------------------------------
def measure(database: str, crowd: int, options: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="earshot-cycle-") as folder, served_by(database) as server:
        environment = {**os.environ, "EARSHOT_DATA_DIR": f"{folder}/data", "EARSHOT_LOG_LEVEL": "ERROR"}
        environment |= {"DATABASE_URL": server.url if server else "", "OMP_NUM_THREADS": "1", "REDIS_URL": ""}
        environment.setdefault("PYTHONPATH", str(ROOT / "platform"))
        world = in_project("world", environment, "--annotators", str(crowd), "--pairs", str(options.pairs))
        with serve(Path(folder), environment) as (port, web):
            for session in world["sessions"][:4]:  # both processes load what the first request loads
                Annotator(port, session).ask("GET", "/work/")
            raters = [Annotator(port, session, options.cycle) for session in world["sessions"]]
            before = cpu_seconds(web.pid), cpu_seconds(server.process.pid) if server else 0.0
            seconds = let_judge(raters, world["study"])
            after = cpu_seconds(web.pid), cpu_seconds(server.process.pid) if server else 0.0
        found = in_project("verdict", environment)
    took = sorted(each for rater in raters for each in rater.took)
    figures = {
        "cpu_ms_per_cycle": round(1000 * (after[0] - before[0]) / len(took), 2),
        "cycles_per_s": round(len(took) / seconds, 1),
        "p50_ms": round(1000 * took[len(took) // 2], 1),
        "p95_ms": round(1000 * took[int(len(took) * 0.95)], 1),
        "over_assigned": found["over_assigned"],
        "errors": sum(len(rater.errors) for rater in raters) + abs(found["judged"] - len(took)),
        "cycles": len(took),
    }
    if server:
        figures["database_cpu_ms_per_cycle"] = round(1000 * (after[1] - before[1]) / len(took), 2)
    for error in [error for rater in raters for error in rater.errors][:3]:
        print(f"  {error}", flush=True)
    return figures


@contextmanager
def served_by(database: str) -> Iterator[Server | None]:
    """A PostgreSQL of its own, or nothing: SQLite works inside the web server."""
    server = start_postgresql() if database == "postgresql" else None
    try:
        yield server
    finally:
        if server:
            server.stop()


def in_project(part: str, environment: dict[str, str], *more: str) -> Any:
    command = [sys.executable, "-m", "tests.benchmarks.annotation_cycle", "--part", part, *more]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"'{part}' ended with status {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def serve(folder: Path, environment: dict[str, str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Gunicorn as `make run` starts it."""
    from earshot.embedded.plan import Plan

    plan = Plan(project=ROOT, data_dir=folder / "data", port=free_port(), with_demo=False)
    with (folder / "web.log").open("wb") as log:
        web = subprocess.Popen(plan.web(), cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: Annotator(plan.port, "").is_answered(), "an answer from gunicorn")
        yield plan.port, web
    finally:
        web.terminate()
        web.wait(20)


def cpu_seconds(process: int) -> float:
    """User and system time of a process and of all its children that live, and of those that ended."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid = int(stat.parent.name)
            if pid == process or is_below(pid, process):
                fields = stat.read_text().rsplit(")", 1)[1].split()
                total += sum(int(each) for each in fields[11:15]) / TICKS
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def is_below(process: int, ancestor: int) -> bool:
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
        if process == ancestor:
            return True
    return False


def let_judge(raters: "list[Annotator]", study: int) -> float:
    """All at once until nothing is open to any of them; returns the seconds that took."""
    threads = [threading.Thread(target=rater.judge_all, args=(study,)) for rater in raters]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max((rater.ended for rater in raters), default=time.perf_counter()) - begin


@dataclass
class Annotator:
    """A browser without think time: one connection that is kept, a session, and what its page would send."""

    port: int
    session: str
    cycle: str = "api"
    took: list[float] = field(default_factory=list)  # seconds per cycle
    errors: list[str] = field(default_factory=list)
    ended: float = 0.0

    def __post_init__(self) -> None:
        self.connection = HTTPConnection("127.0.0.1", self.port, timeout=60)

    def is_answered(self) -> bool:
        try:
            return bool(self.ask("GET", "/")[0])
        except OSError:
            return False

    def judge_all(self, study: int) -> None:
        """Ask for pairs and judge them until none is open."""
        try:
            self.judge_by_api(study) if self.cycle == "api" else self.judge_by_pages(study)
        except (OSError, HTTPException, ValueError, KeyError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        self.ended = time.perf_counter()

    def judge_by_api(self, study: int) -> None:
        while True:
            begin = time.perf_counter()
            pair = json.loads(self.expect("POST", f"/work/{study}/next.json", {}))
            if pair["lease"] is None:
                return
            answers = answers_to(question["key"] for question in pair["questions"])
            self.expect("POST", pair["submit"], {"answers": answers, "go_on": False})
            self.took.append(time.perf_counter() - begin)

    def judge_by_pages(self, study: int) -> None:
        _status, room, _body = self.ask("POST", f"/work/{study}/next")
        while room.startswith("/listen/"):
            begin = time.perf_counter()
            self.expect("GET", room)
            submit: dict[str, Any] = {"go_on": True}
            if self.cycle == "drafts":
                self.expect("POST", f"{room}ahead", {})
                self.expect("PATCH", f"{room}draft", answers_to(KEYS))
            else:
                submit["answers"] = answers_to(KEYS)
            room = json.loads(self.expect("POST", f"{room}submit", submit))["next"]
            self.took.append(time.perf_counter() - begin)

    def expect(self, method: str, path: str, body: Any = None) -> bytes:
        status, _location, answer = self.ask(method, path, body)
        if status != 200:
            raise ValueError(f"{method} {path} answered {status}: {answer[:300]!r}")
        return answer

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str, bytes]:
        headers = {"Cookie": f"sessionid={self.session}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}
        headers |= {"Accept-Encoding": "gzip, br", "Content-Type": "application/json"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self.connection.getresponse()
        return response.status, response.getheader("Location", ""), response.read()


def answers_to(keys: Iterable[str]) -> dict[str, Any]:
    return {"scores": {key: {"kind": "scored", "value": 1} for key in keys}, "confidence": 3, "reason": ""}


if __name__ == "__main__":
    main()
