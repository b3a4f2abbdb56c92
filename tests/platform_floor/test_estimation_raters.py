import dataclasses

import numpy as np
import pytest

from earshot.estimation.estimates import ALL_ALIKE, Estimate, ratio_by_rater, shrink_normal, shrink_shares, wilson
from earshot.estimation.judged import code_judged
from earshot.estimation.raters import fit_raters

N_RATERS = 30


def draw_judged(seed, *, discrimination, bias, noise, n_pairs=150, overlap=4, n_dimensions=2, rounded=True):
    """The model of `fit_raters` itself, five systems, errors of one judgment correlated by 0.4."""
    rng = np.random.default_rng(seed)
    rater = np.concatenate([rng.choice(N_RATERS, overlap, replace=False) for _ in range(n_pairs)])
    pair = np.repeat(np.arange(n_pairs), overlap)
    a = rng.integers(0, 5, n_pairs)
    b = (a + rng.integers(1, 5, n_pairs)) % 5
    strength = rng.normal(0, 0.7, 5)
    quality = (strength[a] - strength[b])[:, None] + rng.normal(0, 0.8, (n_pairs, n_dimensions))
    side = rng.choice([-1, 1], len(rater))
    error = np.sqrt(0.4) * rng.normal(size=(len(rater), 1)) + np.sqrt(0.6) * rng.normal(size=(len(rater), n_dimensions))
    values = discrimination[rater][:, None] * quality[pair] + (bias[rater] * side)[:, None]
    values = values + noise[rater][:, None] * error
    judged = code_judged(rater, pair, a[pair], b[pair], side, np.clip(np.round(values), -3, 3))
    return judged if rounded else dataclasses.replace(judged, values=values)


def draw_raters(seed):
    rng = np.random.default_rng(seed)
    discrimination = np.clip(rng.normal(1, 0.3, N_RATERS), 0.2, None)
    noise = np.exp(rng.normal(-0.2, 0.2, N_RATERS))
    return {"discrimination": discrimination, "bias": rng.normal(0.1, 0.25, N_RATERS), "noise": noise}


def column(model, name):
    return [getattr(each, name) for each in model.estimates]


def test_wilson_interval_of_8_in_10():
    found = wilson(8, 10)  # Wilson (1927): centre (0.8 + z²/20) / (1 + z²/10) = 0.7168, reach 0.2266

    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == Estimate(None, None, None, 0, "none yet")


def test_a_wide_interval_is_neither_above_nor_below():
    wide = Estimate(0.9, 0.2, 1.6, 5)

    assert (wide.is_above(0.5), wide.is_below(1.5)) == (False, False)
    assert (wide.is_above(0.1), wide.is_below(1.7)) == (True, True)
    assert Estimate(0.9, None, None, 1, "too few").is_above(0.0) is False


def test_equally_precise_numbers_are_shrunk_by_the_share_of_their_variance_that_is_error():
    # Values ±2 about 1, error variance 1: Σ (±2)² / (1 + s²) = n − 1 = 3, so s² = 13/3; weight of the value 13/16.
    found = shrink_normal(np.array([3.0, -1.0, 3.0, -1.0]), np.ones(4), least_spread=0.1)

    assert found.centre == pytest.approx(1.0)
    assert found.spread**2 == pytest.approx(13 / 3)
    assert found.value == pytest.approx([1 + 2 * 13 / 16, 1 - 2 * 13 / 16] * 2)
    assert found.sd == pytest.approx(np.full(4, (13 / 16) ** 0.5))


def test_numbers_that_differ_by_no_more_than_their_errors_keep_the_least_spread():
    found = shrink_normal(np.array([1.0, 1.1, 0.9]), np.ones(3), least_spread=0.5)

    assert found.spread == 0.5
    assert found.sd == pytest.approx(np.full(3, (1 / (1 + 4)) ** 0.5))


def test_a_rater_without_votes_gets_the_centre_and_the_whole_spread():
    found = shrink_normal(np.array([3.0, -1.0, 0.0]), np.array([1.0, 1.0, np.inf]), least_spread=0.1)

    assert found.value[2] == pytest.approx(1.0)
    assert found.sd[2] == pytest.approx(found.spread)


def test_nobody_known_leaves_zero_and_the_least_spread():
    found = shrink_normal(np.zeros(2), np.full(2, np.inf), least_spread=0.2)

    assert (found.centre, found.spread) == (0.0, 0.2)


def test_shares_of_raters_without_answers_are_unknown():
    known, unknown = shrink_shares([3, 0], [4, 0])

    assert known.low < known.value < known.high
    assert (unknown.value, unknown.reason) == (None, "none yet")


def test_intervals_cover_what_the_raters_are():
    covered = []
    for seed in range(25):
        truth = draw_raters(seed)
        model = fit_raters(draw_judged(seed + 1000, **truth, rounded=False))
        names = {
            "discrimination": truth["discrimination"] / truth["discrimination"].mean(),
            "side_bias": truth["bias"],
            "noise": truth["noise"],
        }
        covered.append(
            [
                np.mean([own.low <= value <= own.high for own, value in zip(column(model, name), values, strict=True)])
                for name, values in names.items()
            ]
        )

    assert np.all(np.mean(covered, axis=0) > 0.9)
    assert np.all(np.mean(covered, axis=0) < 0.985)


