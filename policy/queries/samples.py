"""What there is to listen to: new and reference side by side, scenario by scenario."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotation.models import Dialogue
from annotation.views.dialogues import picture
from policy.models import PolicyCheckpoint, Round
from policy.services.speaking import pairs_of


@dataclass(frozen=True)
class SampleSide:
    letter: str
    role: str  # new, reference
    dialogue: Dialogue
    picture: dict[str, Any]

    @property
    def picture_id(self) -> str:
        return f"sample-{self.letter}"


@dataclass(frozen=True)
class Sample:
    number: int  # from 1
    count: int
    topic: str
    arc: list[str]
    sides: tuple[SampleSide, ...]


def sample_of(round: Round, number: int) -> Sample | None:
    """The round's pair of that number (the nearest there is); None while nothing is imported."""
    speeches = {speech.policy_id: speech for speech in round.speeches.all()}
    new = round.new_policy
    if new is None or new.pk not in speeches or round.policy_id not in speeches:
        return None
    mine = {dialogue.pk for dialogue in speeches[new.pk].dialogues}
    pairs = pairs_of(speeches[new.pk], speeches[round.policy_id])
    if not pairs:
        return None
    number = min(max(number, 1), len(pairs))
    one, other = pairs[number - 1]
    ours, theirs = (one, other) if one.pk in mine else (other, one)
    return Sample(
        number=number,
        count=len(pairs),
        topic=ours.scenario.topic,
        arc=list(ours.scenario.arc or ()),
        sides=(_side("a", _("new"), ours), _side("b", _("reference"), theirs)),
    )


def own_sample(policy: PolicyCheckpoint, number: int) -> Sample | None:
    """Of a policy that no round made: one of its dialogues alone."""
    dialogues = policy.system.dialogues.select_related("scenario", "system").order_by("pk")
    count = dialogues.count()
    if not count:
        return None
    number = min(max(number, 1), count)
    dialogue = dialogues[number - 1]
    return Sample(
        number, count, dialogue.scenario.topic, list(dialogue.scenario.arc or ()), (_side("a", "", dialogue),)
    )


def _side(letter: str, role: str, dialogue: Dialogue) -> SampleSide:
    return SampleSide(letter, role, dialogue, picture(dialogue))
