"""What a round's report says of the new policy against its reference, on held-out scenarios."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from policy.models import Round
from rewardmodel.queries import Figure, ends


@dataclass(frozen=True)
class RoundReport:
    """Gains in within-scenario standard deviations of the reference; None where the program wrote nothing of it."""

    gain: Figure | None  # of reward
    kl: Figure | None  # nats per token
    kl_parts: str
    held_out_gain: Figure | None  # by the reward model that gave no reward
    truth_gain: Figure | None  # by what simulated raters judge by
    best_of: Figure | None  # what the best of n reference replies gains at the same divergence
    best_of_n: int | None
    plan: str  # how often the plan is right, before and after
    n_scenarios: int | None
    picture: dict[str, Any] | None
    stopped_by: str  # the guard that ended the update early


def read_report(round: Round) -> RoundReport | None:
    told = round.report
    if not told:
        return None
    rival = told.get("best_of_n") or {}
    parts = told.get("kl") or {}
    return RoundReport(
        gain=Figure.read(told.get("reward_gain_sd")),
        kl=Figure.read(told.get("kl_nats_per_token")),
        kl_parts=", ".join(f"{name} {value:.3f}" for name, value in parts.items()),
        held_out_gain=Figure.read(told.get("held_out_gain_sd")),
        truth_gain=Figure.read(told.get("truth_gain_sd")),
        best_of=Figure.read(rival.get("reward_gain_sd")),
        best_of_n=rival.get("n"),
        plan=_plan(told.get("plan_accuracy") or {}),
        n_scenarios=told.get("n_scenarios"),
        picture=_picture(told),
        stopped_by=str(told.get("stopped_by") or ""),
    )


def _plan(told: Mapping[str, Any]) -> str:
    if "policy" not in told or "reference" not in told:
        return ""
    return _("%(after)d %% right, %(before)d %% before") % {
        "after": round(100 * told["policy"]),
        "before": round(100 * told["reference"]),
    }


def _picture(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Every gain with its interval, overall first; zero is the reference."""
    rows = []
    for judge, words in (
        ("reward", _("reward")),
        ("held_out", _("held-out model")),
        ("truth", _("simulated truth")),
    ):
        gains = told.get(f"{judge}_gains_sd") or {}
        for head in sorted(gains, key=lambda key: key != "overall"):
            figure = Figure.read(gains[head])
            if figure is not None:
                rows.append({"label": f"{words}: {head.replace('_', ' ')}", **ends(figure)})
    rival = Figure.read((told.get("best_of_n") or {}).get("reward_gain_sd"))
    if rival is not None:
        rows.append({"label": _("reward: best of %(n)s") % {"n": told["best_of_n"].get("n")}, **ends(rival)})
    if not rows:
        return None
    return {
        "kind": "interval",
        "x": {"label": _("gain in sd within a scenario, 95 % intervals")},
        "reference": {"value": 0, "label": _("reference")},
        "rows": rows,
    }
