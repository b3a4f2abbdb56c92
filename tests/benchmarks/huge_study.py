"""python -m tests.benchmarks.huge_study: how long pages take with 1,000,000 judgments in the database.

Rows are synthetic: 100 systems, 100 scenarios, 100 raters, overlap 3, four scores each, in a SQLite database in --data
(kept there: a second run measures at once) or in a scratch folder. The statistics are computed by the job's own code,
in this process. Each page is then asked for through Django's test client, first cold, then --times times. The last
line is one JSON object: per page the median and the worst milliseconds, the queries and the size of the answer.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SYSTEMS = SCENARIOS = RATERS = 100
OVERLAP = 3
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
EMAIL = "huge@example.org"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="where the database is made and kept")
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--systems", type=int, default=SYSTEMS)
    options = parser.parse_args()
    with _folder(options.data) as folder:
        os.environ.update(EARSHOT_DATA_DIR=str(folder), DATABASE_URL="", EARSHOT_LOG_LEVEL="ERROR", OMP_NUM_THREADS="1")
        _start_django()
        from django.core.management import call_command

        from annotation.models import Study

        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        made: dict[str, Any] = {}
        if not Study.objects.exists():
            made["filling_seconds"] = _timed(lambda: fill(options.judgments, options.systems))
        made |= compute()
        made["pages"] = measure(options.times)
        made["slowest_ms"] = max(page["ms"] for page in made["pages"].values())
        print(json.dumps({"judgments": options.judgments, **made}))


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
    else:
        data.mkdir(parents=True, exist_ok=True)
        yield data.absolute()


def _start_django() -> None:
    sys.path.append("platform")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "earshot.settings")
    import django
    from django.conf import settings

    django.setup()
    settings.ALLOWED_HOSTS = ["testserver"]


def _timed(body: Any) -> float:
    begun = time.perf_counter()
    body()
    return round(time.perf_counter() - begun, 1)


# --- The database -----------------------------------------------------------------------------------------------------
def fill(n_judgments: int, n_systems: int) -> None:
    """A few rows by the models, the millions by INSERT … SELECT."""
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")
    with transaction.atomic():
        study = _make_dialogues(n_systems)
        first_rater = _make_people(study)
        _make_pairs(study, -(-n_judgments // OVERLAP))
        _make_judgments(study, first_rater, n_judgments)


def _make_dialogues(n_systems: int) -> Any:
    """A study, and a dialogue of six turns of every system in every scenario."""
    from annotation.models import Dialogue, Scenario, System, Turn
    from tests.factories import make_study

    systems = System.objects.bulk_create([System(name=f"system {n:03}") for n in range(n_systems)])
    scenarios = Scenario.objects.bulk_create(
        Scenario(
            scenario_id=f"huge-{n}", topic=f"Topic {n}", language=("ja", "en")[n % 4 > 0], content_hash=f"{n:064x}"
        )
        for n in range(SCENARIOS)
    )
    each = [(scenario, system) for scenario in scenarios for system in systems]
    dialogues = Dialogue.objects.bulk_create(
        [_dialogue(*one, number) for number, one in enumerate(each)], batch_size=500
    )
    Turn.objects.bulk_create([turn for dialogue in dialogues for turn in _turns(dialogue)], batch_size=500)
    return make_study(title="Huge", overlap=OVERLAP)


def _dialogue(scenario: Any, system: Any, number: int) -> Any:
    from annotation.models import Dialogue

    return Dialogue(
        dialogue_id=f"huge-{number}",
        scenario=scenario,
        system=system,
        content_hash=f"{number:064x}",
        master_sha256=f"{number:064x}",
        peaks_sha256=f"{number:064x}",
        seconds=50.0 + number % 37,
        sample_rate=24_000,
        lufs=-23.0,
        true_peak_dbtp=-6.0,
        gain_db=0.0,
        speech=[[0.5, 49.0]],
        pitch=[[180.0 + number % 29, 5.0 + number % 7 / 7]] * 6,
    )


def _turns(dialogue: Any) -> list[Any]:
    from annotation.models import Turn

    return [
        Turn(
            dialogue=dialogue,
            position=place,
            scenario_turn=place,
            role=("user", "assistant")[place % 2],
            speaker="s",
            start=8.0 * place + 0.1 * (dialogue.pk % 5),
            end=8.0 * place + 6.0,
            text="Some words that were said here.",
        )
        for place in range(6)
    ]


def _make_people(study: Any) -> int:
    """A researcher and the raters, half of them in a group. Returns: the first rater's primary key; the rest follow."""
    from annotation.models import Membership
    from earshot.accounts.models import Role, User

    researcher = User.objects.create_user(EMAIL, "correct horse battery", role=Role.RESEARCHER)
    raters = User.objects.bulk_create(
        [User(email=f"huge{n}@example.org", password="!", role=Role.ANNOTATOR) for n in range(RATERS)]
    )
    members = [Membership(study=study, user=researcher, role=Membership.Role.RESEARCHER)]
    members += [
        Membership(study=study, user=rater, role=Membership.Role.ANNOTATOR, group=("native", "")[n % 2])
        for n, rater in enumerate(raters)
    ]
    Membership.objects.bulk_create(members)
    return int(raters[0].pk)


