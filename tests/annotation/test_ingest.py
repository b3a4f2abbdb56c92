"""A manifest becomes rows whole, or not at all; twice is the same as once."""

import io
import os
import shutil
import wave

import numpy as np
import pytest
import soundfile
from django.db import connection

from annotation.models import Dialogue, DialogueImport, Rendition, Scenario, System, Turn
from annotation.services import ingest
from annotation.services.ingest import rows as ingest_rows
from annotation.services.ingest.sounds import prepare_sound
from annotation.services.renditions import ensure_rendition
from earshot.acoustics.decoding import read_sound
from earshot.acoustics.levels import measure_level
from earshot.acoustics.peaks import Peaks
from earshot.formats.manifest import ManifestError
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests.annotation.manifests import RATE, dialogue, scenario, speech, turns, write_folder

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _nothing_prepared_before(settings):
    """What an earlier test's failed import left behind must not spare this one any work."""
    shutil.rmtree(settings.DATA_DIR / "prepared", ignore_errors=True)


def run(dialogue_import: DialogueImport) -> Job:
    """Run the import's job as a worker would, and return its row."""
    job = Job.objects.get(pk=dialogue_import.job_id)
    with jobs.running(job.pk, job.fence) as held:
        ingest.run_import(held)
    job.refresh_from_db()
    dialogue_import.refresh_from_db()
    return job


def bring_in(folder) -> DialogueImport:
    dialogue_import = ingest.store_folder_import(ingest.check_folder(folder))
    run(dialogue_import)
    return dialogue_import


def row_counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (System, Scenario, Dialogue, Turn, Rendition)}


NO_ROWS = {"System": 0, "Scenario": 0, "Dialogue": 0, "Turn": 0, "Rendition": 0}


def test_manifest_becomes_dialogues_with_turns_and_sound(tmp_path):
    folder = write_folder(tmp_path / "m", [dialogue("d1", meta={"seed": 3}), dialogue("d2", system="warm")])

    dialogue_import = bring_in(folder)

    assert row_counts() == {"System": 2, "Scenario": 1, "Dialogue": 2, "Turn": 8, "Rendition": 2}
    assert (dialogue_import.dialogues_new, dialogue_import.dialogues_known) == (2, 0)
    assert dialogue_import.job.result == {"dialogues_new": 2, "dialogues_known": 0, "scenarios": 1}
    first = Dialogue.objects.get(dialogue_id="d1")
    assert (first.scenario.topic, first.system.name, first.meta) == ("Good news", "base", {"seed": 3})
    assert [(t.position, t.scenario_turn, t.role, t.speaker, t.text) for t in first.turns.all()] == [
        (0, 0, "user", "Ana", "turn 0"),
        (1, 0, "assistant", "Agent", "turn 1"),
        (2, 1, "user", "Ana", "turn 2"),
        (3, 1, "assistant", "Agent", "turn 3"),
    ]


def test_original_is_kept_untouched_by_its_hash(tmp_path):
    folder = write_folder(tmp_path / "m")
    sent = (folder / "audio/d1.wav").read_bytes()

    bring_in(folder)

    [original] = Dialogue.objects.get().originals
    assert original["name"] == "audio/d1.wav"
    with artefacts.open_artefact(original["sha256"]) as kept:
        assert kept.read() == sent


def test_master_is_at_minus_23_lufs_by_one_constant_gain(tmp_path):
    folder = write_folder(tmp_path / "m")

    bring_in(folder)

    row = Dialogue.objects.get()
    original, _ = soundfile.read(folder / "audio/d1.wav", dtype="float32")
    with artefacts.local_copy(row.master_sha256) as path:
        master, rate = soundfile.read(path, dtype="float32")
        assert soundfile.info(path).format == "FLAC"
    assert rate == row.sample_rate == RATE
    assert measure_level(master, rate).lufs == pytest.approx(-23.0, abs=0.05)
    assert measure_level(master, rate).true_peak_dbtp <= -1.0
    assert master == pytest.approx(original * 10 ** (row.gain_db / 20), abs=2 / 32768)


