import numpy as np
import pytest

from earshot.estimation.halo import measure_halo
from earshot.estimation.judged import code_judged


def judge(values, *, rater, pair):
    n = len(values)
    return code_judged(rater, pair, np.zeros(n), np.ones(n), np.ones(n), values)


def draw_judged(likeness, *, n_pairs=60, n_raters=12, overlap=4, seed=0):
    """Each rater's errors share `likeness[rater]` of their variance between three dimensions; pairs share 0.8."""
    rng = np.random.default_rng(seed)
    rater = np.concatenate([rng.choice(n_raters, overlap, replace=False) for _ in range(n_pairs)])
    pair = np.repeat(np.arange(n_pairs), overlap)
    quality = np.sqrt(0.8) * rng.normal(size=(n_pairs, 1)) + np.sqrt(0.2) * rng.normal(size=(n_pairs, 3))
    common = np.asarray(likeness)[rater][:, None]
    error = np.sqrt(common) * rng.normal(size=(len(rater), 1)) + np.sqrt(1 - common) * rng.normal(size=(len(rater), 3))
    return judge(np.clip(np.round(quality[pair] + error), -3, 3), rater=rater, pair=pair)


def test_share_alike_counts_judgments_with_answers_in_two_dimensions():
    nan = float("nan")
    values = [[1, 1, 1], [1, 1, 2], [0, 0, nan], [2, nan, nan], [nan, nan, nan]]

    halo = measure_halo(judge(values, rater=[0] * 5, pair=range(5)))

    assert halo.alike.value == pytest.approx(2 / 3)
    assert (halo.alike.n, halo.alike.low) == (3, None)
    assert halo.alike.reason == "from 1 raters; an interval needs 5 or more"
    assert halo.correlation.reason == "no two votes on one pair differ in two dimensions"


def test_correlation_worked_by_hand():
    # One pair, two raters: (2, 1) and (0, 0): residuals ±1 and ±0.5. Products 2 · 0.5, squares (1 + 0.25)/2 · 2.
    halo = measure_halo(judge([[2, 1], [0, 0]], rater=[0, 1], pair=[7, 7]))

    assert halo.correlation.value == pytest.approx(0.8)
    assert halo.advises_one_dimension_per_pass is False  # without an interval nothing is advised


def test_pairs_that_are_good_in_all_dimensions_are_no_halo():
    halo = measure_halo(draw_judged([0.0] * 12))

    assert halo.correlation.low < 0.0 < halo.correlation.high
    assert halo.advises_one_dimension_per_pass is False


def test_halo_is_found_whatever_the_pairs_have_in_common():
    halo = measure_halo(draw_judged([0.8] * 12, n_pairs=400))

    assert 0.6 < halo.correlation.low < halo.correlation.value < 0.8  # rounding to whole points hides some of the 0.8
    assert halo.advises_one_dimension_per_pass is True


def test_one_rater_with_halo_stands_out_and_an_honest_one_does_not():
    judged = draw_judged([0.1] * 12, n_pairs=300)
    first = judged.rater == 0
    judged.values[first] = judged.values[first][:, :1]

    halo = measure_halo(judged)

    assert halo.raters[0].alike.low > 0.9
    assert halo.raters[0].correlation.low > max(each.correlation.high for each in halo.raters[1:])
    assert max(each.alike.high for each in halo.raters[1:]) < 0.5


def test_renaming_a_and_b_leaves_halo_unchanged():
    judged = draw_judged([0.5] * 12)
    turned = np.random.default_rng(1).random(60) < 0.5
    values = np.where(turned[judged.pair][:, None], -judged.values, judged.values)

    renamed = measure_halo(judge(values, rater=judged.rater, pair=judged.pair))

    assert renamed.correlation.value == pytest.approx(measure_halo(judged).correlation.value, abs=1e-12)
    assert renamed.alike == measure_halo(judged).alike


def test_a_rater_with_few_shared_judgments_has_no_correlation():
    halo = measure_halo(judge([[1, 2], [0, 1], [3, 3]], rater=[0, 1, 0], pair=[0, 0, 1]))

    assert halo.raters[1].correlation.value is None
    assert halo.raters[1].correlation.reason == "fewer than 4 judgments on pairs that others judged too"


def test_no_judgments_have_no_halo():
    halo = measure_halo(judge(np.zeros((0, 3)), rater=[], pair=[]))

    assert (halo.alike.value, halo.correlation.value, halo.raters) == (None, None, ())
    assert halo.advises_one_dimension_per_pass is False


def test_a_table_without_columns_or_off_the_scale_is_refused():
    with pytest.raises(ValueError, match=r"values has the shape \(2,\)"):
        judge([1, 2], rater=[0, 1], pair=[0, 0])
    with pytest.raises(ValueError, match=r"There is a value of 1\.5"):
        judge([[1.5, 2]], rater=[0], pair=[0])
    with pytest.raises(ValueError, match=r"rows\. Give every column one entry per judgment"):
        judge([[1, 2]], rater=[0, 1], pair=[0])


def test_study_interval_covers_the_correlation_of_many_judgments():
    truth = measure_halo(draw_judged([0.5] * 12, n_pairs=20_000, seed=99)).correlation.value

    found = [measure_halo(draw_judged([0.5] * 12, seed=seed)).correlation for seed in range(100)]

    assert 0.88 <= np.mean([each.low <= truth <= each.high for each in found]) <= 1.0
