"""python -m tests.benchmarks.snapshot_export: how long, and how much memory, a snapshot of 20,000 judgments takes.

Rows are synthetic, in a scratch SQLite database; each has four scores and two sounds of 20 kB per pair. The export runs
in a process of its own, so that its peak memory is its own. Prints one line of JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime

RATERS_PER_PAIR = 20
SYSTEMS, SOUND_BYTES = 10, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judgments", type=int, default=20_000)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure()))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(EARSHOT_DATA_DIR=folder, DATABASE_URL="", EARSHOT_LOG_LEVEL="ERROR", OMP_NUM_THREADS="1")
        _start_django()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        fill(options.judgments)
        child = [sys.executable, "-m", "tests.benchmarks.snapshot_export", "--measure"]
        subprocess.run(child, check=True)


def _start_django() -> None:
    sys.path.append("platform")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "earshot.settings")
    import django

    django.setup()


def measure() -> dict[str, float | int | str]:
    _start_django()
    from annotation.models import Snapshot, Study
    from annotation.services.snapshots import run_snapshot, store_snapshot_job
    from earshot.jobs import services as jobs

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job = store_snapshot_job(Study.objects.get(), name="benchmark", by=None)
    begin = time.perf_counter()
    with jobs.running(job.pk, job.fence) as held:
        run_snapshot(held)
    seconds = time.perf_counter() - begin
    snapshot = Snapshot.objects.get()
    return {
        "judgments": snapshot.counts["in"],
        "scores": snapshot.counts["rows"]["scores"],
        "seconds": round(seconds, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "mib_before_it_began": round(base / 1024),
        "archive_mib": round(snapshot.size_bytes / 2**20, 1),
    }


def fill(n_judgments: int) -> None:
    """One study: every scenario has a dialogue of each system and as many pairs as judgments ask for."""
    from annotation.models import Judgment, Lease, Pair, QualityVerdict, Score
    from earshot.accounts.models import User

    at = datetime(2026, 1, 1, tzinfo=UTC)
    raters = User.objects.bulk_create(
        [User(email=f"rater{n}@example.org", password="!") for n in range(RATERS_PER_PAIR)]
    )
    pairs = _make_pairs(n_judgments // RATERS_PER_PAIR)
    dimensions = list(pairs[0].study.dimensions.all())
    made = []
    for pair in Pair.objects.bulk_create(pairs, batch_size=500):
        for number, rater in enumerate(raters):
            side = "ab"[number % 2]
            made.append(
                Lease(
                    pair=pair,
                    study=pair.study,
                    annotator=rater,
                    state="submitted",
                    side_left=side,
                    heard_first="left",
                    expires_at=at,
                )
            )
    leases = Lease.objects.bulk_create(made, batch_size=500)
    judgments = Judgment.objects.bulk_create(
        [
            Judgment(
                lease=lease, confidence=3, reason="The second one breathes.", submitted_at=at, judging_seconds=300.0
            )
            for lease in leases
        ],
        batch_size=500,
    )
    QualityVerdict.objects.bulk_create(
        [
            QualityVerdict(judgment=judgment, verdict="pass", checks={"listening": ["pass", "100 % heard"]})
            for judgment in judgments
        ],
        batch_size=500,
    )
    Score.objects.bulk_create(
        [
            Score(judgment=judgment, dimension=dimension, value=(number * 3 + position) % 7 - 3)
            for number, judgment in enumerate(judgments)
            for position, dimension in enumerate(dimensions)
        ],
        batch_size=500,
    )


def _make_pairs(n_pairs: int) -> list:
    from itertools import combinations

    from annotation.models import Pair
    from earshot.jobs import artefacts
    from tests.factories import make_dialogue, make_scenario, make_study, make_system

    study = make_study(overlap=RATERS_PER_PAIR)
    systems = [make_system() for _ in range(SYSTEMS)]
    pairs: list[Pair] = []
    while len(pairs) < n_pairs:
        scenario = make_scenario()
        sounds = [artefacts.put_bytes(os.urandom(SOUND_BYTES)) for _ in systems]
        spoken = [
            make_dialogue(scenario, system, master_sha256=sha256)
            for system, sha256 in zip(systems, sounds, strict=True)
        ]
        pairs += [
            Pair(study=study, scenario=scenario, dialogue_a=one, dialogue_b=other, level_lufs=-23.0, seats_left=0)
            for one, other in combinations(spoken, 2)
        ]
    return pairs[:n_pairs]


if __name__ == "__main__":
    main()
