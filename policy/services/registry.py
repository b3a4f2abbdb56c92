"""Registering a checkpoint: its files by hash, its row, and a lineage that is complete, or nothing at all."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.db import transaction

from annotation.models import System
from earshot.accounts.services import record_action
from earshot.formats.bundles import hash_files, pack_files, unpack_files
from earshot.jobs import artefacts
from earshot.jobs.models import Job, JobArtefact
from earshot.jobs.services import RunningJob
from policy.models import PolicyCheckpoint, Round
from rewardmodel.services.training import read_json

FILES = ("config.json", "lineage.json", "model.safetensors")
KEPT = "checkpoint.zip"  # among a job's files
ALWAYS = ("kind", "seed", "code", "bank", "files")  # what lineage.json says of every checkpoint


def register_first(held: RunningJob, folder: Path, *, name: str) -> PolicyCheckpoint:
    """Register a policy that no round made, or return the one that has the same files.

    Raises:
        ValueError: if its lineage is not complete, or another system has the name.
    """
    content_hash = hash_files(folder, FILES)
    known = PolicyCheckpoint.objects.filter(content_hash=content_hash).first()
    if known is not None:
        return known
    told = read_json(folder / "lineage.json")
    refuse_incomplete(told, {})
    return _store(held, folder, content_hash, name=name, lineage={"program": told}, parent=None, round=None)


def register_round(held: RunningJob, round: Round, folder: Path) -> PolicyCheckpoint:
    """Register what a round made, by the hashes of all that went into it.

    Raises:
        ValueError: if its lineage is not complete, does not name the round's policy and reward models, or the same
            policy is registered already.
    """
    if round.new_policy is not None:
        return round.new_policy
    content_hash = hash_files(folder, FILES)
    same = PolicyCheckpoint.objects.filter(content_hash=content_hash).first()
    if same is not None:
        raise ValueError(f"The round made what policy '{same}' already is. Start it with another seed or more steps.")
    told = read_json(folder / "lineage.json")
    lineage = lineage_of(round)
    refuse_incomplete(told, lineage)
    refuse_strange(told, lineage)
    return _store(
        held,
        folder,
        content_hash,
        name=round.parameters["system"],
        lineage={**lineage, "program": told},
        parent=round.policy,
        round=round,
    )


def lineage_of(round: Round) -> dict[str, Any]:
    """What a round's checkpoint comes from, as hashes and ids that outlive names."""
    held_out = round.held_out_reward_model
    snapshots = {judge.snapshot_id: judge.snapshot for judge in round.judges}.values()
    return {
        "round": round.pk,
        "policy": round.policy.content_hash,
        "reward_models": [judge.content_hash for judge in round.judges if judge != held_out],
        "held_out_reward_model": held_out.content_hash if held_out else None,
        "snapshots": [snapshot.content_id for snapshot in snapshots],
        "studies": sorted({snapshot.study_id for snapshot in snapshots}),
        "parameters": round.parameters,
    }


def refuse_incomplete(told: Mapping[str, Any], lineage: Mapping[str, Any]) -> None:
    """Raises: ValueError, naming what a checkpoint's lineage lacks."""
    lacking = [name for name in ALWAYS if told.get(name) in (None, "", {}, [])]
    for name in ("policy", "reward_models", "snapshots", "studies"):
        if lineage and (not lineage[name] or not all(lineage[name])):
            lacking.append(name)
    if lineage.get("held_out_reward_model") == "":
        lacking.append("held_out_reward_model")
    if lacking:
        raise ValueError(
            f"The checkpoint is not registered: its lineage lacks {', '.join(lacking)}. A policy whose origin cannot "
            "be named is never kept; start the job again, with the same version on every worker."
        )


def refuse_strange(told: Mapping[str, Any], lineage: Mapping[str, Any]) -> None:
    """Raises: ValueError, if the program names another policy or other reward models than the round."""
    rewarded_by = [str(model.get("hash")) for model in told.get("reward_models") or []]
    if sorted(rewarded_by) != sorted(lineage["reward_models"]):
        raise ValueError(
            f"The checkpoint says that it was rewarded by {', '.join(rewarded_by) or 'nothing'}, but the round chose "
            f"{', '.join(lineage['reward_models'])}. It is not registered; start the round anew."
        )
    watched_by = (told.get("held_out_reward_model") or {}).get("hash")
    if watched_by != lineage["held_out_reward_model"]:
        raise ValueError(
            f"The checkpoint says that its held-out reward model was {watched_by or 'none'}, but the round chose "
            f"{lineage['held_out_reward_model'] or 'none'}. It is not registered; start the round anew."
        )
    if told.get("parent") != lineage["policy"]:
        raise ValueError(
            f"The checkpoint says that it comes from policy {told.get('parent')}, but the round began with "
            f"{lineage['policy']}. It is not registered; start the round anew."
        )


def keep_checkpoint(held: RunningJob, folder: Path) -> None:
    """Keep a checkpoint that is not registered yet among the job's files, so that any machine can go on with it."""
    packed = folder.with_name(KEPT)
    pack_files(folder, FILES, packed)
    held.keep_file(packed)


def kept_checkpoint(job: Job) -> JobArtefact | None:
    """What `keep_checkpoint` kept, if it is still there."""
    kept = job.artefacts.filter(name=KEPT).first()
    return kept if kept is not None and artefacts.has_artefact(kept.sha256) else None


def unpack_kept(job: Job, folder: Path) -> Path:
    """Its folder on this machine. Raises: ValueError, if none is kept."""
    kept = kept_checkpoint(job)
    if kept is None:
        raise ValueError("The updated policy is kept nowhere. Start this job again: it makes the update anew.")
    with artefacts.local_copy(kept.sha256) as archive:
        return unpack_files(archive, folder / f"checkpoint-{kept.sha256[:12]}")


def unpack_policy(policy: PolicyCheckpoint, folder: Path) -> Path:
    """A registered policy's folder on this machine."""
    with artefacts.local_copy(policy.archive_sha256) as archive:
        return unpack_files(archive, folder / f"policy-{policy.content_hash[:12]}")


def _store(
    held: RunningJob,
    folder: Path,
    content_hash: str,
    *,
    name: str,
    lineage: dict[str, Any],
    parent: PolicyCheckpoint | None,
    round: Round | None,
) -> PolicyCheckpoint:
    packed = folder.with_name(f"{folder.name}.zip")
    pack_files(folder, FILES, packed)
    held.check()
    archive_sha256 = artefacts.put_file(packed)
    with transaction.atomic():
        held.lock()
        system, is_new = System.objects.get_or_create(name=name, defaults={"description": _description(parent)})
        if not is_new and (system.dialogues.exists() or PolicyCheckpoint.objects.filter(system=system).exists()):
            raise ValueError(f"Another system is called '{name}' meanwhile. Start anew under another name.")
        policy = PolicyCheckpoint.objects.create(
            system=system,
            parent=parent,
            round=round,
            content_hash=content_hash,
            archive_sha256=archive_sha256,
            size_bytes=packed.stat().st_size,
            lineage=lineage,
            code_version=version("earshot"),
            job=held.job,
            created_by=held.job.created_by,
        )
        record_action(held.job.created_by, "policy.registered", policy, content_hash=content_hash)
    return policy


def _description(parent: PolicyCheckpoint | None) -> str:
    if parent is None:
        return "Embedded policy after its supervised start: prosody tokens, a fixed renderer."
    return f"Embedded policy, updated by a round from {parent}."
