"""Flags: told from the room by its own annotator, read and resolved by the study's researchers, by nobody else."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Flag, Membership
from annotation.services import adjudication, flags
from earshot.accounts.models import AuditEntry, Role
from tests.factories import NOW, join, make_lease, make_pair, make_study, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def researcher():
    return make_user(Role.RESEARCHER)


@pytest.fixture
def study(researcher):
    return make_study(researcher=researcher)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def flag_address(lease):
    return reverse("annotation:flag_pair", args=[lease.key])


def flagged(study, *, kind="sound", note="A crackles.", at=NOW, pair=None):
    return flags.flag_pair(make_lease(pair or make_pair(study)), kind=kind, note=note, at=at)


def changes_of(flag):
    study = flag.lease.pair.study_id
    return [reverse(f"annotation:{name}", args=[study, flag.pk]) for name in ("resolve_flag", "reopen_flag")]


def list_of(study):
    return reverse("annotation:study_flags", args=[study.pk])


def test_an_annotator_flags_the_pair_of_their_own_lease(study):
    lease = make_lease(make_pair(study))

    response = signed_in(lease.annotator).post(flag_address(lease), {"kind": "sound", "note": " A crackles. "})

    flag = Flag.objects.get()
    assert response["Location"] == reverse("annotation:room", args=[lease.key])
    assert (flag.lease, flag.kind, flag.note, flag.is_open) == (lease, "sound", "A crackles.", True)
    entry = AuditEntry.objects.get(action="study.pair_flagged")
    assert (entry.user, entry.action_words) == (lease.annotator, "flagged a pair of the study")
    assert entry.detail == {"pair": lease.pair_id, "kind": "sound"}


def test_a_second_flag_of_a_kind_changes_the_note_and_another_kind_is_another_flag(study):
    lease = make_lease(make_pair(study))
    client = signed_in(lease.annotator)

    for kind, note in (("sound", "A crackles."), ("sound", "Only in turn 3."), ("content", "")):
        client.post(flag_address(lease), {"kind": kind, "note": note})

    assert sorted(Flag.objects.values_list("kind", "note")) == [("content", ""), ("sound", "Only in turn 3.")]


def test_the_rooms_dialog_stays_and_says_what_was_kept_and_who_reads_it(study):
    lease = make_lease(make_pair(study))
    client = Client(headers={"hx-request": "true"})
    client.force_login(lease.annotator)

    kept = client.post(flag_address(lease), {"kind": "content", "note": "<b>loud</b>"})
    missing = client.post(flag_address(lease), {"note": "loud"})

    html = kept.content.decode()
    assert (kept.status_code, html.count('id="flag-form"')) == (200, 1)
    assert "the content should not be heard" in html
    assert "&lt;b&gt;loud&lt;/b&gt;" in html
    assert "The researchers of this study see it." in html
    assert (missing.status_code, "Choose what is wrong." in missing.content.decode()) == (422, True)
    assert Flag.objects.count() == 1


@pytest.mark.parametrize("fields", [{}, {"kind": "joke"}, {"kind": "sound", "note": "x" * 1001}])
def test_a_wrong_flag_is_refused_with_a_sentence_and_nothing_is_kept(study, fields):
    lease = make_lease(make_pair(study))

    page = signed_in(lease.annotator).post(flag_address(lease), fields, follow=True)

    assert [message.level_tag for message in page.context["messages"]] == ["error"]
    assert not Flag.objects.exists()


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.RESEARCHER, Role.ADMIN])
def test_nobody_flags_through_the_lease_of_another(study, role):
    lease = make_lease(make_pair(study))
    stranger = join(study, make_user(role))

    response = signed_in(stranger).post(flag_address(lease), {"kind": "sound"})

    assert (response.status_code, Flag.objects.exists()) == (404, False)


def test_who_was_removed_from_the_study_flags_nothing_any_more(study):
    lease = make_lease(make_pair(study))
    Membership.objects.filter(user=lease.annotator).delete()

    page = signed_in(lease.annotator).post(flag_address(lease), {"kind": "sound"}, follow=True)

    assert "You are not an annotator of study" in str(next(iter(page.context["messages"])))
    assert not Flag.objects.exists()


def test_a_researcher_who_adjudicates_a_pair_flags_it(study, researcher):
    asked = adjudication.request(make_pair(study), reason="The votes disagree.", by=make_user(Role.RESEARCHER), at=NOW)
    lease = adjudication.begin(asked, researcher, at=NOW)

    signed_in(researcher).post(flag_address(lease), {"kind": "sound", "note": "A crackles."})

    assert (Flag.objects.get().lease, Flag.objects.get().note) == (lease, "A crackles.")


def test_who_was_removed_while_they_adjudicated_flags_nothing_any_more(study, researcher):
    asked = adjudication.request(make_pair(study), reason="The votes disagree.", by=make_user(Role.RESEARCHER), at=NOW)
    lease = adjudication.begin(asked, researcher, at=NOW)
    Membership.objects.filter(user=researcher).delete()

    page = signed_in(researcher).post(flag_address(lease), {"kind": "sound"}, follow=True)

    assert "You are not an annotator of study" in str(next(iter(page.context["messages"])))
    assert not Flag.objects.exists()


def test_an_annotator_is_told_nothing_of_a_flag_but_their_own_words(study, researcher):
    flag = flagged(study)
    flags.resolve(flag, resolution="System north clips here.", by=researcher, at=NOW)

    room = signed_in(flag.lease.annotator).get(reverse("annotation:room", args=[flag.lease.key])).content.decode()

    assert "System north" not in room


def test_flags_are_for_the_researchers_of_the_study_alone(study):
    flag = flagged(study)
    addresses = [list_of(study), *changes_of(flag)]

    def answers(user):
        client = signed_in(user)
        return [client.get(addresses[0]).status_code, *(client.post(each).status_code for each in addresses[1:])]

    assert answers(make_user(Role.RESEARCHER)) == [404, 404, 404]
    assert answers(flag.lease.annotator) == [403, 403, 403]
    assert [Client().get(addresses[0]).status_code, Client().post(addresses[1]).status_code] == [302, 302]
    flag.refresh_from_db()
    assert flag.resolved_at is None


def test_a_flag_of_another_study_is_not_found_under_this_one(study, researcher):
    foreign = flagged(make_study())
    client = signed_in(researcher)
    names = ("resolve_flag", "reopen_flag")

    addresses = [reverse(f"annotation:{name}", args=[study.pk, foreign.pk]) for name in names]

    assert [client.post(address, {"resolution": "mine"}).status_code for address in addresses] == [404, 404]


def test_a_researcher_resolves_a_flag_with_a_sentence_and_reopens_it(study, researcher):
    flag = flagged(study)
    client = signed_in(researcher)
    resolve, reopen = changes_of(flag)

    client.post(resolve, {"resolution": "The file was exchanged."})
    flag.refresh_from_db()
    assert (flag.resolution, flag.resolved_by, flag.resolved_at is None) == (
        "The file was exchanged.",
        researcher,
        False,
    )
    client.post(reopen)
    flag.refresh_from_db()

    assert (flag.resolution, flag.resolved_by, flag.resolved_at) == ("The file was exchanged.", None, None)
    entries = AuditEntry.objects.filter(action__startswith="study.flag_").order_by("pk")
    assert [(entry.action_words, entry.user, entry.detail_words) for entry in entries] == [
        (
            "resolved a flag in the study",
            researcher,
            f"kind: sound, pair: {flag.lease.pair_id}, resolution: The file was exchanged.",
        ),
        ("reopened a flag in the study", researcher, f"kind: sound, pair: {flag.lease.pair_id}"),
    ]


def test_a_flag_is_not_resolved_without_a_sentence(study, researcher):
    flag = flagged(study)

    page = signed_in(researcher).post(changes_of(flag)[0], {"resolution": "  "}, follow=True)

    assert "Say in a sentence what was found or done" in str(next(iter(page.context["messages"])))
    flag.refresh_from_db()
    assert flag.resolved_at is None


def test_of_two_who_resolve_a_flag_the_second_is_told(study, researcher):
    flag = flagged(study)
    flags.resolve(flag, resolution="First.", by=researcher, at=NOW)

    with pytest.raises(ValidationError, match="resolved already"):
        flags.resolve(flag, resolution="Second.", by=researcher, at=NOW)

    flag.refresh_from_db()
    assert flag.resolution == "First."


def test_a_flag_that_is_told_again_is_open_again(study, researcher):
    flag = flagged(study)
    flags.resolve(flag, resolution="Nothing found.", by=researcher, at=NOW)

    flags.flag_pair(flag.lease, kind="sound", note="It still crackles.", at=NOW + timedelta(hours=1))

    flag.refresh_from_db()
    assert (flag.resolved_at, flag.resolved_by, flag.note) == (None, None, "It still crackles.")


def test_the_list_begins_with_what_is_open_and_goes_on_by_cursor(study, researcher):
    made = [flagged(study, note=f"note {number}") for number in range(52)]
    flags.resolve(made[-1], resolution="Mended.", by=researcher, at=NOW)
    client = signed_in(researcher)

    first = client.get(list_of(study))
    second = client.get(list_of(study) + first.context["page"].next_url)

    assert [flag.pk for flag in first.context["page"].rows] == [flag.pk for flag in reversed(made[1:-1])]
    assert [flag.pk for flag in second.context["page"].rows] == [made[0].pk, made[-1].pk]
    assert "51 flags are open." in first.content.decode()


def test_a_flag_leads_to_the_sounds_of_its_pair(study, researcher):
    flag = flagged(study)
    pair = reverse("annotation:pair", args=[study.pk, flag.lease.pair_id])

    html = signed_in(researcher).get(list_of(study)).content.decode()

    assert f'href="{pair}"' in html
    assert "A crackles." in html


def test_the_page_of_the_study_counts_open_flags(study, researcher):
    client = signed_in(researcher)
    address = reverse("annotation:study", args=[study.pk])
    for _each in range(2):
        flagged(study)
    flags.resolve(flagged(study), resolution="Mended.", by=researcher, at=NOW)

    assert '<span class="num">2 open</span>' in client.get(address).content.decode()


def test_a_longer_list_of_flags_costs_no_more_queries(study, researcher):
    client = signed_in(researcher)
    flagged(study)
    with CaptureQueriesContext(connection) as one:
        client.get(list_of(study))
    for _each in range(2):
        flags.resolve(flagged(study), resolution="Mended.", by=researcher, at=NOW)
    with CaptureQueriesContext(connection) as three:
        client.get(list_of(study))

    assert len(three) == len(one)


def test_without_flags_the_list_says_what_will_stand_there(study, researcher):
    assert "No flags" in signed_in(researcher).get(list_of(study)).content.decode()
