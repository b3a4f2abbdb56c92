"""The settings of a study: what each field takes, what it refuses with which remedy, and what votes fix."""

import pytest
from django.urls import reverse

from annotation.forms.fields import GroupsField, OneInField, QuotasField
from annotation.models import Study
from annotation.services import judgments
from earshot.accounts.models import Role
from tests.annotation.test_study_pages import study_fields
from tests.factories import NOW, answer, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def test_all_that_a_study_asks_of_its_lending_can_be_set(client, researcher):
    client.post(
        page("new_study"),
        study_fields(
            selection="adaptive",
            uniform_floor="0.2",
            check_rate="6",
            agreeing_votes_enough="2",
            half_width_enough="0.3",
            raters_at_least="8",
            judgments_at_most="900",
            hours_at_most="40",
            pairs_per_rater="60",
            eligible_groups="native,  fluent  speakers, native",
            group_quotas="native: 600\nfluent speakers: 300",
        ),
    )

    study = Study.objects.get()
    assert (study.selection, study.uniform_floor, study.check_rate) == ("adaptive", 0.2, 1 / 6)
    assert (study.agreeing_votes_enough, study.half_width_enough, study.raters_at_least) == (2, 0.3, 8)
    assert (study.judgments_at_most, study.hours_at_most, study.pairs_per_rater) == (900, 40.0, 60)
    assert study.eligible_groups == ["native", "fluent speakers"]
    assert study.group_quotas == {"native": 600, "fluent speakers": 300}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("overlap", "99999999", "Each pair needs 1 to 1000 judgments."),
        ("lease_factor", "-1", "-1.0 times its length is no time to hear a pair in. Use 1 to 100"),
        ("lease_factor", "1e308", "Use 1 to 100; 3 is a good start."),
        ("lease_minimum_seconds", "99999999", "99999999 s cannot be. Use 60 s to 86,400 s, a day."),
        ("uniform_floor", "0", "Use a number above 0 and up to 1, such as 0.1."),
        ("check_rate", "1.5", "One in 1.5 cannot be. Use a number from 2 to 1000, or leave it empty for none."),
        ("agreeing_votes_enough", "1", "One vote agrees with itself. Use 2 or more, or leave it empty."),
        ("agreeing_votes_enough", "4", "4 is more than the 3 judgments of a pair, so it never comes. Use at most 3."),
        ("half_width_enough", "0", "Use a number such as 0.3, or leave it empty."),
        ("raters_at_least", "1", "One rater alone says nothing about others."),
        ("judgments_at_most", "0", "Use 1 or more, or leave it empty for no limit."),
        ("hours_at_most", "0", "0.0 hours is no budget. Use more than 0, or leave it empty."),
        ("pairs_per_rater", "0", "Use 1 or more, or leave it empty for no limit."),
        ("eligible_groups", "a: b", "&#x27;a: b&#x27; has a comma or a colon. Name the group without."),
        ("eligible_groups", "x" * 41, "has 41 characters; a group&#x27;s name has at most 40. Shorten it."),
        ("group_quotas", "native", "is no quota. Write a group and how many judgments it gives at most"),
        ("group_quotas", "native: 0", "&#x27;native: 0&#x27; is no quota."),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(client, researcher, field, value, sentence):
    response = client.post(page("new_study"), study_fields(**{field: value}))

    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Study.objects.exists()


def test_a_quota_of_a_group_that_may_not_judge_is_refused(client, researcher):
    response = client.post(page("new_study"), study_fields(eligible_groups="native", group_quotas="fluent: 3"))

    assert response.status_code == 422
    assert "fluent may not judge here. Add it to the groups that may judge" in response.content.decode()


def judged(researcher):
    study = make_study(researcher=researcher)
    for _each in range(2):
        lease = make_lease(make_pair(study))
        answer(lease)
        judgments.submit(lease, at=NOW)
    return study


def saved(client, study, **changed):
    same = study_fields(title="New", listening_policy="none", transcript_policy=study.transcript_policy)
    return client.post(page("edit_study", study.pk), {**same, **changed})


def test_with_votes_the_groups_and_when_a_pair_closes_stay(client, researcher):
    study = judged(researcher)

    refused = saved(client, study, eligible_groups="native", agreeing_votes_enough="2")

    assert refused.status_code == 422
    assert "so this stays as it is: groups that may judge, agreeing votes that are enough." in refused.content.decode()
    study.refresh_from_db()
    assert (study.eligible_groups, study.agreeing_votes_enough) == ([], None)


def test_with_votes_budget_lending_and_checks_can_still_change(client, researcher):
    study = judged(researcher)

    taken = saved(client, study, selection="adaptive", judgments_at_most="2", half_width_enough="0.4", check_rate="5")

    assert taken.status_code == 302
    study.refresh_from_db()
    assert (study.selection, study.judgments_at_most, study.half_width_enough) == ("adaptive", 2, 0.4)
    assert study.check_rate == 1 / 5


def test_a_budget_below_what_was_given_is_refused(client, researcher):
    study = judged(researcher)

    refused = saved(client, study, judgments_at_most="1")

    assert "2 judgments were given already. Use 2 or more; to end it now, finish it." in refused.content.decode()


def test_the_settings_are_shown_as_they_were_written_and_saving_them_again_changes_nothing(client, researcher):
    study = make_study(
        researcher=researcher, check_rate=1 / 6, eligible_groups=["native", "other"], group_quotas={"native": 5}
    )

    html = client.get(page("edit_study", study.pk)).content.decode()

    assert 'name="check_rate" value="6"' in html
    assert 'value="native, other"' in html
    assert "native: 5</textarea>" in html
    headings = "What is asked", "Who listens", "When it is enough", "Budget"
    assert [heading in html for heading in headings] == [True] * 4
    fields = GroupsField(required=False), QuotasField(required=False), OneInField(required=False)
    written = "native, other", "native: 5\n", "6"
    before = ["native", "other"], {"native": 5}, 1 / 6
    assert [each.has_changed(*two) for each, *two in zip(fields, before, written, strict=True)] == [False] * 3


def test_a_new_study_begins_with_the_checks_of_the_protocol(client, researcher):
    html = client.get(page("new_study")).content.decode()

    assert 'name="check_rate" value="6"' in html


def test_the_page_of_a_study_tells_its_budget_and_rules(client, researcher):
    study = make_study(
        researcher=researcher,
        check_rate=1 / 6,
        judgments_at_most=900,
        group_quotas={"native": 5},
        half_width_enough=0.3,
    )

    html = client.get(page("study", study.pk)).content.decode()

    said = ("one pair in 6", "900 judgments", "native: 5", "within ± 0.3 logits, of 5 raters or more")
    assert [words for words in said if words not in html] == []


def test_the_width_of_its_check_rate_survives_what_no_whole_number_says():
    field = OneInField(required=False)

    assert (field.prepare_value(0.3), field.has_changed(0.3, "3.333"), field.clean("")) == ("3.333", False, 0.0)
