import numpy as np
import pytest

from earshot.estimation import fit_ordinal_bradley_terry
from earshot.estimation.forecasts import forecast_neighbours, forecast_separation, present_rate
from earshot.estimation.posterior import class_of, count_votes, posterior_from_counts


def vote(rng, difference, n):
    felt = difference + rng.logistic(size=n)
    return (np.sign(felt) * np.digitize(np.abs(felt), [0.5, 1.4, 2.4])).astype(int)


def count_between_two(values):
    return count_votes(np.zeros(len(values), int), np.ones(len(values), int), values, 2)


def lead_and_error(posterior):
    mean, variance = posterior.differences()
    return mean[0, 1], variance[0, 1] ** 0.5


def is_separated(posterior):
    lead, error = lead_and_error(posterior)
    return abs(lead) > 1.96 * error


def test_systems_that_are_apart_need_no_more_votes():
    forecast = forecast_separation(0.5, 0.2, 300)

    assert (forecast.votes, forecast.low, forecast.high, forecast.is_separated) == (0, 0, 0, True)
    assert forecast.half_width == 0


def test_a_difference_within_the_noise_is_not_foreseeable():
    forecast = forecast_separation(0.1, 0.2, 300)

    assert (forecast.votes, forecast.low, forecast.high, forecast.half_width) == (None, None, None, None)
    assert forecast.reason == "not foreseeable: the difference is within the noise"


def test_almost_separated_systems_need_few_votes_and_wider_errors_need_more():
    near, far = forecast_separation(0.39, 0.2, 1000), forecast_separation(0.34, 0.2, 1000)

    assert 0 < near.low <= near.votes < far.votes < far.high
    assert near.half_width == max(near.high - near.votes, near.votes - near.low)


def test_a_forecast_grows_with_the_votes_behind_it_and_shrinks_with_the_rate():
    once = forecast_separation(0.36, 0.2, 1000)
    twice, faster = forecast_separation(0.36, 0.2, 2000), forecast_separation(0.36, 0.2, 1000, rate=2.0)

    assert twice.votes == pytest.approx(2 * once.votes, abs=1)
    assert faster.high == pytest.approx(once.high / 2, abs=1)


def test_the_sign_of_the_difference_does_not_matter():
    assert forecast_separation(-0.36, 0.2, 1000) == forecast_separation(0.36, 0.2, 1000)


def test_no_votes_for_two_systems_foresee_nothing():
    forecast = forecast_separation(0.36, 0.2, 1000, rate=0.0)

    assert forecast.votes is None
    assert forecast.reason == "not foreseeable: no votes go to these two at present"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0.3, 0.0, 100), "standard_error is 0.0; it must be above 0"), ((0.3, 0.1, 0), "n_votes is 0; it must be above")],
)
def test_a_forecast_from_nothing_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        forecast_separation(*arguments)


def test_four_of_five_forecasts_hold_the_votes_that_were_really_needed():
    rng, needed, forecasts = np.random.default_rng(1), [], []
    while len(forecasts) < 80:
        truth = rng.uniform(-1, 1)
        counts = count_between_two(vote(rng, truth, 250))
        now = posterior_from_counts(counts)
        forecast = forecast_separation(*lead_and_error(now), 250)
        if not forecast.votes:
            continue
        n = 0
        while not is_separated(now) and n <= forecast.high:  # more is outside anyway
            step = max(5, (250 + n) // 50)
            counts, n = counts + count_between_two(vote(rng, truth, step)), n + step
            now = posterior_from_counts(counts, now)
        needed.append(n)
        forecasts.append(forecast)

    inside = [forecast.low <= n <= forecast.high for forecast, n in zip(forecasts, needed, strict=True)]
    early = [n <= forecast.votes for forecast, n in zip(forecasts, needed, strict=True)]
    assert np.mean(inside) == pytest.approx(0.8, abs=0.09)
    assert np.mean(early) == pytest.approx(0.5, abs=0.11)


def test_neighbours_on_a_board_have_forecasts_by_its_own_intervals():
    rng = np.random.default_rng(3)
    a, b = np.repeat([0, 0, 1], 400), np.repeat([1, 2, 2], 400)
    value = vote(rng, np.array([0.2, 1.5])[np.minimum(b - a - (a == 1), 1)] * 1.0, 1200)
    board = fit_ordinal_bradley_terry(a, b, value, np.arange(1200) % 20, np.arange(1200) % 31)

    found = forecast_neighbours(board)

    assert [(ahead.first, ahead.second) for ahead, _ in found] == [
        (upper.system, lower.system) for upper, lower in zip(board.standings, board.standings[1:], strict=False)
    ]
    assert [forecast.is_separated for _, forecast in found] == [ahead.is_separated for ahead, _ in found]


def test_a_board_without_intervals_has_no_forecasts():
    board = fit_ordinal_bradley_terry([0, 1, 0], [1, 0, 1], [1, 1, -2], [0, 1, 2], [0, 1, 2])

    assert forecast_neighbours(board) == []


def test_the_rate_is_one_while_votes_go_on_as_they_did_and_higher_where_they_are_turned_to():
    rng = np.random.default_rng(5)
    a, b = np.repeat([0, 0, 1], 100), np.repeat([1, 2, 2], 100)
    now = posterior_from_counts(count_votes(a, b, vote(rng, 0.3, 300), 3))
    only_these = np.zeros(3)
    only_these[class_of([0], [1], 3)] = 1.0

    assert present_rate(now, np.full(3, 1 / 3), 0, 1) == pytest.approx(1.0)
    assert present_rate(now, only_these, 0, 1) > 1.5
    assert present_rate(posterior_from_counts(np.zeros((3, 7), dtype=int)), only_these, 0, 1) == 0.0
