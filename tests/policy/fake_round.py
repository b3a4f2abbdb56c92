"""Policies and rounds as rows, and rounds run here with the fake program."""

import hashlib
import io
import json
import zipfile

from earshot.jobs import artefacts
from earshot.jobs.models import Job
from policy.models import PolicyCheckpoint, Round
from policy.services import rounds
from policy.services.plans import RoundPlan
from tests.factories import make_system
from tests.rewardmodel.fake_learning import make_reward_model, run_job


def make_policy(name: str = "policy-1", **fields) -> PolicyCheckpoint:
    """A registered first policy, as its supervised start would have left it."""
    weights = f"weights of {name}"
    files = {
        "config.json": json.dumps({"format": "fake"}),
        "model.safetensors": weights,
        "lineage.json": json.dumps({"kind": "supervised", "seed": 1, "bank": "b" * 64}),
    }
    packed, digest = io.BytesIO(), hashlib.sha256()
    with zipfile.ZipFile(packed, "w") as archive:
        for file, content in sorted(files.items()):
            archive.writestr(file, content)
            digest.update(f"{file} {len(content)}\n{content}".encode())
    defaults = {
        "content_hash": digest.hexdigest(),
        "archive_sha256": artefacts.put_bytes(packed.getvalue()),
        "size_bytes": len(packed.getvalue()),
        "lineage": {"program": json.loads(files["lineage.json"])},
        "code_version": "0.1.0",
    }
    return PolicyCheckpoint.objects.create(system=make_system(name), **{**defaults, **fields})


def make_round(policy=None, models=None, *, by=None, held_out=None, **plan) -> Round:
    """One that waits to be run here."""
    return rounds.request_round(
        policy or make_policy(),
        models or [make_reward_model()],
        RoundPlan(**{"system": "policy-r1", "per_text": 1, **plan}),
        by=by,
        held_out_reward_model=held_out,
        tell_worker=False,
    )


def run_round(round: Round) -> Job:
    job = run_job(round.job, rounds.run_round)
    round.refresh_from_db()
    return job
