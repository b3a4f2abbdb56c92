"""python -m tests.benchmarks.selection: votes until all neighbours of 10 systems are apart, adaptive against uniform.

Simulated studies with strengths evenly spaced from −1 to 1 logits. Votes follow the ordinal model, one after another;
between two looks the probabilities of the classes stay as they are, as in the queue. Both ways start with one vote on
every two systems, look after the same numbers of votes, and stop by the same rule, which allows for looking again and
again: the interval of each difference between neighbours (as the estimates order them) is a confidence sequence, 95 %
over all looks together. On the way it is noted when the plain 95 % intervals were first all apart. At both stops, and
at a planned number of votes, the strengths are those of the board, `fit_ordinal_bradley_terry`.

Prints one line of JSON. What each figure means is in docs/selection.md.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from earshot.estimation import fit_ordinal_bradley_terry
from earshot.estimation.posterior import Posterior, classes, count_votes, posterior_from_counts
from earshot.estimation.selection import FLOOR, class_probabilities, preferences_of

N_SYSTEMS = 10
CUTS = (0.5, 1.4, 2.4)  # logits at which |vote| reaches 1, 2, 3
FIRST_STEP, GROWTH = 20, 1.02  # votes between looks: 20, later 2 % of those there are
PLANNED = 3000  # votes; a study that stopped before (at a wide spread) has its errors at the stop here
MOST_VOTES = 200_000
ALPHA = 0.05
MIXTURE_VARIANCE = 0.25  # logits²; the sequence is tightest for differences of about half a logit
N_RATERS, N_SCENARIOS = 30, 40  # labels for the board; they have no effect of their own here


@dataclass(frozen=True)
class Study:
    """One simulated study. Errors are estimate − truth in the order of the truth, weakest first, (systems,)."""

    n_votes: int  # at the stop
    n_votes_plain: int  # when the plain intervals were first all apart
    errors: list[float]
    errors_plain: list[float]
    errors_planned: list[float]
    n_disordered: int  # neighbours in the wrong order at the stop, by the estimates
    n_disordered_plain: int
    n_missed: int  # true differences of neighbours that the sequence left out at any look


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--spread", type=float, default=2.0, help="logits between the weakest and the strongest")
    parser.add_argument("--floor", type=float, default=FLOOR, help="share of picks that are uniform all the same")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # read when the new processes import numpy
    begin = time.perf_counter()
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        ways = {}
        for way, floor in (("adaptive", options.floor), ("uniform", 1.0)):
            run = partial(simulate_study, spread=options.spread, floor=floor)
            seeds = [(number, int(way == "adaptive")) for number in range(options.studies)]
            ways[way] = list(pool.map(run, seeds, chunksize=5))
    print(json.dumps(summary(**ways) | {"spread": options.spread, "seconds": round(time.perf_counter() - begin)}))


def simulate_study(seed: tuple[int, int], *, spread: float, floor: float) -> Study:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.linspace(-spread / 2, spread / 2, N_SYSTEMS))
    first, second = classes(N_SYSTEMS)
    picked = np.arange(len(first))
    values = _vote(rng, truth, picked)
    posterior, plain, planned, missed = None, None, None, np.zeros(N_SYSTEMS - 1, dtype=bool)
    while True:
        counts = count_votes(first[picked], second[picked], values, N_SYSTEMS)
        posterior = posterior_from_counts(counts, posterior)
        missed |= _missed(posterior, truth)
        z, reach = _leads(posterior)
        if plain is None and np.all(z > 1.96):
            plain = _board_errors(picked, values, truth), len(picked)
        if planned is None and len(picked) >= PLANNED:
            planned = _board_errors(picked, values, truth)
        if np.all(z > reach) or len(picked) >= MOST_VOTES:
            break
        chances = class_probabilities(preferences_of(posterior), np.ones(len(first), dtype=int), floor)
        more = rng.choice(len(first), size=max(FIRST_STEP, int(len(picked) * (GROWTH - 1))), p=chances)
        picked, values = np.concatenate([picked, more]), np.concatenate([values, _vote(rng, truth, more)])
    errors = _board_errors(picked, values, truth)
    plain = plain or (errors, len(picked))
    disordered = [int(np.sum(np.diff(np.sort(truth) + part) < 0)) for part in (errors, plain[0])]
    planned = errors if planned is None else planned
    stops = len(picked), plain[1], errors.tolist(), plain[0].tolist(), planned.tolist()
    return Study(*stops, disordered[0], disordered[1], int(missed.sum()))


def _vote(rng: np.random.Generator, truth: np.ndarray, picked: np.ndarray) -> np.ndarray:
    first, second = classes(N_SYSTEMS)
    felt = truth[first[picked]] - truth[second[picked]] + rng.logistic(size=len(picked))
    return (np.sign(felt) * np.digitize(np.abs(felt), CUTS)).astype(np.int64)


def _leads(posterior: Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Each system's lead over the next one, in its standard errors, and how far the sequence reaches in the same."""
    order = np.argsort(posterior.mean)
    mean, variance = posterior.differences()
    error = np.sqrt(variance[order[1:], order[:-1]])
    return mean[order[1:], order[:-1]] / error, _sequence_reach(error**2)


