"""python -m tests.benchmarks.ranking: how often a ranking's intervals hold the truth, and how fast votes rank.

Studies are simulated with effects of rater, scenario and dialogue (tests/benchmarks/simulated_votes.py); the truth is
what the fit tends to, integrated exactly. The same fit gets three kinds of nominal 95 % intervals: votes taken as
independent, clustered by rater and pair, clustered by rater and scenario. Beside it arena-rank and evalica read and fit
the same million votes, if they are installed (pip install -e '.[test,benchmark]'). The last line is one JSON object.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes on two cores: before numpy is loaded
sys.path.append("platform")

import numpy as np
from scipy.stats import norm

from earshot.estimation.boards import quantile
from earshot.estimation.bootstrap import pigeonhole_bootstrap
from earshot.estimation.clusters import meat, two_way
from earshot.estimation.ranking import Ranking, rank
from earshot.estimation.votes import Floats, Ints
from tests.benchmarks import ranking_speed
from tests.benchmarks.simulated_votes import (
    Effects,
    PairDesign,
    all_pairs,
    incomplete_blocks,
    simulate,
    true_strengths,
)

CONFIDENCE = 0.95
DESIGNS = {  # strengths in logits, evenly spaced, and who is compared with whom
    "all_pairs": (np.linspace(-1, 1, 6), all_pairs(6, 40, overlap=3, n_raters=24)),
    "incomplete": (
        np.linspace(-1, 1, 8),
        incomplete_blocks(8, 60, block=5, overlap=5, n_raters=30, evenness=3.0),
    ),
    "close": (np.linspace(-0.1, 0.1, 6), all_pairs(6, 40, overlap=3, n_raters=24)),
    "small": (np.linspace(-1, 1, 4), all_pairs(4, 12, overlap=3, n_raters=8)),
}
HEADLINE = ("all_pairs", "incomplete")  # over these the figures at the top are taken
BOOTSTRAP_REPLICATES = 100
EFFECTS = Effects()
MODELS = ("ordinal", "davidson")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000, help="simulated studies of each design")
    parser.add_argument("--bootstraps", type=int, default=40, help="of them, those that are bootstrapped too")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=DESIGNS, help="all by default")
    parser.add_argument("--votes", type=int, default=1_000_000, help="votes of the timing")
    parser.add_argument("--quick", action="store_true", help="20 studies of each design, 2 bootstraps, 50,000 votes")
    options = parser.parse_args()
    if options.quick:
        options.replicates, options.bootstraps, options.votes = 20, 2, 50_000
    speed = ranking_speed.measure(options.votes)  # first, while nothing else of ours runs
    print(json.dumps(speed), flush=True)
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        designs = {
            name: measure_coverage(pool, name, options.replicates, options.bootstraps) for name in options.designs
        }
    print(json.dumps(headline(designs) | speed | {"designs": designs}))


def headline(designs: dict[str, dict]) -> dict[str, float]:
    """The means over the headline's designs, with their Monte Carlo errors."""
    parts = [designs[name] for name in HEADLINE if name in designs]
    if not parts:
        return {}
    figures: dict[str, float] = {"replicates": sum(part["replicates"] for part in parts)}
    for key in ("coverage_iid", "coverage_rater_pair", "coverage_two_way"):
        figures[key] = round(float(np.mean([part[key] for part in parts])), 4)
        squares = [part[f"{key}_error"] ** 2 for part in parts]
        figures[f"{key}_error"] = round(float(np.sqrt(np.sum(squares))) / len(parts), 4)
    return figures


