"""Level, gain, clipping, peaks, speech, pitch and assembly, against values worked by hand."""

import math

import numpy as np
import pyloudnorm
import pytest
import soundfile

from earshot.acoustics.assembly import TurnSound, assemble_turns
from earshot.acoustics.decoding import AudioError, Sound, read_sound
from earshot.acoustics.levels import (
    ClippedRunCounter,
    Level,
    constant_gain_db,
    count_clipped_runs,
    integrated_lufs,
    measure_level,
    true_peak_dbtp,
)
from earshot.acoustics.peaks import Peaks, make_peaks
from earshot.acoustics.pitch import measure_pitch
from earshot.acoustics.rendition import read_pcm16_wav, write_master_flac, write_pcm16_wav, write_rendition_wav
from earshot.acoustics.speech import estimate_turn_times, silence_share, speech_segments

RATE = 48_000


def sine(hertz=1_000.0, seconds=5.0, peak=1.0, rate=RATE, phase=0.0):
    time = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hertz * time + phase)).astype(np.float32)


def voice(seconds, rate=16_000, peak=0.3):
    """Something like speech: a rich tone in syllables, four a second, with pauses between them."""
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * 150 * harmonic * time) / harmonic for harmonic in range(1, 12))
    return (peak * tone / 2 * np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) ** 0.5).astype(np.float32)


def a_sound(samples, rate=RATE):
    return Sound(samples, rate, 1, "WAV PCM_16", len(samples) / rate, 0)


