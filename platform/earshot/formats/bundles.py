"""The few files of a trained model, identified by one hash and carried as one .zip with the same bytes every time."""

import hashlib
import shutil
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
_BLOCK_BYTES = 1024 * 1024


def hash_files(folder: Path, names: Sequence[str]) -> str:
    """SHA-256, in hex, over the name, length and bytes of these files, in the order of their names.

    The learning side names its checkpoints by the same rule (`policy.learning.checkpoint.content_hash`).

    Raises:
        ValueError: if one of them is not there.
    """
    digest = hashlib.sha256()
    for name in sorted(names):
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{name} is missing in {folder.name}. Start the job again.")
        digest.update(f"{name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def pack_files(folder: Path, names: Sequence[str], archive: Path) -> None:
    """These files and no others as one .zip; weights hardly shrink, so nothing is compressed."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(names):
            path = folder / name
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = path.stat().st_size  # so that the header has room for a file over 2 GiB
            with path.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target, _BLOCK_BYTES)


def unpack_files(archive: Path, folder: Path) -> Path:
    """What `pack_files` packed, in a folder that appears whole or not at all; one that is there is left as it is.

    Raises:
        ValueError: if the archive names a file outside the folder.
    """
    if folder.exists():
        return folder
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            if not (draft / name).resolve().is_relative_to(draft.resolve()):
                raise ValueError(f"{archive.name} names {name!r}, which leads out of its folder. Fetch it again.")
        packed.extractall(draft)
    return draft.rename(folder)
