"""Making a snapshot: ask for it, and the job that makes it. Safe to kill at any moment and to run again."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation.models import Judgment, Snapshot, Study
from annotation.services.snapshots import archive, rows
from annotation.services.snapshots.card import card_of
from annotation.services.snapshots.filters import SnapshotFilter, default_filter
from annotation.services.snapshots.identity import Names
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.formats.canonical import hash_tables
from earshot.formats.snapshot import CardFacts, diff_snapshots, read_snapshot, write_snapshot
from earshot.formats.tables import to_tables
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob

KIND = "annotation.make_snapshot"
WRITING = (0.3, 0.85)  # the share of the progress bar in which sounds and tables are written


@transaction.atomic
def request_snapshot(
    study: Study, *, name: str, filter: SnapshotFilter | None = None, by: User | None, at: datetime | None = None
) -> Job:
    """Hand a snapshot of the judgments submitted so far to a worker.

    The job's result names the snapshot: {"snapshot": primary key, "content_id": …, "is_new": …}. If the same rows
    under the same filter were kept before, that snapshot is the result.

    Raises:
        ValidationError: for a filter that cannot be, an empty name, or a study without judgments.
    """
    arguments, title = _plan(study, name=name, filter=filter, at=at)
    return jobs.enqueue(KIND, arguments, title=title, created_by=by)


@transaction.atomic
def store_snapshot_job(
    study: Study, *, name: str, filter: SnapshotFilter | None = None, by: User | None, at: datetime | None = None
) -> Job:
    """As `request_snapshot`, but no worker is told: the caller runs the job itself."""
    arguments, title = _plan(study, name=name, filter=filter, at=at)
    return Job.objects.create(kind=KIND, arguments=arguments, title=title, created_by=by)


def _plan(study: Study, *, name: str, filter: SnapshotFilter | None, at: datetime | None) -> tuple[dict[str, Any], str]:
    name = name.strip()[:200]
    if not name:
        raise ValidationError(_("Give the snapshot a name, such as 'pilot, first week'."))
    resolved = (filter or default_filter(study)).resolved(study)
    if not Judgment.objects.submitted().filter(lease__pair__study=study).exists():
        raise ValidationError(
            _("Study '%(study)s' has no judgments yet. Make a snapshot when the first were submitted.")
            % {"study": study}
        )
    parent = study.snapshots.first()
    arguments = {
        "study": study.pk,
        "name": name,
        "filter": resolved.to_json(),
        "parent": parent.pk if parent else None,
        # A job that starts again, minutes later, must take in the same judgments.
        "as_of": (at or timezone.now()).isoformat(),
    }
    return arguments, f"Snapshot of {study}: {name}"[:200]


def run_snapshot(held: RunningJob) -> Snapshot:
    """Make the snapshot that the job asks for, or find the one that it already made.

    Raises:
        ValueError: if the filter keeps no judgment, or a sound is missing from the store.
    """
    study = Study.objects.get(pk=held.arguments["study"])
    filter = SnapshotFilter.from_json(held.arguments["filter"])
    names = Names(study)
    held.report(0.0, "Collecting judgments")
    with rows.one_state():
        selection = rows.select(study, filter, names, as_of=datetime.fromisoformat(held.arguments["as_of"]))
        _refuse_empty(selection)
        tables = to_tables(rows.tables_of(selection))
        sounds, facts = rows.sounds_of(selection), card_of(selection, tables)
    held.report(0.2, f"Hashing {len(selection.kept)} judgments")
    content_id = hash_tables(tables, filter.to_json())
    known = study.snapshots.filter(content_id=content_id).first()
    if known is None:
        known = _make(held, selection, tables, sounds=sounds, facts=facts)
    is_new = known.job_id == held.id
    held.result = {"snapshot": known.pk, "content_id": content_id, "is_new": is_new}
    held.write_log(f"{len(selection.kept)} judgments in, {sum(selection.out.values())} out: {content_id}")
    if not is_new:
        held.write_log(f"The same rows under the same filter are kept as snapshot '{known}' already.")
    return known


def _refuse_empty(selection: rows.Selection) -> None:
    if not selection.kept:
        left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(selection.out.items())) or "none are there"
        raise ValueError(f"The filter keeps no judgment of study '{selection.study}': {left_out}. Widen the filter.")


def _make(
    held: RunningJob,
    selection: rows.Selection,
    tables: Mapping[str, pa.Table],
    *,
    sounds: Mapping[str, Any],
    facts: CardFacts,
) -> Snapshot:
    parent = Snapshot.objects.filter(pk=held.arguments["parent"]).first()
    with _scratch_folder(held) as scratch:
        folder = scratch / "snapshot"
        manifest = write_snapshot(
            folder,
            tables,
            rubric=_rubric(selection),
            filter=selection.filter.to_json(),
            counts=selection.counts,
            code_version=version("earshot"),
            parent=parent.content_id if parent else None,
            audio=_reporting(held, sounds),
            created_at=held.job.created_at,  # the job's, so that a second attempt writes the same bytes
            card=facts,
        )
        held.report(WRITING[1], "Comparing with the snapshot before")
        changes = _changes(parent, folder, scratch)
        held.report(0.9, "Packing")
        packed = scratch / "snapshot.zip"
        archive.pack(folder, packed)
        held.check()
        kept = {
            # Not listed among the job's files: who may download it is the study's to say, not the job's.
            "archive_sha256": artefacts.put_file(packed),
            "size_bytes": packed.stat().st_size,
        }
    counts = {**selection.counts, "rows": dict(manifest.tables), "changes": changes}
    return _store(held, selection, manifest.id, counts=counts, parent=parent, **kept)


def _store(
    held: RunningJob,
    selection: rows.Selection,
    content_id: str,
    *,
    counts: dict[str, Any],
    parent: Snapshot | None,
    **kept: Any,
) -> Snapshot:
    with transaction.atomic():
        held.lock()
        snapshot, is_new = Snapshot.objects.get_or_create(
            study=selection.study,
            content_id=content_id,
            defaults={
                "name": held.arguments["name"],
                "filter": selection.filter.to_json(),
                "counts": counts,
                "parent": parent,
                "job": held.job,
                "created_by": held.job.created_by,
                "created_at": held.job.created_at,
                **kept,
            },
        )
        if is_new:
            record_action(
                held.job.created_by, "snapshot.made", snapshot, content_id=content_id, study=str(selection.study)
            )
    return snapshot


@contextmanager
def _scratch_folder(held: RunningJob) -> Iterator[Path]:
    """A folder of this attempt's. What a killed attempt before this one left is removed."""
    parent = artefacts.scratch_folder()
    for left in parent.glob(f"snapshot-{held.id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f"snapshot-{held.id}-") as folder:
        yield Path(folder)


def _reporting(held: RunningJob, sounds: Mapping[str, Any]) -> dict[str, Any]:
    """The same sounds; opening one reports how far the copying is."""
    opened = 0

    def opener(sha256: str) -> Any:
        def open_sound() -> Any:
            nonlocal opened
            opened += 1
            begin, end = WRITING
            held.report(begin + (end - begin) * opened / len(sounds), f"Copying sound {opened} of {len(sounds)}")
            return sounds[sha256]()

        return open_sound

    return {sha256: opener(sha256) for sha256 in sounds}


def _rubric(selection: rows.Selection) -> dict[str, Any]:
    fields = ("key", "name", "question", "help_text", "weight")
    asked = selection.study.dimensions.filter(key__in=selection.filter.dimensions)
    return {"version": selection.study.version, "dimensions": list(asked.values(*fields))}


def _changes(parent: Snapshot | None, folder: Path, scratch: Path) -> dict[str, dict[str, int]] | None:
    """How many rows of each table are new, gone and different since the parent."""
    if parent is None:
        return None
    with archive.unpacked_tables(parent, scratch) as before:
        differences = diff_snapshots(read_snapshot(before, verify=False), read_snapshot(folder, verify=False))
    return {
        name: {"added": len(diff.added), "removed": len(diff.removed), "changed": len(diff.changed)}
        for name, diff in differences.items()
    }
