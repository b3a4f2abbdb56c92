"""The people of a study: their groups, what they qualified in until when, and who may set it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation.models import Membership
from annotation.queries.members import group_rows, people_of
from annotation.services import judgments
from annotation.services.qualification import consent
from annotation.services.qualification.rules import QUALIFICATION
from earshot.accounts.models import AuditEntry, Role
from tests.annotation.entering import make_consenting, make_entry_study, passed
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

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


def memberships(study, *users):
    return [str(study.memberships.get(user=user, role="annotator").pk) for user in users]


def groups(study):
    return dict(study.memberships.filter(role="annotator").values_list("user", "group"))


def test_several_annotators_are_put_into_a_group_at_once(client, study):
    ana, ben, cem = join(study), join(study), join(study)

    chosen = {"members": memberships(study, ana, cem), "group": "  native   speakers "}
    html = client.post(page("set_group", study.pk), chosen, follow=True).content.decode()

    assert groups(study) == {ana.pk: "native speakers", ben.pk: "", cem.pk: "native speakers"}
    assert "2 annotators were moved." in html
    assert AuditEntry.objects.get(action="study.group_set").detail == {"group": "native speakers", "members": 2}


def test_all_annotators_at_once_and_none_of_the_researchers(client, study, researcher):
    ana, ben = join(study), join(study)

    client.post(page("set_group", study.pk), {"everybody": "on", "group": "native"})

    assert groups(study) == {ana.pk: "native", ben.pk: "native"}
    assert study.memberships.get(user=researcher).group == ""


def test_an_empty_group_takes_people_out_of_theirs(client, study):
    ana = join(study)
    study.memberships.filter(user=ana).update(group="native")

    client.post(page("set_group", study.pk), {"members": memberships(study, ana), "group": ""})

    assert groups(study) == {ana.pk: ""}


def test_nobody_chosen_a_stranger_and_a_name_that_parts_groups_change_nothing(client, study):
    ana = join(study)
    foreign = Membership.objects.get(user=join(make_study()), role="annotator")

    nobody = client.post(page("set_group", study.pk), {"group": "native"}, follow=True)
    stranger = client.post(page("set_group", study.pk), {"group": "native", "members": [foreign.pk]}, follow=True)
    named = client.post(page("set_group", study.pk), {"group": "a, b", "members": memberships(study, ana)}, follow=True)

    assert "Nobody is chosen. Tick the people, or all annotators." in nobody.content.decode()
    assert "Select a valid choice" in stranger.content.decode()
    assert "has a comma or a colon" in named.content.decode()
    foreign.refresh_from_db()
    assert (groups(study), foreign.group) == ({ana.pk: ""}, "")


def test_a_new_annotator_comes_with_a_group_a_researcher_without(client, study):
    ana, rob = make_user(email="ana@lab.example"), make_user(Role.RESEARCHER, email="rob@lab.example")

    client.post(page("members", study.pk), {"email": ana.email, "role": "annotator", "group": "native"})
    client.post(page("members", study.pk), {"email": rob.email, "role": "researcher", "group": "native"})

    assert study.memberships.get(user=ana).group == "native"
    assert study.memberships.get(user=rob).group == ""


def test_who_is_in_already_and_added_again_with_a_group_is_put_into_it(client, study):
    ana = join(study, make_user(email="ana@lab.example"))

    client.post(page("members", study.pk), {"email": ana.email, "role": "annotator", "group": "native"})
    client.post(page("members", study.pk), {"email": ana.email, "role": "annotator", "group": ""})

    assert study.memberships.get(user=ana).group == "native"


def test_who_qualified_in_which_step_until_when_is_read_by_researchers(client, researcher):
    study, now = make_entry_study(), timezone.now()
    join(study, researcher, Membership.Role.RESEARCHER)
    ana = make_consenting(study, at=now - timedelta(days=3))
    passed(ana, study, "digits", at=now - timedelta(days=2))

    (found,) = people_of(study, study.memberships.filter(role="annotator").select_related("user"), at=now)
    html = client.get(page("members", study.pk)).content.decode()

    states = {each.step.value: each.state for each in found.steps}
    assert states == dict.fromkeys(states, "missing") | {"digits": "passed"}
    assert (found.consent, found.n_passed, found.is_qualified) == ("given", 1, False)
    assert found.until == now - timedelta(days=2) + QUALIFICATION
    assert f"1 of {len(states)} steps" in html


def test_a_withdrawn_consent_and_a_missing_one_are_told_apart(study):
    study = make_entry_study()
    gone, fresh = make_consenting(study, at=NOW), join(study)
    consent.withdraw_consent(gone, study, at=NOW)

    people = people_of(study, study.memberships.filter(role="annotator").select_related("user"), at=NOW)

    assert {each.membership.user: each.consent for each in people} == {gone: "withdrawn", fresh: "missing"}


def test_groups_are_summed_with_their_judgments_and_quotas(client, study):
    study.eligible_groups, study.group_quotas = ["native"], {"native": 1}
    study.save()
    ana, ben = join(study), join(study)
    study.memberships.filter(user=ana).update(group="native")
    for rater in (ana, ben):
        lease = make_lease(make_pair(study), rater)
        answer(lease)
        judgments.submit(lease, at=NOW)

    found = group_rows(study)
    rows = [(row.name, row.n_people, row.n_judgments, row.most, row.is_eligible, row.is_full) for row in found]
    html = client.get(page("members", study.pk)).content.decode()

    assert rows == [("native", 1, 1, 1, True, True), ("", 1, 1, None, False, False)]
    assert ("no: its quota is reached" in html, "may not judge here" in html) == (True, True)


def test_a_study_without_groups_shows_no_table_of_them(client, study):
    join(study)

    assert group_rows(study) == []
    assert "Rater groups" not in client.get(page("members", study.pk)).content.decode()


def test_more_people_cost_no_more_queries(client, researcher):
    study, now = make_entry_study(), timezone.now()
    join(study, researcher, Membership.Role.RESEARCHER)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            client.get(page("members", study.pk))
        return len(captured)

    passed(make_consenting(study, at=now), study, "digits", at=now)
    study.memberships.filter(role="annotator").update(group="native")
    one = queries()
    for _each in range(2):
        passed(make_consenting(study, at=now), study, "digits", at=now)
    study.memberships.filter(role="annotator", group="").update(group="other")

    assert queries() == one


def test_nobody_else_sets_a_group(client, study):
    ana = join(study)
    answers = []
    for user in (make_user(Role.RESEARCHER), ana, None):
        client.force_login(user) if user else client.logout()
        answers.append(client.post(page("set_group", study.pk), {"everybody": "on", "group": "native"}))

    assert [each.status_code for each in answers] == [404, 403, 302]
    assert groups(study) == {ana.pk: ""}
