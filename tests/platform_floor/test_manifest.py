"""The dialogue manifest: what it holds, and how each thing that can be wrong with it is reported."""

import json
from pathlib import Path

import pytest

from earshot.formats.manifest import (
    Check,
    Dialogue,
    DialogueTurn,
    ManifestError,
    Problem,
    Scenario,
    ScenarioTurn,
    read_manifest,
    write_manifest,
)


def a_scenario(**changes):
    values = {
        "scenario_id": "s1",
        "topic": "a complaint",
        "language": "en",
        "turns": [
            {"scenario_turn": 1, "role": "user", "text": "My parcel is lost."},
            {"scenario_turn": 2, "role": "user", "text": "Thank you."},
        ],
    }
    return values | changes


def a_turn(**changes):
    return {"scenario_turn": 1, "role": "user", "speaker": "Ann", "text": "Hi", "start": 0.0, "end": 1.0} | changes


def a_dialogue(**changes):
    values = {"dialogue_id": "d1", "scenario_id": "s1", "system": "x", "audio": "audio/d1.wav", "turns": [a_turn()]}
    return values | changes


def without(values, *keys):
    return {key: value for key, value in values.items() if key not in keys}


def put(folder: Path, scenarios=None, dialogues=None) -> Path:
    (folder / "audio").mkdir(exist_ok=True)
    for name in ("d1.wav", "t1.wav", "t2.wav"):
        (folder / "audio" / name).write_bytes(b"sound")
    for file, objects in (("scenarios.jsonl", scenarios or [a_scenario()]), ("dialogues.jsonl", dialogues or [])):
        lines = [each if isinstance(each, str) else json.dumps(each) for each in objects]
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
    return folder


def problems_of(folder: Path, **options) -> list[Problem]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(folder, **options)
    return list(caught.value.problems)


def the_problem(folder: Path, **options) -> Problem:
    (problem,) = problems_of(folder, **options)
    return problem


def test_what_was_written_is_read_back(tmp_path):
    (tmp_path / "u.wav").write_bytes(b"sound")
    (tmp_path / "d.wav").write_bytes(b"sound")
    scenario = Scenario(
        "s1", "Grüße", "de-AT", (ScenarioTurn(0, "Servus!", audio="u.wav"),), {"user": "a guest"}, Check("2+2?", "4"),
        ("joy", "calm"), ("short",),
    )  # fmt: skip
    turns = (
        DialogueTurn(0, "user", "Ann", "Servus!", 0.0, 1.0),
        DialogueTurn(1, "assistant", "Bo", "Hallo.", 0.75, 2.0, "be warm"),
    )
    dialogue = Dialogue("d1", "s1", "system one", turns, "d.wav", {"seed": 7, "nested": {"a": [1.5, None]}})

    write_manifest(tmp_path, [scenario], [dialogue])
    manifest = read_manifest(tmp_path)

    assert (manifest.scenarios, manifest.dialogues) == ((scenario,), (dialogue,))
    assert manifest.scenario("s1") == scenario
    assert manifest.local_path("d.wav") == (tmp_path / "d.wav").resolve()


def test_a_dialogue_may_have_audio_per_turn_and_no_times(tmp_path):
    turns = [
        without(a_turn(audio="audio/t1.wav"), "start", "end"),
        without(a_turn(audio="audio/t2.wav", role="assistant", speaker="Bo"), "start", "end"),
    ]

    (dialogue,) = read_manifest(put(tmp_path, dialogues=[without(a_dialogue(turns=turns), "audio")])).dialogues

    assert dialogue.has_turn_audio
    assert not dialogue.has_times
    assert [turn.audio for turn in dialogue.turns] == ["audio/t1.wav", "audio/t2.wav"]


def test_a_byte_order_mark_blank_lines_and_crlf_are_passed_over_and_lines_still_count(tmp_path):
    put(tmp_path)
    text = "\ufeff\r\n" + json.dumps(a_scenario()) + "\r\n\r\n" + json.dumps(a_scenario(scenario_id="s1")) + "\r\n"
    (tmp_path / "scenarios.jsonl").write_bytes(text.encode())

    problem = the_problem(tmp_path)

    assert (problem.line, problem.message) == (4, "The id 's1' stands already in line 2.")