def test_loud_peak_keeps_the_dialogue_quieter_than_minus_23_lufs(tmp_path):
    folder = write_folder(tmp_path / "m", sound=False)
    sound = 0.02 * speech(6.0)
    sound[RATE] = 0.9
    (folder / "audio").mkdir()
    soundfile.write(folder / "audio/d1.wav", sound, RATE)

    bring_in(folder)

    row = Dialogue.objects.get()
    assert row.level_lufs < -24.0
    assert row.true_peak_dbtp + row.gain_db == pytest.approx(-1.0, abs=1e-6)


def test_rendition_is_mono_16_bit_wav_at_one_rate_for_all(tmp_path, settings):
    folder = write_folder(tmp_path / "m", sound=False)
    (folder / "audio").mkdir()
    stereo = np.stack([speech(3.0, rate=44_100), 0.5 * speech(3.0, rate=44_100)], axis=1)
    soundfile.write(folder / "audio/d1.wav", stereo, 44_100)

    bring_in(folder)

    rendition = Rendition.objects.get()
    with artefacts.open_artefact(rendition.sha256) as file:
        content = file.read()
    assert len(content) == rendition.size_bytes
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, settings.RENDITION_RATE)
        assert sound.getnframes() == pytest.approx(3.0 * settings.RENDITION_RATE, abs=1)


def test_peaks_and_speech_describe_the_master(tmp_path):
    bring_in(write_folder(tmp_path / "m"))

    row = Dialogue.objects.get()
    with artefacts.open_artefact(row.peaks_sha256) as file:
        peaks = Peaks.from_bytes(file.read())
    assert peaks.seconds == row.seconds == 3.0
    assert 0 < row.speech_seconds < 3.0
    assert row.silence_share == pytest.approx(1 - row.speech_seconds / 3.0, abs=0.001)


def test_missing_times_are_estimated_and_marked(tmp_path):
    bring_in(write_folder(tmp_path / "m"))

    rows = list(Turn.objects.all())
    assert all(turn.times_estimated for turn in rows)
    assert all(0 <= turn.start < turn.end <= 3.0 for turn in rows)
    assert [turn.start for turn in rows] == sorted(turn.start for turn in rows)


def test_given_times_are_kept(tmp_path):
    timed = [turn | {"start": 0.5 * n, "end": 0.5 * n + 0.4} for n, turn in enumerate(turns())]

    bring_in(write_folder(tmp_path / "m", [dialogue(turns=timed)]))

    assert [(t.start, t.end, t.times_estimated) for t in Turn.objects.all()] == [
        (0.0, 0.4, False),
        (0.5, 0.9, False),
        (1.0, 1.4, False),
        (1.5, 1.9, False),
    ]


def test_last_turn_may_end_a_hair_behind_the_sound(tmp_path):
    timed = [turn | {"start": 0.5 * n, "end": 0.5 * n + 0.4} for n, turn in enumerate(turns())]
    timed[-1]["end"] = 3.05

    bring_in(write_folder(tmp_path / "m", [dialogue(turns=timed)]))

    assert Turn.objects.get(position=3).end == 3.0


def test_turns_with_sounds_of_their_own_are_laid_on_one_axis(tmp_path):
    spoken = [turn | {"audio": f"audio/t{n}.wav"} for n, turn in enumerate(turns(2))]
    row = dialogue(turns=spoken)
    del row["audio"]

    bring_in(write_folder(tmp_path / "m", [row]))

    assert [(t.start, t.end, t.times_estimated) for t in Turn.objects.all()] == [(0.0, 3.0, False), (3.5, 6.5, False)]
    assert Dialogue.objects.get().seconds == 6.5
    assert [original["name"] for original in Dialogue.objects.get().originals] == ["audio/t0.wav", "audio/t1.wav"]