def _sequence_reach(variance: np.ndarray) -> np.ndarray:
    """Half the width, in standard errors, of a normal-mixture confidence sequence. Source: Robbins (1970), AMS 41."""
    ratio = MIXTURE_VARIANCE / variance
    return np.sqrt((1 + 1 / ratio) * (np.log1p(ratio) + 2 * np.log(1 / ALPHA)))


def _missed(posterior: Posterior, truth: np.ndarray) -> np.ndarray:
    """Which true differences of neighbours the sequence leaves out now, (systems − 1,)."""
    order = np.argsort(truth)
    mean, variance = posterior.differences()
    found, error = mean[order[1:], order[:-1]], np.sqrt(variance[order[1:], order[:-1]])
    return np.abs(found - np.diff(np.sort(truth))) / error > _sequence_reach(error**2)


def _board_errors(picked: np.ndarray, values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    first, second = classes(N_SYSTEMS)
    number = np.arange(len(picked))
    board = fit_ordinal_bradley_terry(
        first[picked], second[picked], values, number % N_RATERS, number % N_SCENARIOS, systems=list(range(N_SYSTEMS))
    )
    found = {standing.system: standing.strength for standing in board.standings}
    return np.array([found[system] - truth[system] for system in np.argsort(truth)])


def summary(adaptive: list[Study], uniform: list[Study]) -> dict[str, object]:
    figures: dict[str, object] = {"studies": len(adaptive)}
    for suffix, votes in (("", "n_votes"), ("_plain", "n_votes_plain")):
        counts = [np.array([getattr(study, votes) for study in way]) for way in (adaptive, uniform)]
        ratio, low, high = _ratio_of_means(*counts)
        figures |= {f"ratio{suffix}": ratio, f"ratio{suffix}_low": low, f"ratio{suffix}_high": high}
        figures |= {f"votes{suffix}": [round(float(each.mean())) for each in counts]}
    for name, studies, field in (
        ("bias", adaptive, "errors"),
        ("bias_plain", adaptive, "errors_plain"),
        ("bias_planned", adaptive, "errors_planned"),
        ("bias_uniform", uniform, "errors"),
    ):
        figures |= _bias(name, np.array([getattr(study, field) for study in studies]))
    for name in ("n_disordered", "n_disordered_plain"):
        figures[name] = [sum(getattr(study, name) for study in way) for way in (adaptive, uniform)]
    deviations = [np.std([study.errors for study in way], axis=0).mean() for way in (adaptive, uniform)]
    figures["sd_of_a_strength"] = [round(float(each), 4) for each in deviations]
    n_differences = len(adaptive) * (N_SYSTEMS - 1)
    figures["missed"] = [round(sum(study.n_missed for study in way) / n_differences, 4) for way in (adaptive, uniform)]
    return figures


def _ratio_of_means(adaptive: np.ndarray, uniform: np.ndarray) -> tuple[float, float, float]:
    """With a 95 % bootstrap interval over studies."""
    rng = np.random.default_rng(0)
    draws = [way[rng.integers(0, len(way), (10_000, len(way)))].mean(axis=1) for way in (adaptive, uniform)]
    low, high = np.quantile(draws[0] / draws[1], [0.025, 0.975])
    return round(float(adaptive.mean() / uniform.mean()), 4), round(float(low), 4), round(float(high), 4)


def _bias(name: str, errors: np.ndarray) -> dict[str, object]:
    """Mean error away from the middle: of all systems with its 95 % interval, and by place, outermost first."""
    away = np.concatenate([-errors[:, : N_SYSTEMS // 2], errors[:, N_SYSTEMS // 2 :][:, ::-1]], axis=1)
    places = (away[:, : N_SYSTEMS // 2] + away[:, N_SYSTEMS // 2 :]) / 2  # (studies, 5)
    mean = places.mean(axis=1)
    reach = 1.96 * mean.std(ddof=1) / len(mean) ** 0.5
    reach_by_place = 1.96 * places.std(axis=0, ddof=1) / len(mean) ** 0.5
    return {
        name: round(float(mean.mean()), 4),
        f"{name}_low": round(float(mean.mean() - reach), 4),
        f"{name}_high": round(float(mean.mean() + reach), 4),
        f"{name}_by_place": places.mean(axis=0).round(4).tolist(),
        f"{name}_by_place_reach": reach_by_place.round(4).tolist(),
    }


if __name__ == "__main__":
    main()
