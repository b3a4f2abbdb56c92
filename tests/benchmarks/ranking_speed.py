"""How fast a million votes on 100 systems are ranked: Earshot, and beside it arena-rank and evalica in the same run.

All read the same votes from numpy columns of whole numbers. Earshot fits the ordinal model with a side intercept and
intervals clustered by rater and scenario; arena-rank Bradley-Terry, ties as half wins, with intervals that take votes
as independent; evalica the same without intervals. The middle of three runs, so that what is compiled at the first does
not count. Where they compute the same thing, Bradley-Terry with ties as half wins, their strengths stand beside ours.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from earshot.estimation import fit_ordinal_bradley_terry
from earshot.estimation.votes import Floats, Ints

N_SYSTEMS, N_RATERS, N_SCENARIOS = 100, 500, 300
RUNS = 3
REMEDY = "not installed: pip install -e '.[test,benchmark]'"


def measure(n_votes: int) -> dict[str, float | str | int]:
    """Seconds of each, wall clock; for Earshot also the seconds of processor time."""
    a, b, value, rater, scenario, side = _votes(n_votes)
    ours, processor = _middle(lambda: fit_ordinal_bradley_terry(a, b, value, rater, scenario, side))
    figures: dict[str, float | str | int] = {
        "timed_votes": n_votes,
        "timed_systems": N_SYSTEMS,
        "seconds_1m_votes": round(ours, 2),
        "seconds_1m_votes_processor": round(processor, 2),
    }
    ours_plain = _bradley_terry(a, b, value, rater, scenario)
    return figures | _time_arena_rank(a, b, value, ours_plain) | _time_evalica(a, b, value, ours_plain)


def _bradley_terry(a: Ints, b: Ints, value: Ints, rater: Ints, scenario: Ints) -> Floats:
    """Our strengths with ties as half wins: every vote twice, a tie once for each side."""
    once, again = np.where(value >= 0, 1, -1), np.where(value > 0, 1, -1)
    columns = (np.tile(column, 2) for column in (a, b))
    board = fit_ordinal_bradley_terry(*columns, np.concatenate([once, again]), np.tile(rater, 2), np.tile(scenario, 2))
    return np.array([s.strength for s in sorted(board.standings, key=lambda s: s.system)])


def _votes(n_votes: int) -> tuple[Ints, ...]:
    rng = np.random.default_rng(0)
    strength = np.linspace(-1, 1, N_SYSTEMS)
    a = rng.integers(0, N_SYSTEMS, n_votes)
    b = (a + rng.integers(1, N_SYSTEMS, n_votes)) % N_SYSTEMS
    felt = strength[a] - strength[b] + rng.logistic(size=n_votes)
    value = (np.sign(felt) * np.digitize(np.abs(felt), [0.5, 1.4, 2.4])).astype(np.int64)
    rater, scenario = rng.integers(0, N_RATERS, n_votes), rng.integers(0, N_SCENARIOS, n_votes)
    return a, b, value, rater, scenario, rng.choice([-1, 1], n_votes)


def _middle(work: Callable[[], object]) -> tuple[float, float]:
    """Wall clock and processor time of the middle of three runs, in seconds."""
    wall, processor = [], []
    for _ in range(RUNS):
        begin, begin_processor = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - begin)
        processor.append(time.process_time() - begin_processor)
    return statistics.median(wall), statistics.median(processor)


def _time_arena_rank(a: Ints, b: Ints, value: Ints, ours: Floats) -> dict[str, float | str]:
    try:
        import pandas
        from arena_rank.models.bradley_terry import BradleyTerry
        from arena_rank.utils.data_utils import PairDataset
    except ImportError:
        return {"seconds_arena_rank": f"arena-rank is {REMEDY}"}
    winner = np.array(["model_b", "tie", "model_a"])[np.sign(value) + 1]
    frame = pandas.DataFrame({"model_a": a, "model_b": b, "winner": winner})
    read, _ = _middle(lambda: PairDataset.from_pandas(frame))
    votes = PairDataset.from_pandas(frame)
    fit, _ = _middle(lambda: BradleyTerry(N_SYSTEMS).compute_ratings_and_cis(votes)["variances"].block_until_ready())
    exact = BradleyTerry(N_SYSTEMS, scale=1.0, base=np.e, ftol=1e-14, gtol=1e-9)  # as it comes it stops at 1e-9
    ratings = exact.compute_ratings_and_cis(votes)["ratings"]
    return {
        "seconds_arena_rank": round(read + fit, 2),
        "seconds_arena_rank_read": round(read, 2),
        "seconds_arena_rank_fit": round(fit, 2),
        "apart_arena_rank": _apart(np.asarray(ratings), ours),
    }


def _time_evalica(a: Ints, b: Ints, value: Ints, ours: Floats) -> dict[str, float | str]:
    try:
        import evalica
    except ImportError:
        return {"seconds_evalica": f"evalica is {REMEDY}"}
    verdicts = [evalica.Winner.Y, evalica.Winner.Draw, evalica.Winner.X]
    winners = [verdicts[sign] for sign in (np.sign(value) + 1).tolist()]
    seconds, _ = _middle(lambda: evalica.bradley_terry(a, b, winners))
    scores = evalica.bradley_terry(a, b, winners, tolerance=1e-10, limit=10_000).scores.sort_index()
    return {"seconds_evalica": round(seconds, 2), "apart_evalica": _apart(np.log(scores.to_numpy()), ours)}


def _apart(theirs: Floats, ours: Floats) -> float:
    """Largest difference of two lists of strengths, in logits, each around its mean."""
    return float(f"{np.max(np.abs(theirs - theirs.mean() - ours)):.1e}")
