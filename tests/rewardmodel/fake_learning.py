"""What stands around a training that tests/rewardmodel/fake_program.py does: snapshots, models, jobs run here."""

import hashlib
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as parquet

from annotation.models import Snapshot
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun
from tests.factories import NOW, make_study
from tests.rewardmodel.fake_program import head

DIMENSIONS = ("prosody", "emotional_continuity", "immersion", "overall")


def make_small_snapshot(study=None, *, scenarios=None, dimensions=DIMENSIONS, judged=None, **fields) -> Snapshot:
    """A snapshot row with an archive that holds no more than what a training here reads of it.

    Args:
        scenarios: {scenario_id: split}; if left out, two to train on and one held out, of this snapshot alone. Each has
            one pair of two dialogues of half an hour, with one judgment.
        judged: what differs in the judgment of a scenario, {scenario_id: {"pair_kind", "quality", "value"}}.
    """
    study = study or make_study(is_simulated=fields.pop("is_simulated", False))
    number = Snapshot.objects.count()
    content_id = hashlib.sha256(f"snapshot {number}".encode()).hexdigest()
    splits = {"train-1": "train", "train-2": "train", "apart": "validation"}
    scenarios = scenarios or {f"{name} of {number}": split for name, split in splits.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"id": content_id, "dimensions": dimensions}))
        for name, rows in _tables(scenarios, judged or {}).items():
            table = io.BytesIO()
            parquet.write_table(pa.Table.from_pylist(rows), table)
            archive.writestr(f"{name}.parquet", table.getvalue())
    defaults = {
        "name": "first",
        "content_id": content_id,
        "filter": {"include_simulated": study.is_simulated},
        "counts": {"in": 120, "out": {}},
        "archive_sha256": artefacts.put_bytes(packed.getvalue()),
        "size_bytes": len(packed.getvalue()),
    }
    return Snapshot.objects.create(study=study, **{**defaults, **fields})


def _tables(scenarios: dict, judged: dict) -> dict[str, list[dict]]:
    tables: dict[str, list[dict]] = {"pairs": [], "judgments": [], "scores": []}
    for name, split in scenarios.items():
        told = {"pair_kind": "regular", "quality": "pass", "value": 1, **judged.get(name, {})}
        sides = {f"dialogue_{side}": f"{name}, {side}" for side in "ab"} | {f"seconds_{side}": 1800.0 for side in "ab"}
        tables["pairs"].append({"pair_id": f"pair of {name}", "scenario_id": name, "split": split, **sides})
        told_of = {"judgment_id": f"judgment of {name}", "pair_id": f"pair of {name}"}
        tables["judgments"].append(told_of | {key: told[key] for key in ("pair_kind", "quality")})
        tables["scores"].append({"judgment_id": f"judgment of {name}", "value": told["value"]})
    return tables


def make_reward_model(snapshot: Snapshot | None = None, **fields) -> RewardModelRun:
    """A registered one, as a training would have left it."""
    snapshot = snapshot or make_small_snapshot()
    number = RewardModelRun.objects.count() + 1
    content, config = f"weights {number}", "{}"
    identity = f"config.json {len(config)}\n{config}model.safetensors {len(content)}\n{content}".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.safetensors", content)
    job = Job.objects.create(
        kind="rewardmodel.train", title="Reward model", state="succeeded", created_by=fields.get("created_by")
    )
    defaults = {
        "name": f"model {number}",
        "snapshot": snapshot,
        "parameters": {"seed": number},
        "job": job,
        "content_hash": hashlib.sha256(identity).hexdigest(),
        "archive_sha256": artefacts.put_bytes(packed.getvalue()),
        "size_bytes": len(packed.getvalue()),
        "code_version": "0.1.0",
        "report": {"heads": {"prosody": head(0.72), "overall": head(0.79)}, "scenarios": 12},
        "registered_at": NOW,
    }
    return RewardModelRun.objects.create(**{**defaults, **fields})


def run_job(job: Job, body) -> Job:
    """A job's body, here, as a worker runs it."""
    job.refresh_from_db()
    with jobs.running(job.pk, job.fence) as held:
        if held is not None:
            body(held)
    job.refresh_from_db()
    return job
