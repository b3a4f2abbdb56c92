"""What stands around a training that tests/rewardmodel/fake_program.py does: snapshots, models, jobs run here."""

import hashlib
import io
import json
import zipfile

from annotation.models import Snapshot
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun
from tests.factories import NOW, make_study
from tests.rewardmodel.fake_program import head


def make_small_snapshot(study=None, **fields) -> Snapshot:
    """A snapshot row with an archive that holds no more than what a training here reads of it."""
    study = study or make_study(is_simulated=fields.pop("is_simulated", False))
    content_id = hashlib.sha256(f"snapshot {Snapshot.objects.count()}".encode()).hexdigest()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"id": content_id}))
    defaults = {
        "name": "first",
        "content_id": content_id,
        "filter": {"include_simulated": study.is_simulated},
        "counts": {"in": 120, "out": {}},
        "archive_sha256": artefacts.put_bytes(packed.getvalue()),
        "size_bytes": len(packed.getvalue()),
    }
    return Snapshot.objects.create(study=study, **{**defaults, **fields})


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
