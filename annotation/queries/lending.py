"""What is asked for every pair that is lent and every judgment that is submitted, as statements written by hand.

Everywhere else Django builds the SQL. Here that took 0.5 to 1.3 ms a statement, of which the database worked 0.02 ms,
and it was most of what a judgment cost (docs/queue.md). tests/annotation/test_queue_statements.py holds each against
what the querysets say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection
from django.utils.crypto import salted_hmac

from annotation.models import Dialogue, Dimension, Judgment, Lease, Membership, Pair, Study
from earshot.accounts.models import User


@dataclass(frozen=True)
class Belonging:
    """That somebody belongs to a study, and what else decides whether pairs are lent and judgments taken."""

    group: str
    has_withdrawn: bool  # took the consent back and did not agree again
    is_excluded: bool


BELONGING = """
    SELECT m."group",
        EXISTS (SELECT 1 FROM annotation_consent c WHERE c.study_id = m.study_id AND c.user_id = m.user_id)
            AND NOT EXISTS (SELECT 1 FROM annotation_consent c
                WHERE c.study_id = m.study_id AND c.user_id = m.user_id AND c.withdrawn_at IS NULL),
        EXISTS (SELECT 1 FROM annotation_exclusion e
            WHERE e.study_id = m.study_id AND e.rater_id = m.user_id AND e.lifted_at IS NULL)
    FROM annotation_membership m WHERE m.study_id = %s AND m.user_id = %s AND m.role IN ('annotator', %s)
"""


def belonging_of(user: User, study: Study, *, in_any_role: bool = False) -> Belonging | None:
    """None for whoever is no annotator of the study, or, in any role, no researcher of it either."""
    also = Membership.Role.RESEARCHER if in_any_role else Membership.Role.ANNOTATOR
    for group, has_withdrawn, is_excluded in _rows(BELONGING, study.pk, user.pk, also.value):
        return Belonging(group, bool(has_withdrawn), bool(is_excluded))
    return None


KEPT = {*Lease.SEATED, Lease.State.LATE}  # neither run out nor skipped


class OpenPair(NamedTuple):
    pk: int
    scenario: int
    systems: str


IS_OPEN = "p.study_id = %s AND p.kind = 'regular' AND p.seats_left > 0 AND p.is_open"
OPEN = f"SELECT p.id, p.scenario_id, p.systems FROM annotation_pair p WHERE {IS_OPEN}"
KEEPS_AWAY = """(l.state <> 'expired' OR EXISTS (SELECT 1 FROM annotation_judgment j WHERE j.lease_id = l.id))"""
# Originals whose copy as gold the rater had: the same sounds a second time, as annotation.services.checks.declared made
# them.
AS_GOLD = f"""SELECT g.check_of_id FROM annotation_pair g WHERE g.study_id = %s AND g.kind = 'gold'
    AND g.check_of_id IS NOT NULL AND g.treatment ->> 'kind' = 'agreed' AND EXISTS (
        SELECT 1 FROM annotation_lease l WHERE l.pair_id = g.id AND l.annotator_id = %s AND {KEEPS_AWAY})"""
# All the rater had at once, or pair by pair: a planner without statistics would look through the one for each other.
OPEN_OF_ALL = f"""{OPEN} AND p.id NOT IN (
    SELECT l.pair_id FROM annotation_lease l WHERE l.annotator_id = %s AND l.study_id = %s AND {KEEPS_AWAY})
    AND p.id NOT IN ({AS_GOLD})"""
OPEN_OF_TWO = f"""{OPEN} AND p.systems = %s AND NOT EXISTS (
    SELECT 1 FROM annotation_lease l WHERE l.pair_id = p.id AND l.annotator_id = %s AND {KEEPS_AWAY})
    AND p.id NOT IN ({AS_GOLD})"""


def open_pairs(annotator: User, study: Study, *, most: int | None = None, systems: str = "") -> list[OpenPair]:
    """Regular pairs as `Pair.objects.open_to` finds them; only of two systems, or of all.

    Args:
        most: how many at most, to learn whether there are more: which ones is left to the database.
    """
    had = (annotator.pk,) if systems else (annotator.pk, study.pk)
    of_two = (systems,) if systems else ()
    statement = OPEN_OF_TWO if systems else OPEN_OF_ALL
    values: tuple[int | str, ...] = (study.pk, *of_two, *had, study.pk, annotator.pk)
    if most is not None:
        statement, values = f"{statement} LIMIT %s", (*values, most)
    return [OpenPair(*row) for row in _rows(statement, *values)]


# With "+ 0" no index of the study's pairs is taken: few are asked for, and each by its scenario or its key.
OF_FEW = IS_OPEN.replace("p.study_id", "p.study_id + 0")
SETTLED = f"""
    SELECT systems, COUNT(*) FROM (
        SELECT p.id, p.systems FROM annotation_pair p WHERE p.scenario_id = %s AND {OF_FEW}
        UNION
        SELECT p.id, p.systems FROM annotation_lease l JOIN annotation_pair p ON p.id = l.pair_id
        WHERE l.annotator_id = %s AND l.study_id = %s AND {KEEPS_AWAY} AND {OF_FEW}
        UNION
        SELECT p.id, p.systems FROM annotation_pair p WHERE p.id IN ({AS_GOLD}) AND {OF_FEW}) settled
    GROUP BY systems
