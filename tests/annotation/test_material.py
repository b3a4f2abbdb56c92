"""What annotators are checked and trained with: the answers are right, nothing tells them, and all can be heard."""

import io
import json
import wave

import numpy as np
import pytest
from scipy import signal

from annotation import material
from annotation.material import LANGUAGES, checks, plan, shipped
from annotation.material.script import sources_of
from annotation.material.stimulus import RATE, Stimulus, wav_bytes
from annotation.material.wishes import WISHES, speaks, spoken_wish, words_of_wish
from earshot.acoustics.huggins import EDGE_SECONDS, GAP_SECONDS, INTERVAL_SECONDS
from earshot.acoustics.levels import count_clipped_runs, measure_level
from tests.factories import make_user

LARGEST_TOTAL_BYTES = 4_000_000
DIMENSIONS = ["prosody", "emotional_continuity", "immersion"]


def heard(stimulus):
    """The samples that a browser decodes, (N, channels)."""
    with wave.open(io.BytesIO(stimulus.content())) as file:
        assert (file.getframerate(), file.getsampwidth()) == (RATE, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    return frames / 32_768


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples))))


def lufs(samples):
    return measure_level(samples[:, 0].astype(np.float32), RATE).lufs


def all_pairs(language):
    return [*material.training_pairs(language), *material.gold_pairs(language)]


# --- which language


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        *[("en", "en"), ("en-gb", "en"), ("ja", "ja"), ("ja_JP", "ja"), ("zh", "zh-hans"), ("zh-CN", "zh-hans")],
        *[("zh-hans", "zh-hans"), ("de", "en"), ("", "en")],
    ],
)
def test_every_language_is_served_with_the_nearest_one(asked, served):
    assert material.material_language(asked) == served


# --- channels


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_demonstration_says_left_in_the_left_ear_alone(language):
    sounds = {ear: heard(stimulus) for ear, stimulus in material.channel_demonstration(language).items()}

    assert rms(sounds["left"][:, 0]) > 0.02
    assert not sounds["left"][:, 1].any()
    assert rms(sounds["right"][:, 1]) > 0.02
    assert not sounds["right"][:, 0].any()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_channel_trial_sounds_in_the_ear_it_names(language):
    trials = material.channel_trials(7, language)

    sounding = [tuple(bool(channel.any()) for channel in heard(trial.stimulus).T) for trial in trials]
    expected = {"left": (True, False), "right": (False, True), "both": (True, True)}
    assert sounding == [expected[trial.answer] for trial in trials]
    assert sorted(trial.answer for trial in trials) == ["both", "left", "left", "right", "right"]


def test_mixed_to_mono_left_and_right_cannot_be_told_apart():
    trials = [trial for trial in material.channel_trials(7, "en") if trial.answer != "both"]
    mono = [heard(trial.stimulus).sum(axis=1) for trial in trials]

    assert all(np.array_equal(sound, mono[0]) for sound in mono)


# --- headphones


def test_the_tone_of_a_huggins_trial_is_where_the_answer_says():
    found = []
    for trial in material.huggins_trials(11):
        sound = heard(trial.stimulus)
        step = INTERVAL_SECONDS + GAP_SECONDS
        starts = [round((EDGE_SECONDS + n * step) * RATE) for n in range(3)]
        between = [rms(np.diff(sound[start : start + round(INTERVAL_SECONDS * RATE)], axis=1)) for start in starts]
        found.append(1 + int(np.argmax(between)))

    answers = [trial.answer for trial in material.huggins_trials(11)]
    assert found == answers
    assert sorted(answers) == [1, 1, 2, 2, 3, 3]


def test_the_huggins_example_is_none_of_the_trials():
    example = material.huggins_example(11)

    assert example.stimulus.name not in {trial.stimulus.name for trial in material.huggins_trials(11)}
    assert example.answer in (1, 2, 3)


# --- level


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_level_is_set_by_a_sentence_at_minus_23_lufs_and_a_soft_one_18_lower(language):
    setting = material.level_setting(3, language)

    assert lufs(heard(setting.sentence)) == pytest.approx(-23, abs=0.3)
    assert lufs(heard(setting.soft)) == pytest.approx(-41, abs=0.3)
    right = next(choice for choice in setting.choices if choice.key == setting.answer)
    assert len(setting.choices) == 4
    assert right.words.split()[-1][-1] in setting.soft_words


