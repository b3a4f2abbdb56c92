"""Practice scenarios of the catalogue, written as the manifest that the learning side reads."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from annotation.models import Scenario
from earshot.formats import manifest
from policy.services.plans import HELD_OUT, TRAIN, RoundPlan
from rewardmodel.models import RewardModelRun

PRACTICE = "practice"


def practice_scenarios(part: str, tag: str = "") -> list[Scenario]:
    """Those of one part of the practice texts, as their tags say; of these only those with `tag`, if there is one."""
    rows = Scenario.objects.order_by("scenario_id")
    wanted = {PRACTICE, part, *([tag] if tag else [])}
    # Both databases keep the tags as JSON, but only one of them can look into a list.
    return [row for row in rows.iterator() if wanted <= set(row.tags)]


def chosen_scenarios(plan: RoundPlan, part: str, judges: Iterable[RewardModelRun]) -> list[Scenario]:
    """What a round takes of the catalogue. New and reference meet on no scenario that a reward model learned from."""
    found = practice_scenarios(part, plan.tag)
    if part != HELD_OUT:
        return found
    learned = {name for judge in judges for name in judge.config.get("training", {}).get("scenarios", ())}
    return [row for row in found if row.scenario_id not in learned]


def tags_to_choose() -> list[str]:
    """Tags with practice scenarios of both parts: those by which a round can choose."""
    found: dict[str, set[str]] = {TRAIN: set(), HELD_OUT: set()}
    for tags in Scenario.objects.values_list("tags", flat=True).iterator():
        if PRACTICE in tags:
            for part in found.keys() & set(tags):
                found[part] |= set(tags)
    return sorted((found[TRAIN] & found[HELD_OUT]) - {PRACTICE, TRAIN, HELD_OUT})


def refuse_missing(plan: RoundPlan, judges: Sequence[RewardModelRun]) -> None:
    """Raises: ValidationError, if the catalogue lacks scenarios of one of the parts."""
    for part in (TRAIN, HELD_OUT):
        if not practice_scenarios(part, plan.tag):
            tags = (
                _("practice, %(part)s and %(tag)s") % {"part": part, "tag": plan.tag}
                if plan.tag
                else _("practice and %(part)s") % {"part": part}
            )
            raise ValidationError(
                _(
                    "The catalogue has no scenario with the tags %(tags)s. Import some, or have "
                    "the round draw its scenarios from the practice texts."
                )
                % {"tags": tags}
            )
    if not chosen_scenarios(plan, HELD_OUT, judges):
        raise ValidationError(
            _(
                "A reward model learned from every held-out scenario that was chosen, so none "
                "is left to compare on. Import others, or have the round draw its scenarios "
                "from the practice texts."
            )
        )


def write_scenarios(folder: Path, rows: Iterable[Scenario]) -> Path:
    """A manifest folder with these scenarios and no dialogue."""
    manifest.write_manifest(folder, [_written(row) for row in rows], [])
    return folder


def _written(row: Scenario) -> manifest.Scenario:
    return manifest.Scenario(
        scenario_id=row.scenario_id,
        topic=row.topic,
        language=row.language,
        turns=tuple(_turn(turn) for turn in row.turns),
        roles=row.roles,
        check=manifest.Check(**row.check_question) if row.check_question else None,
        arc=tuple(row.arc or ()),
        tags=tuple(row.tags),
    )


def _turn(turn: dict[str, object]) -> manifest.ScenarioTurn:
    return manifest.ScenarioTurn(
        scenario_turn=int(str(turn["scenario_turn"])), text=str(turn["text"]), role=str(turn.get("role", "user"))
    )
