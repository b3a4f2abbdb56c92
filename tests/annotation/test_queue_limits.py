"""Quotas and budgets: who is lent nothing although pairs are open, what they are told, and when the study pauses."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client, TestCase
from django.urls import reverse

from annotation.models import Membership, Study
from annotation.services import judgments, leases
from annotation.services.queue import limits
from annotation.services.studies.members import set_group
from earshot.accounts.models import AuditEntry
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def study_with_pairs(n_pairs: int = 4, **fields) -> Study:
    study = make_study(**fields)
    for _each in range(n_pairs):
        make_pair(study)
    return study


def in_group(study: Study, group: str):
    annotator = join(study)
    Membership.objects.filter(study=study, user=annotator).update(group=group)
    return annotator


def judge_next(annotator, study: Study, *, at=NOW):
    """Lend, open, answer and submit one pair; None where nothing is open."""
    study.refresh_from_db()
    lease = leases.next_lease(annotator, study, at=at)
    if lease is not None:
        leases.open_lease(lease, at=at)
        answer(lease, at=at)
        judgments.submit(lease, at=at)
    return lease


def refusal(annotator, study: Study) -> str:
    study.refresh_from_db()
    with pytest.raises(ValidationError) as refused:
        leases.next_lease(annotator, study, at=NOW)
    return refused.value.messages[0]


def work_page(annotator) -> str:
    client = Client()
    client.force_login(annotator)
    return client.get(reverse("annotation:work")).content.decode()


def test_a_study_without_limits_has_none():
    study = study_with_pairs(1)

    assert (limits.has_limit(study), limits.refusal(join(study), study, group="")) == (False, "")


def test_whoever_is_in_no_eligible_group_is_lent_nothing_and_told_why():
    study = study_with_pairs(eligible_groups=["native"])
    native, other = in_group(study, "native"), in_group(study, "")

    assert judge_next(native, study) is not None
    assert "is lent to certain groups of raters" in refusal(other, study)
    assert "is lent to certain groups of raters" in work_page(other)


def test_a_rater_is_lent_as_many_pairs_as_one_person_may_judge():
    study = study_with_pairs(pairs_per_rater=2)
    annotator = join(study)
    judge_next(annotator, study)
    judge_next(annotator, study, at=NOW + minutes(1))

    assert refusal(annotator, study).startswith("You judged all the pairs of")
    assert "You judged all the pairs of" in work_page(annotator)
    assert judge_next(join(study), study) is not None


def test_checks_do_not_use_up_a_raters_quota():
    study = study_with_pairs(pairs_per_rater=1)
    annotator = join(study)
    check = make_pair(study, kind="gold", expected_value=3, seats_left=100)
    lease = make_lease(check, annotator)
    answer(lease)
    judgments.submit(lease, at=NOW)

    assert judge_next(annotator, study) is not None


def test_a_pair_that_is_reserved_ahead_counts_towards_the_quota():
    study = study_with_pairs(pairs_per_rater=2)
    annotator = join(study)
    lease = leases.open_lease(leases.next_lease(annotator, study, at=NOW), at=NOW)

    assert leases.reserve_ahead(lease, at=NOW) is not None
    answer(lease)
    judgments.submit(lease, at=NOW)
    assert judge_next(annotator, study) is not None
    assert refusal(annotator, study).startswith("You judged all the pairs of")


def test_a_group_judges_no_more_than_its_quota_and_others_go_on():
    study = study_with_pairs(group_quotas={"native": 2})
    first, second, other = in_group(study, "native"), in_group(study, "native"), in_group(study, "learner")
    judge_next(first, study)
    judge_next(second, study)

    for annotator in (first, second):
        assert refusal(annotator, study).startswith("Raters of your group judged as many pairs")
    assert judge_next(other, study) is not None
    study.refresh_from_db()
    assert study.state == "running"


def test_a_pair_that_is_being_judged_counts_towards_the_budget_before_it_is_submitted():
    study = study_with_pairs(judgments_at_most=1)
    assert leases.next_lease(join(study), study, at=NOW) is not None

    assert refusal(join(study), study).endswith("has all the judgments it wanted. Thank you.")
    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("running", "")  # it may still be handed back


def test_the_study_pauses_itself_when_the_judgments_of_its_budget_were_given():
    study = study_with_pairs(judgments_at_most=2)
    annotator = join(study)
    judge_next(annotator, study)
    judge_next(annotator, study, at=NOW + minutes(1))

    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("paused", "judgments_at_most")
    assert study.get_stopped_because_display() == "the judgments of its budget were given"
    assert refusal(annotator, study).endswith("has all the judgments it wanted. Thank you.")
    assert "it has all the judgments it wanted" in work_page(annotator)
    entry = AuditEntry.objects.get(action="study.paused")
    assert (entry.user, entry.detail) == (None, {"rule": "judgments_at_most"})


def test_the_study_pauses_itself_when_the_hours_of_its_budget_were_heard():
    study = study_with_pairs(hours_at_most=2 * 20 / 3600)  # a pair has 20 s
    annotator = join(study)
    assert judge_next(annotator, study) is not None
    study.refresh_from_db()
    assert study.state == "running"
    judge_next(annotator, study, at=NOW + minutes(1))

    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("paused", "hours_at_most")


def test_checks_do_not_use_up_the_budget():
    study = study_with_pairs(judgments_at_most=1)
    lease = make_lease(make_pair(study, kind="gold", expected_value=3, seats_left=100))
    answer(lease)
    judgments.submit(lease, at=NOW)

    assert limits.spent_of(study) == limits.Spent(0, 0, 0.0, 0.0)
    study.refresh_from_db()
    assert study.state == "running"


def test_a_researcher_starts_a_paused_study_again_and_the_reason_goes():
    from annotation.services import studies

    study = study_with_pairs(judgments_at_most=1)
    judge_next(join(study), study)
    Study.objects.filter(pk=study.pk).update(judgments_at_most=3)

    study.refresh_from_db()
    studies.change_state(study, Study.State.RUNNING, by=None)

    study.refresh_from_db()
    assert (study.state, study.stopped_because) == ("running", "")
    assert judge_next(join(study), study) is not None


def test_what_was_lent_before_the_study_paused_itself_can_still_be_submitted():
    study = study_with_pairs(judgments_at_most=2)
    open_one = make_lease(make_pair(study))
    judge_next(join(study), study)
    Study.objects.filter(pk=study.pk).update(state="paused", stopped_because="judgments_at_most")
    answer(open_one)

    judgments.submit(open_one, at=NOW)

    assert open_one.state == "submitted"


def test_a_spent_budget_is_counted_anew_near_its_limit_and_kept_far_from_it(django_assert_num_queries):
    from django.core.cache import cache

    cache.clear()
    near, far = study_with_pairs(1, judgments_at_most=20), study_with_pairs(1, judgments_at_most=5000)
    for study in (near, far):
        limits.spent_of(study)

    with django_assert_num_queries(1):
        limits.spent_of(near)
    with django_assert_num_queries(0):
        limits.spent_of(far)


# --- What is reserved ahead -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [{"pairs_per_rater": 2}, {"judgments_at_most": 2}, {"group_quotas": {"native": 2}}, {"hours_at_most": 40 / 3600}],
)
def test_the_pair_that_a_rater_reserved_ahead_does_not_count_against_them(limit):
    study = study_with_pairs(**limit)
    annotator = in_group(study, "native")
    first = leases.open_lease(leases.next_lease(annotator, study, at=NOW), at=NOW)
    ahead = leases.reserve_ahead(first, at=NOW)
    assert leases.reserve_ahead(first, at=NOW) == ahead
    answer(first)
    judgments.submit(first, at=NOW)

    assert "Thank you." not in work_page(annotator)
    assert leases.next_lease(annotator, study, at=NOW) == ahead
    leases.open_lease(ahead, at=NOW)
    answer(ahead)
    judgments.submit(ahead, at=NOW)
    assert "Thank you." in refusal(annotator, study)


def test_a_groups_count_follows_at_once_who_is_in_it():
    study = study_with_pairs(n_pairs=1, group_quotas={"native": 60})
    annotator = in_group(study, "")
    judge_next(annotator, study)
    assert limits._taken_by_group(study, "native", 60) == 0

    with TestCase.captureOnCommitCallbacks(execute=True):
        set_group(study, "native", memberships=None, by=None)

    assert limits._taken_by_group(study, "native", 60) == 1
