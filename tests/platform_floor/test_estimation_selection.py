from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from earshot.estimation import fit_ordinal_bradley_terry, posterior, selection
from earshot.estimation.posterior import Posterior, class_of, classes, count_votes, posterior_from_counts
from earshot.estimation.selection import class_probabilities, expected_entropy_drop, preferences_of


def vote(rng, truth, a, b):
    felt = truth[a] - truth[b] + rng.logistic(size=len(a))
    return (np.sign(felt) * np.digitize(np.abs(felt), [0.5, 1.4, 2.4])).astype(int)


def random_votes(truth, n, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, len(truth), n)
    b = (a + rng.integers(1, len(truth), n)) % len(truth)
    return a, b, vote(rng, truth, a, b)


def known(mean, sd=0.2, n_votes=10):
    """A posterior as if that much was known of each system, independently."""
    m = len(mean)
    n_classes = m * (m - 1) // 2
    return Posterior(
        mean=np.array(mean, float),
        covariance=np.eye(m) * sd**2,
        steps=np.zeros(3),
        information=np.full(n_classes, 0.3),
        n_votes=np.full(n_classes, n_votes),
    )


def test_classes_are_every_two_systems_and_are_found_in_either_order():
    first, second = classes(4)

    assert list(zip(first, second, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert class_of(first, second, 4).tolist() == class_of(second, first, 4).tolist() == [0, 1, 2, 3, 4, 5]


def test_votes_are_counted_from_the_view_of_the_first_system_of_the_class():
    counts = count_votes([0, 1, 1, 2], [1, 0, 0, 0], [3, 3, 1, 0], 3)

    assert counts[0].tolist() == [1, 0, 1, 0, 0, 0, 1]  # −3, −1 and 3 for 0 against 1
    assert counts[1].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert counts[2].tolist() == [0, 0, 0, 0, 0, 0, 0]


def test_posterior_is_the_maximum_of_likelihood_times_prior():
    a, b, value = random_votes(np.array([-0.8, 0.1, 0.7]), 60)

    def cost(free):
        cuts = np.cumsum(np.exp(free[3:]))
        edges = np.concatenate([[-np.inf], -cuts[::-1], cuts, [np.inf]])
        eta = free[a] - free[b]
        likelihood = np.log(expit(edges[value + 4] - eta) - expit(edges[value + 3] - eta)).sum()
        prior = (free[:3] ** 2).sum() / 2**2 + ((free[3:] - np.log([0.5, 0.9, 1.0])) ** 2).sum() / 1**2
        return -likelihood + 0.5 * prior

    best = minimize(cost, np.zeros(6), method="BFGS", options={"gtol": 1e-7}).x
    found = posterior_from_counts(count_votes(a, b, value, 3))

    assert found.mean == pytest.approx(best[:3], abs=1e-4)
    assert found.thresholds == pytest.approx(np.cumsum(np.exp(best[3:])), abs=1e-4)


def test_posterior_of_many_votes_is_the_fit_of_the_board():
    truth = np.linspace(-1, 1, 6)
    a, b, value = random_votes(truth, 20_000)

    found = posterior_from_counts(count_votes(a, b, value, 6))
    board = fit_ordinal_bradley_terry(a, b, value, np.arange(20_000) % 20, np.arange(20_000) % 30)

    strengths = [standing.strength for standing in sorted(board.standings, key=lambda standing: standing.system)]
    assert found.mean == pytest.approx(strengths, abs=5e-4)
    assert found.thresholds == pytest.approx(board.thresholds, abs=1e-3)


def test_posterior_spreads_as_estimates_of_repeated_studies_do():
    truth = np.array([-0.6, 0.0, 0.6])
    found = [posterior_from_counts(count_votes(*random_votes(truth, 600, seed), 3)) for seed in range(400)]

    seen = np.var([each.mean[0] - each.mean[1] for each in found])
    said = np.mean([each.differences()[1][0, 1] for each in found])

    assert said == pytest.approx(seen, rel=0.2)  # 400 studies tell a variance to 14 % (two sigma)


def test_an_earlier_posterior_as_start_changes_nothing():
    a, b, value = random_votes(np.linspace(-1, 1, 5), 900)
    early = posterior_from_counts(count_votes(a[:300], b[:300], value[:300], 5))

    anew, onwards = (posterior_from_counts(count_votes(a, b, value, 5), start) for start in (None, early))

    assert onwards.mean == pytest.approx(anew.mean, abs=1e-5)
    assert onwards.covariance == pytest.approx(anew.covariance, abs=1e-5)


@pytest.mark.parametrize("place", [0, 3, 6])
def test_posterior_is_finite_when_all_votes_are_alike(place):
    counts = np.zeros((6, 7), dtype=int)
    counts[:, place] = 500

    found = posterior_from_counts(counts)

    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.covariance).all()
    assert preferences_of(found).appeal.sum() == pytest.approx(1)


def test_the_expected_drop_is_that_of_every_outcome_weighed_by_its_chance(monkeypatch):
    monkeypatch.setattr(selection, "SETTLED_WEIGHT", 0.0)
    truth = np.array([-0.9, -0.2, 0.0, 0.5])
    now = posterior_from_counts(count_votes(*random_votes(truth, 800), 4))

    def entropy(mean, covariance):
        chance = [
            norm.cdf((mean[i] - mean[j]) / np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]))
            for i, j in product(range(4), repeat=2)
            if i < j
        ]
        return sum(-p * np.log(p) - (1 - p) * np.log(1 - p) for p in chance)

    def drop(a, b, information):
        moved = now.covariance[:, a] - now.covariance[:, b]
        variance = moved[a] - moved[b]
        after = now.covariance - np.outer(moved, moved) * information / (1 + information * variance)
        nodes, weights = np.polynomial.hermite_e.hermegauss(15)  # over what the vote may do to the mean
        shift = moved * np.sqrt(information / (1 + information * variance))
        expected = sum(
            w * entropy(now.mean + shift * x, after) for x, w in zip(nodes, weights / weights.sum(), strict=True)
        )
        return entropy(now.mean, now.covariance) - expected

    exact = np.array([drop(a, b, now.information[c]) for c, (a, b) in enumerate(zip(*classes(4), strict=True))])

    assert expected_entropy_drop(now) == pytest.approx(exact / exact.max(), abs=0.02)


