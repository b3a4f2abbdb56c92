"""Pilots: a small trial of a study whose votes stay apart."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from annotation.models import Membership, Study
from annotation.services import judgments, leases
from annotation.services import studies as services
from earshot.accounts.models import AuditEntry, Role
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher(client):
    user = make_user(Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def draft(researcher):
    return make_study(title="Warm or cold", researcher=researcher, running=False)


def pilot_of(study, by, **changed):
    chosen = {"n_pairs": 2, "overlap": 1, "annotators": True, "myself": False, "seed": 1, **changed}
    return services.pilot_study(study, **chosen, by=by, at=NOW)


def page(name, *arguments):
    return reverse(f"annotation:{name}", args=arguments)


def test_a_pilot_runs_with_some_pairs_of_its_study_and_with_its_rules(researcher, draft):
    pairs = [make_pair(draft) for _each in range(5)]
    Study.objects.filter(pk=draft.pk).update(transcript_policy="never", judgments_at_most=9, half_width_enough=0.3)
    draft.refresh_from_db()

    pilot = pilot_of(draft, researcher, overlap=2)

    assert (str(pilot), pilot.is_pilot, pilot.parent, pilot.state) == ("Warm or cold (pilot)", True, draft, "running")
    assert (pilot.transcript_policy, pilot.judgments_at_most, pilot.half_width_enough) == ("never", None, None)
    assert list(pilot.pairs.values_list("seats_left", flat=True)) == [2, 2]
    known = {(pair.dialogue_a_id, pair.dialogue_b_id, pair.level_lufs) for pair in pairs}
    assert set(pilot.pairs.values_list("dialogue_a", "dialogue_b", "level_lufs")) < known
    assert pilot.pair_designs == [{"design": "pilot", "pairs": 2, "seed": 1, "at": NOW.isoformat()}]
    assert (draft.pairs.count(), draft.state) == (5, "draft")


def test_whoever_tries_a_pilot_needs_no_group(researcher, draft):
    make_pair(draft)
    Study.objects.filter(pk=draft.pk).update(eligible_groups=["native"])
    draft.refresh_from_db()

    pilot = pilot_of(draft, researcher, n_pairs=1, myself=True)

    assert pilot.eligible_groups == []
    assert leases.next_lease(researcher, pilot, at=NOW) is not None


def test_the_same_seed_draws_the_same_pairs(researcher, draft):
    for _each in range(6):
        make_pair(draft)

    drawn = [pilot_of(draft, researcher, seed=seed, n_pairs=3) for seed in (1, 1, 2)]

    first, again, other = ([pair.scenario_id for pair in pilot.pairs.all()] for pilot in drawn)
    assert (first == again, first == other) == (True, False)


def test_votes_of_a_pilot_stay_apart_so_the_study_can_still_change_its_rubric(client, researcher, draft):
    make_pair(draft)
    pilot = pilot_of(draft, researcher, n_pairs=1)
    lease = make_lease(pilot.pairs.get())
    answer(lease)
    judgments.submit(lease, at=NOW)

    rows = [{"key": "overall", "name": "Overall", "question": "Which?", "help_text": "", "weight": 1, "anchors": []}]
    services.save_dimensions(draft, rows, by=researcher)

    assert (draft.has_votes, pilot.has_votes) == (False, True)
    assert (draft.dimensions.count(), pilot.dimensions.count()) == (1, 4)
    with pytest.raises(ValidationError, match="has votes, so its rubric stays as it is"):
        services.save_dimensions(pilot, rows, by=researcher)


def test_whom_the_pilot_takes_along_is_chosen_and_groups_stay(researcher, draft):
    make_pair(draft), make_pair(draft)
    annotator = join(draft)
    draft.memberships.filter(user=annotator).update(group="native")

    both = pilot_of(draft, researcher)
    alone = pilot_of(draft, researcher, annotators=False, myself=True)

    members = Membership.objects.order_by("user", "-role").values_list("user", "role", "group")
    reading, judging = (researcher.pk, "researcher", ""), (researcher.pk, "annotator", "")
    assert list(members.filter(study=both)) == [reading, (annotator.pk, "annotator", "native")]
    assert list(members.filter(study=alone)) == [reading, judging]


def test_a_pilot_of_a_pilot_or_of_more_pairs_than_there_are_is_refused_with_a_remedy(researcher, draft):
    make_pair(draft), make_pair(draft)
    pilot = pilot_of(draft, researcher)

    with pytest.raises(ValidationError, match=r"is a pilot itself\. Make a pilot of its study"):
        pilot_of(pilot, researcher)
    with pytest.raises(ValidationError, match=r"has 2 pairs, so a pilot of 3 cannot be drawn\. Choose from 1 to 2"):
        pilot_of(draft, researcher, n_pairs=3)
    with pytest.raises(ValidationError, match="takes 1 or 2 judgments per pair, not 3"):
        pilot_of(draft, researcher, overlap=3)
    assert Study.objects.count() == 2


def test_the_page_makes_a_pilot_and_both_studies_link_to_each_other(client, researcher, draft):
    make_pair(draft), make_pair(draft)

    made = client.post(page("new_pilot", draft.pk), {"n_pairs": "2", "overlap": "1", "myself": "on"})

    pilot = Study.objects.get(is_pilot=True)
    assert made["Location"] == page("study", pilot.pk)
    assert (
        f'<a href="{page("study", pilot.pk)}">Warm or cold (pilot)</a>'
        in client.get(page("study", draft.pk)).content.decode()
    )
    assert (
        f'A pilot of <a href="{page("study", draft.pk)}">Warm or cold</a>'
        in client.get(page("study", pilot.pk)).content.decode()
    )
    assert [each.action for each in AuditEntry.objects.filter(subject=str(pilot))] == ["study.running", "study.piloted"]


def test_a_wrong_number_of_pairs_is_said_at_once_and_nothing_is_made(client, researcher, draft):
    make_pair(draft)

    response = client.post(page("new_pilot", draft.pk), {"n_pairs": "2", "overlap": "1"})

    assert response.status_code == 422
    assert "Choose from 1 to 1." in response.content.decode()
    assert Study.objects.count() == 1


def test_a_study_without_pairs_is_led_to_them_first(client, researcher, draft):
    html = client.get(page("new_pilot", draft.pk)).content.decode()

    assert "Add pairs first." in html
    assert "Make the pilot" not in html


def test_a_copy_of_a_study_with_pilots_is_its_next_version(researcher, draft):
    make_pair(draft), make_pair(draft)
    pilot = pilot_of(draft, researcher)

    copy = services.copy_study(draft, by=researcher, at=NOW)
    copy_of_pilot = services.copy_study(pilot, by=researcher, at=NOW)

    assert [(each.version, each.is_pilot, each.state) for each in (copy, copy_of_pilot)] == [
        (2, False, "draft"),
        (3, False, "draft"),
    ]
    assert (copy.pair_designs, copy_of_pilot.pair_designs, copy_of_pilot.pairs.count()) == ([], [], 0)


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_else_makes_a_pilot(client, draft, method):
    make_pair(draft)
    answers = []
    for user in (make_user(Role.RESEARCHER), join(draft), None):
        client.force_login(user) if user else client.logout()
        answers.append(getattr(client, method)(page("new_pilot", draft.pk), {"n_pairs": "1", "overlap": "1"}))

    assert [each.status_code for each in answers] == [404, 403, 302]
    assert answers[2]["Location"].startswith(reverse("account_login"))
    assert Study.objects.count() == 1
