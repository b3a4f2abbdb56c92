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
    """What the reference does without any training, by the figures that the new policy is measured by."""

    name: str
    short: str  # among other words
    sentence: str  # how it speaks
    kl: Figure | None
    gains: Mapping[str, Figure | None]  # by judge

    @classmethod
    def read(cls, name: str, short: str, sentence: str, told: Mapping[str, Any]) -> "Rival":
        """From its part of the report."""
        gains = {judge: Figure.read(told.get(f"{judge}_gain_sd")) for judge in JUDGES}
        return cls(name, short, sentence, Figure.read(told.get("kl_nats_per_token")), gains)


def _rivals(told: Mapping[str, Any]) -> list[Rival]:
    found = []
    if best := told.get("best_of_n"):
        words = {"n": best["n"]}
        name, short = _("Best of %(n)s") % words, _("best of %(n)s") % words
        sentence = _(
            "of %(n)s replies of the reference, the one that the reward models like best: about as far from it."
        )
        found.append(Rival.read(name, short, sentence % words, best))
    if less := told.get("sharpened"):
        sentence = _(
            "the reference at temperature %(temperature)s, as little varied as the new policy has become. It knows no "
            "vote: what it gains, the update gained by saying less varied things."
        ) % {"temperature": f"{less['temperature']:.2f}"}
        found.append(Rival.read(_("Less varied"), _("reference, less varied"), sentence, less))
    return found


@dataclass(frozen=True)
class Beside:
    """One figure of the new policy beside the rivals', in words; "–" where a rival has none."""

    name: str
    policy: str
    rivals: tuple[tuple[str, str], ...]  # name and words of each


@dataclass(frozen=True)
class RoundReport:
    """Gains in within-scenario standard deviations of the reference; None where the program wrote nothing of it."""

    gain: Figure | None  # of reward
    kl: Figure | None  # nats per token
    kl_parts: str
    held_out_gain: Figure | None  # by the reward model that gave no reward
    truth_gain: Figure | None  # by what simulated raters judge by
    rivals: list[Rival]
    plan: str  # how often the plan is right, before and after
    n_scenarios: int | None
    n_known_texts: int  # of these scenarios, whose words a reward model was trained on in other scenarios
    n_texts: int | None
    picture: dict[str, Any] | None
    stopped_by: str  # the guard that ended the update early

    @property
    def beside(self) -> list[Beside]:
        """New policy and rivals, figure by figure, as far as they are known."""
        rows = [
            (_("Reward gain, sd"), self.gain, "reward"),
            (_("By the held-out reward model, sd"), self.held_out_gain, "held_out"),
            (_("In the simulated truth, sd"), self.truth_gain, "truth"),
        ]
        found = []
        for name, mine, judge in rows:
            theirs = {rival.name: rival.gains[judge] for rival in self.rivals}
            if mine is not None and any(theirs.values()):
                words = {rival: figure.words if figure else "–" for rival, figure in theirs.items()}
                found.append(Beside(name, mine.words, tuple(words.items())))
        kls = {rival.name: rival.kl for rival in self.rivals}
        if self.kl is not None and any(kls.values()):
            words = {rival: figure.precise if figure else "–" for rival, figure in kls.items()}
            found.append(Beside(_("KL, nats per token"), self.kl.precise, tuple(words.items())))
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
        rivals=_rivals(told),
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
    for rival in _rivals(told):
        for judge, words in JUDGES.items():
            if figure := rival.gains[judge]:
                rows.append({"label": f"{words}: {rival.short}", **ends(figure)})
    if not rows:
        return None
    return {
        "kind": "interval",
        # xgettext:no-python-format
        "x": {"label": _("gain in sd within a scenario, 95 % intervals")},
        "reference": {"value": 0, "label": _("reference")},
        "rows": rows,
    }