def test_same_manifest_twice_changes_nothing(tmp_path):
    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])
    bring_in(folder)
    before = [list(model.objects.order_by("pk").values()) for model in (System, Scenario, Dialogue, Turn, Rendition)]

    second = bring_in(folder)

    assert (second.dialogues_new, second.dialogues_known) == (0, 2)
    after = [list(model.objects.order_by("pk").values()) for model in (System, Scenario, Dialogue, Turn, Rendition)]
    assert after == before


def test_new_dialogue_of_a_known_scenario_is_added(tmp_path):
    bring_in(write_folder(tmp_path / "m", [dialogue("d1")]))

    second = bring_in(write_folder(tmp_path / "n", [dialogue("d1"), dialogue("d2", system="policy-r1")]))

    assert (second.dialogues_new, second.dialogues_known) == (1, 1)
    assert row_counts() == {"System": 2, "Scenario": 1, "Dialogue": 2, "Turn": 8, "Rendition": 2}
    assert set(second.dialogues.values_list("dialogue_id", flat=True)) == {"d2"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (dialogue("d1", system="other"), "dialogue_id"),
        (dialogue("d1", meta={"seed": 9}), "dialogue_id"),
        (dialogue("d1", turns=turns(3)), "dialogue_id"),
    ],
)
def test_known_id_with_another_content_is_refused_by_line(tmp_path, changed, field):
    bring_in(write_folder(tmp_path / "m", [dialogue("d1")]))
    before = row_counts()

    with pytest.raises(ManifestError) as refusal:
        ingest.check_folder(write_folder(tmp_path / "m", [dialogue("d0"), changed]))

    [problem] = refusal.value.problems
    assert (problem.file, problem.line, problem.field) == ("dialogues.jsonl", 2, field)
    assert problem.message == "The catalogue has a dialogue 'd1' with another content."
    assert row_counts() == before


def test_known_id_with_another_sound_is_refused(tmp_path):
    folder = write_folder(tmp_path / "m")
    bring_in(folder)
    soundfile.write(folder / "audio/d1.wav", speech(hertz=300), RATE)

    with pytest.raises(ManifestError, match="'d1' with another content"):
        ingest.check_folder(folder)


def test_known_scenario_with_another_content_is_refused(tmp_path):
    bring_in(write_folder(tmp_path / "m"))

    with pytest.raises(ManifestError, match=r"scenarios.jsonl, line 1, scenario_id: .* scenario 's1' with another"):
        ingest.check_folder(write_folder(tmp_path / "m", scenarios=[scenario(topic="Bad news")]))


def test_scenario_recordings_may_lie_elsewhere_the_next_time(tmp_path):
    spoken = [turn | {"audio": "audio/d1.wav"} for turn in scenario()["turns"]]
    bring_in(write_folder(tmp_path / "m", scenarios=[scenario(turns=spoken)]))

    ingest.check_folder(write_folder(tmp_path / "n", [dialogue("d2")]))

    assert Scenario.objects.count() == 1


def test_values_longer_than_the_catalogue_holds_are_refused_by_line(tmp_path):
    long_topic = scenario(topic="t" * 400)
    far_turn = dialogue(turns=[turn | {"scenario_turn": 40_000} for turn in turns(1)])
    far_scenario = long_topic | {"turns": [{"scenario_turn": 40_000, "role": "user", "text": "hi"}]}

    with pytest.raises(ManifestError) as refusal:
        ingest.check_folder(write_folder(tmp_path / "m", [far_turn], [far_scenario]))

    assert [(p.file, p.line, p.field) for p in refusal.value.problems] == [
        ("scenarios.jsonl", 1, "topic"),
        ("dialogues.jsonl", 1, "turns"),
    ]


def spoil(folder, name, content: bytes) -> None:
    (folder / name).write_bytes(content)


def good_wav() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, speech(), RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def nan_wav() -> bytes:
    samples = speech()
    samples[100] = np.nan
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def wav_of(channels: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.stack([speech(1.0)] * channels, axis=1), RATE, format="WAV")
    return file.getvalue()


