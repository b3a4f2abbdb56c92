"""500 mutated sound files: each decodes to finite samples or is refused with an AudioError, never anything else."""

import io
import random

import numpy as np
import pytest
import soundfile

from earshot.acoustics.decoding import AudioError, read_sound

MUTANTS_PER_FORMAT = {"WAV": 140, "WAV float": 60, "FLAC": 120, "OGG Vorbis": 90, "OGG Opus": 50, "MP3": 40}


def seed_files() -> dict[str, bytes]:
    time = np.arange(12_000) / 24_000
    noise = np.random.default_rng(0).normal(0, 0.02, len(time))
    voice = (0.3 * np.sin(2 * np.pi * 180 * time) * np.sin(2 * np.pi * 3 * time) + noise).astype(np.float32)
    stereo = np.stack([voice, voice[::-1]], axis=1)
    kinds = {
        "WAV": (stereo, "WAV", "PCM_16"), "WAV float": (voice, "WAV", "FLOAT"), "FLAC": (stereo, "FLAC", "PCM_16"),
        "OGG Vorbis": (voice, "OGG", "VORBIS"), "OGG Opus": (voice, "OGG", "OPUS"),
        "MP3": (voice, "MP3", "MPEG_LAYER_III"),
    }  # fmt: skip
    files = {}
    for name, (samples, container, subtype) in kinds.items():
        stream = io.BytesIO()
        soundfile.write(stream, samples, 24_000, subtype, format=container)
        files[name] = stream.getvalue()
    return files


def flip_bits(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice([1, 3, 30])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def cut_off(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def edit_header(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(min(len(data), 80))
        data[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    return data


def write_a_number(data: bytearray, chance: random.Random) -> bytearray:
    place = chance.randrange(min(len(data) - 4, 100))
    value = chance.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, chance.randrange(2**32)])
    data[place : place + 4] = value.to_bytes(4, chance.choice(["little", "big"]))
    return data


def splice_garbage(data: bytearray, chance: random.Random) -> bytearray:
    place, length = chance.randrange(len(data)), chance.choice([1, 4, 100, 5_000])
    return data[:place] + bytearray(chance.randbytes(length)) + data[place + chance.choice([0, length]) :]


def repeat_a_part(data: bytearray, chance: random.Random) -> bytearray:
    low, high = sorted(chance.randrange(len(data)) for _ in range(2))
    return data[:high] + data[low:]


MUTATIONS = [flip_bits, cut_off, edit_header, write_a_number, splice_garbage, repeat_a_part]


@pytest.mark.parametrize("name", MUTANTS_PER_FORMAT)
def test_mutated_sound_files_decode_or_are_refused(name, tmp_path):
    seed, chance = seed_files()[name], random.Random(name)
    decoded, refusals = 0, []
    for index in range(MUTANTS_PER_FORMAT[name]):
        data = bytearray(seed)
        for mutate in chance.sample(MUTATIONS, chance.choice([1, 1, 2])):
            data = mutate(data, chance) if len(data) > 8 else data
        path = tmp_path / f"{index}.wav"
        path.write_bytes(data)
        try:
            sound = read_sound(path, max_seconds=60)
        except AudioError as error:
            refusals.append(str(error))
        else:
            decoded += 1
            assert np.isfinite(sound.samples).all()
            assert 0 < sound.seconds <= 60
            assert len(sound.samples) == round(sound.seconds * sound.rate)

    assert decoded + len(refusals) == MUTANTS_PER_FORMAT[name]
    assert refusals
    assert [text for text in refusals if not (text[0].isupper() and text.endswith("."))] == []


def test_five_hundred_files_are_mutated_and_their_seeds_are_good(tmp_path):
    assert sum(MUTANTS_PER_FORMAT.values()) == 500
    for name, data in seed_files().items():
        path = tmp_path / "seed"
        path.write_bytes(data)
        assert read_sound(path, max_seconds=60).seconds == pytest.approx(0.5, abs=0.1), name