# BS.1770: a 1 kHz sine at full scale in one channel measures −3.01 LKFS (annex 1), so one at −20 dB measures −23.01.
def test_a_1_khz_sine_at_minus_20_dbfs_measures_minus_23_lufs():
    assert integrated_lufs(sine(peak=0.1), RATE) == pytest.approx(-23.01, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_loudness_equals_the_one_of_pyloudnorm(rate):
    noise = np.random.default_rng(1).normal(0, 0.1, 7 * rate).astype(np.float32)
    noise[2 * rate : 4 * rate] *= 0.001  # a pause, which the gate leaves out
    noise[5 * rate :] *= 3

    assert integrated_lufs(noise, rate) == pytest.approx(
        pyloudnorm.Meter(rate).integrated_loudness(noise.astype(np.float64)), abs=0.02
    )


def test_silence_after_the_sound_counts_only_in_the_three_blocks_that_hold_both():
    silent_end = np.concatenate([sine(peak=0.1), np.zeros(20 * RATE, np.float32)])

    # 47 whole blocks of 400 ms, and three that hold ¾, ½ and ¼ of the sound; the relative gate drops the rest
    change = integrated_lufs(silent_end, RATE) - integrated_lufs(sine(peak=0.1), RATE)
    assert change == pytest.approx(10 * math.log10((47 + 0.75 + 0.5 + 0.25) / 50), abs=0.005)


def test_a_sound_shorter_than_one_gating_block_is_measured_whole():
    assert integrated_lufs(sine(seconds=0.2, peak=0.1), RATE) == pytest.approx(-23.0, abs=0.3)


def test_a_sound_below_the_gate_has_no_loudness_and_no_gain():
    level = measure_level(sine(peak=1e-4), RATE)

    assert level.lufs == -math.inf
    with pytest.raises(AudioError, match="nothing passes −70 LUFS"):
        constant_gain_db(level)


def test_a_quarter_rate_sine_between_its_samples_peaks_3_db_above_them():
    samples = sine(hertz=RATE / 4, phase=math.pi / 4)

    level = measure_level(samples, RATE)

    assert level.sample_peak_dbfs == pytest.approx(-3.01, abs=0.01)
    assert level.true_peak_dbtp == pytest.approx(0.0, abs=0.25)  # an abrupt start and end ring a little


def test_true_peak_is_found_in_whichever_block_it_lies():
    quiet = sine(seconds=10, peak=0.2)
    for place in (0, 65_500, 65_536, 65_600, len(quiet) - 400):
        samples = quiet.copy()
        samples[place : place + 400] = sine(hertz=RATE / 4, seconds=400 / RATE, peak=0.9, phase=math.pi / 4)

        assert true_peak_dbtp(samples) == pytest.approx(20 * math.log10(0.9), abs=0.4), place


def test_true_peak_does_not_depend_on_where_a_steady_sound_is_cut_into_blocks():
    faded = sine(hertz=997, seconds=10, peak=0.5) * np.hanning(10 * RATE).astype(np.float32)

    assert true_peak_dbtp(faded) == pytest.approx(20 * math.log10(0.5), abs=0.01)


@pytest.mark.parametrize(
    ("lufs", "peak", "gain"),
    [
        (-23.0, -10.0, 0.0),
        (-30.0, -10.0, 7.0),
        (-15.0, -0.5, -8.0),
        (-30.0, -5.0, 4.0),  # 7 dB would lift the peak to +2 dBTP
    ],
)
def test_one_gain_reaches_the_target_unless_the_peak_would_pass_the_ceiling(lufs, peak, gain):
    assert constant_gain_db(Level(lufs, peak, peak)) == gain


def test_runs_of_three_samples_at_full_scale_are_clipping():
    samples = np.array([0, 1, 1, 0, 1, 1, 1, 0, -1, -1, -1, -1, 0.5, 1, 1, 1], np.float32)

    assert count_clipped_runs(samples) == 3


def test_a_clipped_run_across_blocks_is_counted_once():
    counter = ClippedRunCounter()

    for block in ([0, 1, 1], [1, 1], [1, 1, 0], [1, 1], [0, 1, 1]):
        counter.add(np.array(block, np.float32))

    assert counter.runs == 1


def test_peaks_hold_the_lowest_and_highest_sample_of_each_bucket():
    samples = np.zeros(8_000 + 100, np.float32)  # a second at 8 kHz, in buckets of 160, and a short last one
    samples[0], samples[159], samples[160], samples[8_099] = 1.0, -0.5, 0.25, -1.0

    peaks = make_peaks(samples, 8_000)

    assert {rate: buckets.shape for rate, buckets in peaks.levels.items()} == {50: (51, 2), 10: (11, 2), 2: (3, 2)}
    assert peaks.levels[50][[0, 1, 2, 50]].tolist() == [[-64, 127], [0, 32], [0, 0], [-127, 0]]
    assert peaks.levels[10][[0, 1, 10]].tolist() == [[-64, 127], [0, 0], [-127, 0]]
    assert peaks.levels[2].tolist() == [[-64, 127], [0, 0], [-127, 0]]


def test_buckets_keep_time_at_a_rate_that_they_do_not_divide():
    samples = np.zeros(11_025 * 60, np.float32)
    samples[11_025 * 59] = 1.0

    (loud,) = np.flatnonzero(make_peaks(samples, 11_025).levels[50][:, 1])

    assert loud == 59 * 50


def test_peaks_follow_a_gain_and_are_cut_at_full_scale():
    peaks = Peaks(0.04, {50: np.array([[-100, 40], [-20, 126]], np.int8)})

    assert peaks.louder_by(0.0).levels[50].tolist() == [[-100, 40], [-20, 126]]
    assert peaks.louder_by(-6.0206).levels[50].tolist() == [[-50, 20], [-10, 63]]
    assert peaks.louder_by(6.0206).levels[50].tolist() == [[-127, 80], [-40, 127]]


def test_peaks_survive_their_binary_form():
    peaks = make_peaks(sine(seconds=1.23), RATE)

    again = Peaks.from_bytes(peaks.to_bytes())

    assert again.seconds == 1.23
    assert list(again.levels) == [50, 10, 2]
    assert all(np.array_equal(again.levels[rate], peaks.levels[rate]) for rate in (50, 10, 2))


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:20], lambda b: b"XXXX" + b[4:], lambda b: b + b"0"])
def test_damaged_peaks_are_refused(damage):
    with pytest.raises(ValueError, match="compute them again"):
        Peaks.from_bytes(damage(make_peaks(sine(), RATE).to_bytes()))


def test_the_coarsest_level_that_fills_the_pixels_is_chosen():
    peaks = make_peaks(np.zeros(8_000 * 100, np.float32), 8_000)

    assert [peaks.level_for(pixels) for pixels in (200, 201, 1_000, 1_001, 99_999)] == [2, 10, 10, 50, 50]
    assert peaks.level_for(200, seconds=10) == 50