def test_every_soft_sentence_is_drawn_sometime():
    assert {material.level_setting(seed, "en").answer for seed in range(40)} == {"bird", "cat", "fish", "horse"}


# --- digits in noise


@pytest.mark.parametrize("language", LANGUAGES)
def test_digits_lie_6_db_below_the_noise(language, monkeypatch):
    def whistle(recordings, n_samples, rng, rate):  # at 12 kHz, where no voice is: digits and noise come apart again
        return (-1.0) ** np.arange(n_samples)

    monkeypatch.setattr(checks, "speech_shaped_noise", whistle)
    recordings = [shipped.read_recording(language, entry["name"]) for entry in shipped.table(language)["digits"]]
    found = []
    for trial in material.digit_trials(5, language):
        digits = [recordings[int(digit)] for digit in trial.answer]
        mixed, clean = heard(trial.stimulus)[:, 0], checks.spoken_triplet(digits)
        gain = np.dot(clean, mixed) / np.dot(clean, clean)
        found.append(10 * np.log10(checks.digits_power(digits) * gain**2 / np.mean((mixed - gain * clean) ** 2)))

    assert found == pytest.approx([-6.0] * 5, abs=0.1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_noise_is_shaped_like_the_digits_and_always_as_loud(language):
    recordings = [shipped.read_recording(language, entry["name"]) for entry in shipped.table(language)["digits"]]
    alone = [heard(trial.stimulus)[: round(0.5 * RATE), 0] for trial in material.digit_trials(5, language)]

    hertz, voice = signal.welch(np.concatenate(recordings), RATE, nperseg=960)
    _, noise = signal.welch(np.concatenate(alone), RATE, nperseg=960)
    octaves = [(hertz > low) & (hertz <= 2 * low) for low in (125, 250, 500, 1_000, 2_000, 4_000)]
    off = [10 * np.log10(noise[band].sum() / noise.sum() / (voice[band].sum() / voice.sum())) for band in octaves]
    assert off == pytest.approx([0] * 6, abs=1.5)
    assert [20 * np.log10(rms(part)) for part in alone] == pytest.approx([-29] * 5, abs=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_digit_trial_clips_and_no_digit_comes_twice(language):
    for seed in range(5):
        for trial in material.digit_trials(seed, language):
            sound = heard(trial.stimulus)

            assert np.abs(sound).max() < 0.5
            assert len(set(trial.answer)) == 3
            assert len(sound) / RATE == pytest.approx(trial.stimulus.seconds, abs=0.002)


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_digits_are_equally_loud(language):
    digits = [shipped.read_recording(language, entry["name"]) for entry in shipped.table(language)["digits"]]

    levels = [10 * np.log10(checks.digits_power([digit])) for digit in digits]
    assert levels == pytest.approx([-26] * 10, abs=0.5)


@pytest.mark.parametrize(
    ("typed", "is_right"),
    [("407", True), (" 4 0 7 ", True), ("４０７", True), ("4-0-7", True), ("470", False), ("", False)],
)
def test_digits_are_right_however_they_are_typed(typed, is_right):
    trial = checks.DigitTrial(Stimulus("x", 1.0, lambda: np.zeros(1)), "407", -6.0)

    assert trial.is_right(typed) is is_right


# --- just-noticeable differences


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_better_one_of_a_jnd_pair_has_ten_decibels_less_noise(language):
    for trial in material.jnd_trials(9, language):
        floors = [20 * np.log10(rms(heard(sound)[: round(0.5 * RATE)])) for sound in trial.stimuli]  # before the speech

        better, worse = floors if trial.answer == "first" else floors[::-1]
        assert worse - better == pytest.approx(10, abs=0.5)
        assert trial.snr_db == ((50.0, 40.0) if trial.answer == "first" else (40.0, 50.0))
    assert sorted(trial.answer for trial in material.jnd_trials(9, language)) == ["first", "first", "second", "second"]


# --- pairs


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_training_pair_and_two_gold_pairs_of_each_dimension(language):
    assert [pair.dimension for pair in material.training_pairs(language)] == DIMENSIONS
    assert sorted(pair.dimension for pair in material.gold_pairs(language)) == sorted(DIMENSIONS * 2)
    answers = [pair.answer for pair in all_pairs(language)]
    assert set(answers) == {-2, 2}
    assert abs(sum(answers)) == 2  # nine pairs: as balanced as can be


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_sides_of_a_pair_are_at_one_level_and_short_enough(language):
    for pair in all_pairs(language):
        sides = [heard(side) for side in (pair.left, pair.right)]

        levels = [lufs(side) for side in sides]
        assert levels[0] == pytest.approx(levels[1], abs=0.3)
        assert -25 < levels[0] < -22.7  # lower where a peak would pass −1 dBTP
        assert max(len(side) for side in sides) <= 30 * RATE
        assert [len(side) / RATE for side in sides] == pytest.approx([pair.left.seconds, pair.right.seconds], abs=0.002)
        assert [count_clipped_runs(side[:, 0].astype(np.float32)) for side in sides] == [0, 0]
        assert len(pair.lines) == len(next(p for p in plan.PAIRS if p.key == pair.key).lines)


def test_a_score_is_right_within_one_step_of_the_answer():
    pair = material.training_pairs("en")[1]

    assert pair.answer == 2
    assert [value for value in range(-3, 4) if pair.is_right(value)] == [1, 2, 3]
    assert [value for value in range(-3, 4) if pair.swapped().is_right(value)] == [-3, -2, -1]
    assert pair.swapped().left == pair.right
    assert pair.swapped().swapped() == pair


def test_four_gold_pairs_are_drawn_with_every_dimension_among_them():
    for seed in range(30):
        drawn = material.draw_gold(seed, "en")

        assert len({pair.key for pair in drawn}) == 4
        assert {pair.dimension for pair in drawn} == set(DIMENSIONS)
    keys = [tuple(pair.key for pair in material.draw_gold(seed, "en")) for seed in range(30)]
    assert len(set(keys)) > 20
    assert {pair.answer for seed in range(30) for pair in material.draw_gold(seed, "en")} == {-2, 2}


def test_more_gold_pairs_than_there_are_is_refused():
    with pytest.raises(ValueError, match="7 gold pairs were asked for, but there are 6"):
        material.draw_gold(1, "en", count=7)


# --- Wishes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_wishes_are_spoken_at_minus_23_lufs_in_ten_seconds_and_never_name_a_letter(language):
    for wish in WISHES:
        voice = spoken_wish(language, wish)
        assert lufs(heard(voice)) == pytest.approx(-23.0, abs=0.3)
        assert 8.0 <= voice.seconds <= 12.5
        assert not {"A", "B", "left", "right"} & set(words_of_wish(language, wish).replace(",", "").split())


@pytest.mark.parametrize(
    ("language", "is_spoken"), [("en", True), ("en-GB", True), ("zh-CN", True), ("ja", True), ("fr", False)]
)
def test_wishes_are_spoken_in_their_own_languages_alone(language, is_spoken):
    assert speaks(language) is is_spoken


def test_a_wish_that_was_never_recorded_is_refused():
    with pytest.raises(ValueError, match="There is no wish 'both'; choose from this, other"):
        spoken_wish("en", "both")


# --- pure, and silent about the answer


def everything(seed, language):
    """(stimulus, answer) of all trials that follow from a seed."""
    yield from ((trial.stimulus, trial.answer) for trial in material.channel_trials(seed, language))
    yield from ((trial.stimulus, trial.answer) for trial in material.huggins_trials(seed))
    yield from ((trial.stimulus, trial.answer) for trial in material.digit_trials(seed, language))
    yield from ((trial.stimuli[0], trial.answer) for trial in material.jnd_trials(seed, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_seed_gives_the_same_trials_and_bytes(language):
    one, again = list(everything(21, language)), list(everything(21, language))

    assert one == again
    assert [sound.content() for sound, _ in one] == [sound.content() for sound, _ in again]


def test_another_seed_gives_other_answers():
    assert len({tuple(answer for _, answer in everything(seed, "en")) for seed in range(20)}) == 20


def test_names_are_opaque_and_lengths_do_not_tell_the_answer():
    sounds = [sound for language in LANGUAGES for sound, _ in everything(4, language)]
    sounds += [side for language in LANGUAGES for pair in all_pairs(language) for side in (pair.left, pair.right)]

    assert all(len(sound.name) == 16 and int(sound.name, 16) >= 0 for sound in sounds)
    assert len({len(trial.stimulus.content()) for trial in material.huggins_trials(4)}) == 1
    assert len({len(trial.stimulus.content()) for trial in material.channel_trials(4, "ja")}) == 1
    assert all(len({len(sound.content()) for sound in trial.stimuli}) == 1 for trial in material.jnd_trials(4, "en"))


def test_a_sound_past_full_scale_is_refused():
    with pytest.raises(ValueError, match=r"The sound reaches 1\.50; full scale is 1"):
        wav_bytes(np.array([0.0, -1.5]))


# --- the shipped files


def test_the_material_is_small_and_complete():
    files = {path for path in (shipped.FOLDER / "sound").rglob("*") if path.is_file()}
    table = json.loads((shipped.FOLDER / "material.json").read_text(encoding="utf-8"))
    named = {
        shipped.FOLDER / "sound" / language / f"{name}.opus"
        for language, content in table["languages"].items()
        for name in names_in(content)
    }

    assert files == named
    assert sum(path.stat().st_size for path in files) <= LARGEST_TOTAL_BYTES
    assert "CC BY 4.0" in (shipped.FOLDER / "LICENSE.txt").read_text(encoding="utf-8")


def names_in(content):
    if isinstance(content, dict):
        own = [content["name"]] if "name" in content else []
        return own + [name for value in content.values() for name in names_in(value)]
    if isinstance(content, list):
        return [name for value in content for name in names_in(value)]
    return []


def test_every_language_has_the_same_recordings():
    names = [[source.file.split("/")[1] for source in sources_of(language)] for language in LANGUAGES]

    assert names[0] == names[1] == names[2]
    assert len(set(names[0])) == len(names[0]) == 58


def test_a_language_that_was_never_made_is_refused():
    with pytest.raises(ValueError, match="There is no material in 'xx'; choose from en, ja, zh-hans"):
        shipped.table("xx")


# --- examples, and their address


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_question_has_a_better_and_a_worse_example(client, language):
    client.force_login(make_user())

    for dimension in DIMENSIONS:
        better, worse = material.examples_of(dimension, language)
        pair = next(pair for pair in material.training_pairs(language) if pair.dimension == dimension)
        good, bad = (pair.right, pair.left) if pair.answer > 0 else (pair.left, pair.right)

        assert (better.key, worse.key) == ("better", "worse")
        assert client.get(better.address).content == good.content()
        assert client.get(worse.address).content == bad.content()
        assert better.words != worse.words
    assert material.examples_of("overall", language) == []
    assert material.examples_of("something-of-their-own", language) == []


@pytest.mark.django_db
def test_an_example_can_be_fetched_in_parts_as_safari_does(client):
    client.force_login(make_user())
    pair = material.training_pairs("en")[0]
    address, content = f"/material/{pair.left.name}.wav", pair.left.content()

    first = client.get(address, headers={"Range": "bytes=0-1"})
    last = client.get(address, headers={"Range": "bytes=-100"})
    beyond = client.get(address, headers={"Range": f"bytes={len(content)}-"})

    assert (first.status_code, first.content) == (206, content[:2])
    assert first.headers["Content-Range"] == f"bytes 0-1/{len(content)}"
    assert (last.status_code, last.content) == (206, content[-100:])
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert first.headers["Content-Type"] == "audio/wav"
    assert first.headers["Accept-Ranges"] == "bytes"


@pytest.mark.django_db
def test_examples_are_for_those_who_have_signed_in(client):
    address = material.examples_of("prosody", "en")[0].address

    assert client.get(address).headers["Location"] == f"/account/login/?next={address}"


@pytest.mark.django_db
def test_gold_has_no_address(client):
    client.force_login(make_user())
    pair = material.gold_pairs("en")[0]

    assert client.get(f"/material/{pair.left.name}.wav").status_code == 404
    assert client.get("/material/nothing.wav").status_code == 404
