"""Everything that a study's statistics are computed from, read once for all its strata."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import Max

from annotation.models import Judgment, Pair, QualityVerdict, Study, System
from annotation.queries.counting import counting_judgments, excluded_from, judgments_in_time
from annotation.services.qualification.standing import withdrawn_from
from annotation.services.statistics.marks import read_marks
from annotation.services.statistics.reading import CHUNK_ROWS, Bools, PairFacts, StudyVotes, read_with_checks
from annotation.services.statistics.sounds import SoundFacts, read_sound_facts
from annotation.services.statistics.strata import strata_of

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
    excluded: set[int]  # raters
    left_out: dict[str, int]  # judgments in time on regular pairs that do not count, by why
    unknown: dict[str, int]  # checks of quality control that could not run, by name: on how many judgments

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
        excluded=excluded_from(study),
        left_out=_left_out(study),
        unknown=_unknown_checks(study),
    )


def _voted_on(votes: StudyVotes) -> PairFacts:
    """The facts of the pairs that have a vote."""
    rows = np.unique(votes.row)
    return PairFacts(**{name: column[rows] for name, column in vars(votes.pairs).items()})


def _left_out(study: Study) -> dict[str, int]:
    judgments = judgments_in_time(study)
    withdrawn, excluded = withdrawn_from(study), excluded_from(study)
    failed = judgments.filter(quality__verdict=FAIL)
    return {
        "in_time": judgments.count(),
        "withdrawn": judgments.filter(lease__annotator__in=withdrawn).count() if withdrawn else 0,
        "excluded": judgments.filter(lease__annotator__in=excluded - withdrawn).count() if excluded else 0,
        "failed": failed.exclude(lease__annotator__in=excluded | withdrawn).count(),
    }


def _unknown_checks(study: Study) -> dict[str, int]:
    """How often each check of quality control could not run on judgments of people."""
    people = Judgment.objects.counted().filter(lease__study=study, is_simulated=False)
    unsure = QualityVerdict.objects.filter(verdict=UNKNOWN, judgment__in=people).order_by()
    found: Counter[str] = Counter()
    for checks in unsure.values_list("checks", flat=True).iterator(CHUNK_ROWS):
        found.update(name for name, check in checks.items() if check and check[0] == UNKNOWN)
    return dict(sorted(found.items()))
