"""Excluding a rater: every number follows at once, lifting restores exactly, and fairness is said before it is done."""

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Exclusion, Judgment, Membership, Study
from annotation.queries.counting import counting_judgments
from annotation.queries.quality import exclusion_rate, unfair_pairs, with_checks
from annotation.services import exclusions, leases
from annotation.services.boards import study_board
from annotation.services.quality import judge_judgment
from earshot.accounts.models import AuditEntry, Role
from tests.annotation.checked import judged, plain_check
from tests.factories import NOW, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def nothing_kept():
    """Which checks are unfair is kept for a minute, by the study's number: another test's must not be found."""
    cache.clear()


@pytest.fixture
def researcher():
    return make_user(Role.RESEARCHER)


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher, overlap=2)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def excluded(study, rater, by, reason="clicks without listening") -> Exclusion:
    return exclusions.exclude(study, rater, reason=reason, by=by, at=NOW)


def address(name: str, *args) -> str:
    return reverse(f"annotation:{name}", args=args)


def guess(study, rater, *, failed: int, passed: int = 0) -> None:
    """So many checks failed, then so many passed."""
    for number in range(failed + passed):
        judged(plain_check(study, "spoken_check"), rater, value=-3 if number < failed else 3, at=NOW + minutes(number))


# --- What counts ------------------------------------------------------------------------------------------------------


def test_an_excluded_raters_judgments_count_nowhere_and_lifting_restores_them_exactly(study, researcher):
    rater, other = join(study), join(study)
    pair = make_pair(study)
    mine, theirs = judged(pair, rater, value=3), judged(pair, other, value=-1)
    before = sorted(counting_judgments(study).values_list("pk", flat=True))
    assert before == sorted([mine.pk, theirs.pk])

    exclusion = excluded(study, rater, researcher)
    assert list(counting_judgments(study)) == [theirs]
    assert study_board(study).n_judgments == 1

    exclusions.lift(exclusion, by=researcher, at=NOW)
    assert sorted(counting_judgments(study).values_list("pk", flat=True)) == before
    assert study_board(study).n_judgments == 2
    mine.refresh_from_db()
    assert mine.scores.get(dimension__key="overall").value == 3


def test_the_seats_of_an_excluded_rater_are_given_to_others_and_taken_again_when_lifted(study, researcher):
    rater = join(study)
    pair = make_pair(study)
    judged(pair, rater)
    pair.refresh_from_db()
    assert pair.seats_left == 1

    exclusion = excluded(study, rater, researcher)
    pair.refresh_from_db()
    assert pair.seats_left == 2

    exclusions.lift(exclusion, by=researcher, at=NOW)
    pair.refresh_from_db()
    assert pair.seats_left == 1


def test_seats_never_fall_below_none_when_others_judged_meanwhile(study, researcher):
    rater = join(study)
    pair = make_pair(study)
    judged(pair, rater)
    exclusion = excluded(study, rater, researcher)
    for _each in range(2):
        judged(pair)

    exclusions.lift(exclusion, by=researcher, at=NOW)

    pair.refresh_from_db()
    assert pair.seats_left == 0
    assert counting_judgments(study).count() == 3


def test_another_studys_judgments_of_the_rater_go_on_counting(study, researcher):
    rater, elsewhere = join(study), make_study()
    judged(make_pair(study), rater)
    kept = judged(make_pair(elsewhere), rater)

    excluded(study, rater, researcher)

    assert list(counting_judgments(elsewhere)) == [kept]


def test_an_excluded_rater_holds_no_pair_any_more_and_is_lent_none(study, researcher):
    rater = join(study)
    pair = make_pair(study)
    lease = make_lease(pair, rater)

    exclusion = excluded(study, rater, researcher)

    lease.refresh_from_db()
    assert lease.state == "expired"
    with pytest.raises(ValidationError, match="look at your judgments, and lend you no pairs meanwhile"):
        leases.next_lease(rater, study, at=NOW)
    exclusions.lift(exclusion, by=researcher, at=NOW)
    assert leases.next_lease(rater, study, at=NOW) is not None


