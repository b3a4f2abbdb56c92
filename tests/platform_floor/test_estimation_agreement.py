import krippendorff
import numpy as np
import pytest

from earshot.estimation import ceiling_from_probabilities, ceiling_from_votes, krippendorff_alpha
from earshot.estimation.agreement import gwet_ac2
from earshot.estimation.estimates import ALL_ALIKE


def make_votes(*, n_pairs=30, n_raters=5, seed=0, missing=0.3):
    rng = np.random.default_rng(seed)
    unit, rater = (axis.ravel() for axis in np.indices((n_pairs, n_raters)))
    value = np.clip(np.round(rng.normal(0, 1.5, n_pairs)[unit] + rng.normal(0, 1, len(unit))), -3, 3).astype(int)
    kept = rng.random(len(unit)) > missing
    return unit[kept], rater[kept], value[kept]


def oracle_alpha(unit, rater, value):
    """The `krippendorff` package, on the units in both signs."""
    table = np.full((rater.max() + 1, 2 * (unit.max() + 1)), np.nan)
    table[rater, unit] = value
    table[rater, unit + unit.max() + 1] = -value
    return krippendorff.alpha(table, level_of_measurement="ordinal", value_domain=np.arange(-3, 4))


@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_the_krippendorff_package_on_symmetric_data_with_gaps(seed):
    unit, rater, value = make_votes(seed=seed)

    agreement = krippendorff_alpha(unit, value)

    assert agreement.alpha == pytest.approx(oracle_alpha(unit, rater, value), abs=1e-12)
    assert agreement.low < agreement.alpha < agreement.high


def test_alpha_worked_by_hand():
    # Two pairs, two raters: (1, 1) and (0, 1). In both signs: n(−1) = 3, n(0) = 2, n(1) = 3.
    # Half-counted positions 1.5, 4, 6.5: distances² 2.5² and 5². Observed: 4 votes' worth of 2.5² = 25;
    # expected: (2·3·2·2.5² + 2·3·2·2.5² + 2·3·3·5²) / 7 = 600 / 7.
    agreement = krippendorff_alpha([0, 0, 1, 1], [1, 1, 0, 1])

    assert agreement.alpha == pytest.approx(1 - 25 / (600 / 7))
    assert (agreement.n_units, agreement.n_votes) == (2, 4)
    assert (agreement.low, agreement.high) == (None, None)
    assert agreement.reason == "votes on 2 groups of pairs; an interval needs 5 or more"


def test_renaming_a_and_b_leaves_alpha_unchanged():
    unit, _rater, value = make_votes(seed=7)
    turned = np.random.default_rng(1).random(unit.max() + 1) < 0.5

    assert krippendorff_alpha(unit, np.where(turned[unit], -value, value)) == krippendorff_alpha(unit, value)


def test_full_agreement_is_one_unless_all_pairs_are_alike():
    unit = np.repeat(np.arange(8), 3)

    assert krippendorff_alpha(unit, np.repeat([2, -2, 1, 3, 0, -1, 2, 1], 3)).alpha == 1.0
    alike = krippendorff_alpha(unit, np.zeros(24, dtype=int))
    assert alike.alpha is None
    assert alike.reason == "undefined: everyone agreed that all pairs are alike"


def test_single_votes_and_no_votes_have_no_agreement():
    assert krippendorff_alpha([0, 1, 2], [1, 2, 3]).reason == "no pair has two votes"
    assert krippendorff_alpha([], []).reason == "no pair has two votes"


def test_alpha_refuses_a_vote_off_the_scale():
    with pytest.raises(ValueError, match="There is a vote of -4"):
        krippendorff_alpha([0, 0], [1, -4])


def test_jackknife_interval_covers_the_alpha_of_many_votes():
    truth = krippendorff_alpha(*make_votes(n_pairs=20_000, seed=100)[::2]).alpha

    intervals = [krippendorff_alpha(*make_votes(seed=seed)[::2]) for seed in range(100)]

    assert 0.88 <= np.mean([each.low <= truth <= each.high for each in intervals]) <= 1.0


# irrCAC 0.4.4 (PyPI, Gwet's formulas), CAC(table, weights="ordinal", categories=[-3, …, 3]).gwet(), where the table
# holds the units of make_votes(seed=…) in both signs; missing=0.6 leaves single votes, which count in the shares.
@pytest.mark.parametrize(
    ("options", "oracle"),
    [
        ({"seed": 0}, 0.8095382834),
        ({"seed": 1}, 0.8257047141),
        ({"seed": 2}, 0.7371521810),
        ({"seed": 3}, 0.7654658009),
        ({"seed": 4}, 0.6988788721),
        ({"seed": 3, "missing": 0.6}, 0.7198979710),
    ],
)
def test_ac2_equals_irrcac_on_symmetric_data_with_gaps(options, oracle):
    unit, _rater, value = make_votes(**options)

    agreement = gwet_ac2(unit, value)

    assert agreement.ac2 == pytest.approx(oracle, abs=1e-10)
    assert agreement.low < agreement.ac2 < agreement.high


