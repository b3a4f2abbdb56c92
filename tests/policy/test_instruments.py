"""Instruments: they measure what was put into a sound, and tell whether it is as was wanted beforehand."""

import json

import numpy as np
import pytest
import soundfile

from earshot.formats.dialogues import Dialogue, DialogueTurn, Scenario, ScenarioTurn
from earshot.formats.manifest import write_manifest
from policy.learning.cli import main
from policy.learning.instruments import DESCRIPTION, INSTRUMENTS, MEASURE, compare, measure_folder

RATE = 16_000
EMOTIONS = ("joy", "sadness")
SPOKEN = 1.0  # seconds of each turn


def tone(hertz: float, level: float) -> np.ndarray:
    """A second of a voice-like tone whose melody falls by a semitone from beginning to end."""
    fall = hertz * 2 ** (np.linspace(0.5, -0.5, RATE) / 12)
    phase = 2 * np.pi * np.cumsum(fall) / RATE
    return (level * sum(np.sin(k * phase) / k for k in range(1, 8))).astype(np.float32)


def write_folder(folder, *, hertz=(200.0, 200.0), level=(0.1, 0.1), gap=(0.5, 0.5), topics=3, scale=1.0):
    """One dialogue on each topic: a user turn and a reply to joy, then to sadness."""
    scenarios, dialogues = [], []
    (folder / "audio").mkdir(parents=True)
    for number in range(topics):
        pieces, turns, at = [], [], 0.0
        for place, emotion in enumerate(EMOTIONS):
            for role, silence, sound in (
                ("user", 0.3, tone(120.0, 0.1)),
                ("assistant", gap[place], tone(hertz[place] * 2 ** (number / 12), level[place])),
            ):
                pieces += [np.zeros(round(silence * RATE), np.float32), scale * sound]
                turns.append(
                    DialogueTurn(place + 1, role, role, "one two three four", at + silence, at + silence + SPOKEN)
                )
                at += silence + SPOKEN
            assert emotion == EMOTIONS[place]
        name = f"audio/{number}.flac"
        soundfile.write(folder / name, np.clip(np.concatenate(pieces), -1, 1), RATE)
        said = tuple(ScenarioTurn(place + 1, "one two three four") for place in range(2))
        scenarios.append(Scenario(f"s{number}", f"topic {number}", "en", said, arc=EMOTIONS))
        dialogues.append(Dialogue(f"d{number}", f"s{number}", "policy", tuple(turns), name))
    write_manifest(folder, scenarios, dialogues)
    return folder


def test_pitch_range_gap_and_pace_are_those_of_the_sound(tmp_path):
    measured = measure_folder(write_folder(tmp_path / "m", hertz=(200.0, 150.0), gap=(0.4, 0.8), topics=1))

    first, second = measured[0].turns
    assert first["pitch"] == pytest.approx(12.0, abs=0.15)  # an octave above 100 Hz
    assert second["pitch"] == pytest.approx(12 * np.log2(1.5), abs=0.15)
    assert first["f0_range"] == pytest.approx(0.9, abs=0.2)  # 5th to 95th percentile of a semitone
    assert np.exp(first["gap"]) == pytest.approx(0.4, abs=0.03)
    assert np.exp(second["gap"]) == pytest.approx(0.8, abs=0.03)
    assert first["seconds_per_word"] == pytest.approx(0.25)
    assert measured[0].whole["clipped_runs"] == 0


def test_a_reply_twice_as_loud_is_six_units_louder(tmp_path):
    measured = measure_folder(write_folder(tmp_path / "m", level=(0.1, 0.05), topics=1))

    first, second = measured[0].turns
    assert first["level"] - second["level"] == pytest.approx(6.02, abs=0.1)


def test_contrasts_between_joy_and_sadness_surely_rise_where_they_were_put(tmp_path):
    before = write_folder(tmp_path / "before", topics=6)
    after = write_folder(tmp_path / "after", topics=6, hertz=(238.0, 168.0), level=(0.12, 0.08), gap=(0.35, 0.75))

    found = compare(before, after)["instruments"]

    assert found["pitch_contrast"]["before"] == pytest.approx(0.0, abs=0.05)
    assert found["pitch_contrast"]["after"] == pytest.approx(12 * np.log2(238 / 168), abs=0.15)
    # BS.1770 hears the higher voice's partials a little louder.
    assert found["level_contrast"]["after"] == pytest.approx(20 * np.log10(1.5), abs=0.3)
    assert found["gap_contrast"]["after"] == pytest.approx(np.log(0.75 / 0.35), abs=0.1)
    assert [found[name]["holds"] for name in ("pitch_contrast", "level_contrast", "gap_contrast")] == [True] * 3


def test_the_same_rollouts_change_nothing_and_no_contrast_rises(tmp_path):
    same = write_folder(tmp_path / "same")

    report = compare(same, same)

    assert report["n_dialogues"] == 3
    assert {told["change"]["value"] for told in report["instruments"].values()} == {0.0}
    assert [name for name, told in report["instruments"].items() if told["holds"] is False] == [
        "pitch_contrast",
        "level_contrast",
        "gap_contrast",
    ]


def test_louder_and_clipped_rollouts_are_not_as_wanted(tmp_path):
    before, after = write_folder(tmp_path / "before"), write_folder(tmp_path / "after", scale=8.0)

    found = compare(before, after)["instruments"]

    assert (found["loudness"]["holds"], found["clipped_runs"]["holds"], found["true_peak"]["holds"]) == (False,) * 3
    assert found["loudness"]["change"]["value"] > 10
    assert found["clipped_runs"]["before"] == 0


def test_every_instrument_says_its_kind_its_unit_and_what_is_wanted(tmp_path):
    same = write_folder(tmp_path / "same")

    found = compare(same, same)["instruments"]

    assert list(found) == [instrument.name for instrument in INSTRUMENTS]
    assert [name for name, told in found.items() if told["kind"] == MEASURE] == [
        "loudness",
        "true_peak",
        "clipped_runs",
    ]
    assert {told["kind"] for told in found.values()} == {MEASURE, DESCRIPTION}
    assert all(told["unit"] and told["wanted"] for told in found.values())


def test_scenarios_that_one_side_does_not_speak_are_refused_by_name(tmp_path):
    before, after = write_folder(tmp_path / "before"), write_folder(tmp_path / "after", topics=2)

    with pytest.raises(ValueError, match="Scenario 's2' is spoken 1 times before and 0 times after"):
        compare(before, after)


def test_the_command_writes_the_report_and_tells_its_progress(tmp_path, capfd):
    same, out = write_folder(tmp_path / "same", topics=2), tmp_path / "report.json"

    assert main(["compare", str(same), str(same), "--out", str(out)]) == 0

    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["progress"] for line in said] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert said[-1]["result"]["n_dialogues"] == 2
    assert json.loads(out.read_text())["n_dialogues"] == 2
