"""What a round's report says of the new policy against its reference, on held-out scenarios."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from policy.models import Round
from rewardmodel.queries import Figure, ends

JUDGES = {
    "reward": gettext_lazy("reward"),
    "held_out": gettext_lazy("held-out model"),
    "truth": gettext_lazy("simulated truth"),
}


@dataclass(frozen=True)
class Rival:
    """The best of n replies of the reference, chosen by the same reward models: no training, about the same KL."""

    n: int
    kl: Figure | None
    gain: Figure | None
    held_out_gain: Figure | None
    truth_gain: Figure | None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Rival | None":
        if "n" not in told:
            return None
        gains = {name: Figure.read(told.get(f"{name}_gain_sd")) for name in JUDGES}
        kl = Figure.read(told.get("kl_nats_per_token"))
        return cls(told["n"], kl, gains["reward"], gains["held_out"], gains["truth"])


@dataclass(frozen=True)
class Beside:
    """One figure of the new policy beside the rival's, in words."""

    name: str
    policy: str
    rival: str


@dataclass(frozen=True)
class RoundReport:
    """Gains in within-scenario standard deviations of the reference; None where the program wrote nothing of it."""

    gain: Figure | None  # of reward
    kl: Figure | None  # nats per token
    kl_parts: str
    held_out_gain: Figure | None  # by the reward model that gave no reward
    truth_gain: Figure | None  # by what simulated raters judge by
    rival: Rival | None
    plan: str  # how often the plan is right, before and after
    n_scenarios: int | None
    n_known_texts: int  # of these scenarios, whose words a reward model was trained on in other scenarios
    n_texts: int | None
    picture: dict[str, Any] | None
    stopped_by: str  # the guard that ended the update early

    @property
    def beside(self) -> list[Beside]:
        """New policy and rival, figure by figure, as far as both are known."""
        if self.rival is None:
            return []
        rows = [
            (_("Reward gain, sd"), self.gain, self.rival.gain),
            (_("By the held-out reward model, sd"), self.held_out_gain, self.rival.held_out_gain),
            (_("In the simulated truth, sd"), self.truth_gain, self.rival.truth_gain),
        ]
        found = [
            Beside(name, mine.words, its.words) for name, mine, its in rows if mine is not None and its is not None
        ]
        if self.kl is not None and self.rival.kl is not None:
            found.append(Beside(_("KL, nats per token"), self.kl.precise, self.rival.kl.precise))
        return found


def read_report(round: Round) -> RoundReport | None:
    told = round.report
    if not told:
        return None
    parts = told.get("kl") or {}
    return RoundReport(
        gain=Figure.read(told.get("reward_gain_sd")),
        kl=Figure.read(told.get("kl_nats_per_token")),
        kl_parts=", ".join(f"{name} {value:.3f}" for name, value in parts.items()),
        held_out_gain=Figure.read(told.get("held_out_gain_sd")),
        truth_gain=Figure.read(told.get("truth_gain_sd")),
        rival=Rival.read(told.get("best_of_n") or {}),
        plan=_plan(told.get("plan_accuracy") or {}),
        n_scenarios=told.get("n_scenarios"),
        n_known_texts=told.get("texts_trained_on", 0),
        n_texts=told.get("n_texts"),
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
    for judge, words in JUDGES.items():
        gains = told.get(f"{judge}_gains_sd") or {}
        for head in sorted(gains, key=lambda key: key != "overall"):
            figure = Figure.read(gains[head])
            if figure is not None:
                rows.append({"label": f"{words}: {head.replace('_', ' ')}", **ends(figure)})
    rival = told.get("best_of_n") or {}
    for judge, words in JUDGES.items():
        figure = Figure.read(rival.get(f"{judge}_gain_sd"))
        if figure is not None:
            label = _("%(judge)s: best of %(n)s") % {"judge": words, "n": rival["n"]}
            rows.append({"label": label, **ends(figure)})
    if not rows:
        return None
    return {
        "kind": "interval",
        "x": {"label": _("gain in sd within a scenario, 95 % intervals")},
        "reference": {"value": 0, "label": _("reference")},
        "rows": rows,
    }
