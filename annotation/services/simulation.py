"""Simulated raters, for the demo and for tests: they take leases and submit judgments as people do, but hear nothing.

A rater's vote on a pair is ordinal: felt = discrimination · (liking_a − liking_b) + side bias + noise, cut at
thresholds into −3 … +3; liking is the dialogue's utility and the rater's own taste. Utilities are known by
construction (Dialogue.meta["construction"], a latent utility per dimension; for practice dialogues what the listener of
earshot.demo makes of meta["delivery"]), so the true preference in each pair, and with it the exact ceiling, can be
computed.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle

import numpy as np
import numpy.typing as npt
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation.models import Dialogue, Judgment, Lease, Membership, Pair, Study
from annotation.models.studies import OVERALL
from annotation.services import judgments, leases
from earshot.accounts.models import Role, User
from earshot.demo import listener
from earshot.estimation.ceilings import ceiling_from_probabilities

THRESHOLDS = (0.5, 1.4, 2.4)  # logits at which |vote| reaches 1, 2, 3
FALLBACK_SD = 0.8  # of utilities where a dialogue tells of no construction
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class RaterModel:
    """How one simulated rater votes; all in logits except the lapse rate."""

    taste_sd: float = 0.0  # of this rater's own liking for each system, on top of its utility
    taste_seed: int = 0
    side_bias: float = 0.0  # towards the left side
    discrimination: float = 1.0
    noise: float = 1.0  # scale of the logistic noise of one vote
    lapse_rate: float = 0.02  # share of votes given without listening: any value, equally often


def draw_rater(seed: int, *, noise: float = 1.0) -> RaterModel:
    """One rater of a crowd: mild biases, unequal discrimination, few lapses."""
    rng = np.random.default_rng(seed)
    return RaterModel(
        taste_sd=0.3,
        taste_seed=seed,
        side_bias=float(rng.normal(0.05, 0.1)),
        discrimination=float(np.exp(rng.normal(0.0, 0.25))),
        noise=noise,
        lapse_rate=float(rng.beta(1, 40)),
    )


def utility(dialogue: Dialogue, dimension: str) -> float:
    """The dialogue's latent utility in logits, by construction; overall is the mean of the others unless it is given.

    A dialogue with neither a construction nor a delivery gets one that only its system and the dimension decide, the
    same everywhere.
    """
    construction = _construction(dialogue)
    if dimension in construction:
        return float(construction[dimension])
    if dimension == OVERALL and construction:
        return float(np.mean([float(value) for value in construction.values()]))
    return FALLBACK_SD * _fixed_normal(dialogue.system.name, dimension)


def _construction(dialogue: Dialogue) -> Mapping[str, float]:
    """Utilities by dimension; nothing where a dialogue tells of none."""
    construction, delivery = dialogue.meta.get("construction"), dialogue.meta.get("delivery")
    if construction or not delivery:
        return construction or {}
    return listener.utilities(delivery, dialogue.scenario.arc or ())


def _fixed_normal(*names: object) -> float:
    """A standard normal number that only the names decide, the same on every machine."""
    digest = hashlib.sha256("\n".join(map(str, names)).encode()).digest()
    return float(np.random.default_rng(int.from_bytes(digest[:8])).normal())


def felt_advantage(dialogue_a: Dialogue, dialogue_b: Dialogue, dimension: str, rater: RaterModel) -> float:
    """By how much this rater likes a better than b, in logits, before any noise."""
    liking = [
        utility(dialogue, dimension) + rater.taste_sd * _fixed_normal(rater.taste_seed, dialogue.system.name, dimension)
        for dialogue in (dialogue_a, dialogue_b)
    ]
    return rater.discrimination * (liking[0] - liking[1])


def true_preference(dialogue_a: Dialogue, dialogue_b: Dialogue, dimension: str, rater_model: RaterModel) -> float:
    """The chance that this rater, in a vote that is no tie, prefers a, where each is as often left as right."""
    advantage = felt_advantage(dialogue_a, dialogue_b, dimension, rater_model)
    shares = [value_probabilities(advantage, rater_model, a_is_left=left) for left in (True, False)]
    probability = np.mean(shares, axis=0)  # of −3 … +3
    wins, losses = probability[4:].sum(), probability[:3].sum()
    return float(wins / (wins + losses))


def exact_ceiling(pairs: Sequence[Pair], dimension: str, raters: Sequence[RaterModel]) -> float:
    """The share of single decided votes that the best possible judge predicts, over pairs and raters alike."""
    return ceiling_from_probabilities(
        [
            float(np.mean([true_preference(pair.dialogue_a, pair.dialogue_b, dimension, rater) for rater in raters]))
            for pair in pairs
        ]
    )


def value_probabilities(advantage: float, rater: RaterModel, *, a_is_left: bool) -> npt.NDArray[np.float64]:
    """Probability of each stored value −3 … +3 (positive favours a), (7,)."""
    shift = advantage + (rater.side_bias if a_is_left else -rater.side_bias)
    cuts = np.concatenate([-np.array(THRESHOLDS)[::-1], THRESHOLDS])
    below = np.concatenate([[0.0], 1 / (1 + np.exp(-(cuts - shift) / rater.noise)), [1.0]])
    return (1 - rater.lapse_rate) * np.diff(below) + rater.lapse_rate / 7


def simulate_judgments(
    study: Study,
    *,
    n_raters: int,
    n_judgments: int,
    seed: int,
    noise: float = 1.0,
    clock: Callable[[], datetime] = timezone.now,
    report: Report | None = None,
) -> int:
    """Let simulated raters judge until `n_judgments` are submitted or no pair is open to any of them; checks beside.

    The same seed on the same pairs gives the same judgments.

    Returns: how many were submitted.
    Raises:
        ValidationError: if the study is not marked simulated or does not run.
    """
    if not study.is_simulated:
        raise ValidationError(
            _("Study '%(study)s' is for people. Mark a study as simulated when you create it, and simulate there.")
            % {"study": study}
        )
    if n_raters < 1 or n_judgments < 1 or noise <= 0:
        raise ValidationError(_("Give at least one rater, one judgment and a noise above 0."))
    raters = [(ensure_rater(study, index), draw_rater(seed * 10_000 + index, noise=noise)) for index in range(n_raters)]
    done = 0
    with _seeded_chance(seed):
        rng = np.random.default_rng(seed)
        waiting = cycle(raters)
        idle = 0  # raters in a row to whom no pair was open
        while done < n_judgments and idle < len(raters):
            rater, model = next(waiting)
            lease = leases.next_lease(rater, study, at=clock())
            if lease is None:
                idle += 1
                continue
            idle = 0
            judge(lease, model, rng, clock=clock)
            if lease.pair.kind != Pair.Kind.REGULAR:  # a repeat between the pairs: outside the overlap
                continue
            done += 1
            if report is not None:
                report(done, n_judgments)
    return done


def judge(lease: Lease, model: RaterModel, rng: np.random.Generator, *, clock: Callable[[], datetime]) -> Judgment:
    """Open the lease, answer every question, submit; by the services that the pages use."""
    leases.open_lease(lease, at=clock())
    pair, shown = lease.pair, {}
    for dimension in pair.study.dimensions.all():
        advantage = felt_advantage(pair.dialogue_a, pair.dialogue_b, dimension.key, model)
        probability = value_probabilities(advantage, model, a_is_left=lease.side_left == "a")
        stored = int(rng.choice(7, p=probability)) - 3
        shown[dimension.key] = judgments.ShownScore(value=lease.shown_value(stored))
    confidence = int(np.clip(1 + round(float(np.mean([abs(score.value or 0) for score in shown.values()]))), 1, 5))
    judgments.save_draft(lease, scores=shown, confidence=confidence, at=clock())
    return judgments.submit(lease, at=clock())


@transaction.atomic
def ensure_rater(study: Study, index: int) -> User:
    """The study's simulated rater of that number: a user without a password, who can never sign in."""
    email = f"rater{index + 1:03d}.study{study.pk}@simulated.invalid"
    rater = User.objects.filter(email=email).first()
    if rater is None:
        rater = User.objects.create_user(
            email, name=f"Simulated rater {index + 1}", role=Role.ANNOTATOR, is_active=False, is_simulated=True
        )
    Membership.objects.get_or_create(study=study, user=rater, role=Membership.Role.ANNOTATOR)
    return rater


@contextmanager
def _seeded_chance(seed: int) -> Iterator[None]:
    """The queue draws pairs and sides by `random`: seeded for the while, so that a seed gives the same judgments."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
