"""What people choose before a policy speaks or is updated, as values that cannot be wrong."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MOST_SEED = 2**31 - 1
TRAIN, HELD_OUT = "train", "held_out"  # the two parts of the practice texts


@dataclass(frozen=True, kw_only=True)
class SpeechPlan:
    """Which practice scenarios a policy speaks, and how often."""

    part: str = HELD_OUT
    per_text: int = 2  # scenarios drawn from each text of the part
    samples: int = 1  # dialogues of each scenario
    seed: int = 1

    def checked(self) -> "SpeechPlan":
        """Itself. Raises: ValidationError, naming what cannot be."""
        if self.part not in (TRAIN, HELD_OUT):
            raise ValidationError(
                _("There is no part '%(part)s' of the practice texts. Use %(train)s or %(held_out)s.")
                % {"part": self.part, "train": TRAIN, "held_out": HELD_OUT}
            )
        _check(_("scenarios of each text"), self.per_text, 1, 64)
        _check(_("dialogues of each scenario"), self.samples, 1, 64)
        _check("seed", self.seed, 0, MOST_SEED)
        return self

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SpeechPlan":
        return cls(**{field.name: values[field.name] for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class RoundPlan:
    """How a policy is updated, what it then speaks, and how people judge it."""

    system: str  # the name under which the new policy's dialogues stand
    steps: int = 60  # of the update
    seed: int = 1
    kl_target: float = 0.1  # nats per token, on held-out scenarios
    catalogue: bool = False  # scenarios: those tagged practice in the catalogue, else drawn anew
    tag: str = ""  # of those in the catalogue only these; all if empty
    per_text: int = 2  # held-out scenarios drawn from each text, where they are drawn
    samples: int = 1  # dialogues of each held-out scenario, of the new policy and of the reference
    overlap: int = 3  # judgments per pair of the study
    start_study: bool = False  # else it is left as a draft

    def checked(self) -> "RoundPlan":
        """Itself. Raises: ValidationError, naming what cannot be."""
        if not self.system.strip():
            raise ValidationError(_("Give the new policy a name, such as 'policy-r1'."))
        if self.tag and not self.catalogue:
            raise ValidationError(_("A tag chooses among scenarios of the catalogue. Choose the catalogue, or no tag."))
        _check("steps", self.steps, 1, 100_000)
        _check("seed", self.seed, 0, MOST_SEED)
        _check(_("scenarios of each text"), self.per_text, 1, 64)
        _check(_("dialogues of each scenario"), self.samples, 1, 64)
        _check(_("judgments per pair"), self.overlap, 1, 100)
        if not 0 < self.kl_target <= 10:
            raise ValidationError(
                _("A KL target of %(kl_target)s cannot be. Use one above 0, such as 0.1.")
                % {"kl_target": self.kl_target}
            )
        return self

    @property
    def speech(self) -> SpeechPlan:
        return SpeechPlan(part=HELD_OUT, per_text=self.per_text, samples=self.samples, seed=self.seed)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RoundPlan":
        return cls(**values)


def _check(name: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise ValidationError(
            _("%(number)s is out of range for %(name)s. Use a whole number from %(least)s to %(most)s.")
            % {"number": number, "name": name, "least": least, "most": most}
        )
