"""Every sound file that cannot be used is refused with the value that is wrong."""

import struct

import numpy as np
import pytest
import soundfile

from earshot.acoustics.decoding import AudioError, read_sound

RATE = 16_000


def a_tone(seconds=1.0, rate=RATE):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def a_file(folder, samples=None, rate=RATE, name="a.wav", subtype="PCM_16", container="WAV"):
    path = folder / name
    soundfile.write(path, a_tone(rate=rate) if samples is None else samples, rate, subtype, format=container)
    return path


def refusal(path, **options) -> str:
    with pytest.raises(AudioError) as caught:
        read_sound(path, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"),
        ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"),
    ],
)  # fmt: skip
def test_the_formats_that_people_send_are_read(tmp_path, container, subtype):
    sound = read_sound(a_file(tmp_path, container=container, subtype=subtype, name="whatever.bin"))

    assert sound.seconds == pytest.approx(1.0, abs=0.08)
    inside = sound.samples[2_000:-2_000]  # Opus overshoots where the tone is cut off
    assert np.abs(inside).max() == pytest.approx(0.5, abs=0.05)
    assert (sound.samples.dtype, sound.channels, sound.clipped_runs) == (np.float32, 1, 0)


def test_stereo_is_mixed_to_the_mean_so_both_speakers_stay(tmp_path):
    left, right = np.zeros(RATE, np.float32), np.zeros(RATE, np.float32)
    left[:8_000], right[8_000:] = 0.5, 0.25

    sound = read_sound(a_file(tmp_path, np.stack([left, right], axis=1)))

    assert sound.channels == 2
    assert sound.samples[[0, 7_999, 8_000, 15_999]].tolist() == [0.25, 0.25, 0.125, 0.125]


def test_clipping_in_one_of_two_channels_is_counted(tmp_path):
    samples = np.stack([np.clip(4 * a_tone(), -1, 1), np.zeros(RATE, np.float32)], axis=1)

    assert read_sound(a_file(tmp_path, samples)).clipped_runs == 880  # 440 Hz, both halves of the wave


def test_a_text_file_called_wav_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("Hello, I am a text.")

    assert "no sound file: it begins with b'Hello, I am '" in refusal(path)


def test_an_empty_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "a.wav").touch()

    assert "0 bytes" in refusal(tmp_path / "a.wav")
    assert "cannot be read" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "none.wav")


@pytest.mark.parametrize(("container", "subtype"), [("CAF", "PCM_16"), ("W64", "PCM_16"), ("AU", "PCM_16")])
def test_formats_whose_lengths_are_not_checked_are_refused(tmp_path, container, subtype):
    assert "no sound file" in refusal(a_file(tmp_path, container=container, subtype=subtype))


def test_a_wav_file_may_carry_other_chunks_after_its_sound(tmp_path):
    path = a_file(tmp_path)
    data = bytearray(path.read_bytes()) + b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    data[4:8] = struct.pack("<I", len(data) - 8)
    path.write_bytes(data)

    assert read_sound(path).seconds == 1.0


@pytest.mark.parametrize("name", ["a.raw", "a.vox", "a.gsm", "a.au", "a.snd"])
def test_a_name_never_makes_a_format(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(range(256)) * 100)

    assert "no sound file" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("container", "subtype", "reason"),
    [
        ("WAV", "PCM_16", "The WAV header says the file has 320044 bytes, but it has 213362. It was cut off"),
        ("FLAC", "PCM_16", "The file cannot be decoded"),
        ("OGG", "VORBIS", "cut off. Send it again, whole."),
        ("OGG", "OPUS", "cut off. Send it again, whole."),
        ("AIFF", "PCM_16", "The AIFF header says the file has 320054 bytes, but it has 213369. It was cut off"),
        ("RF64", "PCM_16", "The RF64 header says the file has 320104 bytes, but it has 213402. It was cut off"),
    ],
)
def test_a_file_that_was_cut_off_is_refused_with_the_reason(tmp_path, container, subtype, reason):
    path = a_file(tmp_path, a_tone(10), container=container, subtype=subtype)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    assert reason in refusal(path)


def test_a_header_that_claims_more_than_the_file_has_is_refused_with_both_numbers(tmp_path):
    path = a_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 500_000)
    path.write_bytes(data)

    assert "The WAV chunk b'data' after b'fmt ' claims 500000 bytes, but 32000 follow." in refusal(path)


@pytest.mark.parametrize("claimed", [0, 1_000, 0xFFFFFFFF])
def test_a_riff_size_that_is_nonsense_is_refused(tmp_path, claimed):
    path = a_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", claimed)
    path.write_bytes(data)

    assert f"says the file has {claimed + 8} bytes, but it has 32044" in refusal(path)


def test_a_data_chunk_that_admits_to_less_than_the_file_has_is_refused(tmp_path):
    path = a_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 2_000)
    path.write_bytes(data)

    assert "after b'data' claims" in refusal(path)


def test_a_flac_header_that_claims_more_frames_is_refused(tmp_path):
    path = a_file(tmp_path, container="FLAC")
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack(">I", RATE * 50)
    path.write_bytes(data)

    assert "only 16000 can be decoded" in refusal(path) or "cannot be decoded" in refusal(path)


def test_zero_frames_are_refused(tmp_path):
    assert "0 frames" in refusal(a_file(tmp_path, np.zeros(0, np.float32)))


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_samples_that_are_not_finite_are_refused_with_their_time(tmp_path, value, word):
    samples = a_tone(10)
    samples[RATE * 7] = value

    assert f"The sample at 7.000 s is {word}." in refusal(a_file(tmp_path, samples, subtype="FLOAT"))


def test_samples_far_beyond_full_scale_are_refused(tmp_path):
    assert "full scale is 1" in refusal(a_file(tmp_path, a_tone() * 30_000, subtype="FLOAT"))


def test_eight_channels_are_refused(tmp_path):
    assert "8 channels" in refusal(a_file(tmp_path, np.zeros((RATE, 8), np.float32)))


@pytest.mark.parametrize("rate", [4_000, 7_999, 192_001, 384_000])
def test_rates_outside_8_to_192_khz_are_refused(tmp_path, rate):
    assert f"{rate} Hz" in refusal(a_file(tmp_path, rate=rate))


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_the_outermost_rates_are_read(tmp_path, rate):
    assert read_sound(a_file(tmp_path, rate=rate)).rate == rate


def test_a_sound_over_the_limit_is_refused_before_it_is_decoded(tmp_path):
    samples = a_tone(3)
    samples[0] = np.nan  # decoding would meet this first

    assert "lasts 3.0 s; the limit is 2 s" in refusal(a_file(tmp_path, samples, subtype="FLOAT"), max_seconds=2)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_a_silent_sound_is_refused(tmp_path, level):
    words = "digital zero" if level == 0 else "-86.0 dBFS"

    assert words in refusal(a_file(tmp_path, level * a_tone(), subtype="FLOAT"))


def test_two_channels_that_cancel_are_silent_when_mixed(tmp_path):
    assert "silent" in refusal(a_file(tmp_path, np.stack([a_tone(), -a_tone()], axis=1)))
