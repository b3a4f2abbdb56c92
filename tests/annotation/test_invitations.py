"""Invitation links: who makes them, who comes by them, when they open nothing any more, and crowd workers."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Enrolment, Invitation, Membership
from annotation.services import invitations, judgments, leases, studies
from earshot.accounts.models import AuditEntry, Role, User
from tests.annotation.judged import judge
from tests.factories import PASSWORD, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]
DAY = timedelta(days=1)
ACCOUNT = {"name": "Ada", "email": "Ada@Example.org", "password": "a long enough one"}


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER, email="rosa@example.org", name="Rosa")
    client.force_login(user)
    return user


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher, title="Tea")


@pytest.fixture(autouse=True)
def no_limits(settings):
    """All tests come from one address, within a minute."""
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "join": "9999/m/ip", "join_refused": "9999/m/ip"}


def make_link(study, *, max_uses=5, days=7, by=None) -> Invitation:
    by = by or study.created_by
    return invitations.make_invitation(
        study, by=by, note="students", max_uses=max_uses, expires_at=timezone.now() + days * DAY
    )


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def open_link(link, client=None, *, query=""):
    return (client or Client()).get(link.get_absolute_url() + query)


def come(link, client=None, *, query="", **fields):
    return (client or Client()).post(link.get_absolute_url() + query, fields)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def annotators_of(study) -> list[str]:
    return list(study.memberships.filter(role=Membership.Role.ANNOTATOR).values_list("user__email", flat=True))


# --- The researcher's page --------------------------------------------------------------------------------------------


def test_a_researcher_makes_a_link_and_it_is_in_the_audit_log(client, study):
    day = (timezone.now() + 3 * DAY).date()

    client.post(page("invitations", study.pk), {"note": "students", "max_uses": "20", "last_day": day.isoformat()})

    link = Invitation.objects.get()
    assert (link.study, link.note, link.max_uses, link.uses) == (study, "students", 20, 0)
    assert link.expires_at.isoformat() == f"{day + DAY}T00:00:00+00:00"
    assert f"http://testserver/join/{link.token}/" in client.get(page("invitations", study.pk)).content.decode()
    entry = AuditEntry.objects.get(action="study.invitation_made")
    assert (entry.user.name, entry.subject, entry.detail["people"]) == ("Rosa", "Tea", 20)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("max_uses", "0", "greater than or equal to 1"),
        ("last_day", "2020-01-01", "2020-01-01 is over. Choose today or a later day."),
        ("last_day", "2999-01-01", "A link lasts a year at most."),
        ("note", "", "This field is required."),
    ],
)
def test_a_wrong_field_is_named_and_no_link_is_made(client, study, field, value, problem):
    fields = {"note": "x", "max_uses": "1", "last_day": (timezone.now() + DAY).date().isoformat(), field: value}

    response = client.post(page("invitations", study.pk), fields)

    assert response.status_code == 422
    assert problem in response.content.decode()
    assert not Invitation.objects.exists()


def test_a_withdrawn_link_opens_nothing_and_who_came_by_it_stays(client, study):
    link = make_link(study)
    come(link, **ACCOUNT)

    client.post(page("withdraw_invitation", study.pk, link.pk))

    assert open_link(link).status_code == 410
    assert annotators_of(study) == ["ada@example.org"]
    assert AuditEntry.objects.filter(action="study.invitation_withdrawn").count() == 1
    client.post(page("withdraw_invitation", study.pk, link.pk))
    assert AuditEntry.objects.filter(action="study.invitation_withdrawn").count() == 1


def test_another_researcher_finds_no_links_and_withdraws_none(study):
    link = make_link(study)
    stranger = signed_in(make_user(Role.RESEARCHER))
    addresses = [page("invitations", study.pk), page("study_entry", study.pk)]

    assert {stranger.get(address).status_code for address in addresses} == {404}
    assert {stranger.post(address).status_code for address in addresses} == {404}
    assert stranger.post(page("withdraw_invitation", study.pk, link.pk)).status_code == 404
    own = make_study(researcher=make_user(Role.RESEARCHER))
    assert signed_in(own.created_by).post(page("withdraw_invitation", own.pk, link.pk)).status_code == 404
    link.refresh_from_db()
    assert link.withdrawn_at is None


def test_an_annotator_of_the_study_is_refused_its_links(study):
    link = make_link(study)
    annotator = signed_in(join(study))

    answers = [
        annotator.get(page("invitations", study.pk)),
        annotator.post(page("invitations", study.pk)),
        annotator.post(page("withdraw_invitation", study.pk, link.pk)),
        annotator.get(page("study_entry", study.pk)),
    ]

    assert {answer.status_code for answer in answers} == {403}


def test_the_people_page_leads_to_the_links(client, study):
    assert page("invitations", study.pk) in client.get(page("members", study.pk)).content.decode()


def test_what_is_asked_beforehand_is_saved(client, study):
    fields = {"entry": "device", "consent_text": "We keep it.", "completion_code": "C1", "pairs_per_participant": "5"}

    response = client.post(page("study_entry", study.pk), fields)

    study.refresh_from_db()
    assert response.status_code == 302
    assert (study.entry, study.consent_text, study.completion_code) == ("device", "We keep it.", "C1")
    assert (study.pairs_per_participant, study.shows_agreement) == (5, False)


@pytest.mark.parametrize(
    ("field", "value"), [("entry", "all"), ("pairs_per_participant", "0"), ("completion_url", "javascript:alert(1)")]
)
def test_a_wrong_setting_is_refused(client, study, field, value):
    response = client.post(page("study_entry", study.pk), {"entry": "full", field: value})

    study.refresh_from_db()
    assert response.status_code == 422
    assert study.entry == "none"


# --- Strangers --------------------------------------------------------------------------------------------------------


def test_a_stranger_makes_an_account_and_is_an_annotator_of_this_study_alone(study):
    other = make_study()
    link, visitor = make_link(study), Client()

    response = come(link, visitor, **ACCOUNT)

    ada = User.objects.get(email="ada@example.org")
    assert response["Location"] == page("entry", study.pk)
    assert (ada.name, ada.role, ada.check_password("a long enough one")) == ("Ada", "annotator", True)
    assert list(ada.memberships.values_list("study", "role")) == [(study.pk, "annotator")]
    assert visitor.get(page("entry", study.pk)).status_code == 200
    assert visitor.get(page("entry", other.pk)).status_code == 404
    link.refresh_from_db()
    assert link.uses == 1


def test_the_new_account_signs_in_with_its_password_and_a_crowd_workers_never_does(study):
    come(make_link(study), **ACCOUNT)
    come(make_link(study), query="?participant=p1")
    worker = Enrolment.objects.get(participant="p1").user

    def signs_in(email, password):
        return Client().post(reverse("account_login"), {"login": email, "password": password}).status_code == 302

    assert signs_in("ada@example.org", "a long enough one")
    assert not any(signs_in(worker.email, password) for password in ("", "p1", "a long enough one"))


def test_an_address_that_has_an_account_makes_no_other_and_is_not_told_apart(study):
    known = make_user(email="ada@example.org")
    link = make_link(study)

    response = come(link, **ACCOUNT)

    assert response.status_code == 422
    words = "No account could be made with these details. If you have one, sign in, then open the link again."
    assert words in response.content.decode()
    assert known.check_password(PASSWORD)
    link.refresh_from_db()
    assert link.uses == 0


@pytest.mark.parametrize(("field", "value"), [("password", "short"), ("password", "1234567890"), ("email", "nobody")])
def test_a_weak_password_or_a_wrong_address_makes_no_account(study, field, value):
    response = come(make_link(study), **{**ACCOUNT, field: value})

    assert response.status_code == 422
    assert not User.objects.filter(name="Ada").exists()


def test_a_link_that_nobody_made_is_not_there():
    assert Client().get("/join/guessed/").status_code == 404
    assert Client().post("/join/guessed/", ACCOUNT).status_code == 404
    assert Client().get("/join/a%00b/").status_code == 404
    assert not User.objects.exists()


# --- People with an account -------------------------------------------------------------------------------------------


def test_who_is_signed_in_joins_with_one_press(study):
    link, ada = make_link(study), make_user(name="Ada")
    visitor = signed_in(ada)

    assert "You are signed in as <strong>Ada</strong>." in open_link(link, visitor).content.decode()
    assert annotators_of(study) == []
    come(link, visitor)
    come(link, visitor)

    link.refresh_from_db()
    assert (annotators_of(study), link.uses, Enrolment.objects.count()) == ([ada.email], 1, 1)


def test_who_belongs_to_the_study_already_uses_up_no_place(study):
    link = make_link(study)

    come(link, signed_in(join(study)))

    link.refresh_from_db()
    assert link.uses == 0


def test_opening_a_link_alone_changes_nothing(study):
    """Mail programs and chats open links to show a preview."""
    link = make_link(study)

    open_link(link)
    open_link(link, query="?participant=p1")

    link.refresh_from_db()
    assert (link.uses, User.objects.count()) == (0, 1)


def test_who_was_taken_out_of_the_study_does_not_come_back_by_the_link(study, researcher):
    link, ada = make_link(study), make_user()
    visitor = signed_in(ada)
    come(link, visitor)
    studies.remove_member(study.memberships.get(user=ada), by=researcher)

    response = come(link, visitor)

    assert "You were taken out of study &#x27;Tea&#x27;. Ask its researcher." in response.content.decode()
    assert annotators_of(study) == []


# --- Closed -----------------------------------------------------------------------------------------------------------


def closed(study, how):
    link = make_link(study, max_uses=1)
    if how == "withdrawn":
        invitations.withdraw_invitation(link, by=study.created_by, at=timezone.now())
    elif how == "expired":
        Invitation.objects.update(expires_at=timezone.now())
    elif how == "finished":
        type(study).objects.update(state="finished")
    else:
        come(link, **{**ACCOUNT, "email": "first@example.org"})
    return link


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("withdrawn", "This invitation was withdrawn"),
        ("expired", "This invitation has ended"),
        ("used up", "This invitation is used up"),
        ("finished", "This study is finished"),
    ],
)
def test_a_closed_link_says_why_and_whom_to_ask_and_lets_nobody_in(study, how, words):
    link = closed(study, how)
    before = annotators_of(study)

    html = open_link(link).content.decode()
    response = come(link, **ACCOUNT)

    assert f"<h1>{words}</h1>" in html
    assert "Ask Rosa for a new one." in html
    assert "rosa@example.org" not in html  # anybody may have the link
    assert response.status_code == 410
    assert come(link, query="?participant=p1").status_code == 410
    assert come(link, signed_in(make_user())).status_code == 410
    assert annotators_of(study) == before
    assert not User.objects.filter(email="ada@example.org").exists()


def test_the_last_place_is_given_once(study):
    link = make_link(study, max_uses=1)
    now = timezone.now()

    assert [link.take_place(now), link.take_place(now)] == [True, False]


# --- Crowd workers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["participant", "PROLIFIC_PID"])
def test_a_crowd_worker_comes_without_an_account_and_the_same_id_comes_back_to_it(study, name):
    link, first, second = make_link(study), Client(), Client()

    come(link, first, query=f"?{name}=5f3a")
    come(link, second, query=f"?{name}=5f3a")

    worker = Enrolment.objects.get(participant="5f3a").user
    assert (worker.name, worker.has_usable_password(), worker.is_annotator) == ("5f3a", False, True)
    assert worker.email.endswith("@participant.invalid")
    for each in (first, second):
        assert each.get(page("entry", study.pk)).status_code == 200
        assert each.session.get_expire_at_browser_close()
    link.refresh_from_db()
    assert link.uses == 1


def test_two_ids_are_two_people_and_the_same_id_in_another_study_a_third(study):
    link, other = make_link(study), make_link(make_study(researcher=study.created_by))

    for each, participant in ((link, "p1"), (link, "p2"), (other, "p1")):
        come(each, query=f"?participant={participant}")

    assert len(set(Enrolment.objects.values_list("user", flat=True))) == 3


@pytest.mark.parametrize("participant", ["a b", "x" * 101, "<script>", "é"])
def test_an_id_that_cannot_be_one_makes_no_account(study, participant):
    response = Client().post(f"{make_link(study).get_absolute_url()}?participant={participant}")

    assert response.status_code == 422
    assert "cannot be read" in response.content.decode()
    assert not Enrolment.objects.exists()


def test_an_id_never_opens_the_account_of_somebody_with_a_password(study):
    """The name of the account is not the way in: only the id under which a worker came to this study is."""
    ada = make_user(name="ada", email="ada@example.org")
    join(study, ada)

    come(make_link(study), query="?participant=ada@example.org")

    assert Enrolment.objects.get(participant="ada@example.org").user != ada


def test_who_is_signed_in_with_a_password_stays_who_they_are(study):
    ada = make_user(name="Ada")

    come(make_link(study), signed_in(ada), query="?participant=p1")

    assert [(each.user, each.participant) for each in Enrolment.objects.all()] == [(ada, "")]


def test_a_known_worker_comes_back_when_the_link_is_used_up_or_over(study):
    link = make_link(study, max_uses=1)
    come(link, query="?participant=p1")
    Invitation.objects.update(expires_at=timezone.now())

    back = Client()
    assert come(link, back, query="?participant=p1")["Location"] == page("entry", study.pk)
    assert come(link, query="?participant=p2").status_code == 410


def test_a_worker_who_may_not_sign_in_any_more_does_not(study):
    link = make_link(study)
    come(link, query="?participant=p1")
    User.objects.filter(name="p1").update(is_active=False)

    assert "may not sign in any more" in come(link, query="?participant=p1").content.decode()


@pytest.mark.parametrize("name", ["account_email", "account_set_password", "account_change_password", "mfa_index"])
def test_a_crowd_worker_has_no_password_to_set_which_would_lock_them_out(study, name):
    client = Client()
    come(make_link(study), client, query="?participant=p1")

    response = client.get(reverse(name))

    assert response.status_code == 403
    assert "You sign in by the link of your site" in response.content.decode()
    menu = client.get(reverse("annotation:work")).content.decode()
    assert reverse("accounts:profile") in menu
    assert reverse("account_email") not in menu
    assert client.get(reverse("account_logout")).status_code == 200


@pytest.mark.parametrize("how", ["role", "password"])
def test_an_id_opens_no_account_that_has_become_more_than_a_crowd_workers(study, how):
    link = make_link(study)
    come(link, query="?participant=p1")
    worker = Enrolment.objects.get(participant="p1").user
    if how == "role":
        worker.role = Role.RESEARCHER
    else:
        worker.set_password(PASSWORD)
    worker.save()

    client = Client()
    words = come(link, client, query="?participant=p1").content.decode()

    assert "may not sign in by this link any more" in words
    assert "_auth_user_id" not in client.session


def test_a_worker_who_opens_the_link_again_in_one_browser_goes_on_with_the_same_session(study):
    """Another sign-in would ask for the headphones and the volume again."""
    link, client = make_link(study), Client()
    come(link, client, query="?participant=p1")
    began = User.objects.get(name="p1").last_login

    assert come(link, client, query="?participant=p1")["Location"] == page("entry", study.pk)

    assert User.objects.get(name="p1").last_login == began


def worker_of(study, participant="p1"):
    client = Client()
    come(make_link(study), client, query=f"?participant={participant}")
    return client, Enrolment.objects.get(participant=participant).user


def done_page(client, study) -> str:
    return client.get(page("entry_done", study.pk)).content.decode()


def test_the_code_is_shown_when_the_agreed_pairs_are_judged_and_not_before(study):
    type(study).objects.update(
        completion_code="C-42-TEA", completion_url="https://crowd.example/complete", pairs_per_participant=1
    )
    study.refresh_from_db()
    pair, _other = make_pair(study), make_pair(study)
    client, worker = worker_of(study)

    assert "C-42-TEA" not in done_page(client, study) + client.get(page("work")).content.decode()
    judge(pair, annotator=worker, at=timezone.now())

    assert page("entry_done", study.pk) in client.get(page("work")).content.decode()
    html = done_page(client, study)
    assert "C-42-TEA" in html
    assert 'href="https://crowd.example/complete"' in html


def test_the_code_is_shown_when_nothing_is_left(study):
    type(study).objects.update(completion_code="C-42-TEA")
    client, worker = worker_of(study)
    assert "C-42-TEA" not in done_page(client, study)

    judge(make_pair(study), annotator=worker, at=timezone.now())
    assert "C-42-TEA" in done_page(client, study)

    make_pair(study)
    assert "C-42-TEA" not in done_page(client, study)
    type(study).objects.update(state="finished")
    assert "C-42-TEA" in done_page(client, study)


def test_nobody_else_sees_the_code(study):
    type(study).objects.update(completion_code="C-42-TEA")
    pair = make_pair(study)
    member = join(study)
    judge(pair, annotator=member, at=timezone.now())
    _worker_client, worker = worker_of(make_study(researcher=study.created_by), "p9")

    assert signed_in(member).get(page("entry_done", study.pk)).status_code == 404
    assert signed_in(worker).get(page("entry_done", study.pk)).status_code == 404
    assert Client().get(page("entry_done", study.pk)).status_code == 302


def test_joining_past_a_closed_link_is_refused_by_the_service_too(study):
    link = make_link(study)
    invitations.withdraw_invitation(link, by=study.created_by, at=timezone.now())
    link.refresh_from_db()

    with pytest.raises(ValidationError, match="not open any more"):
        invitations.join(link, make_user(), at=timezone.now())


# --- The code is for work, not for skipping ---------------------------------------------------------------------------


def skip_for(worker, pair):
    leases.skip(make_lease(pair, worker, at=timezone.now()), reason="I know the voice", at=timezone.now())


def test_no_code_while_somebody_else_holds_a_pair_that_may_come_back(study):
    type(study).objects.update(completion_code="C-42-TEA", pairs_per_participant=10)
    client, worker = worker_of(study)
    judge(make_pair(study), annotator=worker, at=timezone.now())
    held = make_lease(make_pair(study, seats_left=1), join(study), at=timezone.now())

    assert "C-42-TEA" not in done_page(client, study)

    answer(held, at=timezone.now())
    judgments.submit(held, at=timezone.now())
    assert "C-42-TEA" in done_page(client, study)


def test_no_code_while_a_draft_waits_whose_time_ran_out(study):
    type(study).objects.update(completion_code="C-42-TEA", pairs_per_participant=10)
    client, worker = worker_of(study)
    judge(make_pair(study), annotator=worker, at=timezone.now())
    begun = make_lease(make_pair(study), worker, at=timezone.now())
    answer(begun, at=timezone.now())
    leases.expire_overdue(at=timezone.now() + DAY, study=study)

    assert "C-42-TEA" not in done_page(client, study)


def test_who_skipped_more_than_half_gets_no_code_but_is_told_whom_to_ask(study):
    type(study).objects.update(completion_code="C-42-TEA", pairs_per_participant=10)
    client, worker = worker_of(study)
    judge(make_pair(study), annotator=worker, at=timezone.now())
    skip_for(worker, make_pair(study))
    assert "C-42-TEA" in done_page(client, study), "half is not more than half"

    skip_for(worker, make_pair(study))

    html = done_page(client, study)
    assert "C-42-TEA" not in html
    assert "You skipped more than half of the pairs, so no code is given. Ask Rosa (rosa@example.org)." in html
    assert page("entry_done", study.pk) in client.get(page("work")).content.decode()


def test_the_agreed_number_gives_the_code_however_many_were_skipped(study):
    type(study).objects.update(completion_code="C-42-TEA", pairs_per_participant=1)
    client, worker = worker_of(study)
    skip_for(worker, make_pair(study))
    skip_for(worker, make_pair(study))
    assert "C-42-TEA" not in done_page(client, study), "skips do not count as judged"

    judge(make_pair(study), annotator=worker, at=timezone.now())

    assert "C-42-TEA" in done_page(client, study)


# --- Many at once -----------------------------------------------------------------------------------------------------


def elsewhere() -> Client:
    """A browser at an address that nothing else in this test run uses."""
    return Client(REMOTE_ADDR="198.51.100.7")


def test_too_many_arrivals_from_one_address_are_asked_to_wait(study, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "join": "2/m/ip"}
    link = make_link(study)
    come(link, elsewhere(), query="?participant=p1")
    come(link, elsewhere(), **ACCOUNT)

    refused = [
        come(link, elsewhere(), query="?participant=p2"),
        come(link, elsewhere(), **{**ACCOUNT, "email": "b@example.org"}),
    ]

    assert [each.status_code for each in refused] == [429, 429]
    assert "Too many tries came from your network just now. Wait a minute, then try again." in words_of(refused[0])
    assert Enrolment.objects.count() == 2
    assert open_link(link, elsewhere()).status_code == 200, "reading is not limited"


def test_trying_addresses_is_limited_and_does_not_tell_which_have_an_account(study, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "join_refused": "2/m/ip"}
    make_user(email="ada@example.org")
    link = make_link(study)

    answers = [come(link, elsewhere(), **ACCOUNT) for _each in range(3)]
    unknown = come(link, elsewhere(), **{**ACCOUNT, "email": "nobody@example.org"})

    assert [each.status_code for each in answers] == [422, 422, 429]
    assert "has an account" not in words_of(answers[0])
    assert unknown.status_code == 429, "a free address is refused like a taken one"
    assert not User.objects.filter(email="nobody@example.org").exists()


def words_of(response) -> str:
    return response.content.decode()


def test_of_two_presses_at_once_the_second_is_told_to_sign_in(study, monkeypatch):
    """The first press has made the account after the second looked for it."""
    link = make_link(study)
    make_user(email="ada@example.org")
    monkeypatch.setattr(invitations, "has_account", lambda email: False)

    response = come(link, **ACCOUNT)

    assert response.status_code == 422
    assert "No account could be made with these details." in words_of(response)
    assert Enrolment.objects.count() == 0


def test_of_two_links_opened_at_once_the_second_finds_them_in(study, monkeypatch):
    first, second, ada = make_link(study), make_link(study), make_user()
    join_once = invitations._join

    def other_link_first(invitation, user, **named):
        monkeypatch.setattr(invitations, "_join", join_once)
        join_once(first, user, **named)
        raise IntegrityError("UNIQUE constraint failed: one enrolment per study and person")

    monkeypatch.setattr(invitations, "_join", other_link_first)

    assert invitations.join(second, ada, at=timezone.now()).invitation == first
    assert list(Enrolment.objects.values_list("user", flat=True)) == [ada.pk]