def _make_pairs(study: Any, n_pairs: int) -> None:
    """Every pair of systems in every scenario, as far as pairs are wanted."""
    from annotation.models import Pair

    source = "annotation_dialogue a JOIN annotation_dialogue b ON a.scenario_id = b.scenario_id AND a.id < b.id"
    insert(
        Pair(study=study, level_lufs=-23.0, seats_left=0),
        {
            "scenario_id": "a.scenario_id",
            "dialogue_a_id": "a.id",
            "dialogue_b_id": "b.id",
            "systems": "a.system_id || ':' || b.system_id",
        },
        f"{source} ORDER BY b.system_id - a.system_id, a.id LIMIT {n_pairs}",
    )


def _make_judgments(study: Any, first_rater: int, n_judgments: int) -> None:
    """Overlap 3, every tenth second. The higher-numbered system is better; beside it a scatter that keys decide."""
    from annotation.models import Judgment, Lease, QualityVerdict, Score, TurnMark

    at = f"strftime('%Y-%m-%d %H:%M:%S', {int(BEGAN.timestamp())} + 10 * ({OVERLAP} * p.id + s.seat), 'unixepoch')"
    seats = " UNION ALL ".join(f"SELECT {seat} AS seat" for seat in range(OVERLAP))
    insert(
        Lease(study=study, state="submitted", created_at=BEGAN, expires_at=BEGAN, opened_at=BEGAN),
        {
            "key": "'huge-' || p.id || '-' || s.seat",
            "pair_id": "p.id",
            "annotator_id": f"{first_rater} + (7 * p.id + 31 * s.seat) % {RATERS}",
            "side_left": "CASE (p.id * 7919 + s.seat * 31) / 8 % 2 WHEN 0 THEN 'a' ELSE 'b' END",
            "heard_first": "CASE (p.id * 104729 + s.seat * 37) / 16 % 2 WHEN 0 THEN 'left' ELSE 'right' END",
            "submitted_at": at,
        },
        f"annotation_pair p, ({seats}) s ORDER BY p.id, s.seat LIMIT {n_judgments}",
    )
    insert(
        Judgment(confidence=3, judging_seconds=180.0, created_at=BEGAN, updated_at=BEGAN),
        {"lease_id": "l.id", "submitted_at": "l.submitted_at", "judging_seconds": "150 + l.id % 97"},
        "annotation_lease l ORDER BY l.id",
    )
    insert(
        QualityVerdict(verdict="pass", checks={"listening": ["pass", ["heard", {}]]}, decided_at=BEGAN),
        {"judgment_id": "j.id"},
        "annotation_judgment j ORDER BY j.id",
    )
    judged = (
        "annotation_judgment j JOIN annotation_lease l ON l.id = j.lease_id JOIN annotation_pair p ON p.id = l.pair_id"
    )
    lead = "((p.dialogue_a_id - p.dialogue_b_id) / 25.0)"
    scatter = "((p.id * 7919 + l.annotator_id * 104729 + 31 * d.position) % 1009 / 168.0 - 3)"
    insert(
        Score(kind="scored"),
        {"judgment_id": "j.id", "dimension_id": "d.id", "value": f"max(-3, min(3, round({lead} + {scatter})))"},
        f"{judged} JOIN annotation_dimension d ON d.study_id = l.study_id ORDER BY j.id, d.position",
    )
    prosody = study.dimensions.first().pk
    insert(
        TurnMark(side="a", dimension_id=prosody),
        {
            "judgment_id": "j.id",
            "turn_id": "6 * (p.dialogue_a_id - 1) + 1 + j.id / 20 % 6",
            "seconds": "j.id / 20 % 48",
            "polarity": "CASE j.id / 20 % 2 WHEN 0 THEN 'good' ELSE 'bad' END",
        },
        f"{judged} WHERE j.id % 20 = 0 ORDER BY j.id",
    )


