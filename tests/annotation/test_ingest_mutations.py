"""Damaged sounds and manifests through the whole import: whatever comes of it, no half import and no crash.

The 500 mutated files of each kind are read in tests/platform_floor; this is a smaller sample, end to end.
"""

import random
from pathlib import Path

import pytest
import soundfile

from annotation.models import Dialogue, DialogueImport, Rendition, Scenario, System, Turn
from annotation.services import ingest
from earshot.formats.manifest import Manifest, ManifestError, Problem
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests.annotation.manifests import RATE, dialogue, speech, write_folder

pytestmark = [pytest.mark.database, pytest.mark.django_db]

ROUNDS = 60
EXTENSIONS = ("wav", "flac", "ogg", "mp3")


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (System, Scenario, Dialogue, Turn, Rendition))


def mutate(content: bytes, dice: random.Random) -> bytes:
    """Cut it off, change some bytes, or take a piece out."""
    kind = dice.randrange(4)
    changed = bytearray(content)
    if kind == 0:
        return content[: dice.randrange(len(content))]
    if kind == 1:
        for _ in range(dice.choice([1, 3, 30])):
            changed[dice.randrange(min(len(changed), 80))] = dice.randrange(256)
    elif kind == 2:
        for _ in range(dice.choice([1, 10, 200])):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    else:
        start = dice.randrange(len(changed))
        del changed[start : start + dice.randrange(1, 500)]
    return bytes(changed)


def run(dialogue_import: DialogueImport) -> Job:
    with jobs.running(dialogue_import.job_id, 1) as held:
        ingest.run_import(held)
    return Job.objects.get(pk=dialogue_import.job_id)


def check(folder: Path) -> tuple[Manifest | None, tuple[Problem, ...]]:
    try:
        return ingest.check_folder(folder), ()
    except ManifestError as error:
        return None, error.problems


def test_damaged_sound_is_imported_whole_or_the_manifest_not_at_all(tmp_path):
    dice = random.Random(2)
    outcomes = {"succeeded": 0, "failed": 0}
    for number in range(ROUNDS):
        folder = tmp_path / f"m{number}"
        extension = EXTENSIONS[number % len(EXTENSIONS)]
        names = [f"{number}-whole", f"{number}-damaged"]
        (folder / "audio").mkdir(parents=True)
        rows = [dialogue(name, audio=f"audio/{name}.{extension}") for name in names]
        for name in names:
            soundfile.write(folder / f"audio/{name}.{extension}", speech(1.0, hertz=150 + number), RATE)
        damaged = folder / f"audio/{names[1]}.{extension}"
        damaged.write_bytes(mutate(damaged.read_bytes(), dice))
        write_folder(folder, rows)
        before = counts()

        job = run(ingest.store_folder_import(ingest.check_folder(folder)))

        outcomes[job.state] += 1
        made = Dialogue.objects.filter(dialogue_id__in=names)
        if job.state == Job.State.SUCCEEDED:
            assert made.count() == 2
            assert [row.turns.count() for row in made] == [4, 4]
            assert [row.renditions.count() for row in made] == [1, 1]
        else:
            assert counts() == before
            [problem] = DialogueImport.objects.latest("pk").problems
            assert (problem["file"], problem["line"]) == ("dialogues.jsonl", 2)
    assert min(outcomes.values()) > 5, outcomes  # both kinds of outcome were really met


def test_damaged_manifest_is_refused_in_words_or_imported_whole(tmp_path):
    dice = random.Random(3)
    refused = 0
    for number in range(ROUNDS):
        folder = write_folder(tmp_path / f"m{number}", [dialogue(f"{number}-a"), dialogue(f"{number}-b")])
        path = folder / dice.choice(["scenarios.jsonl", "dialogues.jsonl"])
        path.write_bytes(mutate(path.read_bytes(), dice))
        before = counts()

        manifest, problems = check(folder)
        if manifest is None:
            refused += 1
            assert all(problem.message and problem.remedy for problem in problems)
            assert counts() == before
            continue

        job = run(ingest.store_folder_import(manifest))
        gained = Dialogue.objects.filter(dialogue_id__in=[entry.dialogue_id for entry in manifest.dialogues]).count()
        assert gained == (len(manifest.dialogues) if job.state == Job.State.SUCCEEDED else 0)
    assert refused > ROUNDS // 2
