"""Parts of a study's judgments that have boards of their own: by language, scenario tag and rater group."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from annotation.models import Membership, Scenario, Study, StudyStatistics
from annotation.services.statistics.reading import Bools, Ints, StudyVotes

MOST_TAGS = 20  # the most frequent ones
ALL = ""
LONGEST_KEY = StudyStatistics._meta.get_field("stratum").max_length or 0


@dataclass(frozen=True)
class Stratum:
    key: str  # such as "language:ja"; "" is all
    kind: str  # language, tag or group
    name: str
    n_judgments: int

    @classmethod
    def named(cls, key: str, n_judgments: int) -> "Stratum":
        kind, _, name = key.partition(":")
        return cls(key, kind, name, n_judgments)


def strata_of(study: Study, votes: StudyVotes) -> dict[str, Bools]:
    """Which judgments belong to each stratum, by its key.

    What all judgments share is no stratum, and neither is what has a name too long for its key.
    """
    scenarios = {
        pk: (language, [tag for tag in tags or [] if isinstance(tag, str)])
        for pk, language, tags in Scenario.objects.filter(pk__in=np.unique(votes.scenario).tolist()).values_list(
            "pk", "language", "tags"
        )
    }
    groups = dict(
        Membership.objects.filter(study=study, role=Membership.Role.ANNOTATOR)
        .exclude(group="")
        .values_list("user", "group")
    )
    found = _by("language", votes.scenario, {pk: [language] for pk, (language, _tags) in scenarios.items()})
    tags = _by("tag", votes.scenario, {pk: tags for pk, (_language, tags) in scenarios.items()})
    frequent = Counter({key: int(mask.sum()) for key, mask in tags.items()}).most_common(MOST_TAGS)
    found |= {key: tags[key] for key, _n in sorted(frequent)}
    found |= _by("group", votes.rater, {rater: [group] for rater, group in groups.items()})
    return {key: mask for key, mask in found.items() if not mask.all()}


def _by(kind: str, column: Ints, words: Mapping[int, list[str]]) -> dict[str, Bools]:
    """A mask of the judgments for each word; `words` tells those of each value of the column."""
    every = sorted({word for each in words.values() for word in each})
    known = {word: np.array([pk for pk, each in words.items() if word in each], dtype=np.int64) for word in every}
    return {key: np.isin(column, known[word]) for word in every if len(key := f"{kind}:{word}") <= LONGEST_KEY}
