"""A study's statistics as plain numbers for JSON: everything the pages show of one stratum, and no sentence yet."""

import math
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from annotation.services.boards import dimension_board, systems_of
from annotation.services.statistics.agreeing import agreement_payload
from annotation.services.statistics.marks import marks_payload
from annotation.services.statistics.material import Material
from annotation.services.statistics.ranking import davidson_payload, differences_payload, style_payload
from annotation.services.statistics.raters import raters_payload
from annotation.services.statistics.reading import NOT_SCORED, StudyVotes
from annotation.services.statistics.strata import ALL, Stratum
from earshot import estimation


def payload_of(material: Material, stratum: str = ALL) -> dict[str, Any]:
    """All numbers of one stratum. Raises: KeyError, if the study has no such stratum."""
    votes, judged, strata = material.votes, material.judged, material.strata
    if stratum != ALL:
        votes = judged = votes.where(strata[stratum])
    payload = {
        "n": _sizes(votes),
        "strata": [asdict(Stratum.named(key, int(mask.sum()))) for key, mask in strata.items()],
        "dimensions": [_dimension(material, votes, place) for place in range(len(votes.dimensions))],
        "sides": _sides(votes),
        "marks": marks_payload(material.marks, votes),
        "systems": {str(pk): material.names[pk] for pk in _systems(votes)},
        **raters_payload(material, votes, judged),
        "left_out": material.left_out,
        "n_by_people": material.n_by_people,
        "unknown": material.unknown,
        "excluded": sorted(material.excluded),
        "raters_left_out": sorted(material.raters_left_out),
        "n_unmeasured": material.sounds.n_unmeasured,
    }
    plain: dict[str, Any] = as_json(payload)
    return plain


def _sizes(votes: StudyVotes) -> dict[str, int]:
    return {
        "judgments": len(votes),
        "raters": len(np.unique(votes.rater)),
        "pairs": len(np.unique(votes.row)),
        "scenarios": len(np.unique(votes.scenario)),
    }


def _systems(votes: StudyVotes) -> list[int]:
    rows = np.unique(votes.row)
    found: list[int] = np.unique(np.concatenate([votes.pairs.system_a[rows], votes.pairs.system_b[rows]])).tolist()
    return found


def _sides(votes: StudyVotes) -> dict[str, int]:
    """How often dialogue a stood left, and how often the left side was heard first."""
    return {
        "n": len(votes),
        "a_left": int((votes.side > 0).sum()),
        "left_first": int((votes.first == votes.side).sum()),
    }


def _dimension(material: Material, votes: StudyVotes, place: int) -> dict[str, Any]:
    dimension, columns = votes.dimensions[place], votes.columns(place)
    board, ranking = dimension_board(dimension, columns, votes.n_not_scored(place), material.names)
    systems = systems_of(columns, material.names)
    wins = estimation.win_matrix(columns.system_a, columns.system_b, columns.value, systems=systems)
    return {
        **asdict(board),
        "not_scored": {kind.value: votes.n_of(place, kind) for kind in NOT_SCORED},
        "wins": {
            "systems": [str(system) for system in wins.systems],
            "wins": wins.wins.tolist(),
            "ties": wins.ties.tolist(),
        },
        "davidson": davidson_payload(columns, systems),
        "style": style_payload(columns, votes.pairs, material.sounds, systems),
        "differences": differences_payload(ranking, columns),
        **agreement_payload(columns),
    }


def as_json(value: Any) -> Any:
    """The same for JSON: dataclasses as dicts, arrays as lists; a number that is not finite is None."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, np.generic):
        return as_json(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