def insert(like: Any, expressions: dict[str, str], source: str) -> None:
    """A row for each of `source`: the columns of the object `like`, but for those that an SQL expression gives."""
    from django.db import connection

    fields = [field for field in like._meta.concrete_fields if not field.primary_key]
    fixed = [field for field in fields if field.column not in expressions]
    columns = [*(field.column for field in fixed), *expressions]
    values = [field.get_db_prep_save(getattr(like, field.attname), connection) for field in fixed]
    chosen = ", ".join([*("%s" for _field in fixed), *expressions.values()]).replace("% ", "%% ")
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{like._meta.db_table}" ({names}) SELECT {chosen} FROM {source.replace("% ", "%% ")}', values
        )


# --- Measuring --------------------------------------------------------------------------------------------------------
def compute() -> dict[str, Any]:
    """The job's own work, unless a run before has done it."""
    from annotation.models import Study, StudyStatistics
    from annotation.services.statistics import keeping
    from earshot.jobs import services as jobs

    study = Study.objects.get()
    if StudyStatistics.objects.exclude(made_from="").exists():
        return {}
    job = keeping.request_update(study, by=None)
    begun = time.perf_counter()
    with jobs.running(job.pk, job.fence) as held:
        assert held is not None
        keeping.run_update(held, at=datetime.now(UTC))
    job.refresh_from_db()
    if job.state != job.State.SUCCEEDED:
        raise RuntimeError(f"The job {job.state}: {job.error}")
    return {
        "statistics_seconds": round(time.perf_counter() - begun, 1),
        "strata": StudyStatistics.objects.count(),
        "payload_bytes": len(json.dumps(StudyStatistics.objects.get(stratum="").payload)),
    }


def measure(times: int) -> dict[str, Any]:
    from django.test import Client
    from django.urls import reverse

    from annotation.models import Study
    from annotation.queries.statistics import SECTIONS
    from earshot.accounts.models import User

    client = Client()
    client.force_login(User.objects.get(email=EMAIL))
    key = Study.objects.get().pk
    addresses = {name: reverse(f"annotation:{name}", args=[key]) for name in ("study", "study_pairs", "members")}
    addresses["studies"] = reverse("annotation:studies")
    addresses |= {section: reverse("annotation:statistics", args=[key, section]) for section in SECTIONS}
    addresses["freshness"] = reverse("annotation:statistics_freshness", args=[key, "ranking"])
    return {name: _page(client, address, times) for name, address in addresses.items()}


def _page(client: Any, address: str, times: int) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as found:
        response = client.get(address)
    captured = found.captured_queries
    if response.status_code not in (200, 286):
        raise RuntimeError(f"{address} answered {response.status_code}.")
    taken, worked = [], []
    for _time in range(times):
        begun, cpu = time.perf_counter(), time.process_time()
        client.get(address)
        taken.append(1000 * (time.perf_counter() - begun))
        worked.append(1000 * (time.process_time() - cpu))
    return {
        "ms": round(statistics.median(taken), 1),
        "worst_ms": round(max(taken), 1),
        "cpu_ms": round(statistics.median(worked), 1),
        "queries": len(captured),
        "slowest_query_ms": round(1000 * max((float(each["time"]) for each in captured), default=0.0)),
        "kib": round(len(response.content) / 1024),
    }


if __name__ == "__main__":
    main()
