"""The fixed renderer: prosody codes to sound, by the WORLD vocoder on the practice bank.

The same input gives the same samples. Nothing is limited or levelled afterwards: the recordings leave head-room for
every code and every emotion.
"""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from policy.learning.analysis import Analyses
from policy.learning.bank import Bank, Recording
from policy.learning.codes import Codes
from policy.learning.delivery import Planner, SpokenPhrase, Turn
from policy.learning.scenarios import Scenario

RENDERER_VERSION = 1  # raise it whenever the same codes give other samples
KEPT_PHRASES = 256  # rendered phrases that are kept in memory, about 25 MB: the user's turns come again and again

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rendered:
    """A spoken dialogue; `delivery` is how it was said, see policy.learning.delivery."""

    samples: Samples  # (N,) at 16 kHz
    turns: tuple[Turn, ...]
    delivery: dict[str, Any]


class Renderer:
    """Speaks scenarios of one bank.

    Args:
        cache_dir: where analyses are kept for every process that reads this bank; only in memory if left out.
    """

    def __init__(self, bank: Bank, cache_dir: Path | None = None) -> None:
        self._planner = Planner(bank, cache_dir)
        self._analyses = Analyses(bank, cache_dir)
        self._said: OrderedDict[tuple[object, ...], Samples] = OrderedDict()

    def prepare(self, scenarios: list[Scenario]) -> None:
        """Analyse the recordings that these scenarios need, unless it was done before."""
        self._analyses.prepare(_recordings(self._planner, scenarios))

    def render(self, scenario: Scenario, codes: Codes, *, refuse_clipping: bool = True) -> Rendered:
        """Say the scenario's user turns with their emotion and the replies by the codes (T, 2, 5).

        Args:
            refuse_clipping: as everything must that people will hear; else the sound is cut at full scale, for a guard
                to find.
        Raises:
            ValueError: if the codes do not fit the scenario or lie outside their tables, or the sound would clip.
        """
        plan = self._planner.plan(scenario, codes)
        samples = np.zeros(plan.n_samples, dtype=np.float32)
        for spoken in plan.phrases:
            samples[spoken.start : spoken.start + spoken.length] = self._say(spoken)
        if refuse_clipping and np.abs(samples).max() >= 1.0:
            raise ValueError(f"{scenario.scenario_id!r} clips at these codes; lower the level of its recordings.")
        return Rendered(samples.clip(-1.0, 1.0), plan.turns, plan.delivery)

    def _say(self, spoken: SpokenPhrase) -> Samples:
        key = (spoken.phrase.recording.path, spoken.phrase.start, spoken.prosody)
        if key not in self._said:
            mean = self._planner.mean_log_f0(spoken.phrase)
            self._said[key] = self._analyses.say(spoken.phrase, spoken.prosody, mean).astype(np.float32)
            if len(self._said) > KEPT_PHRASES:
                self._said.popitem(last=False)
        self._said.move_to_end(key)
        return self._said[key]


def _recordings(planner: Planner, scenarios: list[Scenario]) -> list[Recording]:
    phrases = [
        phrase
        for scenario in scenarios
        for number in range(len(scenario.arc))
        for phrase in (*planner.user_phrases(scenario, number), *scenario.text.exchanges[number].assistant)
    ]
    return list({phrase.recording.path: phrase.recording for phrase in phrases}.values())
