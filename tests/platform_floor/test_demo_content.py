"""The demo's recordings, plans and manifest folders."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earshot.demo import catalogue, content
from earshot.demo.arcs import FITTING, PROPERTIES, TurnFit, latent_utilities
from earshot.demo.bank import load_scripts
from earshot.demo.variants import BASE_GAP_SECONDS, plan_dialogue, systems_of
from earshot.formats.manifest import read_manifest

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = {script.scenario_id: script for script in load_scripts()}
FITS = dict.fromkeys(PROPERTIES, 1)
DEFIES = dict.fromkeys(PROPERTIES, -1)


def test_bank_holds_what_was_promised():
    by_source = {source: [s for s in SCRIPTS.values() if s.source == source] for source in ("dailytalk", "emodb")}
    english = [script for script in SCRIPTS.values() if script.source == "english"]

    assert {source: len(scripts) for source, scripts in by_source.items()} == {"dailytalk": 5, "emodb": 8}
    assert len(english) == 15
    assert all(6 <= len(script.turns) <= 12 for script in english)
    assert len({voice for script in english for voice in script.assistant_voices}) >= 8
    assert sum(len(script.assistant_voices) == 2 for script in english) == 6


def test_every_recording_is_listed_with_its_licence_and_all_fit_the_limit():
    page = (DOCS / "recordings.md").read_text(encoding="utf-8")

    assert catalogue.table_in(page) == catalogue.recordings_table()
    assert catalogue.total_bytes() <= catalogue.LARGEST_TOTAL_BYTES
    assert all((script.folder.parent / "LICENSE.txt").exists() for script in SCRIPTS.values())


def test_no_sound_is_shipped_that_no_script_names():
    named = {recording.path for s in SCRIPTS.values() for turn in s.turns for recording in turn.recordings}

    assert {path for s in SCRIPTS.values() for path in s.folder.glob("*.opus")} == named


def test_word_times_rise_and_lie_inside_the_recording():
    english = [script for script in SCRIPTS.values() if script.source == "english"]
    for turn in (turn for script in english for turn in script.turns):
        for recording in turn.recordings:
            assert [word.text for word in recording.words] == turn.text.split()
            assert all(0 <= word.start <= word.end <= recording.seconds + 0.001 for word in recording.words)
            assert all(a.end <= b.start for a, b in pairwise(recording.words))


def test_user_and_assistant_alternate_so_that_exchanges_can_be_numbered():
    for script in SCRIPTS.values():
        assert [turn.role for turn in script.turns] == (["user", "assistant"] * 7)[: len(script.turns)]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_all_systems_change_a_turn_by_the_same_amounts(script):
    plans = [plan_dialogue(script, system) for system in systems_of(script)]
    for index in range(len(script.turns)):
        turns = [plan.turns[index] for plan in plans]
        changes = [turn.prosody for turn in turns if turn.prosody is not None]

        assert len({round(abs(change.level_semitones), 9) for change in changes}) <= 1
        assert len({round(abs(change.energy_db), 9) for change in changes}) <= 1
        for ratio in ("range_ratio", "pace_ratio", "pause_ratio"):
            assert len({round(abs(np.log(getattr(change, ratio))), 9) for change in changes}) <= 1
        if script.turns[index].role == "assistant":
            assert {round(abs(np.log(turn.gap_seconds / BASE_GAP_SECONDS)), 2) for turn in turns} == {1.1}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_user_turns_are_alike_in_all_systems(script):
    plans = [plan_dialogue(script, system) for system in systems_of(script)]
    for index in range(0, len(script.turns), 2):
        assert len({plan.turns[index] for plan in plans}) == 1


def test_a_broken_turn_defies_its_emotion_and_no_other_turn_does():
    script = SCRIPTS["english-good-news"]
    plan = plan_dialogue(script, "broken-turn")

    fits = {i: turn.fit.emotion_fit for i, turn in enumerate(plan.turns) if turn.fit is not None}

    assert {index for index, fit in fits.items() if fit < 0} == {plan.broken_turn}
    assert fits[plan.broken_turn] == pytest.approx(-1)


def test_the_broken_turn_of_actors_is_said_with_another_emotion_by_the_same_actor():
    script = SCRIPTS["emodb-joy-15"]
    broken, intact = plan_dialogue(script, "broken-turn"), plan_dialogue(script, "recording")
    index = broken.broken_turn

    assert (index, intact.broken_turn) == (3, None)
    assert broken.turns[index].recording.voice == intact.turns[index].recording.voice
    assert [p.turns[index].recording.emotion for p in (intact, broken)] == ["joy", "anger"]


def test_a_voice_slip_is_one_turn_by_the_second_voice():
    script = SCRIPTS["english-rolling-r"]
    plan = plan_dialogue(script, "voice-slip")

    slipped = [i for i in script.assistant_turns if plan.turns[i].recording.voice != script.assistant_voices[0]]

    assert slipped == [plan.broken_turn]


def test_utilities_worked_by_hand():
    whole, broken = TurnFit(1.0, FITS), TurnFit(1.0, DEFIES)

    assert latent_utilities([whole, whole]) == {"prosody": 1, "emotional_continuity": 1, "immersion": 1}
    # mean fit 0.5, worst turn -1: 0.5 - 0.6 * 1.5 = -0.4; immersion 0.5 * 0.5 + 0.3 * 0.5 - 0.2 * 0.4 = 0.32
    expected = {"prosody": 0.5, "emotional_continuity": -0.4, "immersion": 0.32}
    assert latent_utilities([whole, whole, broken, whole]) == expected
    # a slip costs continuity 0.4 and immersion 0.8: 0.5 + 0.3 + 0.2 * 0.6 - 0.8 = 0.12
    slipped = latent_utilities([whole, whole], has_voice_slip=True)
    assert slipped == {"prosody": 1, "emotional_continuity": 0.6, "immersion": 0.12}


def test_utilities_without_a_turn_are_refused():
    with pytest.raises(ValueError, match="at least one TurnFit"):
        latent_utilities([])


def test_every_emotion_in_the_bank_has_a_direction():
    assert {turn.emotion for s in SCRIPTS.values() for turn in s.turns} <= set(FITTING)


def test_built_scenario_is_a_valid_manifest_whose_times_match_the_sound(tmp_path):
    chosen = ["emodb-joy-15", "english-burnt-dinner"]
    told = []

    content.build_manifest(tmp_path, only=chosen, report=lambda share, message: told.append(share))

    manifest = read_manifest(tmp_path)
    assert [scenario.scenario_id for scenario in manifest.scenarios] == chosen
    assert [d.system for d in manifest.dialogues] == [name for i in chosen for name in systems_of(SCRIPTS[i])]
    assert told == [0.5, 1.0]
    for dialogue in manifest.dialogues:
        samples, rate = soundfile.read(manifest.local_path(dialogue.audio))
        assert len(samples) / rate == pytest.approx(dialogue.turns[-1].end + 0.3, abs=0.001)
        assert np.abs(samples).max() <= 0.98
        for turn in dialogue.turns:
            assert np.abs(samples[round(turn.start * rate) : round(turn.end * rate)]).max() > 0.05
        assert set(dialogue.meta["construction"]) == {"prosody", "emotional_continuity", "immersion"}


def test_building_again_keeps_what_is_complete_and_remakes_what_is_not_alike(tmp_path):
    content.build_manifest(tmp_path, only=["emodb-fear-13"])
    audio = tmp_path / "audio" / "emodb-fear-13"
    kept, lines = (audio / "recording.flac").stat().st_mtime_ns, (tmp_path / "dialogues.jsonl").read_bytes()
    before = soundfile.read(audio / "ill-timed.flac")[0]

    content.build_manifest(tmp_path, only=["emodb-fear-13"])
    assert (audio / "recording.flac").stat().st_mtime_ns == kept

    (audio / "times.json").unlink()  # as after a kill in the middle of the scenario
    (audio / "ill-timed.flac").write_bytes(b"half")
    content.build_manifest(tmp_path, only=["emodb-fear-13"])
    assert np.array_equal(soundfile.read(audio / "ill-timed.flac")[0], before)
    assert (tmp_path / "dialogues.jsonl").read_bytes() == lines


def test_an_unknown_scenario_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="no demo scenario tea-party"):
        content.build_manifest(tmp_path, only=["tea-party"])


def test_quick_and_rendered_parts_are_all_scenarios_once():
    assert sorted(content.quick_scenario_ids() + content.rendered_scenario_ids()) == sorted(SCRIPTS)


def test_topics_and_ids_do_not_tell_which_turn_is_broken():
    for script in SCRIPTS.values():
        assert "broken" not in (script.topic + script.scenario_id).lower()