def test_every_bad_line_is_reported_not_only_the_first(tmp_path):
    put(
        tmp_path,
        [a_scenario(language="??"), a_scenario(scenario_id="s2"), a_scenario(scenario_id="s3", topic=3)],
        [a_dialogue(system=""), "not json", a_dialogue(dialogue_id="d2", scenario_id="s9")],
    )

    found = [(problem.file, problem.line, problem.field) for problem in problems_of(tmp_path)]

    assert found == [
        ("scenarios.jsonl", 1, "language"),
        ("scenarios.jsonl", 3, "topic"),
        ("dialogues.jsonl", 1, "system"),
        ("dialogues.jsonl", 2, ""),
        ("dialogues.jsonl", 3, "scenario_id"),
    ]


def test_the_error_prints_twenty_problems_and_counts_the_rest(tmp_path):
    put(tmp_path, [a_scenario(scenario_id=f"s{i}", topic=1) for i in range(50)])

    with pytest.raises(ManifestError) as caught:
        read_manifest(tmp_path)

    assert len(caught.value.problems) == 50
    assert str(caught.value).splitlines()[-1] == "… and 30 more."
    assert len(str(caught.value).splitlines()) == 22


def test_a_problem_reads_as_a_sentence_with_its_remedy(tmp_path):
    put(tmp_path, dialogues=[without(a_dialogue(sistem="x"), "system")])

    unknown, missing = problems_of(tmp_path)

    assert str(unknown) == "dialogues.jsonl, line 1, sistem: This field is unknown. Did you mean 'system'?"
    assert str(missing) == "dialogues.jsonl, line 1, system: This field is missing. Add it: a text."


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds a list, not an object"),
        ("null", "holds a NoneType, not an object"),
        ('{"meta": NaN}', "NaN is no JSON number"),
        ('{"meta": -Infinity}', "-Infinity is no JSON number"),
        ('{"meta": 1e999}', "meta is too large a number"),
        ('{"meta": 99999999999999999999}', "meta is too large a number"),
        ('{"meta": {"a": 1, "a": 2}}', "The key 'a' stands twice"),
        ('{"meta": "a\\u0000b"}', "control character U+0000"),
        ('{"meta": "\\ud800"}', "control character U+D800"),
        ("[" * 100_000, "nested too deeply"),
        ('{"meta": ' + "[" * 30 + "]" * 30 + "}", "nested deeper than 20 levels"),
        ("9" * 5_000, "is not JSON"),
        ('{"meta": "' + "x" * (4 * 1024 * 1024) + '"}', "longer than 4194304 bytes"),
    ],
)
def test_a_line_that_is_no_clean_json_object_is_reported(tmp_path, line, words):
    put(tmp_path, dialogues=[a_dialogue(), line, a_dialogue(dialogue_id="d2")])

    problem = the_problem(tmp_path)

    assert problem.line == 2
    assert words in problem.message