def test_votes_go_to_neighbours_that_cannot_be_told_apart():
    chances = class_probabilities(preferences_of(known([-2.0, 0.0, 0.1, 2.0])), np.full(6, 5))

    assert chances[class_of([1], [2], 4)[0]] > 0.9
    assert chances.sum() == pytest.approx(1)


def test_of_equal_leads_the_less_known_is_heard_more():
    vague = replace(known([0.0, 0.3, 3.0, 3.3]), covariance=np.diag([0.01, 0.01, 0.04, 0.04]))

    chances = class_probabilities(preferences_of(vague), np.full(6, 5))

    assert chances[class_of([2], [3], 4)[0]] > chances[class_of([0], [1], 4)[0]]


def test_every_open_pair_keeps_its_share_of_the_uniform_floor():
    n_open = np.array([1, 0, 7, 2, 30, 60])

    chances = class_probabilities(preferences_of(known([-2.0, 0.0, 0.1, 2.0])), n_open, floor=0.1)

    of_each_pair = chances[n_open > 0] / n_open[n_open > 0]
    assert of_each_pair.min() >= 0.1 / 100
    assert chances[1] == 0
    assert chances.sum() == pytest.approx(1)


def test_a_floor_of_one_is_uniform_over_pairs():
    chances = class_probabilities(preferences_of(known([-2.0, 0.0, 2.0])), np.array([1, 3, 4]), floor=1.0)

    assert chances.tolist() == [1 / 8, 3 / 8, 4 / 8]


