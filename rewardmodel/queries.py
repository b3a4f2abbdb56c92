"""What people read of a registered reward model: its report as figures and pictures, each with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.models.studies import OVERALL
from rewardmodel.models import RewardModelRun

CHANCE = 0.5


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval; low and high are None where none can be given."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def read(cls, told: Any) -> "Figure | None":
        """From {"value", "low", "high", …} or a plain number; None from anything else."""
        if isinstance(told, int | float) and not isinstance(told, bool):
            return cls(float(told))
        if not isinstance(told, Mapping) or told.get("value") is None:
            return None
        return cls(float(told["value"]), _number(told.get("low")), _number(told.get("high")))

    @property
    def short(self) -> str:
        return f"{self.value:.2f}"

    @property
    def signed(self) -> str:
        return _signed(self.value)

    @property
    def precise(self) -> str:
        return f"{self.value:.3f}"

    @property
    def interval(self) -> str:
        """from 0.74 to 0.83; empty where none can be given."""
        if self.low is None or self.high is None:
            return ""
        return _("from %(low)s to %(high)s") % {"low": _two(self.low), "high": _two(self.high)}

    @property
    def words(self) -> str:
        """0.79 [0.74, 0.83]"""
        interval = "" if self.low is None or self.high is None else f" [{_two(self.low)}, {_two(self.high)}]"
        return _two(self.value) + interval


@dataclass(frozen=True)
class Head:
    """How often one head predicts the side that a single decided vote took, beside what the best judge could."""

    key: str
    name: str
    accuracy: Figure
    ceiling: Figure | None
    n_votes: int | None
    no_ceiling: str  # why it cannot be said


@dataclass(frozen=True)
class Probe:
    """What a change that should not matter did to the scores, in standard deviations within a scenario."""

    name: str
    mean: str
    largest: str
    n_dialogues: int


@dataclass(frozen=True)
class Report:
    heads: tuple[Head, ...]  # overall first: it is what one looks for
    n_scenarios: int | None
    picture: dict[str, Any]
    sentence: str
    calibration: dict[str, Any] | None
    baselines: tuple[tuple[str, str], ...]  # what a listener who only measured would reach, on overall
    probes: tuple[Probe, ...]
    size_correlation: Figure | None  # of score and size of change: near 0 is good
    not_measured: str  # why there are no heads; empty if there are, or nobody knows

    @property
    def overall(self) -> Head | None:
        return next((head for head in self.heads if head.key == OVERALL), None)


BASELINES = {
    "longer": gettext_lazy("The longer dialogue is better"),
    "louder": gettext_lazy("The louder dialogue is better"),
    "further_from_the_scenario_mean": gettext_lazy("The more unusual dialogue is better"),
}
CHANGES = {
    "louder_by_6_db": gettext_lazy("6 dB louder"),
    "louder_by_6_db_and_clipped": gettext_lazy("6 dB louder, and clipped"),
    "silence_at_both_ends": gettext_lazy("Silence at both ends"),
    "longer_gaps_at_the_ends": gettext_lazy("Longer turns at both ends"),
    "vocoder": gettext_lazy("Taken apart by the vocoder and put together unchanged"),
}


def read_report(run: RewardModelRun) -> Report:
    heads = _heads(run)
    overall = run.report.get("heads", {}).get(OVERALL, {})
    return Report(
        heads=heads,
        n_scenarios=run.report.get("scenarios"),
        picture=_picture(heads),
        sentence=_sentence(heads),
        calibration=_calibration(overall.get("reliability") or ()),
        baselines=_baselines(run.report.get("baselines", {}).get(OVERALL, {})),
        probes=_probes(run.report.get("probes", {})),
        size_correlation=Figure.read(run.report.get("probes", {}).get("size_of_change", {}).get(OVERALL)),
        not_measured=str(run.report.get("not_measured", "")),
    )


def overall_of(run: RewardModelRun) -> Head | None:
    """For lists; None until the model is registered."""
    told = run.report.get("heads", {}).get(OVERALL)
    return _head(OVERALL, told, {}) if told else None


def _heads(run: RewardModelRun) -> tuple[Head, ...]:
    names = dict(run.snapshot.study.dimensions.values_list("key", "name"))
    found = [_head(key, told, names) for key, told in run.report.get("heads", {}).items()]
    order = {key: place for place, key in enumerate(names, start=1)} | {OVERALL: 0}
    known = [head for head in found if head is not None]
    return tuple(sorted(known, key=lambda head: order.get(head.key, len(order))))


def _head(key: str, told: Mapping[str, Any], names: Mapping[str, str]) -> Head | None:
    accuracy = Figure.read(told.get("accuracy"))
    if accuracy is None:
        return None
    ceiling = told.get("ceiling") or {}
    return Head(
        key=key,
        name=names.get(key, key.replace("_", " ").capitalize()),
        accuracy=accuracy,
        ceiling=Figure.read(ceiling),
        n_votes=(told["accuracy"] if isinstance(told["accuracy"], Mapping) else {}).get("n"),
        no_ceiling=str(ceiling.get("reason", "")) if Figure.read(ceiling) is None else "",
    )


def _picture(heads: Sequence[Head]) -> dict[str, Any]:
    rows = []
    for head in heads:
        votes = _("%(n)d votes") % {"n": head.n_votes} if head.n_votes else ""
        rows.append({"label": head.name, **ends(head.accuracy), "note": votes})
        if head.ceiling is not None:
            rows.append({"label": _("ceiling"), **ends(head.ceiling), "note": _("best possible")})
    return {
        "kind": "interval",
        # xgettext:no-python-format
        "x": {"label": _("share of decided votes predicted, 95 % intervals")},
        "reference": {"value": CHANCE, "label": _("chance")},
        "rows": rows,
    }


def ends(figure: Figure) -> dict[str, float]:
    """Without an interval the ends are the estimate itself: the dot alone."""
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    return {"estimate": figure.value, "low": low, "high": high}


def _sentence(heads: Sequence[Head]) -> str:
    overall = next((head for head in heads if head.key == OVERALL), None)
    if overall is None:
        return ""
    said = {"accuracy": f"{overall.accuracy.value:.0%}".replace("%", " %")}
    if overall.ceiling is None:
        sentence = _(
            "It predicts %(accuracy)s of the decided votes on overall; the ceiling cannot be said: %(reason)s."
        )
        return sentence % (said | {"reason": overall.no_ceiling or _("it was not measured")})
    sentence = _(
        "It predicts %(accuracy)s of the decided votes on overall; the best possible judge would predict %(ceiling)s."
    )
    return sentence % (said | {"ceiling": f"{overall.ceiling.value:.0%}".replace("%", " %")})


def _calibration(table: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if len(table) < 2:
        return None
    said = [row["said"] for row in table]
    return {
        "kind": "line",
        "x": {"label": _("how sure the model was"), "values": said},
        "y": {"label": _("how often it was right"), "min": 0, "max": 1},
        "series": [
            {"label": _("seen"), "values": [row["was"] for row in table]},
            {"label": _("if well calibrated"), "values": said},
        ],
    }


def _baselines(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = [(str(BASELINES.get(name, name)), Figure.read(value)) for name, value in told.items()]
    return tuple((name, figure.words) for name, figure in found if figure is not None)


def _probes(told: Mapping[str, Any]) -> tuple[Probe, ...]:
    """On overall: how far each change moved the scores, in standard deviations within a scenario."""
    rows = []
    for change, by_head in told.get("shifts", {}).items():
        found = by_head.get(OVERALL)
        if found is not None:
            name = str(CHANGES.get(change, change.replace("_", " ").capitalize()))
            rows.append(Probe(name, _signed(found["mean"]), _two(found["largest"]), found["n"]))
    return tuple(rows)


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