def test_bytes_that_are_not_utf8_and_utf16_files_are_reported(tmp_path):
    put(tmp_path)
    (tmp_path / "dialogues.jsonl").write_bytes(b'{"dialogue_id": "\xff"}\n')
    assert the_problem(tmp_path).message == "Byte 18 of the line is not UTF-8."

    (tmp_path / "dialogues.jsonl").write_text(json.dumps(a_dialogue()), encoding="utf-16")
    assert the_problem(tmp_path).message == "The file is UTF-16."


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"scenario_id": ""}, "scenario_id", "is empty"),
        ({"scenario_id": " s1"}, "scenario_id", "spaces around it"),
        ({"scenario_id": "s\u202e1"}, "scenario_id", "U+202E, which cannot be seen"),
        ({"scenario_id": "s\n1"}, "scenario_id", "U+000A, which cannot be seen"),
        ({"scenario_id": "s" * 201}, "scenario_id", "has 201 characters; 200 is the limit"),
        ({"scenario_id": 5}, "scenario_id", "Found the number 5 where a text belongs"),
        ({"language": "English!"}, "language", "'English!' is no language tag"),
        ({"turns": []}, "turns", "list is empty"),
        ({"turns": {}}, "turns", "Found an object where a list belongs"),
        ({"turns": ["hello"]}, "turns[0]", "Found a text where an object belongs"),
        ({"turns": [{"scenario_turn": 1, "role": "assistant", "text": "x"}]}, "turns[0].role", "'assistant'"),
        ({"turns": [{"scenario_turn": True, "role": "user", "text": "x"}]}, "turns[0].scenario_turn", "Found true"),
        ({"turns": [{"scenario_turn": -1, "role": "user", "text": "x"}]}, "turns[0].scenario_turn", "-1 is outside"),
        ({"turns": [{"scenario_turn": 1, "role": "user", "text": "x" * 20_001}]}, "turns[0].text", "20001 characters"),
        ({"check": {"question": "2+2?"}}, "check.answer", "missing"),
        ({"roles": {"host": "x"}}, "roles.host", "unknown"),
        ({"arc": ["sad", 1]}, "arc[1]", "Found the number 1"),
        ({"tags": "one"}, "tags", "Found a text where a list belongs"),
    ],
)
def test_a_bad_field_of_a_scenario_is_named(tmp_path, changes, field, words):
    problem = the_problem(put(tmp_path, [a_scenario(**changes)]))

    assert (problem.file, problem.line, problem.field) == ("scenarios.jsonl", 1, field)
    assert words in problem.message


def test_scenario_turns_must_rise(tmp_path):
    turns = [{"scenario_turn": number, "role": "user", "text": "x"} for number in (1, 1)]

    assert the_problem(put(tmp_path, [a_scenario(turns=turns)])).message == "scenario_turn 1 follows 1."


@pytest.mark.parametrize(
    ("turns", "field", "words"),
    [
        ([a_turn(end=None)], "turns[0].end", "Only one of start and end"),
        ([a_turn(start=None)], "turns[0].start", "Only one of start and end"),
        ([a_turn(start=1.0)], "turns[0].end", "ends at 1.0 s but starts at 1.0 s"),
        ([a_turn(start=-0.5)], "turns[0].start", "-0.5 s is outside"),
        ([a_turn(end="2")], "turns[0].end", "Found a text where a number of seconds"),
        ([a_turn(role="bot")], "turns[0].role", "'bot'"),
        ([a_turn(), a_turn(start=2, end=3), a_turn(start=1.5, end=1.75)], "turns[2].start", "before the turn above"),
        (
            [a_turn(), a_turn(start=0.5, end=2)],
            "turns[1].start",
            "'Ann' starts at 0.5 s while still speaking until 1.0",
        ),
        ([a_turn(), a_turn(start=None, end=None)], "turns", "1 of 2 turns have no start and end"),
        ([a_turn(scenario_turn=2), a_turn(start=2, end=3)], "turns[1].scenario_turn", "scenario_turn 1 follows 2"),
        ([a_turn(scenario_turn=3)], "turns[0].scenario_turn", "has no user turn 3"),
        ([a_turn(scenario_turn=4, role="assistant")], "turns[0].scenario_turn", "ends with turn 2; this one says 4"),
        ([a_turn(audio="audio/t1.wav")], "audio", "one file for the dialogue and also audio on 1 turns"),
    ],
)
def test_a_bad_turn_of_a_dialogue_is_named(tmp_path, turns, field, words):
    problem = the_problem(put(tmp_path, dialogues=[a_dialogue(turns=turns)]))

    assert (problem.file, problem.line, problem.field) == ("dialogues.jsonl", 1, field)
    assert words in problem.message


def test_two_speakers_may_overlap(tmp_path):
    turns = [a_turn(), a_turn(role="assistant", speaker="Bo", start=0.5, end=2.0), a_turn(start=1.0, end=1.5)]

    assert len(read_manifest(put(tmp_path, dialogues=[a_dialogue(turns=turns)])).dialogues[0].turns) == 3


def test_a_speaker_may_not_start_inside_an_earlier_turn_that_another_turn_hides(tmp_path):
    turns = [a_turn(end=9.0), a_turn(speaker="Bo", start=1.0, end=2.0), a_turn(start=3.0, end=4.0)]

    assert "until 9.0 s" in the_problem(put(tmp_path, dialogues=[a_dialogue(turns=turns)])).message