def lying_wav() -> bytes:
    content = bytearray(good_wav())
    content[40:44] = (2**31).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (good_wav()[:3000], "The WAV header says the file has 96044 bytes, but it has 3000"),
        (lying_wav(), "claims 2147483648 bytes"),
        (b"not a sound at all, only text", "no sound file"),
        (b"", "empty"),
        (nan_wav(), "NaN"),
        (wav_of(8), "8 channels"),
        (wav_of(1)[:44], "header"),
    ],
)
def test_one_bad_sound_keeps_the_whole_manifest_out(tmp_path, content, words):
    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2"), dialogue("d3")])
    spoil(folder, "audio/d2.wav", content)
    dialogue_import = ingest.store_folder_import(ingest.check_folder(folder))

    job = run(dialogue_import)

    assert job.state == Job.State.FAILED
    assert "Nothing was imported: 1 problem." in job.error
    [problem] = dialogue_import.problems
    assert (problem["file"], problem["line"], problem["field"]) == ("dialogues.jsonl", 2, "audio")
    assert words in problem["message"]
    assert problem["remedy"]
    assert row_counts() == NO_ROWS


def test_sound_over_the_length_limit_is_refused(tmp_path, settings):
    settings.MAX_AUDIO_SECONDS = 2.0
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(tmp_path / "m")))

    run(dialogue_import)

    assert dialogue_import.problems[0]["message"] == "d1: The sound lasts 3.0 s; the limit is 2 s."
    assert row_counts() == NO_ROWS


def test_turns_together_over_the_length_limit_are_refused(tmp_path, settings):
    settings.MAX_AUDIO_SECONDS = 5.0
    row = dialogue(turns=[turn | {"audio": f"audio/t{n}.wav"} for n, turn in enumerate(turns(2))])
    del row["audio"]
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(tmp_path / "m", [row])))

    run(dialogue_import)

    assert "The turns reach to 6.5 s; the limit is 5 s" in dialogue_import.problems[0]["message"]
    assert row_counts() == NO_ROWS


def test_times_behind_the_end_of_the_sound_are_refused(tmp_path):
    timed = [turn | {"start": 2.0 * n, "end": 2.0 * n + 1.9} for n, turn in enumerate(turns())]
    folder = write_folder(tmp_path / "m", [dialogue(turns=timed)])
    dialogue_import = ingest.store_folder_import(ingest.check_folder(folder))

    run(dialogue_import)

    assert dialogue_import.problems[0]["message"] == (
        "d1: Turn 2 lasts from 2.00 to 3.90 s, but the sound ends at 3.00 s."
    )
    assert row_counts() == NO_ROWS


def test_every_bad_sound_is_reported_at_once(tmp_path):
    folder = write_folder(tmp_path / "m", [dialogue(f"d{n}") for n in range(4)])
    spoil(folder, "audio/d1.wav", b"text")
    spoil(folder, "audio/d3.wav", b"")
    dialogue_import = ingest.store_folder_import(ingest.check_folder(folder))

    run(dialogue_import)

    assert [problem["line"] for problem in dialogue_import.problems] == [2, 4]
    assert row_counts() == NO_ROWS


def test_corrected_manifest_measures_only_what_was_corrected(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])
    good = (folder / "audio/d2.wav").read_bytes()
    spoil(folder, "audio/d2.wav", b"text")
    run(ingest.store_folder_import(ingest.check_folder(folder)))
    spoil(folder, "audio/d2.wav", good)
    decoded = []
    monkeypatch.setattr(
        "annotation.services.ingest.sounds.read_sound",
        lambda path, **limits: decoded.append(path.name) or read_sound(path, **limits),
    )

    bring_in(folder)

    assert Dialogue.objects.count() == 2
    assert decoded == ["d2.wav", "master.flac"]


def test_prepared_sounds_are_forgotten_when_the_import_is_over(tmp_path, settings):
    old = settings.DATA_DIR / "prepared" / "of-a-failed-import.json"
    old.parent.mkdir()
    old.touch()
    os.utime(old, (0, 0))

    bring_in(write_folder(tmp_path / "m"))

    assert list(old.parent.glob("*")) == []