def test_the_crowd_has_discrimination_1_and_better_raters_more():
    truth = draw_raters(1)

    model = fit_raters(draw_judged(1, **truth, n_pairs=600))
    found = np.array([each.value for each in column(model, "discrimination")])

    assert found.mean() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(found, truth["discrimination"])[0, 1] > 0.8


def test_nobody_is_judged_on_few_votes():
    truth = draw_raters(2) | {"discrimination": np.r_[0.0, np.ones(N_RATERS - 1)]}

    few, many = (fit_raters(draw_judged(2, **truth, n_pairs=n_pairs)) for n_pairs in (30, 600))

    assert few.usual_reliability == pytest.approx(0.8, abs=0.1)
    assert few.estimates[0].reliability.is_below(few.usual_reliability / 2) is False
    assert many.estimates[0].reliability.is_below(many.usual_reliability / 2) is True


def test_renaming_a_and_b_changes_no_figure():
    judged = draw_judged(3, **draw_raters(3))
    turned = (np.random.default_rng(0).random(150) < 0.5)[judged.pair]
    renamed = dataclasses.replace(
        judged,
        system_a=np.where(turned, judged.system_b, judged.system_a),
        system_b=np.where(turned, judged.system_a, judged.system_b),
        side=np.where(turned, -judged.side, judged.side),
        values=np.where(turned[:, None], -judged.values, judged.values),
    )

    for before, after in zip(fit_raters(judged).estimates, fit_raters(renamed).estimates, strict=True):
        for name in ("discrimination", "side_bias", "noise", "tendency", "reliability"):
            assert getattr(after, name).value == pytest.approx(getattr(before, name).value, abs=1e-9)


def test_always_left_is_seen_after_twelve_judgments():
    judged = draw_judged(4, **draw_raters(4) | {"bias": np.full(N_RATERS, 0.1)}, n_pairs=90)
    lazy = judged.rater == 0
    judged.values[lazy] = 2 * judged.side[lazy][:, None]

    model = fit_raters(judged)

    assert lazy.sum() == pytest.approx(12, abs=4)
    assert model.estimates[0].side_bias.low > 0.5
    assert max(each.low for each in column(model, "side_bias")[1:]) < 0.5


def test_whoever_uses_the_ends_of_the_scale_tends_outwards():
    judged = draw_judged(5, **draw_raters(5), n_pairs=400)
    judged.values[judged.rater == 0] = 3 * np.sign(judged.values[judged.rater == 0])
    judged.values[judged.rater == 1] = np.sign(judged.values[judged.rater == 1])

    tendency = column(fit_raters(judged), "tendency")

    assert tendency[0].low > 0.3
    assert tendency[1].high < -0.1


def test_answers_that_are_no_number_are_left_out():
    judged = draw_judged(6, **draw_raters(6))
    judged.values[::3, 1] = np.nan
    judged.values[judged.rater == 7] = np.nan

    model = fit_raters(judged)

    silent = model.estimates[7]
    assert {each.reason for each in vars(silent).values()} == {"no votes on pairs that others judged too"}
    assert all(np.isfinite(each.value) for each in column(model, "discrimination") if each is not silent.discrimination)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_crowd_that_always_says_the_same_breaks_nothing(value):
    model = fit_raters(code_judged([0, 1, 2] * 4, np.arange(12) // 3, [0] * 12, [1] * 12, [1] * 12, [[value]] * 12))

    assert all(np.isfinite([each.value, each.low, each.high]).all() for each in column(model, "reliability"))


def test_nothing_is_said_of_who_shares_no_pair_however_much_the_rest_is_known():
    judged = draw_judged(7, **draw_raters(7))
    own_pair = np.where(judged.rater == 0, 1000 + np.arange(len(judged)), judged.pair)

    model = fit_raters(dataclasses.replace(judged, pair=own_pair))

    unknown = Estimate(None, None, None, int((judged.rater == 0).sum()), "no votes on pairs that others judged too")
    assert set(vars(model.estimates[0]).values()) == {unknown}
    assert model.estimates[1].reliability.low > 0


def test_where_no_pair_is_shared_no_reliability_is_usual():
    model = fit_raters(code_judged([0, 1], [1, 2], ["x", "x"], ["y", "y"], [1, 1], [[2], [1]]))

    assert model.usual_reliability is None


def test_shares_that_are_alike_in_all_raters_get_wilsons_interval_and_other_figures_none():
    sums = np.array([[2.0, 2.0]] * 5)

    share = ratio_by_rater(sums, 10, least=0, most=1, if_empty="", is_share=True)
    figure = ratio_by_rater(sums, 10, least=0, most=6, if_empty="")

    assert share == wilson(10, 10)
    assert share.low < 0.75
    assert (figure.value, figure.low, figure.high, figure.reason) == (1.0, None, None, ALL_ALIKE)


def test_one_vote_and_no_vote_say_nothing_much():
    alone = fit_raters(code_judged(["ann"], [1], ["x"], ["y"], [1], [[2]])).estimates[0]
    nobody = fit_raters(code_judged([], [], [], [], [], np.zeros((0, 2))))
    unanswered = fit_raters(code_judged(["ann"], [1], ["x"], ["y"], [1], [[float("nan")]]))

    assert {each.reason for each in vars(alone).values()} == {"no votes on pairs that others judged too"}
    assert (nobody.estimates, nobody.usual_reliability) == ((), None)
    assert unanswered.estimates[0].reliability == Estimate(None, None, None, 0, "no votes")
