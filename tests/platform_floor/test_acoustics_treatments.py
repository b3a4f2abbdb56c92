"""What is done to one side of a check, as pure functions on samples."""

import numpy as np
import pytest

from earshot.acoustics.levels import integrated_lufs, true_peak_dbtp
from earshot.acoustics.pauses import PauseChange
from earshot.acoustics.treatments import at_level, flatten, insert_voice, lengthen, unsteady

RATE = 24_000


def noise(seconds: float = 2.0, loudness: float = 0.01) -> np.ndarray:
    return loudness * np.random.default_rng(1).standard_normal(round(seconds * RATE))


def tone(seconds: float = 2.0, loudness: float = 0.1) -> np.ndarray:
    return loudness * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE)


def test_a_longer_pause_leaves_what_was_before_and_after_it_untouched():
    samples = noise()

    longer, [change] = lengthen(samples, RATE, [PauseChange(1.0, 2.5)])

    added = round(change.seconds * RATE)
    assert added == pytest.approx(2.5 * RATE, abs=30)
    assert len(longer) == len(samples) + added
    assert np.array_equal(longer[:RATE], samples[:RATE])
    assert np.array_equal(longer[RATE + added :], samples[RATE:])


def test_a_longer_pause_has_no_seam():
    samples = tone()  # a seam would be a step that the tone does not have

    longer, _changes = lengthen(samples, RATE, [PauseChange(1.0, 0.7)])

    assert np.abs(np.diff(longer)).max() <= np.abs(np.diff(samples)).max() + 1e-9


def test_several_pauses_become_longer_each_at_its_place():
    longer, changes = lengthen(noise(), RATE, [PauseChange(0.5, 1.0), PauseChange(1.5, 0.4)])

    assert [change.at for change in changes] == [0.5, 1.5]
    assert len(longer) == 2 * RATE + sum(round(change.seconds * RATE) for change in changes)


def test_before_the_first_sound_a_pause_is_silence():
    longer, [change] = lengthen(noise(), RATE, [PauseChange(0.0, 0.5)])

    assert not longer[: round(change.seconds * RATE)].any()


@pytest.mark.parametrize(
    "changes", [[PauseChange(3.0, 1.0)], [PauseChange(1.0, 0.0)], [PauseChange(1.0, 0.1), PauseChange(0.5, 0.1)]]
)
def test_a_pause_outside_the_sound_out_of_order_or_not_longer_is_refused(changes):
    with pytest.raises(ValueError, match="Give places inside the sound, in order, and seconds above 0"):
        lengthen(noise(), RATE, changes)


def test_a_voice_is_heard_where_it_is_said_to_be_and_as_loud_as_asked():
    longer, (start, end), seconds = insert_voice(noise(2.0, 1e-4), RATE, 1.0, tone(1.5, 0.5), -23.0)

    assert (start, end) == (1.4, 2.9)
    assert len(longer) == 2 * RATE + round(seconds * RATE)
    said = longer[round(start * RATE) : round(end * RATE)].astype(np.float32)
    assert integrated_lufs(said, RATE) == pytest.approx(-23.0, abs=0.1)
    assert np.abs(longer[round(end * RATE) : round((end + 0.3) * RATE)]).max() < 1e-3


def test_a_turn_without_a_voice_in_it_cannot_be_flattened_and_stays():
    samples = np.zeros(2 * RATE)

    assert np.array_equal(flatten(samples, RATE, [(0.2, 1.8)]), samples)
    assert np.array_equal(flatten(tone(), RATE, []), tone())


def test_an_unsteady_level_sinks_and_never_rises_and_only_within_the_turns():
    samples = tone(4.0)

    changed = unsteady(samples, RATE, [(1.0, 3.5)], np.random.default_rng(2))

    assert np.array_equal(changed[:RATE], samples[:RATE])
    assert np.array_equal(changed[round(3.5 * RATE) :], samples[round(3.5 * RATE) :])
    assert (np.abs(changed) <= np.abs(samples) + 1e-12).all()
    frames = changed[RATE : round(3.4 * RATE)].reshape(-1, RATE // 10)
    loudness = 20 * np.log10(np.sqrt(np.mean(frames**2, axis=1)) / np.sqrt(np.mean(samples**2)))
    assert (loudness.max(), loudness.min()) == (pytest.approx(-1.0, abs=1.5), pytest.approx(-13.0, abs=3.0))


def test_a_sound_is_brought_to_the_level_or_as_near_as_its_peaks_allow():
    quiet, reached = at_level(tone(), RATE, -23.0)
    spiky = tone()
    spiky[RATE] = 3.0
    held, below = at_level(spiky, RATE, -23.0)

    assert (integrated_lufs(quiet.astype(np.float32), RATE), reached) == (pytest.approx(-23.0, abs=0.01), -23.0)
    assert true_peak_dbtp(held.astype(np.float32)) == pytest.approx(-1.0, abs=0.01)
    assert below == pytest.approx(integrated_lufs(held.astype(np.float32), RATE), abs=0.01)
    assert below < -25


def test_a_sound_in_which_nothing_can_be_heard_is_refused():
    with pytest.raises(ValueError, match="nothing can be heard in it"):
        at_level(np.zeros(RATE), RATE, -23.0)
