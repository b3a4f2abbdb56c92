"""The practice bank: what it holds, how it sounds by numbers, and what its loader refuses."""

import json
import re
import shutil
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from earshot.acoustics.vocoder import FRAME_SECONDS, Prosody, analyse, render
from policy.learning import bank as module
from policy.learning.bank import BANK, RATE, load_bank
from policy.learning.scenarios import OPENERS

BANK_BYTES = 6_000_000  # the largest it may weigh
PEAK_CEILING = 10 ** (-9 / 20)  # louder speech would clip once a policy adds energy
LEVEL_DB = -31.0

bank = load_bank()
every_phrase = [phrase for text in bank.texts() for phrase in text.phrases]


def words(sentence: str) -> list[str]:
    return re.findall(r"[\w']+", sentence.lower())


def test_bank_holds_42_texts_to_train_on_and_10_held_apart():
    assert Counter(text.part for text in bank.texts()) == {"train": 42, "held_out": 10}
    assert len(bank.texts("train")) == 42
    assert len(bank.texts("held_out")) == 10
    assert {text.part for text in bank.texts("held_out")} == {"held_out"}


def test_every_text_has_four_exchanges_of_a_user_turn_and_two_phrases():
    assert {len(text.exchanges) for text in bank.texts()} == {4}
    assert {len(exchange.assistant) for text in bank.texts() for exchange in text.exchanges} == {2}
    assert len(every_phrase) == 52 * 4 * 3


def test_no_sentence_and_no_topic_is_said_twice():
    sentences = Counter(" ".join(words(phrase.text)) for phrase in every_phrase)
    topics = Counter(text.topic for text in bank.texts())

    assert [sentence for sentence, times in sentences.items() if times > 1] == []
    assert [topic for topic, times in topics.items() if times > 1] == []


def test_user_turns_have_4_to_10_words_and_phrases_3_to_7():
    exchanges = [exchange for text in bank.texts() for exchange in text.exchanges]

    assert all(4 <= len(words(exchange.user.text)) <= 10 for exchange in exchanges)
    assert all(3 <= len(words(phrase.text)) <= 7 for exchange in exchanges for phrase in exchange.assistant)


def test_some_turns_ask_and_some_tell():
    users = [exchange.user.text for text in bank.texts() for exchange in text.exchanges]
    questions = sum(text.endswith("?") for text in users)

    assert 0.15 < questions / len(users) < 0.5


def test_voices_are_balanced_over_texts_and_parts():
    def counts(part, role):
        return Counter(getattr(text, f"{role}_voice") for text in bank.texts(part))

    assert counts(None, "assistant") == {"af_heart": 26, "am_michael": 26}
    assert counts("train", "assistant") == {"af_heart": 21, "am_michael": 21}
    assert counts("held_out", "assistant") == {"af_heart": 5, "am_michael": 5}
    assert set(counts(None, "user").values()) == {13}
    assert set(counts("train", "user").values()) <= {10, 11}
    assert set(counts("held_out", "user").values()) <= {2, 3}
    assert len(counts("train", "user")) == len(counts("held_out", "user")) == 4


def test_user_and_assistant_have_voices_of_their_own():
    for text in bank.texts():
        assert text.user_voice != text.assistant_voice
        for exchange in text.exchanges:
            assert exchange.user.voice == text.user_voice
            assert {phrase.voice for phrase in exchange.assistant} == {text.assistant_voice}


def test_every_file_is_mono_opus_at_16_khz_and_ends_with_its_last_phrase():
    for text in bank.texts():
        sound = soundfile.info(BANK / f"{text.text_id}.opus")

        assert (sound.samplerate, sound.channels, sound.subtype) == (RATE, 1, "OPUS")
        assert sound.frames == round(text.phrases[-1].end * RATE)


def test_phrases_follow_one_another_after_100_ms_of_silence():
    for text in bank.texts():
        phrases = text.phrases
        gaps = [after.start - before.end for before, after in pairwise(phrases)]

        assert phrases[0].start == 0
        assert gaps == pytest.approx([0.1] * 11)