def measure_coverage(pool: ProcessPoolExecutor, name: str, n_replicates: int, n_bootstraps: int) -> dict:
    """Share of intervals that hold the truth, over `n_replicates` studies, with the Monte Carlo error of each share."""
    strength, design = DESIGNS[name]
    truth = {model: true_strengths(strength, EFFECTS, design, model=model) for model in MODELS}
    study = partial(replicate, strength=strength, design=design, truth=truth, n_bootstraps=n_bootstraps)
    found = list(pool.map(study, range(n_replicates), chunksize=10))
    known = [shares for shares in found if shares]
    figures: dict[str, float | int] = {
        "replicates": len(known),
        "without_interval": len(found) - len(known),
        "systems": len(truth["ordinal"]),
        "raters": design.n_raters,
        "scenarios": design.n_scenarios,
        "pairs": len(design.scenario),
        "votes": design.n_votes,
    }
    for key in known[0]:
        values = [shares[key] for shares in known if key in shares]
        figures[key] = round(float(np.mean(values)), 4)
        figures[f"{key}_error"] = round(float(np.std(values, ddof=1)) / len(values) ** 0.5, 4)
    return figures


def replicate(
    seed: int, *, strength: Floats, design: PairDesign, truth: dict[str, Floats], n_bootstraps: int
) -> dict[str, float]:
    """One study: the share of each kind of interval that holds the truth; nothing where a board cannot say."""
    votes, pair = simulate(strength, EFFECTS, design, seed)
    ranking, davidson = (rank(votes, model=model) for model in MODELS)
    if not (ranking.board.can_say and davidson.board.can_say):
        return {}
    errors, freedom = standard_errors(ranking, pair)
    miss = np.abs(ranking.fit.strengths - truth["ordinal"])
    shares = {f"coverage_{kind}": np.mean(miss <= freedom[kind] * error) for kind, error in errors.items()}
    shares["width_two_way"] = 2 * np.mean(freedom["two_way"] * errors["two_way"])
    shares |= coverage_of_board(ranking, truth["ordinal"])
    shares["coverage_davidson"] = covered_strengths(davidson, truth["davidson"])
    if seed < n_bootstraps:
        low, high = pigeonhole_bootstrap(ranking, n_replicates=BOOTSTRAP_REPLICATES, seed=seed).intervals(CONFIDENCE)
        shares["coverage_bootstrap"] = np.mean((low <= truth["ordinal"]) & (truth["ordinal"] <= high))
        shares["width_bootstrap"] = np.mean(high - low)
    return {key: float(share) for key, share in shares.items()}


def standard_errors(ranking: Ranking, pair: Ints) -> tuple[dict[str, Floats], dict[str, float]]:
    """Standard errors of the strengths by three kinds of clustering, and the quantile that goes with each."""
    fit, cell, votes = ranking.fit, ranking.cells.of_vote, ranking.votes
    n_systems, bread = fit.n_systems, fit.bread
    covariances = {
        "iid": bread @ meat(fit.scores, cell, np.arange(len(votes))) @ bread,
        "rater_pair": two_way(bread, fit.scores, cell, votes.rater, pair).covariance(),
        "two_way": ranking.errors.covariance(),
    }
    errors = {kind: np.sqrt(np.diag(covariance)[:n_systems]) for kind, covariance in covariances.items()}
    quantiles = {
        "iid": float(norm.ppf(0.5 + CONFIDENCE / 2)),
        "rater_pair": quantile(CONFIDENCE, min(votes.n_raters, int(pair.max()) + 1) - 1),
        "two_way": quantile(CONFIDENCE, ranking.board.freedom),
    }
    return errors, quantiles


def covered_strengths(ranking: Ranking, truth: Floats) -> float:
    return float(np.mean([s.low <= truth[s.system] <= s.high for s in ranking.board.standings]))


def coverage_of_board(ranking: Ranking, truth: Floats) -> dict[str, float]:
    """What the board itself says of differences, and of the range of each system's place."""
    board, n_systems = ranking.board, len(truth)
    first, second = np.triu_indices(n_systems, 1)
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    differences = [(board.difference(i, j), truth[i] - truth[j]) for i, j in pairs]
    place = np.argsort(np.argsort(-truth)) + 1
    in_range = [s.rank_low <= place[s.system] <= s.rank_high for s in board.standings]
    places = [s.rank_high - s.rank_low + 1 for s in board.standings]
    return {
        "coverage_difference": float(np.mean([d.low <= true <= d.high for d, true in differences])),
        "coverage_rank_range": float(np.mean(in_range)),
        "places_in_rank_range": float(np.mean(places)),
    }


if __name__ == "__main__":
    main()
