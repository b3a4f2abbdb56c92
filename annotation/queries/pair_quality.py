"""What a pair's page shows of quality control, beside its votes: the adjudication, and whether it is or can be gold."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation.models import Adjudication, Dimension, Judgment, Pair, Score
from annotation.queries.disputes import adjudication_of, decided_by
from annotation.queries.wording import for_reader
from annotation.services.checks.declared import agreed_value, declared_of


@dataclass(frozen=True)
class PairQuality:
    adjudication: Adjudication | None
    decided: Judgment | None  # the adjudicator's, once it is submitted
    scores: Sequence[tuple[str, Score | None]]  # (dimension, the adjudicator's answer) in the rubric's order
    gold: Pair | None  # the copy that was declared gold
    agreed: int | None  # what a copy would be expected to get, where the votes agree clearly

    @property
    def left_letter(self) -> str:
        return self.decided.lease.side_left.upper() if self.decided else ""


def quality_of(pair: Pair, dimensions: Sequence[Dimension]) -> PairQuality:
    if pair.kind != Pair.Kind.REGULAR:
        return PairQuality(None, None, (), None, None)
    adjudication = adjudication_of(pair)
    decided = decided_by(adjudication) if adjudication else None
    given = {score.dimension_id: score for score in decided.scores.all()} if decided else {}
    gold = declared_of(pair)
    return PairQuality(
        adjudication=adjudication,
        decided=decided,
        scores=[(str(for_reader(each, "name")), given.get(each.pk)) for each in dimensions] if decided else (),
        gold=gold,
        agreed=None if gold else agreed_value(pair),
    )