@pytest.mark.parametrize(("peak", "noise"), [(0.3, 0.0), (0.3, 0.003), (0.3, 0.02), (0.003, 0.0), (0.003, 0.00002)])
def test_speech_is_found_quiet_or_noisy(peak, noise):
    rate = 16_000
    samples = np.random.default_rng(3).normal(0, max(noise, 1e-9), 12 * rate).astype(np.float32)
    for start, end in ((1.0, 3.0), (4.0, 7.5), (9.0, 11.0)):
        samples[round(start * rate) : round(end * rate)] += voice(end - start, peak=peak)

    found = speech_segments(samples, rate)

    assert len(found) == 3
    for (start, end), (true_start, true_end) in zip(found, ((1.0, 3.0), (4.0, 7.5), (9.0, 11.0)), strict=True):
        assert start == pytest.approx(true_start, abs=0.15)
        assert end == pytest.approx(true_end, abs=0.25)


def test_digital_silence_holds_no_speech_and_a_steady_tone_is_activity():
    assert speech_segments(np.zeros(16_000, np.float32), 16_000) == []
    assert silence_share(speech_segments(sine(rate=16_000, peak=0.1), 16_000), 5.0) < 0.05


def test_silence_share_is_what_no_segment_covers():
    assert silence_share([(0.0, 1.0), (2.0, 3.5)], 10.0) == 0.75
    with pytest.raises(ValueError, match="lasts 0 s"):
        silence_share([], 0)


def test_turn_times_are_parted_at_the_longest_pauses():
    segments = [(0.0, 1.0), (1.2, 2.0), (3.0, 4.0), (4.3, 5.0), (6.0, 7.0)]

    assert estimate_turn_times(segments, 3, 8.0) == [(0.0, 2.0), (3.0, 5.0), (6.0, 7.0)]
    assert estimate_turn_times(segments, 1, 8.0) == [(0.0, 7.0)]


def test_each_turn_gets_some_time_when_there_is_too_little_speech():
    assert estimate_turn_times([(0.0, 4.0), (5.0, 6.0)], 3, 8.0) == [(0.0, 2.0), (2.0, 4.0), (5.0, 6.0)]
    assert estimate_turn_times([], 2, 8.0) == [(0.0, 4.0), (4.0, 8.0)]


def test_the_pitch_of_a_turn_is_its_own():
    low, high = sine(hertz=120, peak=0.3, seconds=2), sine(hertz=240, peak=0.3, seconds=2)
    harmonics = [sum(sine(hertz=f * n, peak=0.2 / n, seconds=2) for n in range(1, 6)) for f in (120, 240)]
    samples = np.concatenate(harmonics).astype(np.float32)
    assert len(samples) == len(low) + len(high)

    first, second = measure_pitch(samples, RATE, 0.0, 2.0), measure_pitch(samples, RATE, 2.0, 4.0)

    assert first.median_hz == pytest.approx(120, abs=1)
    assert second.median_hz == pytest.approx(240, abs=2)
    assert first.range_semitones == pytest.approx(0, abs=0.3)
    assert first.voiced_share > 0.9


def test_noise_silence_and_a_blink_have_no_pitch():
    assert measure_pitch(np.zeros(RATE, np.float32), RATE).median_hz is None
    assert measure_pitch(sine(seconds=0.05), RATE).median_hz is None


def test_the_rendition_is_24_khz_mono_16_bit_with_a_plain_header_and_repeats_to_the_byte(tmp_path):
    for name in ("one.wav", "two.wav"):
        write_rendition_wav(sine(peak=0.5), RATE, -6.0206, tmp_path / name)

    data = (tmp_path / "one.wav").read_bytes()
    sound = read_sound(tmp_path / "one.wav")

    assert data == (tmp_path / "two.wav").read_bytes()
    assert len(data) == 44 + 2 * 24_000 * 5
    assert (sound.rate, sound.channels, sound.original_format, sound.seconds) == (24_000, 1, "WAV PCM_16", 5.0)
    assert np.abs(sound.samples[1_000:-1_000]).max() == pytest.approx(0.25, abs=0.001)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.wav", "two.wav"]


