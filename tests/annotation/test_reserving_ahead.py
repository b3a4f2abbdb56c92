"""The next pair is reserved while this one is judged, and nothing of it counts before it is opened."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Lease, Study
from annotation.services import judgments, leases, listening
from annotation.services.listening import Beat
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = pytest.mark.django_db


@pytest.fixture
def lease() -> Lease:
    """A live lease in a study with a second pair."""
    study = make_study()
    first = make_lease(make_pair(study), at=timezone.now())
    make_pair(study)
    return first


def ask(lease: Lease, *, user=None):
    client = Client()
    client.force_login(user or lease.annotator)
    return client.post(reverse("annotation:reserve_ahead", args=[lease.key]))


def reserved() -> list[Lease]:
    return list(Lease.objects.filter(state="reserved"))


def test_the_next_pair_is_reserved_and_its_seat_taken(lease):
    response = ask(lease)

    (ahead,) = reserved()
    ahead.pair.refresh_from_db()
    assert (response.status_code, response.json()) == (200, {"reserved": True})
    assert (ahead.annotator, ahead.pair.study, ahead.pair.seats_left) == (lease.annotator, lease.pair.study, 2)
    assert ahead.pair != lease.pair


def test_asking_again_keeps_the_pair_that_is_reserved(lease):
    make_pair(lease.pair.study)
    ask(lease)
    before = reserved()

    assert ask(lease).json() == {"reserved": True}
    assert reserved() == before


def test_submitting_leads_to_the_reserved_pair(lease):
    make_pair(lease.pair.study)
    ask(lease)
    answer(lease)
    client = Client()
    client.force_login(lease.annotator)

    following = client.post(reverse("annotation:submit", args=[lease.key]), "{}", content_type="application/json")

    assert following.json()["next"] == reverse("annotation:room", args=[reserved()[0].key])


def test_submitting_and_stopping_gives_the_reserved_pair_back(lease):
    ask(lease)
    answer(lease)
    client = Client()
    client.force_login(lease.annotator)

    client.post(reverse("annotation:submit", args=[lease.key]), '{"go_on": false}', content_type="application/json")

    assert reserved() == []


def test_signing_out_gives_it_back(lease):
    client = Client()
    client.force_login(lease.annotator)
    client.post(reverse("annotation:reserve_ahead", args=[lease.key]))
    (ahead,) = reserved()

    client.post(reverse("account_logout"))

    ahead.pair.refresh_from_db()
    assert (reserved(), ahead.pair.seats_left) == ([], 3)


def test_nothing_is_reserved_when_no_pair_is_open():
    lease = make_lease(at=timezone.now())

    assert ask(lease).json() == {"reserved": False}
    assert reserved() == []


@pytest.mark.parametrize("state", ["reserved", "submitted", "skipped", "expired", "late"])
def test_nothing_is_reserved_after_a_pair_that_is_not_being_judged(lease, state):
    Lease.objects.filter(pk=lease.pk).update(state=state)
    lease.refresh_from_db()

    assert leases.reserve_ahead(lease, at=timezone.now()) is None


def test_a_study_that_rests_reserves_nothing(lease):
    Study.objects.update(state="paused")

    assert ask(lease).json() == {"reserved": False}
    lease.pair.study.refresh_from_db()
    with pytest.raises(ValidationError, match="lends no pairs"):
        leases.reserve_ahead(lease, at=timezone.now())


def test_another_annotator_cannot_reserve_by_this_address(lease):
    for stranger in (join(lease.pair.study), make_user("admin")):
        assert ask(lease, user=stranger).status_code == 404
    assert reserved() == []


def test_the_work_page_lists_a_reserved_pair_as_waiting_not_as_begun(lease):
    ask(lease)
    leases.skip(lease, reason="other", at=timezone.now())
    client = Client()
    client.force_login(lease.annotator)

    context = client.get(reverse("annotation:work")).context

    assert (list(context["unfinished"]), [row.waiting for row in context["studies"]]) == ([], [1])


def test_bytes_sent_ahead_are_worth_nothing_before_the_pair_is_open():
    study = make_study(listening_policy="enforced")
    ahead = make_lease(make_pair(study), opened=False)
    listening.record_delivery(ahead, "left", start=0, end=10, at=NOW)

    beat = Beat(sequence=1, side=ahead.heard_first, played=[[0.0, 4.0]], media_time=4.0)
    assert listening.record_heartbeat(ahead, beat, at=NOW + minutes(1)) is None

    assert listening.heard_so_far(ahead)["left"].seconds_played == 0.0
    with pytest.raises(ValidationError):
        judgments.submit(ahead, at=NOW + minutes(1))
