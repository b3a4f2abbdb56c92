"""The page of a job as people see it: it follows the job, and its buttons work while it does."""

import pytest
from django.utils import timezone

from earshot.accounts.models import User
from earshot.jobs.models import Job, JobLogLine, JobMetric
from earshot.jobs.views import STOP_POLLING

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(open_page, client, live_server):
    """A signed-in researcher's page, and the running job they started as `page.job`."""
    person = User.objects.create_user("ada@example.org", "correct horse battery", role="admin", name="Ada")
    job = Job.objects.create(
        kind="tests.sleep", title="Import 12 dialogues", created_by=person, state=Job.State.RUNNING, progress=0.25,
        message="dialogue 3 of 12", started_at=timezone.now(), heartbeat_at=timezone.now(), worker="here:1",
    )  # fmt: skip
    client.force_login(person)
    page = open_page()
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.job = job
    return page


def change(job, **fields):
    Job.objects.filter(pk=job.pk).update(**fields)


def test_the_page_follows_the_job_and_stops_asking_when_it_ends(page):
    page.goto(f"/jobs/{page.job.pk}/")
    page.get_by_text("dialogue 3 of 12").wait_for()

    change(page.job, progress=0.5, message="dialogue 6 of 12")
    JobLogLine.objects.create(job=page.job, text="half way")
    page.get_by_text("dialogue 6 of 12").wait_for()
    with page.expect_response(lambda answer: answer.url.endswith("/curves") and answer.status == STOP_POLLING):
        change(page.job, state=Job.State.FAILED, error="The disk is full.", finished_at=timezone.now())
        page.get_by_role("button", name="Start again").wait_for()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6000)  # the slowest poll, that of the curves, comes every 5 s

    assert page.get_by_text("The disk is full.").is_visible()
    assert page.get_by_role("button", name="Cancel the job").count() == 0
    assert asked == []


def test_a_question_left_open_over_several_polls_still_cancels(page):
    page.goto(f"/jobs/{page.job.pk}/")

    page.get_by_role("button", name="Cancel the job").click()
    page.wait_for_timeout(2500)
    page.locator("#confirm").get_by_role("button", name="Cancel the job").click()
    page.get_by_text("about to stop").first.wait_for()

    assert Job.objects.get(pk=page.job.pk).cancel_requested is True


def test_curves_that_come_later_are_drawn(page):
    page.goto(f"/jobs/{page.job.pk}/")
    for step in range(20):
        JobMetric.objects.create(job=page.job, name="loss", step=step, value=1 / (step + 1))

    page.locator("#job-curves canvas").first.wait_for()

    assert page.locator("#job-curves canvas").count() == 1
    assert page.locator("#job-curves").get_by_text("loss").first.is_visible()
