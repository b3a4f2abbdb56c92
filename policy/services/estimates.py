"""What a round will cost, before it is started: time on a worker, and listening by people."""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from policy.models import Round
from policy.services import scenarios
from policy.services.plans import HELD_OUT, RoundPlan

BANK = Path(__file__).resolve().parents[1] / "learning" / "bank" / "bank.json"
LAST_ROUNDS = 5
# Without rounds before: a rule for two cores, rounded up from what `make loop` took (docs/loop.md).
SECONDS_AT_LEAST = 20.0
SECONDS_PER_STEP = 1.0
SECONDS_PER_DIALOGUE = 1.5  # spoken, imported and measured
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
    def listening_words(self) -> str:
        if self.listening_hours >= 1:
            return f"{self.listening_hours:.1f} hours"
        minutes = math.ceil(self.listening_hours * 60)
        return "1 minute" if minutes == 1 else f"{minutes} minutes"


def estimate_round(plan: RoundPlan) -> Estimate:
    """From the last rounds here, scaled by their steps, else by a stated rule."""
    n_scenarios = len(scenarios.practice_scenarios(HELD_OUT)) if plan.catalogue else n_texts(HELD_OUT) * plan.per_text
    n_pairs = n_scenarios * plan.samples
    n_votes = n_pairs * plan.overlap
    seconds, basis = _seconds(plan, n_dialogues=2 * n_pairs)
    return Estimate(
        n_scenarios=n_scenarios,
        n_pairs=n_pairs,
        n_votes=n_votes,
        listening_hours=n_votes * 2 * DIALOGUE_SECONDS / 3600,
        seconds=seconds,
        basis=basis,
    )


def _seconds(plan: RoundPlan, *, n_dialogues: int) -> tuple[float, str]:
    spoken = n_dialogues * SECONDS_PER_DIALOGUE
    done = Round.objects.filter(job__state="succeeded", finished_stages__has_key=Round.Stage.STUDY.value)
    paces = [
        row.job.elapsed.total_seconds() / row.parameters["steps"]
        for row in done.select_related("job")[:LAST_ROUNDS]
        if row.job is not None and row.job.elapsed is not None
    ]
    if not paces:
        seconds = SECONDS_AT_LEAST + plan.steps * SECONDS_PER_STEP + spoken
        return seconds, "no round was done here yet: a rule for two cores"
    last = "the last round" if len(paces) == 1 else f"the last {len(paces)} rounds"
    return max(sum(paces) / len(paces) * plan.steps, SECONDS_AT_LEAST), f"by {last} here"


@cache
def n_texts(part: str) -> int:
    """How many practice texts a part has, as the bank's index says."""
    texts = json.loads(BANK.read_text(encoding="utf-8"))["texts"]
    return sum(text["part"] == part for text in texts)
