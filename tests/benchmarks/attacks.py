"""How many raters who do not listen are caught, and how many who do are flagged, in simulated studies.

    python -m tests.benchmarks.attacks [--studies 200] [--attackers 4] [--processes 2] [--seed 0]

A study has 24 raters, some of whom do as the attack says: click at random; always prefer the left; copy a list of
made-up answers (ring), or the answers of one who listened (ring_of_a_listener); or answer every dimension as the
overall, which they judge honestly (halo). Honest raters differ in discrimination, side bias, taste, halo and lapses,
and agree with each other on the better side in about two votes of three, as trained raters of speech do. Attackers let
all sound play, so speed gives nobody away. The last line is one JSON object; shares stand with Wilson's 95 % interval.
"""

import argparse
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.append("platform")

import numpy as np

from earshot.estimation.estimates import wilson
from earshot.estimation.flags import RaterReport, flag_raters
from earshot.estimation.judged import Judged, code_judged
from earshot.estimation.sequential import Check

ATTACKS = ("nobody", "random", "left", "ring", "ring_of_a_listener", "halo")
JUDGMENTS = (12, 30, 60)  # per rater, checks included
N_RATERS, OVERLAP, N_SYSTEMS, N_DIMENSIONS, PAIRS_PER_SCENARIO = 24, 3, 6, 4, 15
ONE_CHECK_IN = 6
CHECK_KINDS = ("gold", "identical", "spoken", "repeat")
CUTS = np.array([-2.4, -1.4, -0.5, 0.5, 1.4, 2.4])  # logits between the values −3 … +3
NOISE = 1.6  # logits, sd of one vote, the rater's momentary feeling about this pair included
MOMENT = 0.8  # logits, the part of it that differs when the same pair comes again
GOLD_ADVANTAGE = 5.0  # logits: beyond doubt
HEARS_THE_VOICE = 0.97  # honest raters follow the spoken check
COPY_ERROR = 0.1  # share of copied answers that are moved by one point, to hide the copying


@dataclass(frozen=True)
class Crowd:
    """Raters; all arrays (raters, …)."""

    discrimination: np.ndarray
    side_bias: np.ndarray  # logits towards the left
    lapse: np.ndarray  # share of votes given without listening
    halo: np.ndarray  # share of the noise that is common to all dimensions
    taste: np.ndarray  # logits, (raters, systems, dimensions)


@dataclass
class Votes:
    """Judgments on regular pairs in their order; `values` is written over by attackers."""

    rater: np.ndarray
    pair: np.ndarray
    system_a: np.ndarray
    system_b: np.ndarray
    side: np.ndarray
    values: np.ndarray  # (n, dimensions), the overall last
    advantage: np.ndarray  # logits of a over b for everybody, (pairs, dimensions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="simulated studies of each kind")
    parser.add_argument("--attackers", type=int, default=4, help="among the 24 raters of a study")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cells = [(attack, n, checked) for attack in ATTACKS for n in JUDGMENTS for checked in (False, True)]
    with get_context("spawn").Pool(options.processes) as pool:
        found = pool.map(
            partial(measure, studies=options.studies, attackers=options.attackers, seed=options.seed),
            cells,
            chunksize=1,
        )
    result: dict = {"studies": options.studies, "raters": N_RATERS, "attackers": options.attackers, "attacks": {}}
    for (attack, n, checked), figures in zip(cells, found, strict=True):
        with_or_without = "with_checks" if checked else "without_checks"
        result["attacks"].setdefault(attack, {}).setdefault(str(n), {})[with_or_without] = figures
        print(attack, n, with_or_without, json.dumps(figures))
    print(json.dumps(result))


