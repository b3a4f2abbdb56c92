"""Quotas and budgets: what ends lending although pairs are open. Checks count towards none of them.

A limit counts what was judged and what is lent at the moment, so that it is never passed: `claim` looks at it while it
holds the study's row. A count of a million judgments is not taken each time: it is kept for as long as the limit
cannot be reached at FASTEST.
"""

from dataclasses import dataclass

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext as _

from annotation.models import Lease, Membership, Pair, Study
from annotation.queries.wording import title_for_reader
from earshot.accounts.models import User
from earshot.accounts.services import record_action

FASTEST = 50  # judgments a second, more than one server was ever seen to take
LONGEST_KEPT = 60.0  # seconds
State = Lease.State
JUDGED = Q(state__in=[State.SUBMITTED, State.LATE])
TAKEN = Q(state__in=[*Lease.HELD, State.SUBMITTED, State.LATE])


@dataclass(frozen=True)
class Spent:
    """Of a study's budget: judgments and hours of sound, those that are lent at the moment counted and not counted."""

    judgments: int
    judgments_and_lent: int
    hours: float
    hours_and_lent: float


def has_limit(study: Study) -> bool:
    """Whether somebody may be lent nothing although pairs are open."""
    return has_shared_limit(study) or study.pairs_per_rater is not None or bool(study.eligible_groups)


def has_shared_limit(study: Study) -> bool:
    """Whether one rater's pair can be what another may not have any more."""
    return study.judgments_at_most is not None or study.hours_at_most is not None or bool(study.group_quotas)


def refusal(annotator: User, study: Study, *, group: str) -> str:
    """Why this annotator is lent no further pair, as a sentence to them; nothing if no limit says so.

    Args:
        group: the annotator's rater group in the study.
    """
    names = {"study": title_for_reader(study)}
    if study.eligible_groups and group not in study.eligible_groups:
        return (
            _("'%(study)s' is lent to certain groups of raters, and you are in none of them. Ask its researcher.")
            % names
        )
    reached = _reached(annotator, study, group)
    return "" if reached and _has_reserved(annotator, study) else reached


def _has_reserved(annotator: User, study: Study) -> bool:
    """What was reserved ahead was within the limits when it was lent, and counts in them: not against its holder."""
    return Lease.objects.filter(study=study, annotator=annotator, state=State.RESERVED).exists()


def _reached(annotator: User, study: Study, group: str) -> str:
    names = {"study": title_for_reader(study)}
    quota = study.pairs_per_rater
    if quota is not None and _of_regular(study).filter(TAKEN, annotator=annotator).count() >= quota:
        return _("You judged all the pairs of '%(study)s' that one person may judge. Thank you.") % names
    of_group = study.group_quotas.get(group) if group else None
    if of_group is not None and _taken_by_group(study, group, of_group) >= of_group:
        return _("Raters of your group judged as many pairs of '%(study)s' as were wanted of them. Thank you.") % names
    if is_spent(study, with_lent=True):
        return all_judged(study)
    return ""


def all_judged(study: Study) -> str:
    return _("'%(study)s' has all the judgments it wanted. Thank you.") % {"study": title_for_reader(study)}


def is_spent(study: Study, *, with_lent: bool) -> str:
    """The budget that is used up, one of Study.StopRule; nothing where none is."""
    if study.judgments_at_most is None and study.hours_at_most is None:
        return ""
    spent = spent_of(study)
    judgments = spent.judgments_and_lent if with_lent else spent.judgments
    hours = spent.hours_and_lent if with_lent else spent.hours
    if study.judgments_at_most is not None and judgments >= study.judgments_at_most:
        return Study.StopRule.JUDGMENTS
    if study.hours_at_most is not None and hours >= study.hours_at_most:
        return Study.StopRule.HOURS
    return ""


def pause_if_spent(study: Study) -> bool:
    """Pause a running study whose budget was used up, with the reason. True if that happened now."""
    rule = is_spent(study, with_lent=False)
    return bool(rule) and pause(study, rule)


def pause(study: Study, rule: str) -> bool:
    """Paused, not finished: what is lent can be judged to its end, and its researcher says what comes next."""
    running = Study.objects.filter(pk=study.pk, state=Study.State.RUNNING)
    if not running.update(state=Study.State.PAUSED, stopped_because=rule):
        return False
    study.state, study.stopped_because = Study.State.PAUSED, rule
    record_action(None, "study.paused", study, rule=rule)
    return True


def _of_regular(study: Study):  # type: ignore[no-untyped-def]  # a QuerySet of leases
    leases = Lease.objects.filter(study=study, purpose=Lease.Purpose.JUDGING, pair__kind=Pair.Kind.REGULAR)
    return leases.order_by()


def spent_of(study: Study) -> Spent:
    """Exact where the budget could be reached before the next look, else as it was a moment ago."""
    key = f"spent:{study.pk}:{study.created_at:%Y%m%d%H%M%S%f}:{study.judgments_at_most}:{study.hours_at_most}"
    kept: Spent | None = cache.get(key)
    if kept is not None:
        return kept
    seconds = F("pair__dialogue_a__seconds") + F("pair__dialogue_b__seconds")
    found = _of_regular(study).aggregate(
        judged=Count("pk", filter=JUDGED),
        taken=Count("pk", filter=TAKEN),
        judged_seconds=Sum(seconds, filter=JUDGED),
        taken_seconds=Sum(seconds, filter=TAKEN),
    )
    hours = {name: (found[f"{name}_seconds"] or 0.0) / 3600 for name in ("judged", "taken")}
    spent = Spent(found["judged"], found["taken"], hours["judged"], hours["taken"])
    _keep(key, spent, _judgments_left(study, spent))
    return spent


def _judgments_left(study: Study, spent: Spent) -> float:
    left = float("inf")
    if study.judgments_at_most is not None:
        left = study.judgments_at_most - spent.judgments_and_lent
    if study.hours_at_most is not None:
        hours_each = spent.hours_and_lent / spent.judgments_and_lent if spent.judgments_and_lent else 1.0
        left = min(left, (study.hours_at_most - spent.hours_and_lent) / (2 * hours_each or 1.0))
    return left


def _taken_by_group(study: Study, group: str, quota: int) -> int:
    key = _group_key(study, group, quota)
    kept: int | None = cache.get(key)
    if kept is not None:
        return kept
    members = Membership.objects.filter(study=study, role=Membership.Role.ANNOTATOR, group=group)
    taken: int = _of_regular(study).filter(TAKEN, annotator__in=members.values("user")).count()
    _keep(key, taken, quota - taken)
    return taken


def follow_groups(study: Study) -> None:
    """Who is in which group has changed: after the commit, what groups were lent is counted anew."""
    keys = [_group_key(study, group, quota) for group, quota in study.group_quotas.items()]
    transaction.on_commit(lambda: cache.delete_many(keys))


def _group_key(study: Study, group: str, quota: int) -> str:
    return f"taken:{study.pk}:{study.created_at:%Y%m%d%H%M%S%f}:{group}:{quota}"


def _keep(key: str, value: Spent | int, judgments_left: float) -> None:
    seconds = min(judgments_left / FASTEST, LONGEST_KEPT)
    if seconds >= 1:
        cache.set(key, value, int(seconds))
