"""How an import begins: an archive in the store, a row that names it, and a job."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from annotation.models import DialogueImport
from annotation.services.ingest.catalogue import find_conflicts, known_dialogues
from annotation.services.uploads import pack_manifest
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.formats.manifest import Manifest, ManifestError, read_manifest
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job

KIND = "annotation.import_dialogues"


def check_folder(folder: Path) -> Manifest:
    """Read a manifest and hold it against the catalogue; nothing is written.

    Raises:
        ManifestError: with every problem, if there is any.
    """
    manifest = read_manifest(folder, allowed_hosts=settings.ALLOWED_AUDIO_HOSTS)
    if problems := find_conflicts(manifest):
        raise ManifestError(problems)
    return manifest


def is_known(manifest: Manifest) -> bool:
    """Whether the catalogue has every dialogue of a checked manifest; their contents agree, or the check had failed."""
    ids = {dialogue.dialogue_id for dialogue in manifest.dialogues}
    return ids <= known_dialogues(ids).keys()


def start_import(archive: Path, *, name: str, created_by: User | None) -> DialogueImport:
    """Keep an archive of a manifest folder and hand it to a worker."""
    kept = _keep_archive(archive)
    with transaction.atomic():
        dialogue_import = DialogueImport.objects.create(name=name[:200], created_by=created_by, **kept)
        arguments = {"import": dialogue_import.pk}
        dialogue_import.job = jobs.enqueue(KIND, arguments, title=_title(dialogue_import), created_by=created_by)
        _begin(dialogue_import)
    return dialogue_import


def start_folder_import(manifest: Manifest, *, created_by: User | None = None) -> DialogueImport:
    """Pack a checked manifest folder and hand it to a worker, wherever that stands."""
    with _packed(manifest) as archive:
        return start_import(archive, name=_folder_name(manifest), created_by=created_by)


def store_folder_import(
    manifest: Manifest, *, created_by: User | None = None, claim: Callable[[DialogueImport], None] | None = None
) -> DialogueImport:
    """As `start_folder_import`, but no worker is told: the caller runs the job itself.

    Args:
        claim: what the caller writes of it in the same transaction, so that neither stands without the other.
    """
    with _packed(manifest) as archive:
        kept = _keep_archive(archive)
    with transaction.atomic():
        dialogue_import = DialogueImport.objects.create(name=_folder_name(manifest), created_by=created_by, **kept)
        arguments = {"import": dialogue_import.pk}
        dialogue_import.job = Job.objects.create(
            kind=KIND, arguments=arguments, title=_title(dialogue_import), created_by=created_by
        )
        _begin(dialogue_import)
        if claim is not None:
            claim(dialogue_import)
    return dialogue_import


def _begin(dialogue_import: DialogueImport) -> None:
    dialogue_import.save(update_fields=["job"])
    by = dialogue_import.created_by
    record_action(by, "dialogues.import_started", dialogue_import)


def _keep_archive(archive: Path) -> dict[str, Any]:
    return {"archive_sha256": artefacts.put_file(archive), "size_bytes": archive.stat().st_size}


@contextmanager
def _packed(manifest: Manifest) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=artefacts.scratch_folder()) as scratch:
        archive = Path(scratch) / "manifest.zip"
        pack_manifest(manifest, archive)
        yield archive


def _folder_name(manifest: Manifest) -> str:
    return (manifest.folder.resolve().name or "manifest")[:200]


def _title(dialogue_import: DialogueImport) -> str:
    return f"Import of dialogues: {dialogue_import}"[:200]