def measure(cell: tuple[str, int, bool], *, studies: int, attackers: int, seed: int) -> dict:
    """Shares of attackers and of honest raters whom a person is asked to look at, and whose exclusion is advised."""
    attack, n, checked = cell
    n_attackers = 0 if attack == "nobody" else attackers
    flagged, advised, by = Counter[bool](), Counter[bool](), Counter[str]()
    for number in range(studies):
        rng = np.random.default_rng([seed, ATTACKS.index(attack), n, checked, number])
        for card in run_study(rng, attack, n, n_attackers, with_checks=checked).cards:
            is_attacker = card.rater < n_attackers
            flagged[is_attacker] += card.is_flagged
            advised[is_attacker] += card.recommends_exclusion
            by.update(f"{'attackers' if is_attacker else 'honest'}: {reason.code}" for reason in card.reasons)
    bad, good = studies * n_attackers, studies * (N_RATERS - n_attackers)
    figures = {"honest_flagged": share(flagged[False], good), "honest_advised_out": share(advised[False], good)}
    if bad:
        figures |= {"caught": share(flagged[True], bad), "advised_out": share(advised[True], bad)}
    return figures | {"by": dict(sorted(by.items()))}


def share(hits: int, n: int) -> list[float]:
    found = wilson(hits, n)
    return [round(float(value), 4) for value in (found.value, found.low, found.high)]


def run_study(
    rng: np.random.Generator, attack: str, n_judgments: int, n_attackers: int, *, with_checks: bool
) -> RaterReport:
    n_checks = n_judgments // ONE_CHECK_IN if with_checks else 0
    crowd = draw_crowd(rng)
    votes = draw_votes(rng, crowd, n_judgments - n_checks)
    attack_votes(rng, votes, attack, n_attackers)
    checks = {
        rater: [
            draw_check(rng, crowd, rater, attack if rater < n_attackers else "nobody", kind)
            for kind in rng.permutation(np.resize(CHECK_KINDS, n_checks))
        ]
        for rater in range(N_RATERS)
    }
    return flag_raters(as_judged(votes), checks)


def as_judged(votes: Votes) -> Judged:
    return code_judged(votes.rater, votes.pair, votes.system_a, votes.system_b, votes.side, votes.values)


def draw_crowd(rng: np.random.Generator) -> Crowd:
    return Crowd(
        discrimination=np.exp(rng.normal(0, 0.35, N_RATERS)),
        side_bias=rng.normal(0.05, 0.15, N_RATERS),
        lapse=rng.beta(1, 40, N_RATERS),
        halo=rng.beta(2, 2, N_RATERS),
        taste=rng.normal(0, 0.3, (N_RATERS, N_SYSTEMS, N_DIMENSIONS)),
    )


def draw_votes(rng: np.random.Generator, crowd: Crowd, n_judgments: int) -> Votes:
    """Honest votes of everybody; every pair is judged by three raters, any two of whom meet by chance."""
    rater = np.concatenate([rng.permutation(N_RATERS) for _ in range(n_judgments)])
    pair = np.arange(len(rater)) // OVERLAP
    n_pairs = int(pair[-1]) + 1
    systems = np.array([(i, j) for i in range(N_SYSTEMS) for j in range(i)])[np.arange(n_pairs) % PAIRS_PER_SCENARIO]
    turned = rng.random(n_pairs) < 0.5
    systems[turned] = systems[turned][:, ::-1]
    advantage = draw_advantages(rng, systems)
    side = np.where(rng.random(len(rater)) < 0.5, 1, -1)
    a, b = systems[pair].T
    felt = crowd.discrimination[rater][:, None] * (advantage[pair] + crowd.taste[rater, a] - crowd.taste[rater, b])
    felt = felt + (crowd.side_bias[rater] * side)[:, None]
    values = answer(felt + NOISE * correlated(rng, felt.shape, crowd.halo[rater]))
    lapsed = rng.random(len(rater)) < crowd.lapse[rater]
    values[lapsed] = rng.integers(-3, 4, values[lapsed].shape)
    return Votes(rater, pair, a, b, side, values, advantage)


