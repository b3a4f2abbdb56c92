"""The job of an import: unpack, check everything, prepare every sound, then make all rows at once."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotation.models import DialogueImport
from annotation.services.ingest.catalogue import (
    audio_of,
    content_conflict,
    dialogue_hash,
    known_dialogues,
    line_numbers,
)
from annotation.services.ingest.fetching import FetchError, fetch_sound
from annotation.services.ingest.rows import PreparedDialogue, place_turns, store_dialogues
from annotation.services.ingest.sounds import forget_sounds, prepare_sound, sound_key
from annotation.services.ingest.start import check_folder
from annotation.services.uploads import unpack_archive
from earshot.acoustics.errors import AudioError
from earshot.formats import manifest as manifests
from earshot.formats.manifest import DIALOGUES_FILE, Manifest, ManifestError, Problem, is_remote
from earshot.jobs import artefacts
from earshot.jobs.services import RunningJob

KEPT_PROBLEMS = 1_000  # on the import's page; more of them nobody reads
AT_ONCE = 2  # short dialogues
SHORT_BYTES = 4 * 1024 * 1024  # of a dialogue's files: a few minutes
PREPARING = (0.05, 0.95)  # the share of the progress bar in which sounds are prepared


def run_import(held: RunningJob) -> None:
    """Import the archive that the job names. Safe to run twice, and to be killed at any moment.

    Raises:
        ManifestError: if anything is wrong; then no row was made, and the import's row holds every problem.
    """
    dialogue_import = DialogueImport.objects.get(pk=held.arguments["import"])
    try:
        _import(held, dialogue_import)
    except ManifestError as error:
        _keep_problems(held, dialogue_import, error)
        count = len(error.problems)
        raise ValueError(
            f"Nothing was imported: {count} problem{'' if count == 1 else 's'}. First: {error.problems[0]}"
        ) from error


def _import(held: RunningJob, dialogue_import: DialogueImport) -> None:
    with _scratch_folder(held) as folder, artefacts.local_copy(dialogue_import.archive_sha256) as archive:
        held.report(0.0, "Unpacking")
        unpacked = folder / "manifest"
        unpacked.mkdir()
        root = unpack_archive(archive, unpacked, name=dialogue_import.name)
        held.report(0.02, "Checking the manifest")
        manifest = check_folder(root)
        keys: list[str] = []
        prepared = _prepare_all(held, manifest, folder, keys)
        held.report(PREPARING[1], "Storing")
        held.check()  # a report may be held back for a moment; a wish to cancel must not
        store_dialogues(held, dialogue_import, manifest, prepared)
    forget_sounds(keys)
    held.result = {
        "dialogues_new": dialogue_import.dialogues_new,
        "dialogues_known": dialogue_import.dialogues_known,
        "scenarios": len(manifest.scenarios),
    }
    held.write_log(f"{dialogue_import.dialogues_new} dialogues are new, {dialogue_import.dialogues_known} were known.")


@contextmanager
def _scratch_folder(held: RunningJob) -> Iterator[Path]:
    """A folder of this job's. What a killed attempt before this one left is removed."""
    parent = artefacts.scratch_folder()
    for left in parent.glob(f"import-{held.id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f"import-{held.id}-") as folder:
        yield Path(folder)


def _keep_problems(held: RunningJob, dialogue_import: DialogueImport, error: ManifestError) -> None:
    with transaction.atomic():
        held.lock()
        dialogue_import.problems = [
            {
                "file": problem.file,
                "line": problem.line,
                "field": problem.field,
                "message": problem.message,
                "remedy": problem.remedy,
            }
            for problem in error.problems[:KEPT_PROBLEMS]
        ]
        dialogue_import.save(update_fields=["problems"])


def _prepare_all(held: RunningJob, manifest: Manifest, folder: Path, keys: list[str]) -> list[PreparedDialogue]:
    """Every dialogue that is not in the catalogue yet, its sound in the store.

    Short ones go two at a time, for half the time goes to the disk and to code that lets other threads run; of long
    ones one alone is in memory.
    """
    lines = line_numbers(manifest.folder, DIALOGUES_FILE, "dialogue_id")
    known = known_dialogues(dialogue.dialogue_id for dialogue in manifest.dialogues)
    prepared: list[PreparedDialogue] = []
    problems: list[Problem] = []
    total, done = len(manifest.dialogues), 0

    def prepare(dialogue: manifests.Dialogue) -> PreparedDialogue | None:
        line = lines[dialogue.dialogue_id]
        with tempfile.TemporaryDirectory(dir=folder) as fetched:
            return _prepare(dialogue, line, manifest, Path(fetched), known.get(dialogue.dialogue_id), keys)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in _batches(manifest):
            share = PREPARING[0] + (PREPARING[1] - PREPARING[0]) * done / total
            held.report(share, f"Dialogue {done + 1} of {total}: {batch[0].dialogue_id}")
            done += len(batch)
            for dialogue, task in [(dialogue, pool.submit(prepare, dialogue)) for dialogue in batch]:
                line = lines[dialogue.dialogue_id]
                try:
                    entry = task.result()
                except ManifestError as error:
                    problems.extend(error.problems)
                except (AudioError, FetchError) as error:
                    problems.append(Problem(DIALOGUES_FILE, line, "audio", *_message_and_remedy(str(error), dialogue)))
                else:
                    prepared += [entry] if entry is not None else []
    if problems:
        raise ManifestError(problems)
    return prepared


def _batches(manifest: Manifest) -> Iterator[list[manifests.Dialogue]]:
    """The dialogues in their order: up to AT_ONCE short ones together, a long or a remote one alone."""
    batch: list[manifests.Dialogue] = []
    for dialogue in manifest.dialogues:
        if not _is_short(dialogue, manifest):
            yield from ([batch] if batch else [])
            yield [dialogue]
            batch = []
            continue
        batch.append(dialogue)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    yield from ([batch] if batch else [])


def _is_short(dialogue: manifests.Dialogue, manifest: Manifest) -> bool:
    names = audio_of(dialogue)
    if any(map(is_remote, names)):
        return False
    return sum(manifest.local_path(name).stat().st_size for name in names) <= SHORT_BYTES


def _prepare(
    dialogue: manifests.Dialogue, line: int, manifest: Manifest, folder: Path, known_hash: str | None, keys: list[str]
) -> PreparedDialogue | None:
    """The dialogue, ready to become rows; None if the catalogue has it already."""
    names = audio_of(dialogue)
    paths = [_find_original(name, manifest, folder / f"{number}.sound") for number, name in enumerate(names)]
    originals = [artefacts.hash_file(path) for path in paths]
    content_hash = dialogue_hash(dialogue, originals)
    if known_hash is not None:
        if known_hash != content_hash:
            raise ManifestError([content_conflict(dialogue.dialogue_id, line)])
        return None
    starts = [turn.start for turn in dialogue.turns] if dialogue.has_turn_audio else []
    key = sound_key(originals, starts)
    sound = prepare_sound(paths, starts, key)
    turns = place_turns(dialogue, sound)
    for path in paths:
        artefacts.put_file(path)  # the original, untouched
    keys.append(key)
    return PreparedDialogue(
        dialogue=dialogue,
        line=line,
        originals=[{"name": name, "sha256": sha256} for name, sha256 in zip(names, originals, strict=True)],
        content_hash=content_hash,
        sound=sound,
        turns=turns,
    )


def _find_original(name: str, manifest: Manifest, target: Path) -> Path:
    if not is_remote(name):
        return manifest.local_path(name)
    fetch_sound(name, target, allowed_hosts=settings.ALLOWED_AUDIO_HOSTS, most_bytes=settings.MAX_UPLOAD_BYTES)
    return target


def _message_and_remedy(text: str, dialogue: manifests.Dialogue) -> tuple[str, str]:
    """Our errors end with a sentence that says what to do: it gets a column of its own."""
    message, stop, remedy = text.rstrip().rpartition(". ")
    if not stop:
        return text, f"Replace the sound of {dialogue.dialogue_id!r}."
    return f"{dialogue.dialogue_id}: {message}.", remedy