def test_excluding_and_lifting_stand_in_the_audit_log(study, researcher):
    rater = join(study)
    make_lease(make_pair(study), rater)

    exclusions.lift(excluded(study, rater, researcher), by=researcher, at=NOW)

    entries = AuditEntry.objects.filter(action__in=["study.rater_excluded", "study.exclusion_lifted"])
    assert {(entry.action, entry.user, entry.detail["rater"]) for entry in entries} == {
        ("study.rater_excluded", researcher, rater.email),
        ("study.exclusion_lifted", researcher, rater.email),
    }


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001])
def test_an_exclusion_needs_a_reason_that_fits(study, researcher, reason):
    rater = join(study)
    make_lease(make_pair(study), rater)

    with pytest.raises(ValidationError, match="Say in at most 1000 characters why"):
        excluded(study, rater, researcher, reason)
    assert not Exclusion.objects.exists()


def test_nobody_is_excluded_twice_or_without_having_been_lent_a_pair(study, researcher):
    rater = join(study)
    with pytest.raises(ValidationError, match="had no pair of this study"):
        excluded(study, rater, researcher)
    make_lease(make_pair(study), rater)
    excluded(study, rater, researcher)

    with pytest.raises(ValidationError, match="is excluded already"):
        excluded(study, rater, researcher)


def test_lifting_twice_is_the_same_as_once(study, researcher):
    rater = join(study)
    make_lease(make_pair(study), rater)
    exclusion = excluded(study, rater, researcher)

    exclusions.lift(exclusion, by=researcher, at=NOW)
    exclusions.lift(exclusion, by=make_user(Role.ADMIN), at=NOW + minutes(1))

    exclusion.refresh_from_db()
    assert (exclusion.lifted_at, exclusion.lifted_by) == (NOW, researcher)
    assert AuditEntry.objects.filter(action="study.exclusion_lifted").count() == 1


# --- Fairness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failed", "suggested"), [(0, False), (1, False), (2, True), (3, True)])
def test_exclusion_is_suggested_only_after_two_failed_fair_checks(study, failed, suggested):
    rater = join(study)
    guess(study, rater, failed=failed)

    [row] = with_checks([rater], study)

    assert (row.is_suggested, row.has_few_failed) == (suggested, failed < 2)


def test_a_check_that_most_raters_fail_is_unfair_and_says_nothing_of_anybody(study):
    unfair = plain_check(study, "spoken_check")
    raters = [join(study) for _each in range(5)]
    for rater in raters:
        judged(unfair, rater, value=-3)
    guess(study, raters[0], failed=1)

    row = with_checks(raters[:1], study)[0]

    assert (row.failed, row.test.n_failed, row.is_suggested) == ({"spoken": 2}, 1, False)


def test_which_checks_were_unfair_is_not_kept_for_a_later_study_with_the_same_number(study):
    unfair = plain_check(study, "spoken_check")
    for _each in range(5):
        judged(unfair, join(study), value=-3)
    assert unfair_pairs(study) == {unfair.pk}
    Judgment.objects.all().delete()
    Study.objects.filter(pk=study.pk).update(created_at=NOW + minutes(1))

    assert unfair_pairs(Study.objects.get(pk=study.pk)) == set()


def test_a_check_that_could_not_run_is_not_held_against_anybody(study):
    rater = join(study)
    for _each in range(3):
        judgment = judged(plain_check(study), rater, value=-3)
        judgment.scores.filter(dimension__key="overall").update(kind="cannot_tell", value=None)
        judge_judgment(judgment, at=NOW)

    [row] = with_checks([rater], study)

    assert (row.test.n_unknown, row.test.n_failed, row.kinds) == (3, 0, [])


