"""A bootstrap by rater and scenario, to check the intervals that the sandwich gives."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from earshot.estimation.ranking import Ranking, maximise, ran_away
from earshot.estimation.votes import Floats, Votes

MIN_KEPT = 0.9  # of the replicates; with more failures those that are left are no fair sample
UNBOUNDED = "replicates had no bounded strengths"


@dataclass(frozen=True)
class Bootstrap:
    """Strengths of resampled studies."""

    systems: tuple[Hashable, ...]
    strengths: Floats  # (replicates kept, systems)
    n_failed: int  # replicates in which some distance had no bound
    reason: str  # why no interval can be taken from it; empty if one can

    @property
    def covariance(self) -> Floats:
        """(systems, systems)."""
        return np.asarray(np.cov(self.strengths, rowvar=False), dtype=np.float64)

    def intervals(self, confidence: float = 0.95) -> tuple[Floats, Floats]:
        """Percentile intervals, (systems,) each."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.strengths, [tail, 1 - tail], axis=0)
        return low, high


def pigeonhole_bootstrap(ranking: Ranking, *, n_replicates: int = 200, seed: int = 0) -> Bootstrap:
    """Draw raters and scenarios anew, with replacement; a vote weighs as often as its rater times its scenario.

    It counts what two votes of one rater on one scenario share three times over, so its covariance is expected at
    V_rater + V_scenario + V_both of the sandwich, a little wider than the sandwich's own V_rater + V_scenario − V_both.

    Raises:
        ValueError: for a ranking that has no intervals.
    Source: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1, 386.
    """
    votes, cells, design, fit = ranking.votes, ranking.cells, ranking.design, ranking.fit
    if ranking.errors is None or cells is None or design is None or fit is None:
        raise ValueError(f"These votes have no intervals to check: {ranking.board.reason}.")
    rng = np.random.default_rng(seed)
    kept = []
    for _ in range(n_replicates):
        count = np.bincount(cells.of_vote, weights=_draw_weights(votes, rng), minlength=len(cells.count))
        try:
            again = maximise(design, count.astype(np.float64), ridge=False, start=fit.parameters)
        except np.linalg.LinAlgError:  # the votes drawn do not connect all systems
            continue
        if not ran_away(again, design.n_slopes):
            kept.append(again.strengths)
    n_failed = n_replicates - len(kept)
    return Bootstrap(
        systems=votes.systems,
        strengths=np.array(kept).reshape(len(kept), len(votes.systems)),
        n_failed=n_failed,
        reason="" if len(kept) >= MIN_KEPT * n_replicates else f"{n_failed} of {n_replicates} {UNBOUNDED}",
    )


def _draw_weights(votes: Votes, rng: np.random.Generator) -> Floats:
    """How often each vote was drawn: as often as its rater times as often as its scenario, (n,)."""
    times_rater, times_scenario = (
        np.bincount(rng.integers(0, n, n), minlength=n) for n in (votes.n_raters, votes.n_scenarios)
    )
    return (times_rater[votes.rater] * times_scenario[votes.scenario]).astype(np.float64)
