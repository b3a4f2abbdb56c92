"""Everything that a study's statistics are computed from, read once for all its strata."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import Max

from annotation.models import Pair, QualityVerdict, Study, System
from annotation.models.judgments import JudgmentQuerySet
from annotation.queries.counting import counting_judgments, excluded_from, judgments_in_time
from annotation.services.qualification.standing import withdrawn_from
from annotation.services.statistics.checking import checks_by_rater
from annotation.services.statistics.marks import read_marks
from annotation.services.statistics.reading import CHUNK_ROWS, Bools, PairFacts, StudyVotes, read_with_checks
from annotation.services.statistics.sounds import SoundFacts, read_sound_facts
from annotation.services.statistics.strata import strata_of
from earshot.estimation.sequential import Check

FAIL, UNKNOWN = QualityVerdict.Verdict.FAIL, QualityVerdict.Verdict.UNKNOWN


@dataclass(frozen=True)
class Material:
    study: Study
    newest_at: datetime | None  # when the newest counting judgment was submitted, before the rest was read
    heard: StudyVotes  # all in time, checks and excluded raters too
    counts: Bools  # which of them count, (n,)
    strata: dict[str, Bools]  # of the counting ones
    sounds: SoundFacts
    marks: Any
    names: dict[int, str]  # of systems
    checks: dict[Hashable, list[Check]]  # by rater whose consent stands, as they were taken
    excluded: set[int]  # raters
    raters_left_out: set[int]  # they, and whoever took the consent back; as it was before the votes were read
    left_out: dict[str, int]  # judgments in time on regular pairs that do not count, by why
    n_by_people: int  # judgments in time on regular pairs that a person made: those that quality control looks at
    unknown: dict[str, int]  # checks of quality control that could not run, by name: on how many of those

    @property
    def judged(self) -> StudyVotes:
        """On regular pairs, whether they count or not."""
        return self.heard.where(self.heard.pairs.kind[self.heard.row] == Pair.Kind.REGULAR)

    @property
    def voted_on(self) -> PairFacts:
        return _voted_on(self.votes)

    def with_sounds(self) -> "Material":
        """The same after more sounds were measured."""
        return replace(self, sounds=read_sound_facts(self.voted_on))

    @cached_property
    def votes(self) -> StudyVotes:
        return self.heard.where(self.counts)


def read_material(study: Study) -> Material:
    # First of all: who is left out while the rest is read must be found missing here, so that another update follows.
    excluded, withdrawn = excluded_from(study), withdrawn_from(study)
    newest = counting_judgments(study).aggregate(newest=Max("submitted_at"))["newest"]
    heard, counts = read_with_checks(study)
    votes = heard.where(counts)
    return Material(
        study=study,
        newest_at=newest,
        heard=heard,
        counts=counts,
        strata=strata_of(study, votes),
        sounds=read_sound_facts(_voted_on(votes)),
        marks=read_marks(study),
        names=dict(System.objects.values_list("pk", "name")),
        checks={rater: each for rater, each in checks_by_rater(study).items() if rater not in withdrawn},
        excluded=excluded,
        raters_left_out=excluded | withdrawn,
        left_out=_left_out(study, excluded, withdrawn),
        n_by_people=_by_people(study).count(),
        unknown=_unknown_checks(study),
    )


def _voted_on(votes: StudyVotes) -> PairFacts:
    """The facts of the pairs that have a vote."""
    rows = np.unique(votes.row)
    return PairFacts(**{name: column[rows] for name, column in vars(votes.pairs).items()})


def _left_out(study: Study, excluded: set[int], withdrawn: set[int]) -> dict[str, int]:
    judgments = judgments_in_time(study)
    failed = judgments.filter(quality__verdict=FAIL)
    return {
        "in_time": judgments.count(),
        "withdrawn": judgments.filter(lease__annotator__in=withdrawn).count() if withdrawn else 0,
        "excluded": judgments.filter(lease__annotator__in=excluded - withdrawn).count() if excluded else 0,
        "failed": failed.exclude(lease__annotator__in=excluded | withdrawn).count(),
    }


def _by_people(study: Study) -> JudgmentQuerySet:
    return judgments_in_time(study).filter(is_simulated=False)


def _unknown_checks(study: Study) -> dict[str, int]:
    """How often each check of quality control could not run on judgments of people."""
    unsure = QualityVerdict.objects.filter(verdict=UNKNOWN, judgment__in=_by_people(study)).order_by()
    found: Counter[str] = Counter()
    for checks in unsure.values_list("checks", flat=True).iterator(CHUNK_ROWS):
        found.update(name for name, check in checks.items() if check and check[0] == UNKNOWN)
    return dict(sorted(found.items()))
