"""The dialogue manifest: scenarios.jsonl and dialogues.jsonl beside a folder of audio. See docs/formats.md.

Reading validates everything before it returns anything, so that an import either has nothing to complain about or
changes nothing.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from earshot.formats.dialogues import Check, Dialogue, DialogueTurn, Scenario, ScenarioTurn
from earshot.formats.jsonlines import read_objects
from earshot.formats.links import LinkError, is_remote, locate
from earshot.formats.manifest_rules import LineRules, parse_dialogue, parse_scenario
from earshot.formats.problems import ManifestError, Problem, ProblemLog

__all__ = [
    "DIALOGUES_FILE",
    "SCENARIOS_FILE",
    "Check",
    "Dialogue",
    "DialogueTurn",
    "LinkError",
    "Manifest",
    "ManifestError",
    "Problem",
    "Scenario",
    "ScenarioTurn",
    "is_remote",
    "read_manifest",
    "write_manifest",
]

SCENARIOS_FILE = "scenarios.jsonl"
DIALOGUES_FILE = "dialogues.jsonl"


@dataclass(frozen=True)
class Manifest:
    """A manifest in which everything was found right."""

    folder: Path
    scenarios: tuple[Scenario, ...]
    dialogues: tuple[Dialogue, ...]

    @cached_property
    def _by_id(self) -> dict[str, Scenario]:
        return {scenario.scenario_id: scenario for scenario in self.scenarios}

    def scenario(self, scenario_id: str) -> Scenario:
        return self._by_id[scenario_id]

    def local_path(self, audio: str) -> Path:
        """The file that `audio` names. Raises LinkError for a remote link or a path that leads out of the folder."""
        return locate(audio, self.folder)


def read_manifest(folder: Path, *, allowed_hosts: Collection[str] = ()) -> Manifest:
    """Read and validate the manifest in `folder`.

    Args:
        allowed_hosts: hosts from which audio may be fetched: "media.example.org" for https, "s3://bucket" for s3.
    Raises:
        ManifestError: if anything is wrong; its `problems` name every bad line, not only the first.
    """
    problems = ProblemLog()
    rules = LineRules(folder, allowed_hosts, problems)
    scenarios: dict[str, Scenario] = {}
    dialogues: dict[str, Dialogue] = {}
    scenario_lines: dict[str, int] = {}  # of broken scenarios too, so that their dialogues are not called orphans
    for line, values in _objects(folder, SCENARIOS_FILE, problems):
        rules.at(SCENARIOS_FILE, line)
        if rules.claim_id(values, "scenario_id", scenario_lines):
            scenario = parse_scenario(values, rules)
            if scenario is not None:
                scenarios[scenario.scenario_id] = scenario
    dialogue_lines: dict[str, int] = {}
    for line, values in _objects(folder, DIALOGUES_FILE, problems):
        rules.at(DIALOGUES_FILE, line)
        if rules.claim_id(values, "dialogue_id", dialogue_lines):
            dialogue = parse_dialogue(values, rules, scenarios, scenario_lines)
            if dialogue is not None:
                dialogues[dialogue.dialogue_id] = dialogue
    if not scenario_lines and not problems.count:
        problems.add(SCENARIOS_FILE, 0, "", "The file holds no scenario.", "Write one scenario per line.")
    if problems.count:
        raise ManifestError(problems.sorted())
    return Manifest(folder, tuple(scenarios.values()), tuple(dialogues.values()))


def write_manifest(folder: Path, scenarios: Iterable[Scenario], dialogues: Iterable[Dialogue]) -> None:
    """Write both files into `folder` (made if missing), each in one step. The audio is the caller's to put there."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / SCENARIOS_FILE, (_lean(asdict(scenario)) for scenario in map(_plain_scenario, scenarios)))
    _write_lines(folder / DIALOGUES_FILE, (_lean(asdict(dialogue)) for dialogue in map(_plain_dialogue, dialogues)))


def _objects(folder: Path, name: str, problems: ProblemLog) -> Iterable[tuple[int, dict[str, object]]]:
    try:
        path = locate(name, folder)  # the manifest itself must not be a link to a file elsewhere
        yield from read_objects(path, problems)
    except LinkError as error:
        problems.add(name, 0, "", error.message, error.remedy)
    except OSError as error:
        problems.add(name, 0, "", f"The file cannot be read ({error}).", "Check the disk and the permissions.")


def _plain_scenario(scenario: Scenario) -> Scenario:
    return replace(scenario, roles=dict(scenario.roles))  # asdict copies dicts, but no other mapping


def _plain_dialogue(dialogue: Dialogue) -> Dialogue:
    return replace(dialogue, meta=dict(dialogue.meta))


def _lean(value: Mapping[str, object]) -> dict[str, object]:
    """Without the optional fields that say nothing."""
    kept: dict[str, object] = {}
    for key, inner in value.items():
        if key == "turns" and isinstance(inner, list | tuple):
            kept[key] = [_lean(turn) for turn in inner]
        elif inner is not None and inner not in ((), [], {}):
            kept[key] = inner
    return kept


def _write_lines(path: Path, objects: Iterable[dict[str, object]]) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as stream:
        for values in objects:
            stream.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
