"""A manifest folder as one .zip: packed the same way every time, unpacked without trusting a word of it."""

import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from django.conf import settings

from earshot.formats.manifest import DIALOGUES_FILE, SCENARIOS_FILE, Manifest, ManifestError, Problem, is_remote

MOST_FILES = 50_000
MOST_NAME_CHARS = 1_024
MOST_FOLDERS_DEEP = 20
BLOCK_BYTES = 1024 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold: no clock may change the archive's hash
_NOT_THEIRS = ("__MACOSX", ".DS_Store", "Thumbs.db")  # what file managers add to an archive


def pack_manifest(manifest: Manifest, archive: Path) -> None:
    """Write the two manifest files and every local sound they name into `archive`, byte for byte the same each time.

    Sound hardly shrinks, so nothing is compressed.
    """
    names = {SCENARIOS_FILE: SCENARIOS_FILE, DIALOGUES_FILE: DIALOGUES_FILE}
    for audio in named_audio(manifest):
        if not is_remote(audio):
            names[PurePosixPath(audio).as_posix()] = audio
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=True) as packed:
        for name in sorted(names):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            path = manifest.local_path(names[name])
            entry.file_size = path.stat().st_size  # so that the header has room for a file over 2 GiB
            with path.open("rb") as source, packed.open(entry, "w") as target:
                shutil.copyfileobj(source, target, BLOCK_BYTES)


def named_audio(manifest: Manifest) -> Collection[str]:
    """Every sound that the manifest names, each once, in its order."""
    named: dict[str, None] = {}
    for scenario in manifest.scenarios:
        named.update((turn.audio, None) for turn in scenario.turns if turn.audio is not None)
    for dialogue in manifest.dialogues:
        if dialogue.audio is not None:
            named[dialogue.audio] = None
        named.update((turn.audio, None) for turn in dialogue.turns if turn.audio is not None)
    return named.keys()


def unpack_archive(archive: Path, folder: Path, *, name: str = "the archive") -> Path:
    """Unpack an uploaded .zip into the empty `folder` and return where its manifest lies (one top folder is allowed).

    Raises:
        ManifestError: if it is no zip, broken, encrypted, too large unpacked, has too many files, or holds a name that
            leads out of the folder or a link.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir() and not _is_clutter(entry.filename)]
            _check_entries(entries, archive, folder, name)
            _write_entries(packed, entries, folder, _most_bytes(archive), name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError) as error:
        message = f"It is no complete .zip file ({error})."
        raise _refusal(name, message, "Pack the manifest folder as .zip and send it again.") from error
    except ManifestError:
        raise
    except (NotImplementedError, RuntimeError, ValueError) as error:  # a newer kind of zip, a broken entry
        message = f"It holds an entry that cannot be read ({error})."
        raise _refusal(name, message, "Pack it again as a plain .zip (deflate).") from error
    return _find_root(folder, name)


def _refusal(name: str, message: str, remedy: str) -> ManifestError:
    return ManifestError([Problem(name, 0, "", message, remedy)])


def _is_clutter(name: str) -> bool:
    return any(part in _NOT_THEIRS or part.startswith("._") for part in name.split("/"))


def _most_bytes(archive: Path) -> int:
    # Sound packs to a half at best, transcripts to a tenth: what grows more than this is a bomb. An archive that the
    # command packed may itself be larger than an upload may be; it is not compressed.
    return max(4 * settings.MAX_UPLOAD_BYTES, 2 * archive.stat().st_size)


def _check_entries(entries: list[zipfile.ZipInfo], archive: Path, folder: Path, name: str) -> None:
    """Everything that the table of contents alone can tell."""
    if len(entries) > MOST_FILES:
        raise _refusal(name, f"It holds {len(entries)} files; {MOST_FILES} are allowed.", "Send it in parts.")
    problems = [problem for entry in entries if (problem := _find_problem(entry, name)) is not None]
    if problems:
        raise ManifestError(problems)
    paths = [PurePosixPath(entry.filename).as_posix() for entry in entries]
    path, times = Counter(paths).most_common(1)[0] if paths else ("", 1)
    if times > 1:
        raise _refusal(name, f"It holds {path!r} {times} times.", "Pack the folder again.")
    total = sum(entry.file_size for entry in entries)
    if total > _most_bytes(archive):
        raise _too_large(total, archive, name)
    free = shutil.disk_usage(folder).free
    if total > free:
        message = f"Unpacked it needs {total / 1e6:.0f} MB, but only {free / 1e6:.0f} MB are free on the server."
        raise _refusal(name, message, "Ask an administrator to make room, then start it again.")


def _too_large(size: int, archive: Path, name: str) -> ManifestError:
    message = f"Unpacked it has {size / 1e6:.0f} MB or more; {_most_bytes(archive) / 1e6:.0f} MB are allowed."
    return _refusal(name, message, "Send it in parts.")


def _find_problem(entry: zipfile.ZipInfo, archive_name: str) -> Problem | None:
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in parts[0]:
        message, remedy = f"{name!r} leads out of the archive.", "Pack the folder itself, with plain names."
    elif len(name) > MOST_NAME_CHARS or len(parts) > MOST_FOLDERS_DEEP or any(len(p.encode()) > 255 for p in parts):
        message, remedy = f"The name {name[:60]!r}… is too long or too deep.", "Shorten it."
    elif any(ord(character) < 32 for character in name):
        message, remedy = f"The name {name!r} holds a control character.", "Rename the file."
    elif kind not in (0, stat.S_IFREG):
        message, remedy = f"{name!r} is a link or a device, not a file.", "Pack the file itself."
    elif entry.flag_bits & 0x1:
        message, remedy = f"{name!r} is encrypted.", "Pack it without a password."
    elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        message, remedy = f"{name!r} is packed by method {entry.compress_type}.", "Pack it as a plain .zip (deflate)."
    else:
        return None
    return Problem(archive_name, 0, "", message, remedy)


def _write_entries(
    packed: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, most_bytes: int, name: str
) -> None:
    left = most_bytes  # counted on what really comes out: the table of contents may lie
    for entry in entries:
        target = folder.joinpath(*PurePosixPath(entry.filename).parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(entry) as source, target.open("xb") as file:
                while block := source.read(BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        raise _too_large(most_bytes, Path(packed.filename or ""), name)
                    file.write(block)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            message = f"{entry.filename!r} stands where another entry already is."
            raise _refusal(name, message, "Pack the folder again.") from None


def _find_root(folder: Path, name: str) -> Path:
    if (folder / SCENARIOS_FILE).is_file() or (folder / DIALOGUES_FILE).is_file():
        return folder
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        top = inside[0]
        if (top / SCENARIOS_FILE).is_file() or (top / DIALOGUES_FILE).is_file():
            return top
    message = f"It holds neither {SCENARIOS_FILE} nor {DIALOGUES_FILE}."
    raise _refusal(name, message, "Put both files at the top of the archive, or into its one folder.")
