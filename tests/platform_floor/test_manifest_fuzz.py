"""500 mutated manifests: each is read or refused with a ManifestError that lists problems, never anything else."""

import json
import random
from pathlib import Path

import pytest

from earshot.formats.manifest import (
    Check,
    Dialogue,
    DialogueTurn,
    Manifest,
    ManifestError,
    Scenario,
    ScenarioTurn,
    read_manifest,
    write_manifest,
)

MANIFESTS_PER_MUTATION = 125
STRANGE_VALUES = [
    None, True, 0, -1, 1.5, 1e308, 2**70, "", " ", "../../etc/passwd", "/etc/passwd", "a\x00b", "\u202e", "x" * 30_000,
    [], {}, [[]], [None], {"a": 1}, "s3://b/k", "https://example.org/a.wav", "file:///etc/passwd", "\ud800",
    "..\\x", "é",
]  # fmt: skip
STRANGE_TEXTS = [
    b"NaN", b"-Infinity", b"1e999", b"[" * 5_000, b"9" * 5_000, b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\r\n\r\n",
    b'"',
    b'{"scenario_id": "s1", "scenario_id": "s1"}\n', b"\xed\xa0\x80", b"\\ud800", b"//", b",", b"null\n",
]  # fmt: skip


def write_good_manifest(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"sound")
    turns = (ScenarioTurn(1, "Hello?"), ScenarioTurn(2, "And then?", audio="a.wav"))
    scenarios = [
        Scenario(f"s{i}", "a topic", "en", turns, {"user": "a friend"}, Check("2+2?", "4"), ("sad", "glad"), ("tag",))
        for i in range(3)
    ]
    spoken = (
        DialogueTurn(1, "user", "Ann", "Hello?", 0.0, 1.0),
        DialogueTurn(1, "assistant", "Bo", "Hi.", 0.9, 2.0, "be kind"),
        DialogueTurn(2, "user", "Ann", "And then?", 2.5, 3.0),
    )
    dialogues = [Dialogue(f"d{i}", f"s{i % 3}", "x", spoken, "a.wav", {"seed": i}) for i in range(4)]
    write_manifest(folder, scenarios, dialogues)


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 2, 20])):
        place = chance.randrange(len(changed))
        changed[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(changed)


def insert_strange_text(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + chance.choice(STRANGE_TEXTS) + data[place + chance.choice([0, 1, 40]) :]


def mutate_lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    action = chance.choice(["repeat", "drop", "join", "cut", "shuffle", "blank"])
    place = chance.randrange(len(lines))
    if action == "repeat":
        lines.insert(place, chance.choice(lines))
    elif action == "drop":
        del lines[place]
    elif action == "join":
        lines[place] = lines[place].rstrip(b"\n")
    elif action == "cut":
        lines[place] = lines[place][: chance.randrange(len(lines[place]))]
    elif action == "shuffle":
        chance.shuffle(lines)
    else:
        lines.insert(place, b" \t\r\n")
    return b"".join(lines)


def mutate_values(data: bytes, chance: random.Random) -> bytes:
    objects = [json.loads(line) for line in data.splitlines()]
    for _ in range(chance.choice([1, 1, 3])):
        holder: object = chance.choice(objects)
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = chance.choice(keys)
            inner = holder[key]
            if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
                holder = inner
                continue
            action = chance.random()
            if action < 0.6:
                holder[key] = chance.choice(STRANGE_VALUES)
            elif action < 0.8:
                del holder[key]
            elif isinstance(holder, dict):
                holder[str(key) + "s"] = holder.pop(key)
            break
    return b"".join(json.dumps(each, ensure_ascii=True).encode() + b"\n" for each in objects)


@pytest.mark.parametrize("mutate", [mutate_bytes, insert_strange_text, mutate_lines, mutate_values])
def test_mutated_manifests_are_read_or_refused(mutate, tmp_path):
    chance = random.Random(mutate.__name__)
    folder = tmp_path / "manifest"
    write_good_manifest(folder)
    good = {name: (folder / name).read_bytes() for name in ("scenarios.jsonl", "dialogues.jsonl")}
    refusals = []
    for _ in range(MANIFESTS_PER_MUTATION):
        for name, data in good.items():
            (folder / name).write_bytes(data)
        name = chance.choice(sorted(good))
        (folder / name).write_bytes(mutate(good[name], chance))
        try:
            assert isinstance(read_manifest(folder), Manifest)
        except ManifestError as error:
            refusals.append(error)

    assert refusals
    assert all(error.problems and str(error).encode("utf-8", "strict") for error in refusals)
    assert all(problem.message and problem.remedy for error in refusals for problem in error.problems)


def test_the_seed_of_the_mutations_is_a_good_manifest(tmp_path):
    write_good_manifest(tmp_path / "manifest")

    assert len(read_manifest(tmp_path / "manifest").dialogues) == 4
