"""A snapshot's folder as one .zip: the same folder gives the same bytes."""

import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotation.models import Snapshot
from earshot.formats.snapshot import SnapshotManifest
from earshot.jobs import artefacts

_EPOCH = (1980, 1, 1, 0, 0, 0)
BLOCK_BYTES = 1024 * 1024
MANIFEST = "manifest.json"


def pack(folder: Path, archive: Path) -> None:
    """FLAC and Parquet hardly shrink, so nothing is compressed."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = path.stat().st_size  # so that the header has room for a file over 2 GiB
            with path.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target, BLOCK_BYTES)


def read_manifest(snapshot: Snapshot) -> SnapshotManifest:
    return SnapshotManifest.from_json(open_member(snapshot, MANIFEST).decode())


def open_member(snapshot: Snapshot, name: str) -> bytes:
    """One small file of the archive, such as README.md."""
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