def draw_advantages(rng: np.random.Generator, systems: np.ndarray) -> np.ndarray:
    """How much better a is, in logits, (pairs, dimensions): of systems sd 0.8, of dialogues sd 0.7."""
    scenario = np.arange(len(systems)) // PAIRS_PER_SCENARIO
    by_system = 0.8 * correlated(rng, (N_SYSTEMS, N_DIMENSIONS), 0.6)
    by_dialogue = 0.7 * correlated(rng, (int(scenario[-1]) + 1, N_SYSTEMS, N_DIMENSIONS), 0.6)
    quality = [by_system[one] + by_dialogue[scenario, one] for one in systems.T]
    advantage = quality[0] - quality[1]
    advantage[:, -1] = 1.1 * advantage[:, :-1].mean(axis=1)  # the overall follows from the rest
    return advantage


def correlated(rng: np.random.Generator, shape: tuple[int, ...], common: np.ndarray | float) -> np.ndarray:
    """Standard normal numbers; along the last axis they have this share of their variance in common."""
    part = np.asarray(common)[..., None] if np.ndim(common) else common
    return np.sqrt(part) * rng.normal(size=(*shape[:-1], 1)) + np.sqrt(1 - part) * rng.normal(size=shape)


def answer(felt: np.ndarray) -> np.ndarray:
    return np.digitize(felt, CUTS) - 3


def attack_votes(rng: np.random.Generator, votes: Votes, attack: str, n_attackers: int) -> None:
    rows = votes.rater < n_attackers
    shape = votes.values[rows].shape
    if attack == "random":
        votes.values[rows] = rng.integers(-3, 4, shape)
    elif attack == "left":
        votes.values[rows] = votes.side[rows][:, None] * rng.integers(1, 4, shape)
    elif attack == "halo":
        votes.values[rows] = votes.values[rows][:, -1:]
    else:
        heard = answer(votes.advantage + NOISE * correlated(rng, votes.advantage.shape, 0.5))
        made_up = rng.integers(-3, 4, votes.advantage.shape)
        original = (made_up if attack == "ring" else heard)[votes.pair[rows]]
        moved = np.where(rng.random(shape) < COPY_ERROR, rng.choice([-1, 1], shape), 0)
        votes.values[rows] = np.clip(original + moved, -3, 3)


def draw_check(rng: np.random.Generator, crowd: Crowd, rater: int, attack: str, kind: str) -> Check:
    """What becomes of one check, on the overall. Values are as shown, positive for the left."""
    if attack in ("random", "left", "ring") or rng.random() < crowd.lapse[rater]:
        passed = _passes_by_clicking(rng, attack, kind)
    else:
        passed = _passes_by_listening(rng, crowd, rater, kind)
    return Check(str(kind), "pass" if passed else "fail")


def _passes_by_clicking(rng: np.random.Generator, attack: str, kind: str) -> bool:
    first, again = rng.integers(1, 4, 2) if attack == "left" else rng.integers(-3, 4, 2)
    if kind == "gold":
        return bool(first * rng.choice([-1, 1]) >= 2)
    if kind == "identical":
        return bool(abs(first) <= 1)
    if kind == "spoken":
        return bool(first == rng.integers(-3, 4))
    return attack == "ring" or bool(abs(first + again) < 4)  # a ring's list names the dialogue, not the side


def _passes_by_listening(rng: np.random.Generator, crowd: Crowd, rater: int, kind: str) -> bool:
    bias, discrimination = crowd.side_bias[rater], crowd.discrimination[rater]
    if kind == "spoken":
        return bool(rng.random() < HEARS_THE_VOICE)
    if kind == "gold":
        side = rng.choice([-1, 1])
        felt = discrimination * GOLD_ADVANTAGE * side + bias + NOISE * rng.normal()
        return bool(answer(felt) * side >= 2)
    if kind == "identical":
        return bool(abs(answer(bias + MOMENT * rng.normal())) <= 1)
    liking = discrimination * rng.normal(0, 1.5) + (NOISE**2 - MOMENT**2) ** 0.5 * rng.normal()
    shown = [answer(turn * liking + bias + MOMENT * rng.normal()) for turn in (1, -1)]
    return bool(abs(shown[0] + shown[1]) < 4)


if __name__ == "__main__":
    main()
