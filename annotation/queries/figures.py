"""A study in numbers, for commands and scripts: how far it is, and how often each system was preferred overall."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db.models import Sum

from annotation.models import Dialogue, Pair, Score, Study
from annotation.models.studies import OVERALL
from annotation.queries.counting import counting_judgments
from annotation.services.simulation import utility
from earshot.estimation import win_matrix


@dataclass(frozen=True)
class StudyFigures:
    pairs: int
    seats_left: int
    judgments: int  # that count
    wins: dict[str, int]  # overall votes that preferred the system to another one
    ties: int  # overall votes of "about the same" between two systems
    true_utility: dict[str, float]  # mean overall utility by construction, in logits; empty in studies of people

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def figures_of(study: Study) -> StudyFigures:
    judgments = counting_judgments(study)
    overall = Score.objects.filter(judgment__in=judgments, dimension__key=OVERALL, kind=Score.Kind.SCORED)
    sides = [f"judgment__lease__pair__dialogue_{side}__system__name" for side in "ab"]
    votes = [vote for vote in overall.values_list(*sides, "value") if vote[0] != vote[1]]
    regular = study.pairs.filter(kind=Pair.Kind.REGULAR)
    wins, ties = {}, 0
    if votes:
        matrix = win_matrix(*(list(column) for column in zip(*votes, strict=True)))
        wins = {str(name): int(count) for name, count in zip(matrix.systems, matrix.wins.sum(axis=1), strict=True)}
        ties = int(matrix.ties.sum()) // 2
    return StudyFigures(
        pairs=regular.count(),
        seats_left=regular.aggregate(left=Sum("seats_left"))["left"] or 0,
        judgments=judgments.count(),
        wins=wins,
        ties=ties,
        true_utility=_true_utility(study) if study.is_simulated else {},
    )


def _true_utility(study: Study) -> dict[str, float]:
    pairs = Pair.objects.filter(study=study)
    used = Dialogue.objects.filter(pk__in=pairs.values("dialogue_a")) | Dialogue.objects.filter(
        pk__in=pairs.values("dialogue_b")
    )
    by_system = defaultdict(list)
    for dialogue in used.select_related("system", "scenario"):
        by_system[dialogue.system.name].append(utility(dialogue, OVERALL))
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(by_system.items())}
