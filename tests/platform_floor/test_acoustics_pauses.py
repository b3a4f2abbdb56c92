"""Other pauses, the same words: what changes, by how much, and where everything lies afterwards."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earshot.acoustics.pauses import (
    CROSSFADE_SECONDS,
    LEAD_SECONDS,
    PauseChange,
    changed_stretches,
    changed_time,
    plan_pauses,
    vary_pauses,
)

RATE = 24_000
SPEECH = [[0.5, 1.5], [1.6, 2.0], [2.5, 3.5], [5.5, 6.0]]  # pauses of 0.1, 0.5 and 2 s


def noisy_words(seconds: float = 7.0) -> np.ndarray:
    """A loud ramp in each stretch of speech, so that every sample of it is its own, over faint noise."""
    noise = np.random.default_rng(5).integers(-30, 30, round(seconds * RATE))
    for start, end in SPEECH:
        first, last = round(start * RATE), round(end * RATE)
        noise[first:last] = np.linspace(1_000, 30_000, last - first)
    return noise.astype(np.int16)


def test_the_beginning_and_every_real_pause_change_and_short_ones_do_not():
    changes = plan_pauses(SPEECH, "pair 1")

    assert [change.at for change in changes] == [0.0, 2.25, 4.5]
    lead, short, long = (change.seconds for change in changes)
    assert LEAD_SECONDS[0] <= lead <= LEAD_SECONDS[1]
    assert 0.0125 <= abs(short) <= 0.05
    assert 0.0125 <= abs(long) <= 0.05


def test_one_seed_gives_one_plan_and_another_seed_another():
    assert plan_pauses(SPEECH, "pair 1") == plan_pauses(SPEECH, "pair 1")
    assert plan_pauses(SPEECH, "pair 1") != plan_pauses(SPEECH, "pair 2")


def test_a_sound_without_speech_gets_only_another_beginning():
    assert [change.at for change in plan_pauses([], "pair 1")] == [0.0]


@pytest.mark.parametrize(
    ("second", "expected"),
    [(0.0, 0.1), (1.0, 1.1), (2.0, 2.1), (2.01, 2.1), (2.04, 2.1), (2.1, 2.16), (5.0, 5.06), (5.5, 5.58), (9.0, 9.08)],
)
def test_moments_move_with_the_pauses_before_them(second, expected):
    changes = [PauseChange(0.0, 0.1), PauseChange(2.0, -0.04), PauseChange(5.0, 0.02)]

    assert changed_time(second, changes) == pytest.approx(expected)


def test_without_changes_nothing_moves():
    assert changed_stretches(SPEECH, []) == SPEECH
    assert vary_pauses(noisy_words(), RATE, []).tolist() == noisy_words().tolist()


@pytest.mark.parametrize("seed", ["pair 1", "pair 2", "pair 3", "pair 4"])
def test_every_word_is_where_its_time_says_and_is_the_same_to_the_sample(seed):
    samples = noisy_words()
    changes = plan_pauses(SPEECH, seed)

    varied = vary_pauses(samples, RATE, changes)

    for (start, end), (new_start, _end) in zip(SPEECH, changed_stretches(SPEECH, changes), strict=True):
        word = samples[round(start * RATE) : round(end * RATE)]
        first = round(new_start * RATE)
        assert np.array_equal(varied[first : first + len(word)], word)
    assert len(varied) == pytest.approx(changed_time(7.0, changes) * RATE, abs=1)


def test_a_changed_pause_keeps_its_noise_and_has_no_hole():
    samples = noisy_words()
    changes = [PauseChange(4.5, 0.05)]

    varied = vary_pauses(samples, RATE, changes)

    pause = varied[round(3.6 * RATE) : round(5.5 * RATE)].astype(float)
    steps = np.sqrt(np.mean(pause[: len(pause) // 120 * 120].reshape(-1, 120) ** 2, axis=1))  # of 5 ms
    assert steps.min() > 10
    assert np.abs(pause).max() <= 45  # two stretches of noise never add up to a click


def test_the_longer_beginning_is_silent():
    varied = vary_pauses(noisy_words(), RATE, [PauseChange(0.0, 0.1)])

    assert not varied[: round(0.1 * RATE)].any()
    assert np.array_equal(varied[round(0.1 * RATE) :], noisy_words())


@pytest.mark.parametrize("change", [PauseChange(7.0, 0.02), PauseChange(0.01, 0.05), PauseChange(6.99, -0.05)])
def test_a_plan_for_another_sound_is_refused(change):
    with pytest.raises(ValueError, match="Plan the changes from this sound's own speech"):
        vary_pauses(noisy_words(), RATE, [change])


stretch_lengths = st.lists(st.tuples(st.floats(0.0, 4.0), st.floats(0.08, 5.0)), max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # on a busy machine
@given(lengths=stretch_lengths, seed=st.text(max_size=8))
def test_any_plan_fits_its_sound_and_keeps_all_times_in_order(lengths, seed):
    speech, at = [], 0.0
    for pause, spoken in lengths:
        speech.append([at + pause, at + pause + spoken])
        at += pause + spoken
    seconds = at + 1.0
    changes = plan_pauses(speech, seed)

    varied = vary_pauses(np.zeros(round(seconds * 1_000), np.int16), 1_000, changes)

    bounds = [second for stretch in changed_stretches(speech, changes) for second in stretch]
    assert all(one <= following + 1e-9 for one, following in pairwise([0.0, *bounds, changed_time(seconds, changes)]))
    assert all(abs(change.seconds) <= 0.05 for change in changes[1:])
    assert len(varied) == pytest.approx(changed_time(seconds, changes) * 1_000, abs=len(changes) + 1)
    assert CROSSFADE_SECONDS < 0.05