def test_more_excluded_raters_than_planned_raise_an_alarm(study, researcher):
    raters = [join(study) for _each in range(10)]
    for rater in raters:
        make_lease(make_pair(study), rater)
    excluded(study, raters[0], researcher)
    assert exclusion_rate(study).is_high is False

    excluded(study, raters[1], researcher)

    rate = exclusion_rate(study)
    assert (rate.n_excluded, rate.n_raters, rate.is_high) == (2, 10, True)


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_a_researcher_excludes_with_a_reason_and_lifts_it_again(study, researcher):
    rater = join(study)
    guess(study, rater, failed=2)
    client = signed_in(researcher)
    page = client.get(address("rater_checks", study.pk)).content.decode()
    assert "Exclusion is suggested." in page

    response = client.post(address("exclude_rater", study.pk, rater.pk), {"reason": "fails every check"})

    assert response["Location"] == address("rater_checks", study.pk)
    exclusion = Exclusion.objects.get()
    assert (exclusion.rater, exclusion.reason, exclusion.excluded_by) == (rater, "fails every check", researcher)
    page = client.get(response["Location"]).content.decode()
    assert "fails every check" in page
    assert "Exclusion is suggested." not in page
    client.post(address("lift_exclusion", study.pk, exclusion.pk))
    exclusion.refresh_from_db()
    assert exclusion.lifted_by == researcher
    assert "Lifted exclusions" in client.get(response["Location"]).content.decode()


@pytest.mark.parametrize(("failed", "warned"), [(0, True), (1, True), (2, False)])
def test_the_page_says_when_fairness_asks_to_wait_and_excludes_all_the_same(study, researcher, failed, warned):
    rater = join(study)
    make_lease(make_pair(study), rater)
    guess(study, rater, failed=failed)
    client = signed_in(researcher)

    page = client.get(address("exclude_rater", study.pk, rater.pk)).content.decode()

    assert ("Fewer than two fair checks were failed." in page) is warned
    client.post(address("exclude_rater", study.pk, rater.pk), {"reason": "told us so"})
    assert Exclusion.objects.count() == 1


def test_without_a_reason_the_page_stays_and_says_so(study, researcher):
    rater = join(study)
    make_lease(make_pair(study), rater)

    response = signed_in(researcher).post(address("exclude_rater", study.pk, rater.pk), {"reason": " "})

    assert response.status_code == 422
    assert "Say why: it stands beside the decision." in response.content.decode()
    assert not Exclusion.objects.exists()


def test_strangers_read_and_exclude_nobody(study, researcher):
    rater = join(study)
    make_lease(make_pair(study), rater)
    exclusion = excluded(study, rater, researcher)
    reads = [address("rater_checks", study.pk), address("exclude_rater", study.pk, rater.pk)]
    lift = address("lift_exclusion", study.pk, exclusion.pk)

    for user, status in ((rater, 403), (make_user(Role.RESEARCHER), 404)):
        client = signed_in(user)
        assert [client.get(each).status_code for each in reads] == [status] * 2
        assert client.post(reads[1], {"reason": "x"}).status_code == status
        assert client.post(lift).status_code == status
    assert [Client().get(each).status_code for each in reads] == [302] * 2
    assert Client().post(lift).status_code == 302
    exclusion.refresh_from_db()
    assert exclusion.lifted_at is None


def test_an_exclusion_of_another_study_is_not_lifted_through_ones_own(study, researcher):
    elsewhere = make_study()
    rater = join(elsewhere)
    make_lease(make_pair(elsewhere), rater)
    exclusion = excluded(elsewhere, rater, make_user(Role.ADMIN))

    assert signed_in(researcher).post(address("lift_exclusion", study.pk, exclusion.pk)).status_code == 404


def test_a_rater_of_another_study_cannot_be_excluded_here(study, researcher):
    stranger = make_user()
    Membership.objects.create(study=make_study(), user=stranger, role="annotator")

    assert signed_in(researcher).get(address("exclude_rater", study.pk, stranger.pk)).status_code == 404


def test_an_empty_list_says_what_will_stand_here(study, researcher):
    assert "No raters yet" in signed_in(researcher).get(address("rater_checks", study.pk)).content.decode()


def test_the_list_of_raters_takes_as_many_queries_for_three_as_for_one(study, researcher):
    client = signed_in(researcher)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(address("rater_checks", study.pk))
        return len(captured)

    def add() -> None:
        rater = join(study)
        guess(study, rater, failed=2)
        excluded(study, rater, researcher)

    add()
    queries()
    one = queries()
    add()
    add()
    assert queries() == one
