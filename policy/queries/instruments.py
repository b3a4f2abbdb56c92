"""What instruments that no reward model reads found in the sound of a round's dialogues, before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from policy.models import Round
from rewardmodel.queries import Figure

DESCRIPTION = "description"  # the kind that nothing is wanted of
NAMES = {
    "loudness": gettext_lazy("Loudness"),
    "true_peak": gettext_lazy("True peak"),
    "clipped_runs": gettext_lazy("Clipped runs"),
    "f0_range": gettext_lazy("Range of pitch in a reply"),
    "gap": gettext_lazy("Pause before a reply"),
    "seconds_per_word": gettext_lazy("Seconds per word"),
    "pitch_contrast": gettext_lazy("Pitch: joy above sadness"),
    "level_contrast": gettext_lazy("Level: joy above sadness"),
    "gap_contrast": gettext_lazy("Pause: sadness above joy"),
}
VERDICTS = {True: gettext_lazy("yes"), False: gettext_lazy("no"), None: gettext_lazy("cannot be told")}
STATES = {True: "passed", False: "failed", None: "unknown"}  # of the badge


@dataclass(frozen=True)
class ShownInstrument:
    name: str
    unit: str
    before: str
    after: str
    change: Figure | None
    wanted: str  # written down before any round
    verdict: str  # whether it is so; empty for what merely describes the change
    state: str


@dataclass(frozen=True)
class Sound:
    n_dialogues: int
    instruments: tuple[ShownInstrument, ...]
    descriptions: tuple[ShownInstrument, ...]

    @property
    def sentence(self) -> str:
        """1 of 3 as wanted, 1 not, 1 cannot be told."""
        counts = {state: sum(row.state == state for row in self.instruments) for state in STATES.values()}
        said = [_("%(n)d of %(all)d as wanted") % {"n": counts["passed"], "all": len(self.instruments)}]
        said += [_("%(n)d not") % {"n": counts["failed"]}] if counts["failed"] else []
        said += [_("%(n)d cannot be told") % {"n": counts["unknown"]}] if counts["unknown"] else []
        return ", ".join(said)


def read_sound(round: Round) -> Sound | None:
    """None where nothing was measured."""
    told = round.report.get("instruments")
    if not told:
        return None
    rows = told["instruments"].items()
    return Sound(
        n_dialogues=told["n_dialogues"],
        instruments=tuple(_shown(name, each) for name, each in rows if each.get("kind") != DESCRIPTION),
        descriptions=tuple(_shown(name, each) for name, each in rows if each.get("kind") == DESCRIPTION),
    )


def _shown(name: str, told: Mapping[str, Any]) -> ShownInstrument:
    is_description = told.get("kind") == DESCRIPTION
    return ShownInstrument(
        name=str(NAMES.get(name) or name.replace("_", " ").capitalize()),
        unit=told["unit"],
        before=_number(told["before"]),
        after=_number(told["after"]),
        change=Figure.read(told["change"]),
        wanted=told["wanted"],
        verdict="" if is_description else str(VERDICTS[told["holds"]]),
        state="" if is_description else STATES[told["holds"]],
    )


def _number(told: float | None) -> str:
    figure = Figure.read(told)
    return "–" if figure is None else figure.words