def test_job_that_runs_again_after_its_commit_says_the_same(tmp_path):
    dialogue_import = bring_in(write_folder(tmp_path / "m"))
    job = dialogue_import.job
    Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED, fence=job.fence + 1, result={})

    again = run(dialogue_import)

    assert again.result == {"dialogues_new": 1, "dialogues_known": 0, "scenarios": 1}
    assert row_counts() == {"System": 1, "Scenario": 1, "Dialogue": 1, "Turn": 4, "Rendition": 1}


def test_superseded_worker_makes_no_rows(tmp_path, monkeypatch):
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(tmp_path / "m")))
    job = dialogue_import.job
    store = ingest_rows.store_dialogues

    def lose_the_job_first(*args):
        Job.objects.filter(pk=job.pk).update(fence=job.fence + 1)  # the reaper gave it to another
        store(*args)

    monkeypatch.setattr("annotation.services.ingest.run.store_dialogues", lose_the_job_first)

    run(dialogue_import)

    assert row_counts() == NO_ROWS


@pytest.mark.django_db(transaction=True)  # sounds are prepared in threads, which see only what is committed
def test_cancelled_import_makes_no_rows(tmp_path, monkeypatch):
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(tmp_path / "m")))

    def cancel_meanwhile(*args):
        Job.objects.filter(pk=dialogue_import.job_id).update(cancel_requested=True)
        connection.close()
        return prepare_sound(*args)

    monkeypatch.setattr("annotation.services.ingest.run.prepare_sound", cancel_meanwhile)

    job = run(dialogue_import)

    assert job.state == Job.State.CANCELLED
    assert row_counts() == NO_ROWS


def test_failure_while_rows_are_made_leaves_none(tmp_path, monkeypatch):
    dialogue_import = ingest.store_folder_import(ingest.check_folder(write_folder(tmp_path / "m")))

    def break_down(*args, **kwargs):
        raise RuntimeError("the power went out")

    monkeypatch.setattr(Rendition.objects, "bulk_create", break_down)

    with pytest.raises(RuntimeError, match="power"):
        run(dialogue_import)

    assert row_counts() == NO_ROWS


def test_rows_of_many_dialogues_take_a_fixed_number_of_statements(tmp_path, django_assert_max_num_queries):
    folder = write_folder(tmp_path / "m", [dialogue(f"d{n}", audio="audio/one.wav") for n in range(20)])

    with django_assert_max_num_queries(30 + 3 * 20):  # three for each dialogue's progress
        bring_in(folder)

    assert Dialogue.objects.count() == 20
    assert len(set(Dialogue.objects.values_list("master_sha256", flat=True))) == 1


def test_quieter_rendition_is_made_once_from_the_master(tmp_path):
    bring_in(write_folder(tmp_path / "m"))
    row = Dialogue.objects.get()

    first = ensure_rendition(row, row.level_lufs - 3.04)
    second = ensure_rendition(row, row.level_lufs - 2.96)

    assert first == second
    assert first.level_lufs == -26.0
    with artefacts.local_copy(first.sha256) as path:
        sound = read_sound(path)
    assert measure_level(sound.samples, sound.rate).lufs == pytest.approx(-26.0, abs=0.05)


def test_rendition_at_the_masters_level_is_the_one_that_was_imported(tmp_path):
    bring_in(write_folder(tmp_path / "m"))
    row = Dialogue.objects.get()
    imported = row.renditions.get()
    sha256 = imported.sha256
    imported.delete()

    assert ensure_rendition(row, row.level_lufs).sha256 == sha256


def test_rendition_louder_than_the_master_is_refused(tmp_path):
    bring_in(write_folder(tmp_path / "m"))

    with pytest.raises(ValueError, match=r"'d1' is at -23.0 LUFS and cannot be played at -20.0 LUFS"):
        ensure_rendition(Dialogue.objects.get(), -20.0)


def test_import_leaves_no_scratch_behind(tmp_path):
    bring_in(write_folder(tmp_path / "m"))

    assert list(artefacts.scratch_folder().glob("*")) == []
    assert connection.in_atomic_block  # the test's own transaction: nothing else was left open
