"""Snapshots as a researcher makes them: asked for, watched, downloaded; the form with many choices, on any screen."""

import hashlib
import zipfile

import pytest
from django.urls import reverse

from annotation.models import Membership, Snapshot
from annotation.services import snapshots
from earshot.jobs.models import Job
from tests.annotation.judged import LONG_AGO, make_judged_study, make_snapshot
from tests.browser.axe import violations
from tests.factories import join, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def study():
    return make_judged_study(at=LONG_AGO, title="Pilot")


@pytest.fixture
def researcher(study):
    return join(study, make_user("researcher"), Membership.Role.RESEARCHER)


def test_a_researcher_asks_for_a_snapshot_watches_it_being_made_and_downloads_it(
    page_of, study, researcher, start_worker, tmp_path
):
    page = page_of(researcher)
    page.goto(reverse("annotation:study", args=[study.pk]))
    page.get_by_role("button", name="Make a snapshot").click()
    page.get_by_label("Name", exact=True).fill("Pilot: week 1")
    page.get_by_role("group", name="Dimensions").get_by_label("Immersion").uncheck()
    page.get_by_role("button", name="Make snapshot").click()

    page.get_by_text("Waiting for a worker").wait_for()
    assert violations(page) == []
    start_worker()
    page.get_by_role("heading", name="Identity").wait_for(timeout=30_000)
    snapshot = Snapshot.objects.get()
    assert page.url.endswith(reverse("annotation:snapshot", args=[snapshot.pk]))
    assert page.get_by_text(snapshot.content_id, exact=True).is_visible()
    assert "immersion" not in snapshot.filter["dimensions"]
    with page.expect_download() as download:
        page.keyboard.press("d")
    download.value.save_as(tmp_path / "downloaded.zip")

    assert download.value.suggested_filename == f"pilot-week-1-{snapshot.content_id[:12]}.zip"
    assert hashlib.sha256((tmp_path / "downloaded.zip").read_bytes()).hexdigest() == snapshot.archive_sha256
    with zipfile.ZipFile(tmp_path / "downloaded.zip") as packed:
        assert packed.testzip() is None
        assert {"judgments.parquet", "scores.parquet", "manifest.json", "README.md"} <= set(packed.namelist())


def test_a_filter_that_keeps_none_is_said_on_the_page_that_waits(page_of, study, researcher, start_worker):
    page = page_of(researcher)
    page.goto(reverse("annotation:snapshot_new", args=[study.pk]))
    page.get_by_label("Name", exact=True).fill("failed checks only")
    verdicts = page.get_by_role("group", name="Quality verdicts taken in")
    for verdict in ("Pass", "Unknown"):
        verdicts.get_by_label(verdict).uncheck()
    verdicts.get_by_label("Fail").check()
    page.get_by_role("button", name="Make snapshot").click()
    start_worker()

    page.get_by_text("4 quality unknown").wait_for(timeout=30_000)
    assert violations(page) == []
    page.get_by_role("button", name="Change the filter").click()

    assert page.url.endswith(reverse("annotation:snapshot_new", args=[study.pk]))
    assert Snapshot.objects.count() == 0


def test_a_form_sent_empty_says_beside_each_field_what_is_missing(page_of, study, researcher):
    page = page_of(researcher)
    page.goto(reverse("annotation:snapshot_new", args=[study.pk]))
    for box in page.get_by_role("group", name="Dimensions").get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("button", name="Make snapshot").click()
    page.get_by_text("This field is required.").first.wait_for()

    dimensions = page.get_by_role("group", name="Dimensions")
    described = dimensions.evaluate(
        "group => group.getAttribute('aria-describedby').split(' ').map(id => document.getElementById(id).textContent)"
    )
    assert described == ["This field is required."]
    assert violations(page) == []
    page.complaints.clear()  # the browser itself names the answer 422
    assert Job.objects.count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_pages_of_snapshots_are_accessible_and_fit(page_of, study, researcher, width, scheme):
    make_snapshot(study, name="first")
    second = make_snapshot(
        study, name="A name that goes on and on " * 5, filter=snapshots.SnapshotFilter(dimensions=("overall",))
    )
    page = page_of(researcher, width=width, color_scheme=scheme)

    for address in (
        reverse("annotation:snapshots"),
        reverse("annotation:snapshot_new", args=[study.pk]),
        reverse("annotation:snapshot", args=[second.pk]),
    ):
        page.goto(address)

        assert violations(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") == width, address


@pytest.mark.parametrize(
    ("address", "current"),
    [
        ("/studies/{study}/snapshots/new", ["Studies"]),
        ("/snapshots/", ["Snapshots"]),
        ("/studies/{study}/", ["Studies"]),
    ],
)
def test_one_place_of_the_navigation_is_current(page_of, study, researcher, address, current):
    page = page_of(researcher)
    page.goto(address.format(study=study.pk))

    assert page.locator("#site-nav [aria-current]").all_inner_texts() == current


def test_a_long_name_in_the_header_begins_with_its_beginning_on_a_phone(page_of, study, researcher):
    type(researcher).objects.filter(pk=researcher.pk).update(name="Wolfeschlegelsteinhausen Bergerdorff")
    page = page_of(researcher, width=360)
    page.goto(reverse("annotation:snapshots"))
    button = page.get_by_role("button", name="Account of")

    text_begins, button_begins = button.evaluate(
        """button => {
            const text = document.createRange();
            text.selectNodeContents(button);
            return [text.getBoundingClientRect().left, button.getBoundingClientRect().left];
        }"""
    )

    assert text_begins >= button_begins
    assert page.evaluate("document.documentElement.scrollWidth") == 360
