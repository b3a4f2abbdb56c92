"""Practice scenarios of the catalogue, written as the manifest that the learning side reads."""

from pathlib import Path

from django.core.exceptions import ValidationError

from annotation.models import Scenario
from earshot.formats import manifest
from policy.services.plans import HELD_OUT, TRAIN

PRACTICE = "practice"


def practice_scenarios(part: str) -> list[Scenario]:
    """Those of one part of the practice texts, as their tags say."""
    rows = Scenario.objects.order_by("scenario_id")
    # Both databases keep the tags as JSON, but only one of them can look into a list.
    return [row for row in rows.iterator() if PRACTICE in row.tags and part in row.tags]


def refuse_missing() -> None:
    """Raises: ValidationError, if the catalogue lacks scenarios of one of the parts."""
    for part in (TRAIN, HELD_OUT):
        if not practice_scenarios(part):
            raise ValidationError(
                f"The catalogue has no scenario with the tags practice and {part}. Import some, or have the round draw "
                "its scenarios from the practice texts."
            )


def write_scenarios(folder: Path, part: str) -> Path:
    """A manifest folder with these scenarios and no dialogue."""
    manifest.write_manifest(folder, [_written(row) for row in practice_scenarios(part)], [])
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