def test_a_phrase_has_as_many_samples_and_f0_frames_as_its_length_says():
    for phrase in every_phrase:
        assert len(phrase.samples) == round(phrase.seconds * RATE)
        assert len(phrase.f0) == round(phrase.seconds / FRAME_SECONDS) + 1


def test_f0_track_fits_the_audio_length():
    for text in bank.texts():
        recording = text.phrases[0].recording

        assert len(recording.f0) == len(recording.samples) // round(RATE * FRAME_SECONDS) + 1
        assert ((recording.f0 == 0) | ((recording.f0 > 60) & (recording.f0 < 610))).all()


def test_every_phrase_has_speech_with_a_melody():
    for phrase in every_phrase:
        active_seconds = len(module.active_frame_powers(phrase.samples)) / 100

        assert active_seconds > 0.3, phrase.text
        assert (phrase.f0 > 0).mean() > 0.2, phrase.text


def test_a_phrase_begins_and_ends_in_silence():
    edge = round(0.015 * RATE)  # half of the 30 ms: Opus smears a little
    for phrase in every_phrase:
        samples = phrase.samples
        edges = np.concatenate([samples[:edge], samples[-edge:]])

        assert np.sqrt(np.square(edges).mean()) < 0.02 * np.abs(samples).max(), phrase.text


def test_people_speak_between_2_and_7_syllables_a_second():
    rates = {phrase.text: phrase.n_syllables / phrase.seconds for phrase in every_phrase}

    assert {text: rate for text, rate in rates.items() if not 2 <= rate <= 7} == {}


@pytest.mark.parametrize(
    ("text_id", "exchange", "phrase", "n_syllables"),
    [("first-novel", 0, 0, 11), ("tent-in-the-rain", 0, 0, 10), ("landlord-letter", 0, 1, 7), ("the-ring", 2, 1, 7)],
)
def test_syllables_are_counted_as_by_hand(text_id, exchange, phrase, n_syllables):
    found = bank.text(text_id).exchanges[exchange]

    assert [found.user, *found.assistant][phrase].n_syllables == n_syllables


def test_every_voice_speaks_at_the_same_level_below_the_peak_ceiling():
    levels = {voice: bank.mean_level_db(voice) for voice in bank.voices}
    loudest = max(float(np.abs(text.phrases[0].recording.samples).max()) for text in bank.texts())

    assert levels == pytest.approx(dict.fromkeys(bank.voices, LEVEL_DB), abs=0.3)
    assert loudest <= PEAK_CEILING


def test_mean_log_f0_is_the_mean_over_all_voiced_frames_of_a_voice():
    said = [phrase for phrase in every_phrase if phrase.voice == "af_heart"]
    voiced = [hertz for phrase in said for hertz in phrase.f0 if hertz > 0]

    assert bank.mean_log_f0("af_heart") == pytest.approx(np.log(voiced).mean())
    assert bank.mean_log_f0("af_heart") > bank.mean_log_f0("am_michael")


def test_mean_rate_is_all_syllables_over_all_seconds():
    said = [phrase for phrase in every_phrase if phrase.voice == "am_michael"]

    expected = sum(phrase.n_syllables for phrase in said) / sum(phrase.end - phrase.start for phrase in said)
    assert bank.mean_rate("am_michael") == pytest.approx(expected)


