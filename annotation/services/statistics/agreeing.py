"""How far raters agree on a dimension, beside α and the ceiling that stand on its board."""

from typing import Any

from annotation.services.statistics.reading import Columns
from earshot.estimation.agreement import gwet_ac2


def agreement_payload(votes: Columns) -> dict[str, Any]:
    return {"ac2": gwet_ac2(votes.pair, votes.value, votes.scenario)}
