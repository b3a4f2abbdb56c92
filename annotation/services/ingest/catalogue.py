"""A manifest held against what the catalogue has already: an id stands for one content, for ever."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from annotation.models import Dialogue, Scenario, System
from earshot.formats import manifest as manifests
from earshot.formats.jsonlines import read_objects
from earshot.formats.manifest import DIALOGUES_FILE, SCENARIOS_FILE, Manifest, Problem
from earshot.formats.problems import ProblemLog
from earshot.jobs.artefacts import hash_file

_ID_BATCH = 500
_MOST_TURN_NUMBER = 32_767  # of a small integer in PostgreSQL


def scenario_hash(scenario: manifests.Scenario) -> str:
    """Over all that the catalogue keeps of it; where the user's own recordings lie does not change the scenario."""
    values = asdict(scenario) | {"roles": dict(scenario.roles)}
    for turn in values["turns"]:
        del turn["audio"]
    return _hash(values)


def dialogue_hash(dialogue: manifests.Dialogue, originals: Sequence[str]) -> str:
    """Over its row and the SHA-256 of its sounds, in their order. What the files were called makes no difference."""
    values = asdict(dialogue) | {"meta": dict(dialogue.meta), "originals": list(originals)}
    del values["audio"]
    for turn in values["turns"]:
        del turn["audio"]
    return _hash(values)


def _hash(values: Mapping[str, object]) -> str:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def audio_of(dialogue: manifests.Dialogue) -> list[str]:
    """Its sounds in their order: one, or one for each turn."""
    if dialogue.audio is not None:
        return [dialogue.audio]
    return [turn.audio for turn in dialogue.turns if turn.audio is not None]


def line_numbers(folder: Path, file: str, key: str) -> dict[str, int]:
    """In which line of the manifest's `file` each id stands."""
    return {str(values.get(key)): line for line, values in read_objects(folder / file, ProblemLog())}


def known_dialogues(ids: Iterable[str]) -> dict[str, str]:
    """The content hash of each of these dialogues that the catalogue has."""
    batches = (Dialogue.objects.filter(dialogue_id__in=batch) for batch in batched(ids))
    return {known: content for rows in batches for known, content in rows.values_list("dialogue_id", "content_hash")}


def known_scenarios(ids: Iterable[str]) -> dict[str, str]:
    """The content hash of each of these scenarios that the catalogue has."""
    batches = (Scenario.objects.filter(scenario_id__in=batch) for batch in batched(ids))
    return {known: content for rows in batches for known, content in rows.values_list("scenario_id", "content_hash")}


def batched(values: Iterable[str]) -> Iterator[list[str]]:
    """As many values at a time as one statement may name: older builds of SQLite take 999 parameters."""
    remaining = iter(values)
    while batch := list(islice(remaining, _ID_BATCH)):
        yield batch


def find_conflicts(manifest: Manifest) -> list[Problem]:
    """What keeps a well-formed manifest out of this catalogue: an id with another content, a value too long for it.

    Dialogues whose sound is a link are compared when it has been fetched.
    """
    return [*scenario_problems(manifest), *_dialogue_problems(manifest)]


def scenario_problems(manifest: Manifest) -> Iterable[Problem]:
    """As `find_conflicts`, of its scenarios alone."""
    lines = line_numbers(manifest.folder, SCENARIOS_FILE, "scenario_id")
    known = known_scenarios(scenario.scenario_id for scenario in manifest.scenarios)
    for scenario in manifest.scenarios:
        line = lines[scenario.scenario_id]
        for field, length, most in (
            ("topic", len(scenario.topic), Scenario._meta.get_field("topic").max_length),
            ("language", len(scenario.language), Scenario._meta.get_field("language").max_length),
        ):
            if most is not None and length > most:
                yield Problem(SCENARIOS_FILE, line, field, f"It has {length} characters.", f"Use {most} at most.")
        if known.get(scenario.scenario_id, scenario_hash(scenario)) != scenario_hash(scenario):
            yield Problem(
                SCENARIOS_FILE,
                line,
                "scenario_id",
                f"The catalogue has a scenario {scenario.scenario_id!r} with another content.",
                "Give this one a new id, or send the row as it was: dialogues of one scenario must answer the same.",
            )


def _dialogue_problems(manifest: Manifest) -> Iterable[Problem]:
    lines = line_numbers(manifest.folder, DIALOGUES_FILE, "dialogue_id")
    known = known_dialogues(dialogue.dialogue_id for dialogue in manifest.dialogues)
    for dialogue in manifest.dialogues:
        line = lines[dialogue.dialogue_id]
        yield from _dialogue_limits(dialogue, line)
        audio = audio_of(dialogue)
        if dialogue.dialogue_id in known and not any(manifests.is_remote(name) for name in audio):
            originals = [hash_file(manifest.local_path(name)) for name in audio]
            if dialogue_hash(dialogue, originals) != known[dialogue.dialogue_id]:
                yield content_conflict(dialogue.dialogue_id, line)


def _dialogue_limits(dialogue: manifests.Dialogue, line: int) -> Iterable[Problem]:
    most = System._meta.get_field("name").max_length
    if most is not None and len(dialogue.system) > most:
        message = f"It has {len(dialogue.system)} characters."
        yield Problem(DIALOGUES_FILE, line, "system", message, f"Use {most} at most.")
    highest = max((turn.scenario_turn for turn in dialogue.turns), default=0)
    if highest > _MOST_TURN_NUMBER:
        message = f"scenario_turn {highest} is higher than the catalogue counts."
        yield Problem(DIALOGUES_FILE, line, "turns", message, f"Number the turns 0 … {_MOST_TURN_NUMBER}.")


def content_conflict(dialogue_id: str, line: int) -> Problem:
    return Problem(
        DIALOGUES_FILE,
        line,
        "dialogue_id",
        f"The catalogue has a dialogue {dialogue_id!r} with another content.",
        "Give this one a new id: judgments of the old one must keep what was heard.",
    )
