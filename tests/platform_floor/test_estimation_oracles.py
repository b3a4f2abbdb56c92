"""Our rankings beside those of other libraries, where they compute the same thing: equal to 1e-4.

arena-rank holds numpy and jax at one version each, so it has an extra of its own (`benchmark`); what its version 0.1.1
said about these votes stands here as numbers; the benchmark of rankings asks it live, on a million votes.
"""

import choix
import evalica
import numpy as np
import pytest

from earshot.estimation import code_votes, fit_davidson, fit_ordinal_bradley_terry
from earshot.estimation.clusters import meat
from earshot.estimation.ranking import rank

CLOSE = 1e-4  # logits
ARENA_RANK_STRENGTHS = [-1.005189, -0.498422, 0.006766, 0.442267, 1.054578]
ARENA_RANK_ERRORS = [0.055466, 0.051635, 0.049808, 0.05166, 0.057709]


def cast_votes(*, with_ties, n=3000, n_systems=5, seed=8):
    """Independent votes of −1, 0, +1 on systems that really differ."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, n_systems, n)
    b = (a + rng.integers(1, n_systems, n)) % n_systems
    strength = np.linspace(-1, 1, n_systems)
    felt = strength[a] - strength[b] + rng.logistic(size=n)
    return a, b, np.where(np.abs(felt) < 0.5, 0, np.sign(felt)).astype(int) if with_ties else np.sign(felt).astype(int)


def spread(n):
    return np.arange(n) % 11, np.arange(n) % 13


def strengths(board):
    return [standing.strength for standing in sorted(board.standings, key=lambda standing: standing.system)]


def centred_logs(scores):
    logs = np.log(np.asarray(scores, dtype=float))
    return logs - logs.mean()


def winners(value):
    return [{1: evalica.Winner.X, 0: evalica.Winner.Draw, -1: evalica.Winner.Y}[vote] for vote in value.tolist()]


def count_ties_as_half_a_win_each(a, b, value):
    """Twice as many votes: a win counts twice, a tie once for each side."""
    return (
        np.tile(a, 2),
        np.tile(b, 2),
        np.concatenate([np.where(value == 0, 1, value), np.where(value == 0, -1, value)]),
    )


@pytest.mark.parametrize("model", [fit_ordinal_bradley_terry, fit_davidson])
def test_without_ties_both_models_are_the_bradley_terry_of_choix(model):
    a, b, value = cast_votes(with_ties=False)
    won = list(zip(np.where(value > 0, a, b).tolist(), np.where(value > 0, b, a).tolist(), strict=True))

    ours = strengths(model(a, b, value, *spread(len(a))))

    optimum = choix.opt_pairwise(5, won, alpha=0.0, tol=1e-10)
    assert ours == pytest.approx(optimum - optimum.mean(), abs=CLOSE)
    spectral = choix.ilsr_pairwise(5, won, alpha=0.0)
    assert ours == pytest.approx(spectral - spectral.mean(), abs=CLOSE)


def test_without_ties_the_ordinal_model_is_the_bradley_terry_of_evalica():
    a, b, value = cast_votes(with_ties=False)

    ours = strengths(fit_ordinal_bradley_terry(a, b, value, *spread(len(a))))

    result = evalica.bradley_terry(a, b, winners(value), tolerance=1e-12, limit=10_000)
    assert ours == pytest.approx(centred_logs(result.scores.sort_index()), abs=CLOSE)


def test_ties_as_half_wins_are_the_bradley_terry_of_evalica():
    a, b, value = cast_votes(with_ties=True)
    doubled = count_ties_as_half_a_win_each(a, b, value)

    ours = strengths(fit_ordinal_bradley_terry(*doubled, *spread(len(doubled[0]))))

    result = evalica.bradley_terry(a, b, winners(value), tolerance=1e-12, limit=10_000)
    assert ours == pytest.approx(centred_logs(result.scores.sort_index()), abs=CLOSE)


def test_davidson_is_the_model_with_ties_of_newman_in_evalica():
    a, b, value = cast_votes(with_ties=True)

    board = fit_davidson(a, b, value, *spread(len(a)))

    result = evalica.newman(a, b, winners(value), tolerance=1e-12, limit=10_000)
    assert strengths(board) == pytest.approx(centred_logs(result.scores.sort_index()), abs=CLOSE)
    assert board.tie_parameter == pytest.approx(2 * result.v, abs=CLOSE)  # it writes 2v for Davidson's ν


def independent_errors(a, b, value):
    """Standard errors of our strengths if every vote were a cluster of its own."""
    ranking = rank(code_votes(a, b, value, *spread(len(a))))
    middle = meat(ranking.fit.scores, ranking.cells.of_vote, np.arange(len(a)))
    return np.sqrt(np.diag(ranking.fit.bread @ middle @ ranking.fit.bread)[:5])


def test_without_ties_strengths_and_independent_errors_are_those_that_arena_rank_gave():
    a, b, value = cast_votes(with_ties=False)

    assert strengths(fit_ordinal_bradley_terry(a, b, value, *spread(len(a)))) == pytest.approx(
        ARENA_RANK_STRENGTHS, abs=CLOSE
    )
    assert independent_errors(a, b, value) == pytest.approx(ARENA_RANK_ERRORS, abs=CLOSE)
