"""Files kept by the SHA-256 of their bytes, in a local folder or an object store. Jobs carry hashes, never paths."""

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, storages

BLOCK_BYTES = 1024 * 1024


def artefact_name(sha256: str) -> str:
    """Where the storage keeps it: two levels, so that no folder grows without bound."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError(f"{sha256!r} is not a SHA-256 in lower-case hex.")
    return f"{sha256[:2]}/{sha256[2:]}"


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_artefact(sha256: str) -> bool:
    return storages["artefacts"].exists(artefact_name(sha256))


def put_file(path: Path) -> str:
    """Keep a copy of the file and return its SHA-256. Keeping the same bytes twice keeps them once."""
    sha256 = hash_file(path)
    storage = storages["artefacts"]
    name = artefact_name(sha256)
    if isinstance(storage, FileSystemStorage):
        # Written beside its place, then renamed: a reader sees the whole file or none, even after kill -9.
        place = Path(storage.path(name))
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.parent / f".{place.name}.{secrets.token_hex(4)}.draft"  # threads of one process too
            shutil.copyfile(path, draft)
            draft.replace(place)
    elif not storage.exists(name):
        with path.open("rb") as file:
            storage.save(name, File(file))
    return sha256


def put_bytes(content: bytes) -> str:
    """As `put_file`, for bytes in memory."""
    with tempfile.NamedTemporaryFile(dir=scratch_folder()) as file:
        file.write(content)
        file.flush()
        return put_file(Path(file.name))


def open_artefact(sha256: str) -> BinaryIO:
    """The file's bytes as a readable, seekable file.

    Raises:
        FileNotFoundError: if no artefact has this hash.
    """
    return cast(BinaryIO, storages["artefacts"].open(artefact_name(sha256), "rb"))


@contextmanager
def local_copy(sha256: str) -> Iterator[Path]:
    """A path to read the artefact from: its own place in a local store, else a copy that is removed afterwards."""
    storage = storages["artefacts"]
    if isinstance(storage, FileSystemStorage):
        path = Path(storage.path(artefact_name(sha256)))
        if not path.exists():
            raise FileNotFoundError(f"No artefact {sha256} in {storage.location}. Was the data folder moved?")
        yield path
        return
    with tempfile.NamedTemporaryFile(dir=scratch_folder()) as copy:
        with open_artefact(sha256) as file:
            shutil.copyfileobj(file, copy, BLOCK_BYTES)
        copy.flush()
        yield Path(copy.name)


def scratch_folder() -> Path:
    """For files under construction; on the disk of the data folder, so that large ones never fill /tmp."""
    folder = settings.DATA_DIR / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
