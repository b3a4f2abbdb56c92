"""Practice scenarios: a text of the bank, and what the user feels in each exchange.

The user says an *opener*, whose words tell the emotion, and then the text's sentence; the voice carries the emotion
too. The assistant's words carry none: only its delivery can fit or not. The text itself hints at no emotion, because
every text meets many arcs.
"""

import re
import zlib
from collections import Counter
from collections.abc import Collection, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earshot.formats.dialogues import Scenario as ManifestScenario
from earshot.formats.dialogues import ScenarioTurn
from earshot.formats.manifest import SCENARIOS_FILE, read_manifest
from policy.learning.bank import Bank, Text

EMOTIONS = ("calm", "joy", "sadness", "worry", "anger")
OPENERS = {
    "calm": ("All is calm here.", "Everything is fine.", "I feel quite relaxed.", "It is a quiet day."),
    "joy": ("This is wonderful.", "I am so happy.", "I feel fantastic.", "What a lovely day."),
    "sadness": ("I feel so sad.", "This breaks my heart.", "It hurts so much.", "I could cry."),
    "worry": ("I am really worried.", "I feel so nervous.", "This frightens me.", "I feel so afraid."),
    "anger": ("I feel so angry.", "This makes me furious.", "I have had enough.", "This is an outrage."),
}
N_OPENERS = 4
N_EXCHANGES = 4
LANGUAGE = "en"
PREFIX = "practice"
_INITIALS = {emotion[0]: emotion for emotion in EMOTIONS}
_ID = re.compile(rf"{PREFIX}-(.+)-([{''.join(_INITIALS)}]+)-([0-9]+)")


@dataclass(frozen=True)
class Scenario:
    """The first len(arc) exchanges of a text, the emotion that the user feels in each, and its opener's number."""

    text: Text
    arc: tuple[str, ...]
    openers: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.arc) <= len(self.text.exchanges) or len(self.openers) != len(self.arc):
            raise ValueError(
                f"Text {self.text.text_id!r} has {len(self.text.exchanges)} exchanges, but the arc names "
                f"{len(self.arc)} emotions and {len(self.openers)} openers; give one of each per exchange."
            )
        for emotion, opener in zip(self.arc, self.openers, strict=True):
            if emotion not in EMOTIONS or not 0 <= opener < N_OPENERS:
                raise ValueError(
                    f"There is no opener {opener} of {emotion!r}; choose 0 to {N_OPENERS - 1} of {', '.join(EMOTIONS)}."
                )

    @property
    def scenario_id(self) -> str:
        """Says everything: practice-<text>-<initials of the arc>-<openers>; `scenario_of` reads it back."""
        initials = "".join(emotion[0] for emotion in self.arc)
        return f"{PREFIX}-{self.text.text_id}-{initials}-{''.join(map(str, self.openers))}"

    def opener_text(self, exchange: int) -> str:
        return OPENERS[self.arc[exchange]][self.openers[exchange]]

    def user_text(self, exchange: int) -> str:
        """The words of the user's whole turn: opener and sentence."""
        return f"{self.opener_text(exchange)} {self.text.exchanges[exchange].user.text}"

    def assistant_text(self, exchange: int) -> str:
        return " ".join(phrase.text for phrase in self.text.exchanges[exchange].assistant)

    def to_manifest(self) -> ManifestScenario:
        """As scenarios.jsonl names it: the arc holds one emotion per scenario turn."""
        return ManifestScenario(
            scenario_id=self.scenario_id,
            topic=self.text.topic,
            language=LANGUAGE,
            turns=tuple(ScenarioTurn(number + 1, self.user_text(number)) for number in range(len(self.arc))),
            arc=self.arc,
            tags=(PREFIX, self.text.part),
        )


def draw_scenarios(
    bank: Bank,
    part: str | None,
    n_per_text: int,
    seed: int,
    *,
    exchanges: int = N_EXCHANGES,
    without: Collection[str] = (),
) -> list[Scenario]:
    """`n_per_text` different scenarios of each text of a part (of all if None): arcs and openers drawn by chance.

    The scenarios of one text depend on the seed and the text alone; those whose ids are in `without` are passed over,
    and the text's next ones take their places. No arc stays at one emotion throughout, unless it
    is one exchange long.

    Raises:
        ValueError: if the part does not exist or holds no text, or a text has not so many scenarios.
    """
    texts = bank.texts(part)
    possible = (len(EMOTIONS) * N_OPENERS) ** exchanges - (exchanges > 1) * len(EMOTIONS) * N_OPENERS**exchanges
    passed_over = frozenset(without)
    taken = Counter(text_id_of(scenario_id) for scenario_id in passed_over)
    possible -= max((taken[text.text_id] for text in texts), default=0)
    if not texts or not 1 <= n_per_text <= possible:
        raise ValueError(
            f"{n_per_text} scenarios of each of {len(texts)} texts were asked for; a text has 1 to {possible}."
        )
    return [scenario for text in texts for scenario in _draw(text, n_per_text, seed, exchanges, passed_over)]


def _draw(text: Text, count: int, seed: int, exchanges: int, passed_over: Set[str]) -> list[Scenario]:
    rng = np.random.default_rng([seed, zlib.crc32(text.text_id.encode())])
    found: dict[str, Scenario] = {}
    while len(found) < count:
        arc = tuple(EMOTIONS[number] for number in rng.integers(len(EMOTIONS), size=exchanges))
        openers = tuple(int(number) for number in rng.integers(N_OPENERS, size=exchanges))
        scenario = Scenario(text, arc, openers)
        if (exchanges == 1 or len(set(arc)) > 1) and scenario.scenario_id not in passed_over:
            found.setdefault(scenario.scenario_id, scenario)
    return list(found.values())


def text_id_of(scenario_id: str) -> str | None:
    """The text that a practice scenario's id names; None if it is no such id."""
    found = _ID.fullmatch(scenario_id)
    return found[1] if found else None


def scenario_of(scenario_id: str, bank: Bank) -> Scenario:
    """The scenario of this id. Raises ValueError if the id is none of ours or the bank has no such text."""
    found = _ID.fullmatch(scenario_id)
    if found is None:
        raise ValueError(
            f"{scenario_id!r} is no practice scenario; the embedded policy speaks only scenarios such as "
            f"'{PREFIX}-{bank.texts()[0].text_id}-cjsw-0123', drawn from its bank."
        )
    text_id, initials, openers = found.groups()
    return Scenario(bank.text(text_id), tuple(_INITIALS[i] for i in initials), tuple(int(o) for o in openers))


def scenarios_from_manifest(folder: Path, bank: Bank) -> list[Scenario]:
    """The practice scenarios of a manifest folder, in its order.

    Raises:
        ValueError: if the manifest is broken, names a scenario of another kind, or tells another story under our id.
    """
    scenarios = []
    for written in read_manifest(folder).scenarios:
        scenario = scenario_of(written.scenario_id, bank)
        if written != scenario.to_manifest():
            raise ValueError(
                f"{folder / SCENARIOS_FILE} tells {written.scenario_id!r} in other words than the bank at "
                f"{bank.folder}; draw the scenarios again from this bank."
            )
        scenarios.append(scenario)
    return scenarios
