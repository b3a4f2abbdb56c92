"""What a round's report says of the new policy against its reference, on held-out scenarios."""

from dataclasses import dataclass
from typing import Any

from policy.models import Round
from rewardmodel.queries import Figure


@dataclass(frozen=True)
class RoundReport:
    """None where the program wrote nothing of it."""

    gain: Figure | None  # of reward, in within-scenario standard deviations of the reference
    kl: Figure | None  # nats per token
    held_out_gain: Figure | None  # by the reward model that gave no reward
    n_scenarios: int | None
    stopped_by: str  # the guard that ended the update early


def read_report(round: Round) -> RoundReport | None:
    told = round.report
    if not told:
        return None
    return RoundReport(
        gain=Figure.read(told.get("reward_gain_sd")),
        kl=Figure.read(told.get("kl_nats_per_token")),
        held_out_gain=Figure.read(told.get("held_out_gain_sd")),
        n_scenarios=_whole(told.get("n_scenarios")),
        stopped_by=str(told.get("stopped_by") or ""),
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
