"""When the next pair is a check, and which. The rater cannot tell: neither when nor which is foreseeable."""

import random
from collections import defaultdict
from collections.abc import Sequence

from annotation.models import Pair, Study
from annotation.queries.lending import Before
from annotation.services.checks import open_checks, repeat_for
from annotation.services.queue.choosing import Choice
from earshot.accounts.models import User

FIRST_WITHOUT = 2  # pairs of a rater in a study before the first check


def is_turn_of_a_check(study: Study, before: Before) -> bool:
    """By chance, so that in the long run `check_rate` of the pairs are checks, though never two in a row.

    With a chance of p after each pair that is none, checks are p / (1 + p) of all pairs.
    """
    if study.check_rate == 0 or before.n_seen < FIRST_WITHOUT or before.kind != Pair.Kind.REGULAR:
        return False
    throw = random.random() if before.throw is None else before.throw  # asking again must not throw again
    return throw < study.check_rate / (1 - study.check_rate)


def choose_check(annotator: User, study: Study) -> Choice | None:
    """A check this rater has not had: the kind first, by chance among those there are, then one of the kind."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for kind, check in open_checks(annotator, study).values_list("kind", "pk"):
        by_kind[kind].append(check)
    repeat = repeat_for(annotator, study)
    if repeat is not None:
        by_kind[repeat.kind] = [repeat.pk]
    if not by_kind:
        return None
    pairs: Sequence[int] = by_kind[random.choice(sorted(by_kind))]
    return Choice(random.choice(pairs), 1 / len(by_kind) / len(pairs))