def test_samples_of_a_rendition_are_read_and_written_as_they_are(tmp_path):
    write_rendition_wav(sine(seconds=0.1), RATE, 0.0, tmp_path / "one.wav")

    samples = read_pcm16_wav(tmp_path / "one.wav")
    write_pcm16_wav(samples, 24_000, tmp_path / "two.wav")

    assert (tmp_path / "two.wav").read_bytes() == (tmp_path / "one.wav").read_bytes()
    assert len(samples) == 2_400


def test_dither_changes_the_rendition_by_at_most_two_steps_and_repeats(tmp_path):
    for name, dither in (("plain", False), ("dithered", True), ("again", True)):
        write_rendition_wav(sine(rate=24_000, peak=0.5), 24_000, 0.0, tmp_path / name, dither=dither)

    plain, dithered = (soundfile.read(tmp_path / name, dtype="int16")[0] for name in ("plain", "dithered"))

    assert (tmp_path / "dithered").read_bytes() == (tmp_path / "again").read_bytes()
    assert 0 < np.abs(plain.astype(int) - dithered).max() <= 2


def test_the_master_keeps_rate_and_samples_and_repeats_to_the_byte(tmp_path):
    samples = sine(rate=22_050, peak=0.25)
    for name in ("one.flac", "two.flac"):
        write_master_flac(samples, 22_050, 6.0206, tmp_path / name)

    sound = read_sound(tmp_path / "one.flac")

    assert (tmp_path / "one.flac").read_bytes() == (tmp_path / "two.flac").read_bytes()
    assert (sound.rate, sound.original_format) == (22_050, "FLAC PCM_16")
    assert sound.samples == pytest.approx(samples * 2, abs=1 / 32_768)


def test_a_gain_that_was_computed_is_the_gain_that_is_heard(tmp_path):
    samples = voice(20, rate=RATE, peak=0.05)
    gain = constant_gain_db(measure_level(samples, RATE))

    write_rendition_wav(samples, RATE, gain, tmp_path / "heard.wav")
    heard = read_sound(tmp_path / "heard.wav")

    level = measure_level(heard.samples, heard.rate)
    assert level.lufs <= -22.9
    assert level.true_peak_dbtp <= -0.9
    assert max(level.lufs + 23, level.true_peak_dbtp + 1) == pytest.approx(0, abs=0.15)


def test_turns_are_laid_at_their_starts_and_added_where_they_overlap():
    one, two = np.full(8_000, 0.25, np.float32), np.full(8_000, 0.5, np.float32)

    dialogue = assemble_turns([TurnSound(a_sound(one, 8_000), 0.0), TurnSound(a_sound(two, 8_000), 0.5)])

    assert dialogue.samples[[0, 3_999, 4_000, 7_999, 8_000, 11_999]].tolist() == [0.25, 0.25, 0.75, 0.75, 0.5, 0.5]
    assert (dialogue.rate, dialogue.seconds, dialogue.times) == (8_000, 1.5, [(0.0, 1.0), (0.5, 1.5)])


def test_turns_without_times_follow_each_other_with_the_gap():
    turn = TurnSound(a_sound(np.ones(8_000, np.float32), 8_000))

    dialogue = assemble_turns([turn, turn], gap_seconds=0.25)

    assert dialogue.times == [(0.0, 1.0), (1.25, 2.25)]
    assert not dialogue.samples[8_000:10_000].any()


def test_mixed_rates_are_joined_at_the_highest():
    slow, fast = a_sound(sine(rate=16_000, seconds=1, peak=0.5), 16_000), a_sound(sine(seconds=1, peak=0.5))

    dialogue = assemble_turns([TurnSound(slow, 0.0), TurnSound(fast, 1.0)])

    assert (dialogue.rate, dialogue.seconds) == (RATE, 2.0)
    assert dialogue.samples[1_000:47_000] == pytest.approx(sine(seconds=1, peak=0.5)[1_000:47_000], abs=0.01)


def test_turns_that_cannot_be_laid_are_refused():
    turn = a_sound(np.ones(8_000, np.float32), 8_000)

    with pytest.raises(AudioError, match="no turns"):
        assemble_turns([])
    with pytest.raises(AudioError, match=r"starts at -1.0 s"):
        assemble_turns([TurnSound(turn, -1.0)])
    with pytest.raises(AudioError, match=r"reach to 5001.0 s; the limit is 3600 s"):
        assemble_turns([TurnSound(turn, 5_000.0)])