"""


def settled_pairs(annotator: User, study: Study, *, scenario: int | None) -> dict[str, int]:
    """How many of the pairs that still want a rater are not for this one now, by their systems: those the rater had,
    and those of one scenario."""
    of_lease, of_gold = (annotator.pk, study.pk, study.pk), (study.pk, annotator.pk, study.pk)
    return dict(_rows(SETTLED, scenario, study.pk, *of_lease, *of_gold))


@dataclass(frozen=True)
class Before:
    """What a rater was lent in a study so far. An excess is by how much more often the one thing was than the other."""

    n_seen: int = 0  # without those that ran out unopened; at most LOOK_BACK
    kind: str = ""  # of the pair that was seen last
    scenario: int | None = None
    a_left_excess: int = 0  # dialogue a on the left, over b
    left_first_excess: int = 0  # the left side heard first, over the right
    throw: float | None = field(default=None, compare=False)  # of a die, from 0 to 1: the same until another is seen


BEFORE = """
    SELECT p.kind, p.scenario_id, l.id, l.state, l.side_left, l.heard_first
    FROM annotation_lease l JOIN annotation_pair p ON p.id = l.pair_id
    WHERE l.annotator_id = %s AND l.study_id = %s AND l.purpose = 'judging'
        AND (l.state <> 'expired' OR l.opened_at IS NOT NULL)
    ORDER BY l.created_at DESC, l.id DESC LIMIT %s
"""
LOOK_BACK = 100  # pairs: as far as sides are balanced, however many years somebody judges


def lent_before(annotator: User, study: Study) -> Before:
    rows = _rows(BEFORE, annotator.pk, study.pk, LOOK_BACK)
    if not rows:
        return Before()
    kept = [
        (side_left, heard_first) for _kind, _scenario, _lease, state, side_left, heard_first in rows if state in KEPT
    ]
    a_left = sum(side_left == "a" for side_left, _first in kept)
    left_first = sum(heard_first == "left" for _side, heard_first in kept)
    kind, scenario, last = rows[0][:3]
    throw = int.from_bytes(salted_hmac("after this pair", str(last)).digest()[:6]) / 2**48
    return Before(len(rows), kind, scenario, 2 * a_left - len(kept), 2 * left_first - len(kept), throw)


class Shown(NamedTuple):
    """A lease of a pair: who had it, and how it was shown."""

    lease: int
    annotator: int
    state: str
    side_left: str
    heard_first: str

    @property
    def letter_first(self) -> str:
        """Which dialogue, a or b, was heard first."""
        is_a = (self.heard_first == "left") == (self.side_left == "a")
        return "a" if is_a else "b"


SHOWN = "SELECT id, annotator_id, state, side_left, heard_first FROM annotation_lease WHERE pair_id = %s"


def shown_before(pair: Pair) -> list[Shown]:
    return [Shown(*row) for row in _rows(SHOWN, pair.pk)]


HELD_NOW = """
    SELECT id, state FROM annotation_lease
    WHERE annotator_id = %s AND state IN ('reserved', 'live') AND purpose = 'judging'
