"""What a round will cost, before it is started: time on a worker, and listening by people."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from policy.models import Round
from policy.services import scenarios
from policy.services.plans import HELD_OUT, RoundPlan
from rewardmodel.models import RewardModelRun
from rewardmodel.services.estimates import time_words

BANK = Path(__file__).resolve().parents[1] / "learning" / "bank" / "bank.json"
LAST_ROUNDS = 5
# Without rounds before: a rule for two cores, rounded up from what `make loop` took (docs/loop.md).
SECONDS_AT_LEAST = 40.0  # starting the programs, the best of n, registering, opening the study
SECONDS_PER_STEP = 1.2
SECONDS_PER_REPLY = 0.2  # of the evaluation: rendered, heard and scored
SECONDS_PER_DIALOGUE = 0.5  # of the study: spoken, measured and imported
REPLIES_PER_SCENARIO = 12  # of the evaluation: 4 of the new policy, 8 of the reference
DIALOGUE_SECONDS = 25.0


@dataclass(frozen=True)
class Estimate:
    n_scenarios: int  # held out, that both policies speak
    n_pairs: int
    n_votes: int
    listening_hours: float  # both sides once, for every vote
    seconds: float
    basis: str

    @property
    def time_words(self) -> str:
        return time_words(self.seconds)

    @property
    def listening_words(self) -> str:
        return time_words(self.listening_hours * 3600)


def estimate_round(plan: RoundPlan, judges: Iterable[RewardModelRun] = ()) -> Estimate:
    """By a stated rule, at the pace of the last rounds here if there are any."""
    n_scenarios = _count_scenarios(plan, judges)
    n_pairs = n_scenarios * plan.samples
    n_votes = n_pairs * plan.overlap
    pace, basis = _pace()
    return Estimate(
        n_scenarios=n_scenarios,
        n_pairs=n_pairs,
        n_votes=n_votes,
        listening_hours=n_votes * 2 * DIALOGUE_SECONDS / 3600,
        seconds=stated_seconds(plan, n_scenarios) * pace,
        basis=basis,
    )


def stated_seconds(plan: RoundPlan, n_scenarios: int) -> float:
    """The rule for a machine on which no round was done yet."""
    n_dialogues = 2 * n_scenarios * plan.samples
    return (
        SECONDS_AT_LEAST
        + plan.steps * SECONDS_PER_STEP
        + n_scenarios * REPLIES_PER_SCENARIO * SECONDS_PER_REPLY
        + n_dialogues * SECONDS_PER_DIALOGUE
    )


def _count_scenarios(plan: RoundPlan, judges: Iterable[RewardModelRun]) -> int:
    if not plan.catalogue:
        return n_texts(HELD_OUT) * plan.per_text
    return len(scenarios.chosen_scenarios(plan, HELD_OUT, judges))


def _pace() -> tuple[float, str]:
    """How long rounds took here as a share of what the rule says of them, and where that comes from."""
    done = Round.objects.filter(
        job__state="succeeded",
        job__fence=1,  # a job that was started more than once tells the time of its last start alone
        finished_stages__has_key=Round.Stage.STUDY.value,
    )
    paces = [
        row.job.elapsed.total_seconds() / _stated_for(row)
        for row in done.select_related("job")[:LAST_ROUNDS]
        if row.job is not None and row.job.elapsed is not None
    ]
    if not paces:
        return 1.0, _("no round was done here yet: a rule for two cores")
    basis = ngettext("by the last round here", "by the last %(count)d rounds here", len(paces))
    return sum(paces) / len(paces), basis % {"count": len(paces)}


def _stated_for(round: Round) -> float:
    plan = RoundPlan.from_json(round.parameters)
    known = round.report.get("n_scenarios")  # the catalogue may have others by now
    return stated_seconds(plan, known or _count_scenarios(plan, ()))


@cache
def n_texts(part: str) -> int:
    """How many practice texts a part has, as the bank's index says."""
    texts = json.loads(BANK.read_text(encoding="utf-8"))["texts"]
    return sum(text["part"] == part for text in texts)
