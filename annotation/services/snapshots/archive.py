"""A snapshot's folder as one .zip: the same folder gives the same bytes."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotation.models import Snapshot
from earshot.formats.bundles import pack_files
from earshot.formats.snapshot import SnapshotManifest
from earshot.jobs import artefacts

MANIFEST = "manifest.json"


def pack(folder: Path, archive: Path) -> None:
    pack_files(folder, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()], archive)


def read_manifest(snapshot: Snapshot) -> SnapshotManifest:
    return SnapshotManifest.from_json(open_member(snapshot, MANIFEST).decode())


def open_member(snapshot: Snapshot, name: str) -> bytes:
    """One file of the archive that fits into memory, such as README.md or a table."""
    with artefacts.open_artefact(snapshot.archive_sha256) as file, zipfile.ZipFile(file) as packed:
        return packed.read(name)


@contextmanager
def unpacked_tables(snapshot: Snapshot, folder: Path) -> Iterator[Path]:
    """The snapshot's folder without its sound, for comparing; removed afterwards."""
    place = folder / f"tables-{snapshot.content_id[:12]}"
    with artefacts.local_copy(snapshot.archive_sha256) as archive, zipfile.ZipFile(archive) as packed:
        packed.extractall(place, [name for name in packed.namelist() if "/" not in name])
    try:
        yield place
    finally:
        shutil.rmtree(place)
