"""Scenarios and dialogues as the manifest describes them. Times are in seconds from the dialogue's beginning."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ScenarioTurn:
    """One user turn that every dialogue of the scenario answers; `audio` is the user's own recording, if any."""

    scenario_turn: int
    text: str
    role: str = "user"
    audio: str | None = None


@dataclass(frozen=True)
class Check:
    """A question with one right answer about the scenario (the verifiable part of a reward)."""

    question: str
    answer: str


@dataclass(frozen=True)
class Scenario:
    """What two dialogues of a pair have in common: the topic, the roles and the user's turns."""

    scenario_id: str
    topic: str
    language: str
    turns: tuple[ScenarioTurn, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    check: Check | None = None
    arc: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def user_turn_numbers(self) -> frozenset[int]:
        return frozenset(turn.scenario_turn for turn in self.turns)


@dataclass(frozen=True)
class DialogueTurn:
    """One turn of a dialogue; `scenario_turn` names the user turn that it is (user) or answers (assistant)."""

    scenario_turn: int
    role: str
    speaker: str
    text: str
    start: float | None = None
    end: float | None = None
    reasoning: str | None = None
    audio: str | None = None


@dataclass(frozen=True)
class Dialogue:
    """A spoken dialogue: its sound is one file (`audio`) or one file per turn, never both."""

    dialogue_id: str
    scenario_id: str
    system: str
    turns: tuple[DialogueTurn, ...]
    audio: str | None = None
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def has_turn_audio(self) -> bool:
        return self.audio is None

    @property
    def has_times(self) -> bool:
        return all(turn.start is not None for turn in self.turns)
