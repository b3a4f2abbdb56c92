"""Which scenarios a command may work on: a figure is held out only where no reward model was trained.

After a round people vote on held-out scenarios too, and the next reward model learns from them. So what is drawn passes
over all that any judge was trained on, and what is given by name is refused.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.learning.bank import Bank
from policy.learning.sampling import derived_seed
from policy.learning.scenarios import Scenario, draw_scenarios, scenarios_from_manifest, text_id_of
from rewardmodel.learning.checkpoint import CONFIG_FILE, load_checkpoint

HELD_OUT = "held_out"  # the part of the texts that is for measuring alone
MOST_PER_TEXT = 64  # scenarios of a text that an evaluation of the product may draw (policy/services/plans.py)


@dataclass(frozen=True)
class TrainedOn:
    """The scenarios that reward models were trained on, each with the folder of one that was."""

    scenarios: Mapping[str, str]

    @property
    def texts(self) -> set[str]:
        """Of the practice bank."""
        return {text_id for scenario_id in self.scenarios if (text_id := text_id_of(scenario_id))}


def trained_on(reward_models: Iterable[Path]) -> TrainedOn:
    """What their folders say. Raises ValueError if one does not say it."""
    found: dict[str, str] = {}
    for folder in reward_models:
        scenarios = load_checkpoint(folder).training.get("scenarios")
        if scenarios is None:
            raise ValueError(
                f"{folder / CONFIG_FILE} does not say on which scenarios it was trained, so nothing can be told apart "
                "from them. Train it again."
            )
        found = dict.fromkeys(scenarios, str(folder)) | found
    return TrainedOn(found)


def evaluation_scenarios(options: argparse.Namespace, bank: Bank, judges: TrainedOn) -> list[Scenario]:
    """The scenarios of --scenarios, or drawn by --part, --per-text and --seed: none that a judge was trained on.

    Raises:
        ValueError: if a given one was, unless --include-trained.
    """
    if options.scenarios:
        given = scenarios_from_manifest(options.scenarios, bank)
        if not options.include_trained:
            _refuse_trained(options.scenarios, given, judges)
        return given
    passed_over = () if options.include_trained else tuple(judges.scenarios)
    return draw_scenarios(bank, options.part, options.per_text, options.seed, without=passed_over)


def overlap_with(judges: TrainedOn, scenarios: Sequence[Scenario]) -> dict[str, int]:
    """For the report: how many of these scenarios, and of their texts, a judge was trained on."""
    return {
        "scenarios_trained_on": sum(scenario.scenario_id in judges.scenarios for scenario in scenarios),
        "texts_trained_on": len({scenario.text.text_id for scenario in scenarios} & judges.texts),
    }


def steering_scenarios(bank: Bank, seed: int, per_text: int, judges: TrainedOn) -> list[Scenario]:
    """One of each held-out text, for the measurements by which a round is steered.

    None was trained on, and none is among those that an evaluation of this seed draws: of each text the first
    MOST_PER_TEXT (or `per_text`, if that is more).
    """
    reported = draw_scenarios(bank, HELD_OUT, max(MOST_PER_TEXT, per_text), seed, without=tuple(judges.scenarios))
    passed_over = [*judges.scenarios, *(scenario.scenario_id for scenario in reported)]
    return draw_scenarios(bank, HELD_OUT, 1, derived_seed(seed, "steering"), without=passed_over)


def training_texts(options: argparse.Namespace, bank: Bank) -> list[str] | None:
    """The texts that --scenarios names, or None for all of the part. Their arcs are drawn anew for each step.

    Raises:
        ValueError: if any of them is held out.
    """
    if not options.scenarios:
        if options.part == HELD_OUT:
            raise ValueError(
                f"The texts of part {HELD_OUT} are for measuring; a policy that is trained on them cannot be measured "
                "any more. Use --part train, or leave --part out."
            )
        return None
    texts = {scenario.text.text_id: scenario.text for scenario in scenarios_from_manifest(options.scenarios, bank)}
    apart = sorted(text_id for text_id, text in texts.items() if text.part == HELD_OUT)
    if apart:
        raise ValueError(
            f"{apart[0]!r} is one of {len(apart)} {'text' if len(apart) == 1 else 'texts'} in {options.scenarios} that "
            "are kept for measuring. Leave them out of the scenarios to train on."
        )
    return sorted(texts)


def _refuse_trained(folder: Path, given: Sequence[Scenario], judges: TrainedOn) -> None:
    known = [scenario.scenario_id for scenario in given if scenario.scenario_id in judges.scenarios]
    if known:
        judge = judges.scenarios[known[0]]
        raise ValueError(
            f"{known[0]!r} is one of {len(known)} scenarios in {folder} that a reward model was trained on ({judge}); "
            "what is measured there is not held out. Give others (draw them by --part held_out and another --seed), or "
            "add --include-trained: the report then says how many there are."
        )
