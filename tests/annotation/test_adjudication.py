"""Adjudication: somebody who saw nothing decides; it stands beside the votes, takes no seat, and can be taken back."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation.models import Adjudication, Judgment, Lease, Membership, Study, StudyStatistics
from annotation.queries import disputes
from annotation.queries.counting import counting_judgments
from annotation.queries.disputes import decided_by, most_disputed
from annotation.queries.lending import judgment_of
from annotation.queries.listening import can_submit_late
from annotation.services import adjudication, exclusions, flags, judgments, leases, studies
from annotation.services.boards import study_board
from annotation.services.qualification import consent
from earshot.accounts.models import AuditEntry, Role
from tests.annotation.checked import judged, plain_check
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher():
    return make_user(Role.RESEARCHER)


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher, overlap=3)


@pytest.fixture
def pair(study):
    """Two votes for a, one for b."""
    pair = make_pair(study)
    for value in (3, 2, -3):
        judged(pair, value=value)
    return pair


@pytest.fixture
def adjudicator(study):
    return join(study)


def asked(pair, by, reason="The votes disagree.") -> Adjudication:
    return adjudication.request(pair, reason=reason, by=by, at=NOW)


def decide(row, adjudicator, value=-2, *, at=NOW) -> Judgment:
    lease = adjudication.begin(row, adjudicator, at=at)
    answer(lease, lease.shown_value(value), at=at)
    return judgments.submit(lease, at=at)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(name: str, *args) -> str:
    return reverse(f"annotation:{name}", args=args)


# --- Who may, and what it changes -------------------------------------------------------------------------------------


def test_an_adjudicators_judgment_counts_nowhere_and_takes_no_seat(study, pair, researcher, adjudicator):
    pair.refresh_from_db()
    seats, before = pair.seats_left, list(counting_judgments(study).order_by("pk"))

    judgment = decide(asked(pair, researcher), adjudicator)

    pair.refresh_from_db()
    assert pair.seats_left == seats == 0
    assert list(counting_judgments(study).order_by("pk")) == before
    assert study_board(study).n_judgments == 3
    assert judgment.lease.purpose == "adjudication"
    assert decided_by(Adjudication.objects.get()) == judgment


def test_it_is_heard_in_a_room_of_ones_own_and_judged_like_any_other(study, researcher, adjudicator):
    pair = make_pair(study)
    row = asked(pair, researcher)
    client = signed_in(adjudicator)

    response = client.post(address("begin_adjudication", row.pk))

    row.refresh_from_db()
    assert response["Location"] == address("room", row.lease.key)
    assert (row.lease.state, row.lease.annotator, row.adjudicator) == ("live", adjudicator, adjudicator)
    answer(row.lease, 2)
    told = client.post(address("submit", row.lease.key), {"go_on": True}, content_type="application/json").json()
    assert (told["state"], told["next"]) == ("submitted", address("my_adjudications"))


def test_who_judged_holds_skipped_or_asked_or_is_excluded_cannot_adjudicate(study, pair, researcher):
    from annotation.services import exclusions

    row = asked(pair, researcher)
    judges = [lease.annotator for lease in pair.leases.all()]
    shut_out = join(study)
    make_lease(make_pair(study), shut_out)
    exclusions.exclude(study, shut_out, reason="guesses", by=researcher, at=NOW)

    for person in (*judges, researcher, shut_out, make_user(), make_user(Role.RESEARCHER), make_user(Role.ADMIN)):
        assert list(adjudication.open_to(person)) == []
        with pytest.raises(ValidationError, match="You cannot adjudicate this pair"):
            adjudication.begin(row, person, at=NOW)
    assert not Lease.objects.filter(purpose="adjudication").exists()


def test_annotators_and_researchers_of_the_study_may(study, pair, researcher):
    row = asked(pair, researcher)
    colleague = make_user(Role.RESEARCHER)
    Membership.objects.create(study=study, user=colleague, role="researcher")

    assert list(adjudication.open_to(join(study))) == [row]
    assert list(adjudication.open_to(colleague)) == [row]
    assert decide(row, colleague).lease.state == "submitted"


def test_one_person_adjudicates_and_beginning_twice_is_the_same_as_once(pair, study, researcher, adjudicator):
    row = asked(pair, researcher)
    lease = adjudication.begin(row, adjudicator, at=NOW)

    assert adjudication.begin(Adjudication.objects.get(), adjudicator, at=NOW) == lease
    assert list(adjudication.open_to(join(study))) == []
    with pytest.raises(ValidationError, match="You cannot adjudicate this pair"):
        adjudication.begin(row, join(study), at=NOW)


def test_who_gives_it_back_leaves_it_to_somebody_else(pair, study, researcher, adjudicator):
    row = asked(pair, researcher)
    leases.skip(adjudication.begin(row, adjudicator, at=NOW), reason="I know the speaker", at=NOW)
    other = join(study)

    assert list(adjudication.open_to(adjudicator)) == []
    assert list(adjudication.open_to(other)) == [row]
    assert decide(Adjudication.objects.get(), other).lease.annotator == other
    pair.refresh_from_db()
    assert pair.seats_left == 0


def test_one_whose_time_ran_out_is_gone_on_with_without_a_seat(pair, researcher, adjudicator):
    row = asked(pair, researcher)
    lease = adjudication.begin(row, adjudicator, at=NOW)
    later = NOW + minutes(600)
    leases.expire_overdue(at=later)
    pair.refresh_from_db()
    assert (Lease.objects.get(pk=lease.pk).state, pair.seats_left) == ("expired", 0)

    again = leases.open_lease(Lease.objects.get(pk=lease.pk), at=later)

    assert again.state == "live"
    assert list(adjudication.open_to(adjudicator)) == [row]


def test_an_adjudicated_pair_is_never_lent_to_its_adjudicator_to_judge(study, researcher):
    pair = make_pair(study)
    adjudicator = join(study)
    lease = adjudication.begin(asked(pair, researcher), adjudicator, at=NOW)
    leases.expire_overdue(at=NOW + minutes(600))

    assert leases.next_lease(adjudicator, study, at=NOW + minutes(600)) is None
    lease.refresh_from_db()
    assert lease.purpose == "adjudication"


def test_a_pair_that_is_open_to_judge_stays_the_annotators_own_beside_an_adjudication(study, researcher, adjudicator):
    row = asked(make_pair(study), researcher)
    held = make_lease(make_pair(study), adjudicator)

    adjudication.begin(row, adjudicator, at=NOW)

    assert leases.next_lease(adjudicator, study, at=NOW) == held


# --- Asking, taking back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_asking_needs_a_reason_that_fits(pair, researcher, reason):
    with pytest.raises(ValidationError, match="Say in at most 1000 characters why"):
        asked(pair, researcher, reason)


def test_a_check_is_not_adjudicated_and_a_pair_only_once(study, pair, researcher):
    asked(pair, researcher)

    with pytest.raises(ValidationError, match="was given to adjudication already"):
        asked(pair, researcher)
    with pytest.raises(ValidationError, match="Only regular pairs are adjudicated"):
        asked(plain_check(study), researcher)


@pytest.mark.parametrize("begun", [False, True])
def test_taking_back_before_it_is_done_ends_it(pair, researcher, adjudicator, begun):
    row = asked(pair, researcher)
    lease = adjudication.begin(row, adjudicator, at=NOW) if begun else None

    adjudication.take_back(row, by=researcher)

    assert not Adjudication.objects.exists()
    assert list(adjudication.open_to(adjudicator)) == []
    if lease is not None:
        lease.refresh_from_db()
        assert lease.state == "skipped"


def test_taking_back_what_was_decided_leaves_the_votes_as_they_were_and_a_line_in_the_log(
    study, pair, researcher, adjudicator
):
    before = list(counting_judgments(study).order_by("pk"))
    decide(asked(pair, researcher), adjudicator)

    adjudication.take_back(Adjudication.objects.get(), by=researcher)

    assert list(counting_judgments(study).order_by("pk")) == before
    entry = AuditEntry.objects.get(action="study.adjudication_taken_back")
    assert (entry.user, entry.detail) == (researcher, {"pair": pair.pk, "was_done": True})
    assert asked(pair, researcher).adjudicator is None  # it can be asked for anew


# --- Disputed pairs ---------------------------------------------------------------------------------------------------


def test_the_most_disputed_pairs_come_first_without_saying_for_which_side(study, pair):
    mild, agreed, single = make_pair(study), make_pair(study), make_pair(study)
    for value in (1, 0):
        judged(mild, value=value)
    for _each in range(2):
        judged(agreed, value=2)
    judged(single, value=3)

    rows = most_disputed(study)

    assert [row.pair for row in rows] == [pair, mild]
    assert (rows[0].n_votes, rows[0].larger, rows[0].smaller, rows[0].n_same) == (3, 2, 1, 0)
    assert rows[0].spread == pytest.approx((62 / 9) ** 0.5)
    assert rows[1].spread == pytest.approx(0.5)


def test_a_pair_that_was_given_to_adjudication_leaves_the_list(study, pair, researcher):
    asked(pair, researcher)

    assert most_disputed(study) == []


def test_the_votes_of_an_excluded_rater_dispute_nothing(study, pair, researcher):
    from annotation.services import exclusions

    odd = Judgment.objects.get(scores__value=-3, scores__dimension__key="overall").lease.annotator
    exclusions.exclude(study, odd, reason="guesses", by=researcher, at=NOW)

    [row] = most_disputed(study)
    assert (row.n_votes, row.smaller) == (2, 0)


def test_they_dispute_nothing_in_a_large_study_either_whose_list_is_kept_for_a_while(
    study, pair, researcher, monkeypatch
):
    from annotation.services import exclusions

    monkeypatch.setattr(disputes, "MANY_JUDGMENTS", 0)
    StudyStatistics.objects.create(study=study)
    odd = Judgment.objects.get(scores__value=-3, scores__dimension__key="overall").lease.annotator
    assert most_disputed(study)[0].n_votes == 3

    exclusion = exclusions.exclude(study, odd, reason="guesses", by=researcher, at=NOW)
    assert most_disputed(study)[0].n_votes == 2
    exclusions.lift(exclusion, by=researcher, at=NOW)

    assert most_disputed(study)[0].n_votes == 3


def test_what_was_kept_of_a_study_is_not_shown_of_a_later_one_with_the_same_number(study, pair, monkeypatch):
    monkeypatch.setattr(disputes, "MANY_JUDGMENTS", 0)
    StudyStatistics.objects.create(study=study)
    assert len(most_disputed(study)) == 1
    Judgment.objects.all().delete()
    Study.objects.filter(pk=study.pk).update(created_at=NOW + minutes(1))

    assert most_disputed(Study.objects.get(pk=study.pk)) == []


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_a_researcher_asks_on_the_pairs_page_and_reads_there_who_decided_what_and_when(study, pair, researcher):
    client = signed_in(researcher)
    page = address("pair", study.pk, pair.pk)
    assert "Ask for an adjudication" in client.get(page).content.decode()

    client.post(address("request_adjudication", study.pk, pair.pk), {"reason": "Two against one."})
    waiting = client.get(page).content.decode()
    assert "Two against one." in waiting
    assert "Not decided yet." in waiting
    decide(Adjudication.objects.get(), join(study, make_user(name="Ada Judge")), -2)

    decided = client.get(page).content.decode()
    assert "Decided by Ada Judge, who saw neither votes nor systems" in decided
    assert "<strong>B by 2</strong>" in decided
    table = decided.partition("Table of judgments")[2].partition("</table>")[0]
    assert "Ada Judge" not in table


def test_it_can_be_asked_for_from_a_flag_and_from_the_disputed_list(study, pair, researcher):
    lease = pair.leases.first()
    flags.flag_pair(lease, kind="sound", note="", at=NOW)
    client, wanted = signed_in(researcher), address("request_adjudication", study.pk, pair.pk)

    assert wanted in client.get(address("study_flags", study.pk)).content.decode()
    assert wanted in client.get(address("study_adjudications", study.pk)).content.decode()


def test_the_adjudicators_list_tells_the_topic_and_neither_reason_votes_nor_systems(
    study, pair, researcher, adjudicator
):
    asked(pair, researcher, "A was preferred twice.")
    client = signed_in(adjudicator)

    page = client.get(address("my_adjudications")).content.decode()

    assert pair.scenario.topic in page
    secrets = ["preferred", pair.dialogue_a.system.name, pair.dialogue_b.system.name, str(researcher)]
    assert [secret for secret in secrets if secret in page] == []
    assert "1 pair waits for somebody to decide who has not heard it." in client.get(address("work")).content.decode()


def test_a_researcher_who_adjudicates_sees_the_pairs_votes_only_after_submitting(study, pair, researcher):
    colleague = make_user(Role.RESEARCHER)
    Membership.objects.create(study=study, user=colleague, role="researcher")
    row = asked(pair, researcher)
    lease = adjudication.begin(row, colleague, at=NOW)
    client, page = signed_in(colleague), address("pair", study.pk, pair.pk)

    hidden = client.get(page).content.decode()
    assert "You adjudicate this pair." in hidden
    assert pair.dialogue_a.system.name not in hidden
    assert client.post(address("take_back_adjudication", study.pk, row.pk))["Location"] == address("my_adjudications")
    assert Adjudication.objects.exists()

    answer(lease, 1)
    judgments.submit(lease, at=NOW)
    assert pair.dialogue_a.system.name in client.get(page).content.decode()


def test_strangers_ask_for_nothing_and_read_nothing(study, pair, researcher, adjudicator):
    row = asked(pair, researcher)
    listed = address("study_adjudications", study.pk)
    changes = [
        address("request_adjudication", study.pk, pair.pk),
        address("take_back_adjudication", study.pk, row.pk),
    ]

    for user, status in ((adjudicator, 403), (make_user(Role.RESEARCHER), 404)):
        client = signed_in(user)
        assert client.get(listed).status_code == status
        assert [client.post(each, {"reason": "x"}).status_code for each in changes] == [status] * 2
    assert [Client().post(each).status_code for each in [*changes, address("begin_adjudication", row.pk)]] == [302] * 3
    assert Client().get(address("my_adjudications")).status_code == 302
    for user in (make_user(), make_user(Role.RESEARCHER), researcher):
        assert signed_in(user).post(address("begin_adjudication", row.pk)).status_code == 404
    assert Adjudication.objects.get().adjudicator is None


def test_empty_lists_say_what_will_stand_there(study, researcher):
    assert "None asked for" in signed_in(researcher).get(address("study_adjudications", study.pk)).content.decode()
    assert "Nothing to adjudicate" in signed_in(join(study)).get(address("my_adjudications")).content.decode()


def test_the_lists_take_as_many_queries_for_three_as_for_one(study, researcher, adjudicator):
    def queries(user, name: str, *args) -> int:
        client = signed_in(user)
        with CaptureQueriesContext(connection) as captured:
            client.get(address(name, *args))
        return len(captured)

    def add() -> None:
        asked(make_pair(study), researcher)
        disputed = make_pair(study)
        for value in (3, -3):
            judged(disputed, value=value)
        decided = make_pair(study)
        decide(asked(decided, researcher), join(study))

    def counts() -> list[int]:
        return [
            queries(researcher, "study_adjudications", study.pk),
            queries(adjudicator, "my_adjudications"),
        ]

    add()
    one = counts()
    add()
    add()
    assert counts() == one


# --- An adjudicator who left ------------------------------------------------------------------------------------------


def removed(study, person, researcher):
    studies.remove_member(Membership.objects.get(study=study, user=person), by=researcher)


def shut_out(study, person, researcher):
    exclusions.exclude(study, person, reason="guesses", by=researcher, at=NOW)


def withdrawn(study, person, researcher):
    consent.give_consent(person, study, at=NOW)
    consent.withdraw_consent(person, study, at=NOW)


@pytest.mark.parametrize("leave", [removed, shut_out, withdrawn])
@pytest.mark.parametrize("role", ["annotator", "researcher"])
def test_an_adjudicator_who_left_neither_reopens_nor_hears_nor_submits(study, pair, researcher, leave, role):
    adjudicator = join(study, make_user(role), role)
    row = asked(pair, researcher)
    lease = adjudication.begin(row, adjudicator, at=timezone.now())
    answer(lease)
    client = signed_in(adjudicator)

    leave(study, adjudicator, researcher)

    assert list(adjudication.open_to(adjudicator)) == []
    assert client.get(address("lease_turns", lease.key, "left")).status_code == 404
    lease.refresh_from_db()
    with pytest.raises(ValidationError):
        judgments.submit(lease, at=timezone.now())
    Lease.objects.filter(pk=lease.pk).update(state="expired")
    lease.refresh_from_db()
    assert not can_submit_late(lease, judgment_of(lease))
    assert leases.open_lease(lease, at=timezone.now()).state == "expired"
    with pytest.raises(ValidationError):
        judgments.submit(lease, at=timezone.now())