"""


def held_now(annotator: User) -> list[tuple[int, str]]:
    """The leases that somebody holds to judge, in any study: primary keys and states."""
    return [(lease, state) for lease, state in _rows(HELD_NOW, annotator.pk)]


WAITING = """
    SELECT s.id, (SELECT COUNT(*) FROM (
        SELECT 1 FROM annotation_pair p LEFT JOIN annotation_lease l ON l.pair_id = p.id AND l.annotator_id = %s
            LEFT JOIN annotation_judgment j ON j.lease_id = l.id
        WHERE p.study_id = s.id AND p.kind = 'regular' AND p.is_open AND (
            (p.seats_left > 0 AND (l.id IS NULL OR (l.state = 'expired' AND j.id IS NULL))
                AND p.id NOT IN ({as_gold}))
            OR l.state = 'reserved')
        LIMIT %s) counted)
    FROM annotation_study s WHERE s.id IN ({ids})
"""
MOST_COUNTED = 1000  # pairs; of more nobody needs the number


def waiting_pairs(annotator: User, studies: Sequence[Study]) -> dict[int, int]:
    """How many regular pairs wait for somebody in each study, one that is reserved ahead among them; by primary key.

    At most one more than MOST_COUNTED.
    """
    if not studies:
        return {}
    as_gold = AS_GOLD.replace("g.study_id = %s", "g.study_id = s.id")
    statement = WAITING.format(as_gold=as_gold, ids=", ".join(["%s"] * len(studies)))
    return dict(_rows(statement, annotator.pk, annotator.pk, MOST_COUNTED + 1, *(study.pk for study in studies)))


# --- Whole rows, as the models know them ------------------------------------------------------------------------------
def lease_with_study(annotator: User, key: str) -> Lease | None:
    """The annotator's own lease with this key, its pair and its study."""
    statement = "SELECT * FROM annotation_lease WHERE key = %s AND annotator_id = %s"
    for lease in Lease.objects.raw(statement, [key, annotator.pk]):
        (lease.pair,) = Pair.objects.raw("SELECT * FROM annotation_pair WHERE id = %s", [lease.pair_id])
        lease.study = lease.pair.study = study_of(lease.study_id)
        lease.annotator = annotator
        return lease
    return None


def pair_with_dialogues(key: int, study: Study) -> Pair:
    (pair,) = Pair.objects.raw("SELECT * FROM annotation_pair WHERE id = %s", [key])
    pair.study = study
    load_dialogues(pair)
    return pair


def load_dialogues(pair: Pair) -> None:
    """Both at one look, instead of each when it is asked for."""
    both = [pair.dialogue_a_id, pair.dialogue_b_id]
    rows = {row.pk: row for row in Dialogue.objects.raw("SELECT * FROM annotation_dialogue WHERE id IN (%s, %s)", both)}
    pair.dialogue_a, pair.dialogue_b = rows[pair.dialogue_a_id], rows[pair.dialogue_b_id]


LARGEST_KEY = 2**63 - 1


def study_of(key: int) -> Study:
    """Raises: Study.DoesNotExist."""
    if key > LARGEST_KEY:  # SQLite takes no larger number, not even to look for
        raise Study.DoesNotExist
    for study in Study.objects.raw("SELECT * FROM annotation_study WHERE id = %s", [key]):
        return study
    raise Study.DoesNotExist


def rubric_of(study: Study) -> list[Dimension]:
    """The study's questions in their order, overall last."""
    statement = "SELECT * FROM annotation_dimension WHERE study_id = %s ORDER BY position"
    rubric = list(Dimension.objects.raw(statement, [study.pk]))
    for dimension in rubric:
        dimension.study = study
    return rubric


def judgment_of(lease: Lease) -> Judgment | None:
    for judgment in Judgment.objects.raw("SELECT * FROM annotation_judgment WHERE lease_id = %s", [lease.pk]):
        judgment.lease = lease
        return judgment
    return None


def _rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
