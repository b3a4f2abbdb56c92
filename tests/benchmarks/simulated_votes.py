"""Votes of simulated raters with known truth: effects of rater, scenario and dialogue, and designs of pairs."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from earshot.estimation import code_votes
from earshot.estimation.ranking import maximise, rank
from earshot.estimation.votes import MAX_VALUE, Floats, Ints, Votes

QUADRATURE = 30  # nodes along each effect


@dataclass(frozen=True)
class Effects:
    """Standard deviations. What a rater feels is scale · (difference of the dialogues) + side + logistic noise."""

    dialogue: float = 0.7  # logits, how much better one dialogue of a system is than its others
    taste: float = 0.3  # logits, how much more than others a rater likes a system
    discrimination: float = 0.2  # log scale of a rater: how strongly differences are felt
    scenario: float = 0.3  # log scale of a scenario: how much it lets systems differ
    side: float = 0.2  # logits, a rater's own leaning to the left side
    cuts: tuple[float, float, float] = (0.5, 1.4, 2.4)


@dataclass(frozen=True)
class PairDesign:
    """Pairs to be judged, each by `overlap` raters."""

    system_a: Ints  # (pairs,)
    system_b: Ints
    scenario: Ints
    overlap: int
    n_raters: int
    evenness: float = np.inf  # shape of the gamma distribution of how much raters judge; infinite: all alike

    @property
    def n_scenarios(self) -> int:
        return int(self.scenario.max()) + 1

    @property
    def n_votes(self) -> int:
        return len(self.scenario) * self.overlap


def all_pairs(n_systems: int, n_scenarios: int, *, overlap: int, n_raters: int) -> PairDesign:
    """Every pair of systems in every scenario."""
    first, second = np.triu_indices(n_systems, 1)
    scenario = np.repeat(np.arange(n_scenarios), len(first))
    return PairDesign(np.tile(first, n_scenarios), np.tile(second, n_scenarios), scenario, overlap, n_raters)


def incomplete_blocks(
    n_systems: int, n_scenarios: int, *, block: int, overlap: int, n_raters: int, evenness: float
) -> PairDesign:
    """Every pair of only `block` systems in each scenario; the systems of a block come round in shuffled turns."""
    rng = np.random.default_rng(0)
    turns = np.concatenate([rng.permutation(n_systems) for _ in range(n_scenarios * block)])
    blocks: list[Ints] = []
    while len(blocks) < n_scenarios:
        members = np.unique(turns[:block])
        turns = turns[block:]
        if len(members) == block:  # a block across two turns may name a system twice: the next one is taken
            blocks.append(members)
    first, second = np.triu_indices(block, 1)
    table = np.array(blocks)
    scenario = np.repeat(np.arange(n_scenarios), len(first))
    return PairDesign(table[:, first].ravel(), table[:, second].ravel(), scenario, overlap, n_raters, evenness)


def simulate(strength: Floats, effects: Effects, design: PairDesign, seed: int) -> tuple[Votes, Ints]:
    """One study's votes, and the pair of each, (votes,)."""
    rng = np.random.default_rng(seed)
    n_systems, n_raters, n_scenarios = len(strength), design.n_raters, design.n_scenarios
    pair = np.repeat(np.arange(len(design.scenario)), design.overlap)
    a, b, scenario = design.system_a[pair], design.system_b[pair], design.scenario[pair]
    rater = _draw_raters(rng, design)
    side = rng.choice([-1, 1], len(pair))
    quality = strength + rng.normal(0, effects.dialogue, (n_scenarios, n_systems))
    taste = rng.normal(0, effects.taste, (n_raters, n_systems))
    scale = np.exp(rng.normal(0, effects.discrimination, n_raters)[rater])
    scale = scale * np.exp(rng.normal(0, effects.scenario, n_scenarios)[scenario])
    better = quality[scenario, a] - quality[scenario, b] + taste[rater, a] - taste[rater, b]
    felt = scale * better + side * rng.normal(0, effects.side, n_raters)[rater] + rng.logistic(size=len(pair))
    value = (np.sign(felt) * np.digitize(np.abs(felt), effects.cuts)).astype(np.int64)
    return code_votes(a, b, value, rater, scenario, side, systems=list(range(n_systems))), pair


def _draw_raters(rng: np.random.Generator, design: PairDesign) -> Ints:
    """`overlap` different raters for each pair, busy ones more often, (votes,)."""
    n_pairs = len(design.scenario)
    activity = np.ones(design.n_raters)
    if np.isfinite(design.evenness):
        activity = rng.gamma(design.evenness, size=design.n_raters)
    # The largest of log-weight + Gumbel noise are a weighted draw without replacement.
    keys = np.log(activity) + rng.gumbel(size=(n_pairs, design.n_raters))
    chosen: Ints = np.argpartition(-keys, design.overlap - 1, axis=1)[:, : design.overlap]
    return chosen.ravel()


def true_strengths(strength: Floats, effects: Effects, design: PairDesign, *, model: str = "ordinal") -> Floats:
    """The strengths that the fit tends to as raters and scenarios grow, exactly.

    Averaged over raters, scenarios and dialogues a vote no longer follows the model with the strengths put in: they
    shrink towards 0. So the chance of every vote, given the two systems and the side, is integrated over all effects
    (Gauss-Hermite), and the model is fitted to these chances, each pair weighing as often as the design has it.
    """
    n_systems = len(strength)
    meetings = np.bincount(design.system_a * n_systems + design.system_b, minlength=n_systems**2)
    met = np.flatnonzero(meetings)
    first, second = np.divmod(met, n_systems)
    values = np.arange(-MAX_VALUE, MAX_VALUE + 1)
    rows = [
        (a, b, value, side, weight * chance)
        for a, b, weight in zip(first, second, meetings[met], strict=True)
        for side in (-1, 1)
        for value, chance in zip(values, _chances(strength[a] - strength[b], side, effects), strict=True)
    ]
    a, b, value, side, weight = (np.array(column) for column in zip(*rows, strict=True))
    nobody = np.zeros(len(rows), dtype=np.int64)
    votes = code_votes(a, b, value, nobody, nobody, side)
    if model == "davidson":
        votes = replace(votes, value=np.sign(votes.value))
    ranking = rank(votes, model=model)
    return maximise(ranking.design, np.bincount(ranking.cells.of_vote, weights=weight), ridge=False).strengths


def _chances(difference: float, side: int, effects: Effects) -> Floats:
    """Chance of −3 … +3 over all raters, scenarios and dialogues, (7,)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE)
    weights = weights / weights.sum()
    spread = np.sqrt(2 * (effects.dialogue**2 + effects.taste**2))
    scale = np.exp(np.hypot(effects.discrimination, effects.scenario) * nodes)[:, None, None]
    better = (difference + spread * nodes)[None, :, None]
    leaning = (effects.side * nodes)[None, None, :]
    place = (scale * better + side * leaning).ravel()
    mass = (weights[:, None, None] * weights[None, :, None] * weights[None, None, :]).ravel()
    edges = np.array([*(-cut for cut in reversed(effects.cuts)), *effects.cuts])
    below = np.concatenate([[0.0], expit(edges[:, None] - place) @ mass, [1.0]])
    return np.diff(below)