def test_level_of_a_steady_tone_is_its_rms():
    tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)

    powers = module.active_frame_powers(np.concatenate([tone, np.zeros(RATE // 4)]))

    assert powers == pytest.approx([0.125] * 100)


def test_the_vocoder_takes_a_phrase_with_its_shipped_f0_track():
    phrase = bank.text("the-marathon").exchanges[0].assistant[0]

    rendered = render(analyse(phrase.samples, RATE, f0=phrase.f0), Prosody(pace_ratio=1.25))

    assert len(rendered) / RATE == pytest.approx(phrase.seconds / 1.25, abs=0.02)


def test_changing_what_a_phrase_gave_changes_nothing_in_the_bank():
    phrase = bank.text("the-marathon").exchanges[0].user
    before = phrase.samples
    phrase.samples[:] = 0
    phrase.f0[:] = 0

    assert (phrase.samples == before).all()
    assert phrase.f0.max() > 0


def test_bank_weighs_no_more_than_6_mb_and_ships_no_unnamed_sound():
    files = [path for path in BANK.iterdir() if path.is_file()]

    assert sum(path.stat().st_size for path in files) <= BANK_BYTES
    opener_files = {opener.recording.path.stem for openers in bank.openers.values() for opener in openers}
    named = {text.text_id for text in bank.texts()} | opener_files
    assert {path.stem for path in files if path.suffix == ".opus"} == named
    indexes = {"bank.json", "f0.npz", "openers.json", "openers-f0.npz", "LICENSE.txt"}
    assert {path.name for path in files if path.suffix != ".opus"} == indexes


def test_content_hash_is_stable_and_changes_with_one_byte(tmp_path):
    copy = shutil.copytree(BANK, tmp_path / "bank")

    assert load_bank(copy).content_hash == bank.content_hash == load_bank().content_hash

    sound = copy / "the-ring.opus"
    sound.write_bytes(sound.read_bytes()[:-1] + b"\x01")
    assert load_bank(copy).content_hash != bank.content_hash


def test_an_unknown_text_part_or_voice_is_refused_with_what_to_ask_for():
    with pytest.raises(ValueError, match=r"no text 'the-moon'; take an id from bank\.json, such as 'landlord-letter'"):
        bank.text("the-moon")
    with pytest.raises(ValueError, match="no part 'test'; ask for one of train, held_out"):
        bank.texts("test")
    with pytest.raises(ValueError, match="no voice 'bf_emma'; take one of af_bella, af_heart"):
        bank.mean_log_f0("bf_emma")


def test_a_folder_without_a_bank_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no bank\.json; give the folder of a practice bank"):
        load_bank(tmp_path)


def test_a_bank_of_another_version_is_refused(tmp_path):
    (tmp_path / "bank.json").write_text(json.dumps({"format": "earshot-practice-bank", "version": 2, "texts": []}))

    with pytest.raises(ValueError, match=r"version 2, but this code reads 'earshot-practice-bank', version 1"):
        load_bank(tmp_path)


def test_a_missing_sound_and_a_wrong_rate_are_named(tmp_path):
    copy = shutil.copytree(BANK, tmp_path / "bank")
    (copy / "the-ring.opus").unlink()
    soundfile.write(copy / "the-storm.opus", np.zeros(24_000), 24_000, format="OGG", subtype="OPUS")
    damaged = load_bank(copy)

    with pytest.raises(ValueError, match=r"no the-ring\.opus; check out"):
        damaged.text("the-ring").phrases[0].samples  # noqa: B018 - reading decodes
    with pytest.raises(ValueError, match=r"the-storm\.opus has 24000 Hz"):
        damaged.text("the-storm").phrases[0].samples  # noqa: B018 - reading decodes


def test_every_user_voice_has_four_openers_of_each_emotion_as_loud_as_its_sentences():
    users = {text.user_voice for text in bank.texts()}
    openers = [opener for openers in bank.openers.values() for opener in openers]
    levels = [10 * np.log10(module.active_frame_powers(opener.samples).mean()) for opener in openers]

    assert {key: len(openers) for key, openers in bank.openers.items()} == {
        (voice, emotion): 4 for voice in users for emotion in OPENERS
    }
    assert np.abs(np.array(levels) - LEVEL_DB).max() < 3
    assert max(np.abs(opener.samples).max() for opener in openers) < PEAK_CEILING


def test_openers_say_what_scenarios_write():
    assert {
        (emotion, tuple(opener.text for opener in openers)) for (_, emotion), openers in bank.openers.items()
    } == set(OPENERS.items())


def test_opener_that_was_not_recorded_is_refused_by_name():
    with pytest.raises(ValueError, match="'af_heart' has 0 openers of 'joy' in the bank, but number 0 was asked for"):
        bank.opener("af_heart", "joy", 0)
