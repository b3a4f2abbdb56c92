import numpy as np
import pytest

from earshot.estimation.self_agreement import self_agreement


def test_figures_worked_by_hand():
    found = self_agreement(["ann", "ann", "bob"], [2, 0, -1], [3, 1, -1])

    assert found.same_sign.value == pytest.approx(2 / 3)  # 0 and 1 differ in sign
    assert found.mean_difference.value == pytest.approx(2 / 3)
    assert found.correlation.value == pytest.approx(2 * (6 + 0 + 1) / (4 + 9 + 1 + 1 + 1))
    assert found.same_sign.low is None
    assert found.same_sign.reason == "from 2 raters; an interval needs 5 or more"
    assert [each.rater for each in found.raters] == ["ann", "bob"]
    assert [each.same_sign.n for each in found.raters] == [2, 1]


def test_renaming_a_and_b_leaves_everything_unchanged():
    rng = np.random.default_rng(0)
    rater, first, repeat = rng.integers(0, 8, 60), rng.integers(-3, 4, 60), rng.integers(-3, 4, 60)
    turn = rng.choice([-1, 1], 60)

    assert self_agreement(rater, turn * first, turn * repeat) == self_agreement(rater, first, repeat)


def test_no_repeats_say_nothing():
    found = self_agreement([], [], [])

    assert (found.same_sign.value, found.same_sign.reason, found.raters) == (None, "no repeats", ())


def test_repeats_that_are_all_ties_have_no_correlation():
    found = self_agreement([0, 1], [0, 0], [0, 0])

    assert (found.same_sign.value, found.correlation.value) == (1.0, None)
    assert found.correlation.reason == "no repeats, or all votes were 0"


@pytest.mark.parametrize(
    ("first", "repeat", "message"),
    [([1, 2], [1], "2 raters, 2 first votes and 1 repeats"), ([1, 2], [1, 4], "There is a vote of 4")],
)
def test_wrong_columns_are_refused(first, repeat, message):
    with pytest.raises(ValueError, match=message):
        self_agreement([0, 1], first, repeat)


def draw_repeats(seed, *, n_raters=40, n_repeats=6):
    """Raters who repeat the sign in 0.5 … 0.9 of repeats, on votes of ±1."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.5, 0.9, n_raters)
    rater = np.repeat(np.arange(n_raters), n_repeats)
    first = rng.choice([-1, 1], len(rater))
    return share, rater, first, np.where(rng.random(len(rater)) < share[rater], first, -first)


def test_raters_are_shrunk_towards_each_other():
    share, rater, first, repeat = draw_repeats(0)

    found = self_agreement(rater, first, repeat)
    raw = np.bincount(rater, first == repeat) / 6
    shrunk = np.array([each.same_sign.value for each in found.raters])

    assert np.abs(shrunk - share).mean() < np.abs(raw - share).mean()
    assert shrunk.std() < raw.std()
    assert min(shrunk) > 0.4  # although somebody repeated himself in one of six


def test_intervals_cover_each_rater_and_all_of_them():
    each, whole = [], []
    for seed in range(40):
        share, rater, first, repeat = draw_repeats(seed)
        found = self_agreement(rater, first, repeat)
        each += [own.same_sign.low <= true <= own.same_sign.high for own, true in zip(found.raters, share, strict=True)]
        whole.append(found.same_sign.low <= 0.7 <= found.same_sign.high)

    assert 0.92 <= np.mean(each) <= 0.99
    assert 0.85 <= np.mean(whole) <= 1.0