def test_ac2_worked_by_hand():
    # Two pairs, two raters: (1, 1) and (0, 1). Levels one apart weigh 1 − 1/21, so the pairs agree by 1 and 20/21.
    # Shares of −1, 0, 1 in both signs: 3/8, 2/8, 3/8; Σ π(1 − π) = 2 · 15/64 + 12/64 = 42/64.
    # Weights sum to 49 − 252/21 = 37; chance: 37 · (42/64) / 42 = 37/64.
    agreement = gwet_ac2([0, 0, 1, 1], [1, 1, 0, 1])

    assert agreement.ac2 == pytest.approx((41 / 42 - 37 / 64) / (1 - 37 / 64))
    assert (agreement.n_units, agreement.n_votes) == (2, 4)
    assert (agreement.low, agreement.high) == (None, None)
    assert agreement.reason == "votes on 2 groups of pairs; an interval needs 5 or more"


def test_renaming_a_and_b_leaves_ac2_unchanged():
    unit, _rater, value = make_votes(seed=7)
    turned = np.random.default_rng(1).random(unit.max() + 1) < 0.5

    renamed, before = gwet_ac2(unit, np.where(turned[unit], -value, value)), gwet_ac2(unit, value)

    assert renamed.ac2 == pytest.approx(before.ac2, abs=1e-12)
    assert (renamed.low, renamed.high) == pytest.approx((before.low, before.high), abs=1e-12)


def test_ac2_stays_high_where_nearly_all_pairs_are_alike_and_alpha_does_not():
    unit = np.repeat(np.arange(40), 2)
    value = np.zeros(80, dtype=int)
    value[[0, 10, 20, 30]] = 1  # four pairs on which one of two raters heard a slight difference

    assert krippendorff_alpha(unit, value).alpha == pytest.approx(0.006, abs=0.001)
    assert gwet_ac2(unit, value).ac2 == pytest.approx(0.995, abs=0.001)


def test_ac2_is_one_where_everyone_agreed_that_all_pairs_are_alike():
    agreement = gwet_ac2(np.repeat(np.arange(8), 3), np.zeros(24, dtype=int))

    assert (agreement.ac2, agreement.low, agreement.high, agreement.reason) == (1.0, None, None, ALL_ALIKE)


def test_single_votes_have_no_ac2_and_one_group_with_two_votes_has_no_interval():
    alone = gwet_ac2([0, 1, 2], [1, 2, 3])
    one_group = gwet_ac2([0, 0, 1, 2, 3, 4], [1, 2, 3, 1, 0, 0])

    assert (alone.ac2, alone.reason) == (None, "no pair has two votes")
    assert one_group.ac2 is not None
    assert one_group.reason == "all pairs with two votes are in one group of pairs"


def test_ac2_refuses_a_vote_off_the_scale():
    with pytest.raises(ValueError, match="There is a vote of 5"):
        gwet_ac2([0, 0], [1, 5])


def test_ac2_jackknife_interval_covers_the_ac2_of_many_votes():
    truth = gwet_ac2(*make_votes(n_pairs=20_000, seed=100)[::2]).ac2

    intervals = [gwet_ac2(*make_votes(seed=seed)[::2]) for seed in range(100)]

    assert 0.88 <= np.mean([each.low <= truth <= each.high for each in intervals]) <= 1.0


def test_exact_ceiling_is_the_mean_of_the_likelier_side():
    assert ceiling_from_probabilities([0.5, 0.9, 0.2]) == pytest.approx((0.5 + 0.9 + 0.8) / 3)


@pytest.mark.parametrize("probability", [[], [1.2], [float("nan")]])
def test_exact_ceiling_refuses_what_is_no_probability(probability):
    with pytest.raises(ValueError, match="probabilities from 0 to 1"):
        ceiling_from_probabilities(probability)


def draw_pairs(seed, *, n_pairs, overlap=3):
    """Votes on pairs whose p is uniform: the true ceiling is 3/4."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_pairs), overlap)
    return unit, np.where(rng.random(len(unit)) < rng.random(n_pairs)[unit], 1, -1)


def test_ceiling_from_three_votes_a_pair_is_not_flattered():
    unit, value = draw_pairs(0, n_pairs=5000)
    share = np.bincount(unit, weights=value > 0) / 3

    ceiling = ceiling_from_votes(unit, value, unit // 50)

    assert np.maximum(share, 1 - share).mean() > 0.82  # what counting gives
    assert ceiling.value == pytest.approx(0.75, abs=0.01)
    assert ceiling.low < 0.75 < ceiling.high
    assert (ceiling.n_pairs, ceiling.n_votes) == (5000, 15000)


def test_ceiling_interval_covers_the_truth():
    intervals = [ceiling_from_votes(*draw_pairs(seed, n_pairs=60), np.repeat(np.arange(60), 3)) for seed in range(60)]

    assert 0.88 <= np.mean([each.low <= 0.75 <= each.high for each in intervals]) <= 1.0


def test_ceiling_leaves_ties_out_and_needs_two_decided_votes_on_a_pair():
    ceiling = ceiling_from_votes([0, 0, 1, 1], [0, 2, 1, 0], [0, 0, 1, 1])

    assert ceiling.value is None
    assert ceiling.reason == "no pair has two decided votes"
