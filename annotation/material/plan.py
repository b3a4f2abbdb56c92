"""Which pairs there are, and what makes one side of each better: the same in every language.

Both sides have the same words, voices and recordings, and a line passes the vocoder in both or in neither, so that
nothing tells the worse side but the property that is spoiled in it. texts/<language>.json has the words.
"""

from dataclasses import dataclass
from typing import Literal

from earshot.acoustics.vocoder import Prosody

Side = Literal["left", "right"]

TURN_GAP_SECONDS = 0.3  # before each line, unless the plan says otherwise
TONE_LANGUAGES = ("zh-hans",)
NARROWEST_RANGE = {True: 0.5, False: 0.1}  # for a language with tones, and one without: flatter would change the words

NEUTRAL = Prosody()


@dataclass(frozen=True)
class Line:
    role: Literal["user", "assistant"]
    better: Prosody = NEUTRAL
    worse: Prosody | None = None  # as in the better one, if left out
    better_gap: float = TURN_GAP_SECONDS  # seconds of silence before it; below 0 it begins before the other has ended
    worse_gap: float | None = None

    @property
    def is_as_recorded(self) -> bool:
        """Whether it is said in both sides as it was recorded, and so needs no vocoder."""
        return self.better == NEUTRAL and self.worse is None


@dataclass(frozen=True)
class PairPlan:
    key: str
    purpose: Literal["training", "gold"]
    dimension: Literal["prosody", "emotional_continuity", "immersion"]
    better: Side
    lines: tuple[Line, ...]

    @property
    def answer(self) -> int:
        """As shown: plain enough for ±2, and from ±1 to ±3 all is right."""
        return 2 if self.better == "right" else -2


ASKED = Line("user")
LIVELY = Prosody(level_semitones=0.5, range_ratio=1.25)
ONE_NOTE = Prosody(level_semitones=-1.0, range_ratio=0.1)
CALM = Prosody(pace_ratio=0.95, pause_ratio=1.3)
RUN_TOGETHER = Prosody(pace_ratio=1.45, pause_ratio=0.15)
GENTLE = Prosody(level_semitones=-1.5, range_ratio=0.85, pace_ratio=0.92, energy_db=-3.0)
CHEERFUL = Prosody(level_semitones=4.0, range_ratio=1.5, pace_ratio=1.15, energy_db=4.0)
JOYFUL = Prosody(level_semitones=1.5, range_ratio=1.3, pace_ratio=1.05, energy_db=2.0)
WEARY = Prosody(level_semitones=-3.0, range_ratio=0.35, pace_ratio=0.8, energy_db=-6.0)


def _two_replies(first: Prosody, fitting: Prosody, unfitting: Prosody) -> tuple[Line, ...]:
    return (ASKED, Line("assistant", first), ASKED, Line("assistant", fitting, unfitting))


def _three_replies(late: float) -> tuple[Line, ...]:
    return (ASKED, Line("assistant", worse_gap=late)) * 3


PAIRS = (
    PairPlan("seals", "training", "prosody", "left", (ASKED, Line("assistant", LIVELY, ONE_NOTE))),
    PairPlan("missing-cat", "training", "emotional_continuity", "right", _two_replies(GENTLE, GENTLE, CHEERFUL)),
    PairPlan("tea", "training", "immersion", "left", _three_replies(late=1.3)),
    PairPlan("choir", "gold", "prosody", "right", (ASKED, Line("assistant", LIVELY, ONE_NOTE))),
    PairPlan("way-to-the-station", "gold", "prosody", "left", (ASKED, Line("assistant", CALM, RUN_TOGETHER))),
    PairPlan("new-job", "gold", "emotional_continuity", "left", _two_replies(JOYFUL, JOYFUL, WEARY)),
    PairPlan("grandmother", "gold", "emotional_continuity", "right", _two_replies(GENTLE, GENTLE, CHEERFUL)),
    PairPlan("tonight", "gold", "immersion", "right", _three_replies(late=2.0)),
    PairPlan(
        "school-story",
        "gold",
        "immersion",
        "left",
        (ASKED, Line("assistant"), ASKED, Line("assistant", worse_gap=-1.2)),
    ),
)
