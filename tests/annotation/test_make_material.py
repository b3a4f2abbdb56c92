"""`make_material` makes the material from recordings of its script, always the same bytes, or says what is missing."""

import io
import json

import numpy as np
import pytest
import soundfile
from django.core.management import CommandError, call_command

from annotation.material import plan
from annotation.material.making import at_level, at_one_level, opus_bytes, say_both, trim
from annotation.material.ogg import page_checksum, with_serial
from annotation.material.script import sources_of
from annotation.material.stimulus import RATE
from earshot.acoustics import vocoder
from earshot.acoustics.levels import measure_level


def voice(seconds=1.0, hertz=150.0):
    """Something like speech: a rich tone that swells and falls four times a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * hertz * n * time) / n for n in range(1, 20))
    return 0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))


@pytest.fixture
def sources(tmp_path):
    """Every recording of the English script, half a second each, no two alike."""
    for number, source in enumerate(sources_of("en")):
        path = tmp_path / "sources" / source.file
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, voice(0.5, 100 + 2 * number), RATE)
    return tmp_path / "sources"


def make(sources, out):
    call_command("make_material", "--sources", sources, "--out", out, "--languages", "en", stdout=io.StringIO())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_same_recordings_give_the_same_bytes(sources, tmp_path):
    assert make(sources, tmp_path / "one") == make(sources, tmp_path / "two")


def test_a_missing_recording_is_named(sources, tmp_path):
    (sources / "en" / "digit-3.wav").unlink()

    with pytest.raises(CommandError, match=r"digit-3\.wav is missing. Record what `make_material --list` says of it"):
        make(sources, tmp_path / "out")


def test_sources_and_out_belong_together():
    with pytest.raises(CommandError, match="Give --sources and --out, or --list"):
        call_command("make_material")


def test_the_list_says_who_says_what(capsys):
    call_command("make_material", "--list", "--languages", "ja")

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"file": "ja/channel-left.wav", "language": "ja", "voice": "jf_alpha", "text": "左です。"}
    assert len(rows) == 58


def test_silence_at_the_ends_is_cut_to_60_ms():
    padded = np.concatenate([np.zeros(RATE), voice(), np.zeros(RATE)])

    assert len(trim(padded)) / RATE == pytest.approx(1.12, abs=0.011)


def test_a_sound_is_brought_to_minus_23_lufs():
    assert measure_level(at_level(voice(2.0)).astype(np.float32), RATE).lufs == pytest.approx(-23, abs=0.05)


def test_both_sides_are_as_loud_as_the_one_with_the_higher_peak_allows():
    calm, spiky = voice(2.0), voice(2.0)
    spiky[RATE] = 5.0  # at −23 LUFS it would pass full scale

    levels = [measure_level(side.astype(np.float32), RATE) for side in at_one_level(calm, spiky)]

    assert levels[1].true_peak_dbtp == pytest.approx(-1, abs=0.05)
    assert levels[0].lufs == pytest.approx(levels[1].lufs, abs=0.05)
    assert levels[0].lufs < -24


def test_a_late_reply_is_the_same_sound_further_along():
    lines = (plan.Line("user"), plan.Line("assistant", worse_gap=1.3))

    better, worse = say_both(lines, [voice(0.5, 120), voice(0.5, 180)], 0.1)

    assert len(better) == round((0.3 + 0.5 + 0.3 + 0.5 + 0.3) * RATE)
    assert len(worse) - len(better) == RATE  # 1.3 s instead of 0.3 s
    assert np.array_equal(worse[-round(0.8 * RATE) :], better[-round(0.8 * RATE) :])
    assert np.array_equal(worse[: round(0.8 * RATE)], better[: round(0.8 * RATE)])


def test_a_reply_can_begin_before_the_other_has_ended():
    lines = (plan.Line("user"), plan.Line("assistant", worse_gap=-0.2))

    better, worse = say_both(lines, [voice(0.5, 120), voice(0.5, 180)], 0.1)

    assert len(better) - len(worse) == RATE // 2


def test_a_line_passes_the_vocoder_in_both_sides_or_in_neither():
    recordings = [voice(0.5, 120), voice(0.5, 180)]
    changed = plan.Line("assistant", vocoder.Prosody(pace_ratio=1.0, energy_db=1.0), vocoder.Prosody(energy_db=-5.0))

    better, worse = say_both((plan.Line("user"), changed), recordings, 0.1)

    start, end = round(0.3 * RATE), round(0.8 * RATE)
    assert np.array_equal(better[start:end], recordings[0])
    assert np.array_equal(worse[start:end], recordings[0])
    replies = better[round(1.1 * RATE) :], worse[round(1.1 * RATE) :]
    assert replies[1] == pytest.approx(replies[0] * 10 ** (-6 / 20), abs=1e-9)  # the same synthesis, 6 dB softer


def test_in_a_language_with_tones_the_melody_stays_wide_enough_for_its_words():
    """A voice that swings by 2 semitones (rms) is halved where there are tones, and all but flat elsewhere."""
    lines = (plan.Line("assistant", plan.NEUTRAL, plan.ONE_NOTE),)
    time = np.arange(2 * RATE) / RATE
    hertz = 150 * 2 ** (2 * np.sqrt(2) * np.sin(2 * np.pi * time) / 12)
    swinging = 0.1 * sum(np.sin(n * 2 * np.pi * np.cumsum(hertz) / RATE) / n for n in range(1, 20))

    spreads = {}
    for has_tones, narrowest in plan.NARROWEST_RANGE.items():
        f0 = vocoder.estimate_f0(say_both(lines, [swinging], narrowest)[1], RATE)
        low, high = np.percentile(12 * np.log2(f0[f0 > 0]), [25, 75])
        spreads[has_tones] = (high - low) / 2  # the rms of a sine, whatever the estimator does at the ends

    assert spreads == pytest.approx({True: 1.0, False: 0.2}, abs=0.15)


@pytest.mark.parametrize("pair", plan.PAIRS, ids=lambda pair: pair.key)
def test_each_pair_has_a_worse_side_and_the_user_says_the_same_in_both(pair):
    spoiled = [line for line in pair.lines if line.worse is not None or line.worse_gap is not None]

    assert spoiled
    assert {line.role for line in spoiled} == {"assistant"}
    timing = [line.worse_gap is not None for line in spoiled]
    assert all(timing) if pair.dimension == "immersion" else not any(timing)


def test_encoded_twice_a_sound_has_the_same_bytes_and_its_very_length(tmp_path):
    one, again = opus_bytes(voice()), opus_bytes(voice())
    (tmp_path / "one.opus").write_bytes(one)
    decoded, rate = soundfile.read(tmp_path / "one.opus")

    assert one == again
    assert (len(decoded), rate) == (RATE, RATE)
    assert np.corrcoef(decoded, voice())[0, 1] > 0.98


# The checksum of RFC 3533 is CRC-32/MPEG-2 begun at 0: of "123456789" that is 0x89A1897F.
def test_the_checksum_of_an_ogg_page():
    assert page_checksum(b"123456789") == 0x89A1897F


def test_what_is_no_ogg_file_is_refused():
    with pytest.raises(ValueError, match="No Ogg page begins at byte 0"):
        with_serial(b"RIFF" + bytes(40), 1)
    with pytest.raises(ValueError, match="ends after the file"):
        with_serial(opus_bytes(voice())[:-1], 1)
