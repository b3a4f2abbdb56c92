"""The researchers' pages of studies and pairs: what they show, what they change, and who is refused."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.urls import reverse

from annotation.models import Membership, Pair, Study
from annotation.queries.statistics.raters import cards_of
from annotation.queries.studies import pairs_of
from annotation.services import judgments, renditions
from annotation.services import studies as services
from annotation.services.qualification import consent
from annotation.services.statistics import keeping
from earshot.accounts.models import AuditEntry, Role
from tests.factories import (
    NOW,
    answer,
    join,
    make_dialogue,
    make_lease,
    make_pair,
    make_scenario,
    make_study,
    make_system,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher)


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def pages_of(study, pair):
    return [
        page("study", study.pk),
        page("edit_study", study.pk),
        page("edit_rubric", study.pk),
        page("edit_languages", study.pk),
        page("study_flags", study.pk),
        page("members", study.pk),
        page("study_pairs", study.pk),
        page("add_pairs", study.pk),
        page("pair", study.pk, pair.pk),
    ]


def changes_of(study):
    membership = study.memberships.first()
    return [
        page("change_study_state", study.pk, "paused"),
        page("copy_study", study.pk),
        page("remove_member", study.pk, membership.pk),
        page("edit_study", study.pk),
        page("edit_rubric", study.pk),
        page("edit_languages", study.pk),
        page("members", study.pk),
        page("add_pairs", study.pk),
    ]


def test_another_researcher_finds_nothing_of_a_study(client, study):
    pair = make_pair(study)
    client.force_login(make_user(Role.RESEARCHER))

    assert {client.get(address).status_code for address in pages_of(study, pair)} == {404}
    assert {client.post(address).status_code for address in changes_of(study)} == {404}
    assert str(study) not in client.get(page("studies")).content.decode()
    study.refresh_from_db()
    assert (study.state, study.memberships.count()) == ("running", 1)


def test_an_annotator_of_the_study_is_refused_its_numbers(client, study):
    pair = make_pair(study)
    client.force_login(join(study))

    addresses = [page("studies"), page("new_study"), *pages_of(study, pair)]
    assert {client.get(address).status_code for address in addresses} == {403}
    assert {client.post(address).status_code for address in changes_of(study)} == {403}


def test_a_stranger_is_asked_to_sign_in(client, study):
    pair = make_pair(study)
    client.logout()

    answers = [client.get(address) for address in [page("studies"), page("new_study"), *pages_of(study, pair)]]

    assert {(each.status_code, each["Location"].split("?")[0]) for each in answers} == {(302, reverse("account_login"))}


def test_an_admin_reads_every_study(client, study):
    pair = make_pair(study)
    client.force_login(make_user(Role.ADMIN))

    assert {client.get(address).status_code for address in [page("studies"), *pages_of(study, pair)]} == {200}


def test_a_pair_of_another_study_is_not_found_under_this_one(client, study):
    other = make_pair()

    assert client.get(page("pair", study.pk, other.pk)).status_code == 404


def study_fields(**changed):
    return {
        "title": "Pilot",
        "description": "",
        "instructions": "",
        "language": "en",
        "overlap": "3",
        "listening_policy": "enforced",
        "coverage_wanted": "0.98",
        "transcript_policy": "never",
        "question_layout": "one_by_one",
        "lease_factor": "3",
        "lease_minimum_seconds": "600",
        "selection": "uniform",
        "uniform_floor": "0.1",
        "check_rate": "",
        "raters_at_least": "5",
        **changed,
    }


def test_a_new_study_has_the_default_rubric_and_its_maker_as_researcher(client, researcher):
    response = client.post(page("new_study"), study_fields())

    study = Study.objects.get()
    assert response["Location"] == page("study", study.pk)
    assert (study.title, study.state, study.transcript_policy) == ("Pilot", "draft", "never")
    assert list(study.dimensions.values_list("key", flat=True)) == [
        "prosody",
        "emotional_continuity",
        "immersion",
        "overall",
    ]
    assert list(study.memberships.values_list("user", "role")) == [(researcher.pk, "researcher")]


def test_a_wrong_field_is_named_and_nothing_is_made(client, researcher):
    response = client.post(page("new_study"), study_fields(coverage_wanted="98", overlap="0"))

    assert response.status_code == 422
    assert "98.0 is no share. Use a number from 0 to 1." in response.content.decode()
    assert "Each pair needs 1 to 1000 judgments." in response.content.decode()
    assert not Study.objects.exists()


def test_with_votes_the_listening_policy_cannot_change_but_the_title_can(client, study):
    lease = make_lease(make_pair(study))
    answer(lease)
    judgments.submit(lease, at=NOW)

    refused = client.post(page("edit_study", study.pk), study_fields(title="New", listening_policy="enforced"))
    taken = client.post(
        page("edit_study", study.pk),
        study_fields(title="New", listening_policy="none", transcript_policy=study.transcript_policy),
    )

    assert refused.status_code == 422
    assert "has votes, so this stays as it is: listening, transcript." in refused.content.decode()
    assert taken.status_code == 302
    study.refresh_from_db()
    assert (study.title, study.listening_policy) == ("New", "none")


def rubric(*rows):
    data = {"rubric-TOTAL_FORMS": len(rows), "rubric-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        data |= {f"rubric-{number}-{name}": value for name, value in row.items()}
    return data


def question(key, position):
    return {"key": key, "name": key.title(), "question": f"Which {key}?", "weight": "1", "position": position}


def test_the_rubric_is_saved_in_the_given_order_with_overall_last(client, study):
    client.post(
        page("edit_rubric", study.pk), rubric(question("overall", 1), question("warmth", 3), question("pace", 2))
    )

    assert list(study.dimensions.values_list("key", flat=True)) == ["pace", "warmth", "overall"]


def test_a_rubric_without_overall_is_refused(client, study):
    response = client.post(page("edit_rubric", study.pk), rubric(question("pace", 1)))

    assert response.status_code == 422
    assert study.dimensions.count() == 4


def test_a_rubric_with_votes_stays_and_the_copy_can_change(client, study):
    lease = make_lease(make_pair(study))
    answer(lease)
    judgments.submit(lease, at=NOW)

    client.post(page("edit_rubric", study.pk), rubric(question("pace", 1), question("overall", 2)))
    assert study.dimensions.count() == 4

    client.post(page("copy_study", study.pk))
    copy = Study.objects.get(parent=study)
    client.post(page("edit_rubric", copy.pk), rubric(question("pace", 1), question("overall", 2)))
    assert (copy.version, copy.state, copy.pairs.count()) == (2, "draft", 0)
    assert list(copy.dimensions.values_list("key", flat=True)) == ["pace", "overall"]


def test_a_rubric_that_somebody_is_answering_stays_and_says_why(client, study):
    answer(make_lease(make_pair(study)))

    response = client.post(page("edit_rubric", study.pk), rubric(question("pace", 1), question("overall", 2)))

    assert response.status_code == 422
    assert "has answers that are not submitted yet" in response.content.decode()
    assert study.dimensions.count() == 4


def test_pairs_are_counted_first_and_made_when_that_was_seen(client, study):
    systems = [make_system() for _each in range(3)]
    for _each in range(2):
        scenario = make_scenario()
        for system in systems:
            make_dialogue(scenario, system, seconds=180.0)
    chosen = {"kind": "all", "systems": [system.pk for system in systems]}

    counted = client.post(page("add_pairs", study.pk), chosen)
    assert not Pair.objects.exists()
    made = client.post(page("add_pairs", study.pk), {**chosen, "make": "6"})

    assert "<strong>6 new pairs</strong> on 2 scenarios: 18 votes, about 1.8 hours" in counted.content.decode()
    assert made["Location"] == page("study_pairs", study.pk)
    assert (study.pairs.count(), set(study.pairs.values_list("seats_left", flat=True))) == (6, {3})


def test_against_a_reference_only_pairs_with_it_are_made_and_known_pairs_are_left_out(client, study):
    scenario = make_scenario()
    first, second, third = (make_dialogue(scenario) for _each in range(3))
    make_pair(study, scenario=scenario, dialogue_a=second, dialogue_b=first)
    systems = [each.system_id for each in (first, second, third)]
    chosen = {"kind": "reference", "systems": systems, "reference": first.system_id}

    client.post(page("add_pairs", study.pk), {**chosen, "make": "1"})

    made = {frozenset(pair) for pair in study.pairs.values_list("dialogue_a", "dialogue_b")}
    assert made == {frozenset((first.pk, second.pk)), frozenset((first.pk, third.pk))}


def test_dialogues_of_another_language_are_not_paired(client, study):
    scenario = make_scenario(language="de")
    systems = [make_dialogue(scenario).system_id for _each in range(2)]

    response = client.post(page("add_pairs", study.pk), {"kind": "all", "systems": systems, "make": "1"})

    assert response.status_code == 422
    assert not study.pairs.exists()


def test_a_study_starts_only_with_pairs(client, researcher):
    study = make_study(researcher=researcher, running=False)

    first = client.post(page("change_study_state", study.pk, "running"), follow=True)
    study.refresh_from_db()
    assert (study.state, "has no pairs yet. Add pairs, then start it." in first.content.decode()) == ("draft", True)

    make_pair(study)
    client.post(page("change_study_state", study.pk, "running"))
    study.refresh_from_db()
    assert study.state == "running"


def test_a_finished_study_is_reopened_as_a_paused_one_and_never_runs_at_once(client, study):
    make_pair(study)
    client.post(page("change_study_state", study.pk, "finished"))

    client.post(page("change_study_state", study.pk, "running"))
    study.refresh_from_db()
    assert study.state == "finished"

    client.post(page("change_study_state", study.pk, "paused"))
    study.refresh_from_db()
    assert study.state == "paused"
    assert AuditEntry.objects.order_by("pk").last().action_words == "reopened the study"


def test_a_member_is_added_by_address_and_removed(client, study):
    annotator = make_user(email="ada@example.org")

    client.post(page("members", study.pk), {"email": "Ada@example.org", "role": "annotator"})
    membership = study.memberships.get(user=annotator)
    client.post(page("remove_member", study.pk, membership.pk))

    assert membership.role == "annotator"
    assert not study.memberships.filter(user=annotator).exists()


def test_an_unknown_address_and_an_annotator_as_researcher_are_refused(client, study):
    annotator = make_user(email="ada@example.org")

    unknown = client.post(page("members", study.pk), {"email": "nobody@example.org", "role": "annotator"})
    wrong_role = client.post(page("members", study.pk), {"email": annotator.email, "role": "researcher"})

    assert "Nobody signs in as nobody@example.org" in unknown.content.decode()
    assert "An admin can make them a researcher first" in wrong_role.content.decode()
    assert study.memberships.count() == 1


def test_the_last_researcher_of_a_study_stays(client, study, researcher):
    membership = study.memberships.get(user=researcher)

    client.post(page("remove_member", study.pk, membership.pk))

    assert Membership.objects.filter(pk=membership.pk).exists()


def test_the_pair_page_tells_who_judged_what_in_terms_of_a_and_b(client, study):
    pair = make_pair(study)
    lease = make_lease(pair)
    shown_for_a_by_2 = -2 if lease.side_left == "a" else 2
    answer(lease, value=shown_for_a_by_2, overall=0)
    judgments.save_draft(lease, reason="b sounded bored", at=NOW)
    judgments.submit(lease, at=NOW)

    html = client.get(page("pair", study.pk, pair.pk)).content.decode()

    assert html.count("<td>A by 2</td>") == 3
    assert html.count("<td>same</td>") == 1
    assert "b sounded bored" in html


def judge_pairs(study, number):
    for _each in range(number):
        lease = make_lease(make_pair(study))
        answer(lease)
        judgments.submit(lease, at=NOW)


@pytest.mark.parametrize("name", ["study_pairs", "study", "members"])
def test_a_longer_list_costs_no_more_queries(client, study, name):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    judge_pairs(study, 1)
    client.get(page(name, study.pk))
    with CaptureQueriesContext(connection) as one:
        client.get(page(name, study.pk))
    judge_pairs(study, 2)
    client.get(page(name, study.pk))  # the board of the new votes is computed once and cached
    with CaptureQueriesContext(connection) as three:
        client.get(page(name, study.pk))

    assert len(three) == len(one)


def test_a_longer_list_of_studies_costs_no_more_queries(client, researcher):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    judge_pairs(make_study(researcher=researcher), 1)
    with CaptureQueriesContext(connection) as one:
        client.get(page("studies"))
    for _each in range(2):
        judge_pairs(make_study(researcher=researcher), 1)
    with CaptureQueriesContext(connection) as three:
        html = client.get(page("studies")).content.decode()

    assert len(three) == len(one)
    assert html.count("1 of 3") == 3


def test_a_dimension_ticked_for_removal_goes_even_with_a_wrong_field(client, study):
    gone = question("immersion", 2) | {"weight": "much", "DELETE": "on"}

    response = client.post(page("edit_rubric", study.pk), rubric(question("pace", 1), gone, question("overall", 3)))

    assert response["Location"] == page("study", study.pk)
    assert list(study.dimensions.values_list("key", flat=True)) == ["pace", "overall"]


def test_overall_cannot_be_removed(client, study):
    gone = question("overall", 2) | {"DELETE": "on"}

    response = client.post(page("edit_rubric", study.pk), rubric(question("pace", 1), gone))

    assert response.status_code == 422
    assert "A rubric ends with the dimension &#x27;overall&#x27;; add it back." in response.content.decode()
    assert study.dimensions.count() == 4


def test_a_wrong_field_of_a_rubric_row_is_named_beside_it(client, study):
    response = client.post(
        page("edit_rubric", study.pk), rubric(question("pace", 0), question("overall", 2) | {"name": ""})
    )

    html = response.content.decode()
    assert response.status_code == 422
    assert '<p class="field-error" id="id_rubric-0-position_error">' in html
    assert '<p class="field-error" id="id_rubric-1-name_error">This field is required.</p>' in html


def test_a_key_that_comes_twice_is_named(client, study):
    rows = rubric(question("pace", 1), question("pace", 2), question("overall", 3))

    html = client.post(page("edit_rubric", study.pk), rows).content.decode()

    assert "one comes twice: pace, pace, overall." in html
    assert study.dimensions.count() == 4


@pytest.mark.parametrize("number", [0, 987_654, 10**30])
def test_wrong_numbers_are_not_found(client, study, number):
    membership = study.memberships.get()
    addresses = [*pages_of(study, make_pair(study)), page("remove_member", study.pk, membership.pk)]
    wrong = [address.replace(f"/studies/{study.pk}/", f"/studies/{number}/") for address in addresses]

    assert {client.post(address).status_code for address in wrong} <= {404, 405}
    assert {client.get(address).status_code for address in wrong[:-1]} == {404}
    assert client.get(page("pair", study.pk, 1).replace("/pairs/1/", f"/pairs/{number}/")).status_code == 404
    assert client.post(page("remove_member", study.pk, 1).replace("/1/remove", f"/{number}/remove")).status_code == 404


def test_listening_under_an_hour_is_told_in_minutes(client, study):
    scenario = make_scenario()
    systems = [make_dialogue(scenario, seconds=100.0).system_id for _each in range(2)]

    html = client.post(page("add_pairs", study.pk), {"kind": "all", "systems": systems}).content.decode()

    assert "on 1 scenario: 3 votes, about 10 minutes of listening in all" in html


def test_without_pairs_nothing_is_offered_to_start(client, researcher):
    study = make_study(researcher=researcher, running=False)
    start = page("change_study_state", study.pk, "running")

    before = client.get(page("study", study.pk)).content.decode()
    make_pair(study)
    after = client.get(page("study", study.pk)).content.decode()

    assert (start in before, start in after) == (False, True)


def test_no_strength_is_drawn_without_its_interval(client, study):
    judge_pairs(study, 2)  # too few scenarios for an interval

    html = client.get(page("study", study.pk)).content.decode()

    assert "Cannot say yet: " in html
    assert 'class="whisker"' not in html


@pytest.mark.django_db(transaction=True)
def test_sound_is_rendered_before_the_pairs_are_stored_and_not_while_everybody_waits_for_the_database(monkeypatch):
    study, scenario = make_study(), make_scenario()
    pair = (make_dialogue(scenario), make_dialogue(scenario, lufs=-26.0))
    was_locked = []
    monkeypatch.setattr(
        renditions, "ensure_rendition", lambda *_arguments: was_locked.append(connection.in_atomic_block)
    )

    services.add_pairs(study, [pair])

    assert (was_locked, study.pairs.count()) == ([False], 1)


def test_pairs_that_another_researcher_added_meanwhile_are_refused_with_a_remedy(study):
    scenario = make_scenario()
    planned = [(make_dialogue(scenario), make_dialogue(scenario))]
    services.add_pairs(study, planned)

    with pytest.raises(ValidationError, match="added meanwhile"):
        services.add_pairs(study, planned)

    assert study.pairs.count() == 1


def test_a_study_that_changes_its_state_says_so_itself_and_a_stale_one_learns_it_when_refused(study):
    stale = Study.objects.get(pk=study.pk)

    services.change_state(study, "finished", by=None)
    with pytest.raises(ValidationError, match="is finished and cannot become running"):
        services.change_state(stale, "running", by=None)

    assert (study.state, stale.state) == ("finished", "finished")


def test_the_audit_log_says_what_happened_to_a_study_with_names_for_ids(study):
    annotator = make_user(Role.ANNOTATOR)
    membership = services.add_member(study, annotator, "annotator", by=None)
    services.remove_member(membership, by=None)
    copy = services.copy_study(study, by=None, at=NOW)

    _created, *entries = AuditEntry.objects.order_by("pk")

    assert [(entry.action_words, entry.address, entry.detail_words) for entry in entries] == [
        ("added a member to the study", page("study", study.pk), f"member: {annotator.email}, role: annotator"),
        ("removed a member from the study", page("study", study.pk), f"member: {annotator.email}, role: annotator"),
        ("made the study as a copy", page("study", copy.pk), f"copied from: {study}"),
    ]


def test_an_edit_does_not_start_again_what_was_paused_meanwhile(study):
    edited = Study.objects.get(pk=study.pk)
    services.change_state(study, "paused", by=None)
    edited.title = "Better title"

    services.change_study(edited, changed=["title"], by=None)

    study.refresh_from_db()
    assert (study.title, study.state) == ("Better title", "paused")


def test_whoever_withdrew_the_consent_counts_neither_at_the_pairs_nor_among_the_raters():
    pair = make_pair()
    staying, leaving = make_user(name="Stay"), make_user(name="Leave")
    for person, value in ((staying, 1), (leaving, 3)):
        lease = make_lease(pair, person)
        answer(lease, lease.shown_value(value))
        judgments.submit(lease, at=NOW)
    consent.give_consent(leaving, pair.study, at=NOW)
    before = pairs_of(pair.study).get()
    assert (before.n_counted, before.mean_overall) == (2, 2.0)

    consent.withdraw_consent(leaving, pair.study, at=NOW)

    after = pairs_of(pair.study).get()
    assert (after.n_counted, after.mean_overall) == (1, 1.0)
    statistics = keeping.current_statistics(pair.study, at=NOW)
    assert [(card.name, card.n) for card in cards_of(statistics.payload)] == [("Stay", 1)]