def test_a_dialogue_without_any_sound_or_with_some_is_reported(tmp_path):
    turns = [a_turn(audio="audio/t1.wav"), a_turn(start=2, end=3)]

    problem = the_problem(put(tmp_path, dialogues=[without(a_dialogue(turns=turns), "audio")]))

    assert problem.message == "1 of 2 turns have no audio, nor has the dialogue."


def test_a_dialogue_of_a_broken_scenario_is_not_called_an_orphan(tmp_path):
    put(tmp_path, [a_scenario(topic="")], [a_dialogue()])

    assert the_problem(tmp_path).file == "scenarios.jsonl"


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        ("../d1.wav", "leads out of the manifest's folder"),
        ("audio/../../d1.wav", "leads out of the manifest's folder"),
        ("/etc/passwd", "leads out of the manifest's folder"),
        ("audio\\d1.wav", "has a backslash"),
        ("C:\\d1.wav", "no kind of link"),
        ("file:///etc/passwd", "no kind of link"),
        ("http://example.org/a.wav", "no kind of link"),
        ("audio/none.wav", "There is no file 'audio/none.wav'"),
        ("audio", "is not a file"),
        ("outside.wav", "is a link out of the manifest's folder"),
        ("loop.wav", "cannot be read"),
        ("x" * 300, "cannot be read"),
        ("x" * 2_000, "has 2000 characters"),
        ("audio/a\tb.wav", "control character"),
        ("https://elsewhere.org/a.wav", "'elsewhere.org' is not among the allowed hosts"),
        ("https://media.example.org.evil.org/a.wav", "is not among the allowed hosts"),
        ("https://user:secret@media.example.org/a.wav", "user name or a password"),
        ("https://media.example.org:8443/a.wav", "has a port"),
        ("https://media.example.org/", "names no file"),
        ("https://[::1/a.wav", "not a well-formed link"),
        ("s3://other/a.wav", "'s3://other' is not among the allowed hosts"),
        ("s3://media.example.org/a.wav", "is not among the allowed hosts"),
    ],
)
def test_audio_from_where_it_may_not_come_is_refused(tmp_path, audio, words):
    folder = tmp_path / "manifest"
    folder.mkdir()
    (tmp_path / "d1.wav").write_bytes(b"secret")
    (folder / "outside.wav").symlink_to(tmp_path / "d1.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    put(folder, dialogues=[a_dialogue(audio=audio)])

    problem = the_problem(folder, allowed_hosts=["media.example.org", "s3://bucket"])

    assert problem.field == "audio"
    assert words in problem.message


@pytest.mark.parametrize(
    "audio", ["https://media.example.org/a.wav", "https://Media.Example.org:443/a", "s3://bucket/a"]
)
def test_audio_may_come_from_an_allowed_host(tmp_path, audio):
    put(tmp_path, dialogues=[a_dialogue(audio=audio)])

    manifest = read_manifest(tmp_path, allowed_hosts=["media.example.org", "s3://bucket"])

    assert manifest.dialogues[0].audio == audio


def test_a_missing_file_an_empty_one_and_one_that_is_a_link_outwards_are_reported(tmp_path):
    folder = tmp_path / "manifest"
    folder.mkdir()
    put(folder)
    (folder / "scenarios.jsonl").write_text("\n")
    assert the_problem(folder).message == "The file holds no scenario."

    put(folder)
    (folder / "dialogues.jsonl").unlink()
    assert the_problem(folder).message == "There is no file 'dialogues.jsonl'."

    (tmp_path / "elsewhere.jsonl").write_text(json.dumps(a_dialogue()))
    (folder / "dialogues.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    assert the_problem(folder).message == "'dialogues.jsonl' is a link out of the manifest's folder."


def test_a_million_problems_are_cut_at_ten_thousand(tmp_path):
    put(tmp_path, dialogues=["x"] * 10_500)

    problems = problems_of(tmp_path)

    assert len(problems) == 10_001
    assert problems[-1].message == "More than 10000 problems were found; the later ones are not listed."