def test_systems_without_votes_are_connected_first():
    counts = np.zeros((6, 7), dtype=int)
    counts[class_of([0], [1], 4)[0]] = 9
    counts[class_of([2], [3], 4)[0]] = 9  # 0–1 and 2–3, and nothing between them

    chances = class_probabilities(preferences_of(posterior_from_counts(counts)), np.full(6, 2), floor=0.1)

    joining = class_of([0, 0, 1, 1], [2, 3, 2, 3], 4)
    assert chances[joining] == pytest.approx(0.9 / 4 + 0.1 / 6)
    assert chances[class_of([0], [1], 4)[0]] == pytest.approx(0.1 / 6)


def test_where_no_open_pair_connects_the_rest_is_picked_by_what_it_tells():
    counts = np.zeros((6, 7), dtype=int)
    counts[class_of([0], [1], 4)[0]] = 9
    n_open = np.array([3, 0, 0, 0, 0, 0])

    chances = class_probabilities(preferences_of(posterior_from_counts(counts)), n_open)

    assert chances.tolist() == [1, 0, 0, 0, 0, 0]


def test_a_settled_ranking_still_picks_something():
    chances = class_probabilities(preferences_of(known([-90.0, 0.0, 90.0], sd=0.01)), np.array([0, 4, 0]))

    assert chances.tolist() == [0, 1, 0]


def test_adaptive_estimates_lean_outwards_by_less_than_half_their_error_at_a_planned_number_of_votes():
    truth, first, second = np.linspace(-0.6, 0.6, 5), *classes(5)
    errors = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        picked, values, now = np.arange(10), vote(rng, truth, first, second), None
        while len(picked) < 500:
            now = posterior_from_counts(count_votes(first[picked], second[picked], values, 5), now)
            more = rng.choice(10, 49, p=class_probabilities(preferences_of(now), np.ones(10)))
            picked = np.concatenate([picked, more])
            values = np.concatenate([values, vote(rng, truth, first[more], second[more])])
        board = fit_ordinal_bradley_terry(
            first[picked], second[picked], values, np.arange(len(picked)) % 9, np.arange(len(picked)) % 11
        )
        found = {standing.system: standing.strength for standing in board.standings}
        errors.append([found[system] - truth[system] for system in range(5)])

    outwards = np.array(errors) * np.sign(truth)
    assert outwards.mean() == pytest.approx(0, abs=0.5 * np.std(errors))


@pytest.mark.parametrize(
    ("n_open", "floor", "words"),
    [
        ([0, 0, 0], 0.1, "No pair is open"),
        ([1, 1], 0.1, r"n_open has \(2,\) entries for 3 classes"),
        ([1, 1, 1], 0.0, "The uniform floor is 0.0; it must lie above 0"),
        ([1, 1, 1], 1.5, "The uniform floor is 1.5; it must lie above 0 and be at most 1"),
    ],
)
def test_what_cannot_be_picked_from_is_refused(n_open, floor, words):
    with pytest.raises(ValueError, match=words):
        class_probabilities(preferences_of(known([0.0, 1.0, 2.0])), np.array(n_open), floor)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: class_of([1], [1], 3), "two different systems numbered 0 … 2"),
        (lambda: class_of([0], [3], 3), "two different systems numbered 0 … 2"),
        (lambda: count_votes([0], [1], [4], 3), "There is a vote of 4; votes are −3 … .3"),
        (lambda: posterior_from_counts(np.zeros((4, 7), dtype=int)), r"Counts have shape \(4, 7\)"),
        (
            lambda: posterior_from_counts(np.zeros((3, 7), dtype=int), known([0.0, 1.0])),
            "The start knows 2 systems, the counts 3",
        ),
    ],
)
def test_votes_that_name_no_class_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_prior_is_what_is_known_before_any_vote():
    found = posterior_from_counts(np.zeros((3, 7), dtype=int))

    assert found.mean.tolist() == [0, 0, 0]
    assert np.diag(found.covariance) == pytest.approx(posterior.STRENGTH_SD**2)
    assert found.thresholds == pytest.approx([0.5, 1.4, 2.4])
