"""A break of ten minutes is offered after 45 minutes of work, between two pairs and never inside one."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import Heartbeat, Lease
from annotation.services import sittings
from tests.factories import NOW, answer, join, make_lease, make_pair, make_study, make_user, minutes

pytestmark = pytest.mark.django_db


def work(lease: Lease, *, opened, until, every=0.5) -> Lease:
    """Heartbeats of this lease, in minutes from NOW."""
    told = {"opened_at": NOW + minutes(opened), "last_heartbeat_at": NOW + minutes(until)}
    Lease.objects.filter(pk=lease.pk).update(**told)
    steps = round((until - opened) / every) + 1
    Heartbeat.objects.bulk_create(
        Heartbeat(
            lease=lease, sequence=n + 1, side="left", media_time=0.0, received_at=NOW + minutes(opened + n * every)
        )
        for n in range(steps)
    )
    lease.refresh_from_db()
    return lease


def test_a_sitting_began_with_the_first_sign_of_life():
    lease = work(make_lease(), opened=0, until=30)

    assert sittings.sitting_began(lease.annotator, at=NOW + minutes(31)) == NOW


def test_a_pause_of_ten_minutes_begins_a_new_sitting():
    lease = work(make_lease(), opened=0, until=20)
    later = work(make_lease(make_pair(lease.pair.study), lease.annotator), opened=30, until=35)

    assert sittings.sitting_began(later.annotator, at=NOW + minutes(35)) == NOW + minutes(30)


def test_a_shorter_pause_does_not():
    lease = work(make_lease(), opened=0, until=20)
    later = work(make_lease(make_pair(lease.pair.study), lease.annotator), opened=29.5, until=35)

    assert sittings.sitting_began(later.annotator, at=NOW + minutes(35)) == NOW


def test_who_has_done_nothing_sits_since_now():
    assert sittings.sitting_began(make_user(), at=NOW) == NOW


def test_another_persons_work_is_not_mine():
    lease = work(make_lease(), opened=0, until=44)

    assert sittings.sitting_began(join(lease.pair.study), at=NOW + minutes(45)) == NOW + minutes(45)


@pytest.mark.parametrize(("ended", "is_due"), [(44, False), (45, True), (50, True)])
def test_a_break_is_due_after_the_pair_in_which_45_minutes_were_passed(ended, is_due):
    first = work(make_lease(), opened=0, until=35)
    second = work(make_lease(make_pair(first.pair.study), first.annotator), opened=36, until=ended)

    assert sittings.break_is_due(first, at=NOW + minutes(35)) is False
    assert sittings.break_is_due(second, at=NOW + minutes(ended)) is is_due


def test_who_goes_on_is_asked_again_45_minutes_later():
    first = work(make_lease(), opened=0, until=46)
    second = work(make_lease(make_pair(first.pair.study), first.annotator), opened=47, until=60)
    third = work(make_lease(make_pair(first.pair.study), first.annotator), opened=61, until=91)

    due = [sittings.break_is_due(lease, at=NOW + minutes(at)) for lease, at in ((first, 46), (second, 60), (third, 91))]

    assert due == [True, False, True]


@pytest.fixture
def tired() -> Lease:
    """A live lease that was worked on for 46 minutes until now, and a further pair."""
    began = timezone.now() - minutes(46)
    lease = make_lease(at=began)
    Heartbeat.objects.bulk_create(
        Heartbeat(lease=lease, sequence=n + 1, side="left", media_time=0.0, received_at=began + minutes(n))
        for n in range(47)
    )
    told = {"expires_at": timezone.now() + minutes(5), "last_heartbeat_at": began + minutes(46)}
    Lease.objects.filter(pk=lease.pk).update(**told)
    make_pair(lease.pair.study)
    answer(lease)
    return lease


def post(lease: Lease, name: str):
    client = Client()
    client.force_login(lease.annotator)
    return client.post(reverse(f"annotation:{name}", args=[lease.key]), "{}", content_type="application/json").json()


def test_a_submit_after_45_minutes_leads_to_the_break_with_nothing_reserved(tired):
    assert post(tired, "reserve_ahead") == {"reserved": False}

    assert post(tired, "submit")["next"] == reverse("annotation:take_break", args=[tired.pair.study_id])

    assert not Lease.objects.filter(state="reserved").exists()


def test_the_break_says_how_long_one_has_worked_and_leads_on(tired):
    post(tired, "submit")
    client = Client()
    client.force_login(tired.annotator)

    page = client.get(reverse("annotation:take_break", args=[tired.pair.study_id])).content.decode()
    assert "You have worked for 46 minutes." in page
    assert "Go on without a break" in page
    onward = client.post(reverse("annotation:next_pair", args=[tired.pair.study_id]))

    assert onward.headers["Location"].startswith("/listen/")


def test_a_break_is_over_after_ten_minutes(tired):
    post(tired, "submit")
    Lease.objects.filter(pk=tired.pk).update(submitted_at=timezone.now() - minutes(11))
    client = Client()
    client.force_login(tired.annotator)

    page = client.get(reverse("annotation:take_break", args=[tired.pair.study_id])).content.decode()

    assert "Your break is over" in page


def test_no_break_is_offered_when_no_further_pair_waits(tired):
    Lease.objects.exclude(pk=tired.pk).delete()
    tired.pair.study.pairs.exclude(pk=tired.pair_id).delete()

    assert post(tired, "submit")["next"] == reverse("annotation:work")


def test_the_break_of_a_study_is_not_there_for_who_does_not_judge_it():
    study = make_study()
    client = Client()
    client.force_login(make_user())

    assert client.get(reverse("annotation:take_break", args=[study.pk])).status_code == 404
