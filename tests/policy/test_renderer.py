"""The renderer: what is planned is what sounds, measured on the audio."""

import multiprocessing

import numpy as np
import pytest

from earshot.acoustics.vocoder import Prosody, estimate_f0
from policy.learning.analysis import analysing_ahead, code
from policy.learning.bank import RATE, active_frame_powers
from policy.learning.codes import BREAK_SECONDS, GAP_SECONDS, neutral_codes, random_codes
from policy.learning.delivery import SEMITONES, Planner
from policy.learning.renderer import Renderer
from policy.learning.scenarios import EMOTIONS
from policy.learning.voices import Measures
from tests.policy.practice import scenario, small_bank
from tests.servers import wait_until

ENERGY = 3  # its place among a phrase's codes


@pytest.fixture(scope="module")
def renderer(tmp_path_factory):
    return Renderer(small_bank(), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def planner():
    return Planner(small_bank())


def phrases_of(rendered, plan):
    """The assistant's phrases as they sound, each with what it was said to be: (samples, delivery)."""
    spoken = [one for index, one in enumerate(plan.phrases) if index % 4 > 1]
    told = [phrase for reply in rendered.delivery["assistant"] for phrase in reply]
    sounds = [rendered.samples[one.start : one.start + one.length].astype(np.float64) for one in spoken]
    return list(zip(sounds, told, strict=True))


def heard_melody(samples):
    """Mean and standard deviation of log F0 in semitones, found on the audio alone and weighted by its amplitude."""
    f0 = estimate_f0(samples, RATE)
    power = np.convolve(np.square(samples), np.ones(400) / 400, mode="same")
    weights = np.sqrt(power[np.minimum(np.arange(len(f0)) * 80, len(samples) - 1)]) * (f0 > 0)
    tones = np.log(np.where(f0 > 0, f0, 1.0)) * SEMITONES
    level = np.average(tones, weights=weights)
    return level, np.sqrt(np.average((tones - level) ** 2, weights=weights))


def speech_ends(samples):
    """First and last second of speech: within 45 dB of the loudest 5 ms."""
    frames = samples[: len(samples) // 80 * 80].reshape(-1, 80)
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10**-4.5)
    return loud[0] * 0.005, (loud[-1] + 1) * 0.005


def test_melody_and_level_of_the_audio_are_those_of_the_delivery(renderer, planner):
    one, codes = scenario("calm", "joy"), random_codes(2, np.random.default_rng(3))

    heard = phrases_of(renderer.render(one, codes), planner.plan(one, codes))

    voice = Measures(small_bank()).voices[one.text.assistant_voice]
    mean, loudness = voice.log_f0 * SEMITONES, voice.level_db
    for samples, told in heard:
        level, spread = heard_melody(samples)
        assert level - mean == pytest.approx(told["level_st"], abs=0.6)
        assert spread == pytest.approx(told["spread"], rel=0.25)
        loud = 10 * np.log10(active_frame_powers(samples).mean()) - loudness
        assert loud == pytest.approx(told["energy_db"], abs=1.0)


def test_energy_code_lifts_the_same_sound_exactly(renderer, planner):
    one, codes = scenario("calm"), neutral_codes(1)
    louder = codes.copy()
    louder[0, 0, ENERGY] = 4

    before, after = (phrases_of(renderer.render(one, c), planner.plan(one, c))[0][0] for c in (codes, louder))

    assert after == pytest.approx(before * 10 ** (4 / 20), abs=1e-6)


@pytest.mark.parametrize("level", range(4))
def test_gap_and_break_are_as_long_as_their_codes_say(renderer, planner, level):
    one, codes = scenario("calm"), neutral_codes(1)
    codes[0, :, 4] = level

    rendered, plan = renderer.render(one, codes), planner.plan(one, codes)

    ends = [speech_ends(rendered.samples[p.start : p.start + p.length]) for p in plan.phrases]
    starts = [p.start / RATE + end[0] for p, end in zip(plan.phrases, ends, strict=True)]
    stops = [p.start / RATE + end[1] for p, end in zip(plan.phrases, ends, strict=True)]
    assert starts[2] - stops[1] == pytest.approx(GAP_SECONDS[level], abs=0.06)
    assert starts[3] - stops[2] == pytest.approx(BREAK_SECONDS[level], abs=0.06)


def test_pace_code_changes_the_length_and_the_realised_rate(renderer, planner):
    one, codes = scenario("calm"), neutral_codes(1)
    faster = codes.copy()
    faster[0, 0, 2] = 4

    before, after = (phrases_of(renderer.render(one, c), planner.plan(one, c))[0] for c in (codes, faster))

    assert len(after[0]) / len(before[0]) == pytest.approx(np.exp(-0.2), abs=0.005)
    assert after[1]["log_rate"] - before[1]["log_rate"] == pytest.approx(0.2)


def test_turns_lie_one_after_the_other_inside_the_sound(renderer):
    one = scenario("sadness", "anger")

    rendered = renderer.render(one, neutral_codes(2))

    assert [(turn.role, turn.text) for turn in rendered.turns] == [
        (role, text)
        for index in range(2)
        for role, text in (("user", one.user_text(index)), ("assistant", one.assistant_text(index)))
    ]
    times = [time for turn in rendered.turns for time in (turn.start, turn.end)]
    assert times == sorted(times)
    assert len(rendered.samples) / RATE == pytest.approx(times[-1] + 0.3)


def test_users_voice_follows_what_they_feel(planner):
    user = {emotion: planner.plan(scenario(emotion), neutral_codes(1)).delivery["user"][0] for emotion in EMOTIONS}

    assert user["joy"]["level_st"] > user["calm"]["level_st"] + 3 > user["sadness"]["level_st"] + 5
    assert (
        user["anger"]["energy_db"] > user["joy"]["energy_db"] > user["calm"]["energy_db"] > user["sadness"]["energy_db"]
    )
    assert user["worry"]["log_rate"] > user["calm"]["log_rate"] > user["sadness"]["log_rate"]


def test_the_same_codes_give_the_same_samples_in_a_fresh_renderer_without_a_cache(renderer):
    one, codes = scenario("joy"), random_codes(1, np.random.default_rng(1))

    again = Renderer(small_bank()).render(one, codes)

    assert np.array_equal(renderer.render(one, codes).samples, again.samples)


def test_loudest_codes_do_not_clip(renderer):
    codes = np.tile(np.array([6, 4, 2, 4, 0]), (4, 2, 1))

    samples = renderer.render(scenario("anger", "joy", "anger", "joy"), codes).samples

    assert 0.1 < np.abs(samples).max() < 0.9


def test_codes_for_another_number_of_exchanges_are_refused(renderer):
    with pytest.raises(ValueError, match=r"give whole numbers of shape \(2, 2, 5\)"):
        renderer.render(scenario("calm", "joy"), neutral_codes(3))


def test_pace_is_kept_by_the_plan_and_the_vocoder_alike(planner):
    one, codes = scenario("worry", "sadness"), random_codes(2, np.random.default_rng(9))

    assert [spoken.prosody.pause_ratio for spoken in planner.plan(one, codes).phrases] == [1.0] * 8
    assert planner.plan(one, codes).phrases[0].prosody == Prosody(3.0, np.exp(-0.4), np.exp(0.18), -2.0)


def test_another_process_analyses_the_bank_ahead_and_ends_with_the_block(tmp_path):
    bank = small_bank()
    wanted = {phrase.recording.path.stem for phrase in bank.phrases}

    with analysing_ahead(bank.folder, tmp_path):
        (helper,) = multiprocessing.active_children()
        wait_until(lambda: {path.stem for path in tmp_path.glob("analysis-*/*.npz")} == wanted, "the analyses", 60)

    assert not helper.is_alive()
    recording = bank.phrases[0].recording
    with np.load(next(tmp_path.glob(f"analysis-*/{recording.path.stem}.npz"))) as kept:
        assert np.array_equal(kept["envelope"], code(recording).envelope)


def test_analysing_ahead_that_is_cut_short_leaves_whole_files_alone(tmp_path):
    with analysing_ahead(small_bank().folder, tmp_path):
        pass

    assert multiprocessing.active_children() == []
    assert list(tmp_path.glob("analysis-*/*.npz")) == []


def test_nothing_is_analysed_ahead_where_nothing_is_kept():
    with analysing_ahead(small_bank().folder, None):
        assert multiprocessing.active_children() == []
