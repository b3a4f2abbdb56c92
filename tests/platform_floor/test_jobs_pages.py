"""Each address of jobs, with those who may open it and those who may not."""

import itertools
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from earshot.accounts.models import AuditEntry, User
from earshot.jobs import artefacts
from earshot.jobs.models import Job, JobArtefact, JobLogLine, JobMetric

pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)
PAGES = ["detail", "status", "progress", "curves", "log", "metrics"]
ACTIONS = ["cancel", "retry"]


def make_user(role):
    return User.objects.create_user(email=f"{role}{next(_numbers)}@example.org", role=role)


@pytest.fixture
def owner():
    return make_user("researcher")


@pytest.fixture
def job(owner):
    return Job.objects.create(kind="tests.sleep", title="Sleep well", created_by=owner)


def finish(job, state=Job.State.SUCCEEDED):
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=timezone.now(), progress=1.0)


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_a_job_are_for_its_starter_and_admins(client, owner, job, page):
    address = reverse(f"jobs:{page}", args=[job.pk])
    answers = {}
    for who, person in {
        "owner": owner,
        "admin": make_user("admin"),
        "other researcher": make_user("researcher"),
        "annotator": make_user("annotator"),
    }.items():
        client.force_login(person)
        answers[who] = client.get(address).status_code
    client.logout()
    answers["nobody"] = client.get(address).status_code

    assert answers == {"owner": 200, "admin": 200, "other researcher": 404, "annotator": 403, "nobody": 302}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("role", "answer"), [("researcher", 404), ("annotator", 403), (None, 302)])
def test_strangers_change_no_job(client, job, action, role, answer):
    if role:
        client.force_login(make_user(role))

    response = client.post(reverse(f"jobs:{action}", args=[job.pk]))

    assert response.status_code == answer
    job.refresh_from_db()
    assert (job.state, job.cancel_requested, job.fence) == (Job.State.QUEUED, False, 1)


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_changes_by_opening_an_address(client, owner, job, action):
    client.force_login(owner)

    assert client.get(reverse(f"jobs:{action}", args=[job.pk])).status_code == 405


def test_owner_cancels_and_the_audit_log_knows(client, owner, job):
    client.force_login(owner)

    client.post(reverse("jobs:cancel", args=[job.pk]))

    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert AuditEntry.objects.values_list("user", "action", "subject").get() == (
        owner.pk,
        "job.cancelled",
        "Sleep well",
    )


def test_owner_starts_a_failed_job_again(client, owner, job):
    finish(job, Job.State.FAILED)
    client.force_login(owner)

    client.post(reverse("jobs:retry", args=[job.pk]))

    job.refresh_from_db()
    assert (job.state, job.fence) == (Job.State.QUEUED, 2)


def test_list_shows_researchers_their_own_jobs_only(client, owner, job):
    Job.objects.create(kind="tests.sleep", title="Of another", created_by=make_user("researcher"))
    client.force_login(owner)

    page = client.get(reverse("jobs:list")).content.decode()

    assert ("Sleep well" in page, "Of another" in page) == (True, False)


def test_list_is_closed_to_annotators(client):
    client.force_login(make_user("annotator"))

    assert client.get(reverse("jobs:list")).status_code == 403


def test_list_filters_by_state_and_kind(client, owner, job):
    other = Job.objects.create(kind="tests.dream", title="Dream", created_by=owner)
    client.force_login(owner)

    by_kind = client.get(reverse("jobs:list"), {"kind": "tests.dream"}).context["page"].rows
    by_state = client.get(reverse("jobs:list"), {"state": "failed"}).context["page"].rows

    assert (by_kind, by_state) == ([other], [])


def test_list_without_jobs_says_what_will_stand_there(client, owner):
    client.force_login(owner)

    assert "No jobs yet" in client.get(reverse("jobs:list")).content.decode()


def test_list_pages_forth_and_back_through_equal_times_without_loss(client, owner):
    at = timezone.now()
    made = [Job.objects.create(kind="k", title=f"{n}", created_by=owner, created_at=at).pk for n in range(65)]
    client.force_login(owner)
    address, seen, sizes = reverse("jobs:list"), [], []

    page = client.get(address).context["page"]
    seen += page.rows
    sizes.append(page.shown)
    while page.next_url:
        page = client.get(address + page.next_url).context["page"]
        seen += page.rows
        sizes.append(page.shown)
    back = client.get(address + page.previous_url).context["page"].rows

    assert sizes == [30, 30, 5]
    assert sorted(job.pk for job in seen) == sorted(made)
    assert back == seen[30:60]


@pytest.mark.parametrize("key", ["x", "-1", "9" * 40, "00000000-0000-0000-0000-000000000000", "\x00"])
def test_list_with_a_nonsense_cursor_shows_the_first_page(client, owner, job, key):
    client.force_login(owner)

    assert client.get(reverse("jobs:list"), {"after": key}).context["page"].rows == [job]


def test_list_costs_the_same_queries_for_three_jobs_as_for_one(client, owner, job):
    client.force_login(owner)

    with CaptureQueriesContext(connection) as one:
        client.get(reverse("jobs:list"))
    for _ in range(2):
        Job.objects.create(kind="tests.sleep", title="More", created_by=owner)
    with CaptureQueriesContext(connection) as three:
        client.get(reverse("jobs:list"))

    assert len(three) == len(one)


def test_status_goes_on_while_the_job_does_and_ends_the_polling_with_it(client, owner, job):
    client.force_login(owner)
    address = reverse("jobs:status", args=[job.pk])

    before = client.get(address)
    finish(job)
    after = client.get(address)

    assert (before.status_code, "HX-Trigger" in before) == (200, False)
    assert after.status_code == 286
    assert json.loads(after["HX-Trigger"]) == {"job-finished": {"job": str(job.pk), "state": "succeeded"}}


def test_page_polls_only_while_the_job_goes_on(client, owner, job):
    client.force_login(owner)
    address, poll = reverse("jobs:detail", args=[job.pk]), f'hx-get="{reverse("jobs:status", args=[job.pk])}"'

    before = client.get(address).content.decode()
    finish(job)
    after = client.get(address).content.decode()

    assert (poll in before, poll in after) == (True, False)


def test_page_escapes_what_a_job_logged(client, owner, job):
    JobLogLine.objects.create(job=job, text="<script>alert(1)</script>")
    client.force_login(owner)

    page = client.get(reverse("jobs:detail", args=[job.pk])).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_page_shows_the_end_of_a_long_log_and_the_download_all_of_it(client, owner, job):
    JobLogLine.objects.bulk_create(JobLogLine(job=job, text=f"line {n}.") for n in range(300))
    client.force_login(owner)

    page = client.get(reverse("jobs:detail", args=[job.pk])).content.decode()
    download = client.get(reverse("jobs:log", args=[job.pk]))

    assert ("line 99." in page, "line 100." in page, "line 299." in page) == (False, True, True)
    assert len(download.getvalue().decode().splitlines()) == 300
    assert download["Content-Disposition"] == f'attachment; filename="job-{job.pk}.log"'


def test_metrics_answer_one_curve_in_the_order_of_its_steps(client, owner, job):
    for step, value in [(20, 0.5), (10, 0.7)]:
        JobMetric.objects.create(job=job, name="loss", step=step, value=value)
    JobMetric.objects.create(job=job, name="other", step=10, value=9.0)
    client.force_login(owner)

    curve = client.get(reverse("jobs:metrics", args=[job.pk]), {"name": "loss"}).json()

    assert curve["x"]["values"] == [10, 20]
    assert curve["series"] == [{"label": "loss", "values": [0.7, 0.5]}]


def test_a_long_curve_is_thinned_and_keeps_its_ends(client, owner, job):
    JobMetric.objects.bulk_create(JobMetric(job=job, name="loss", step=n, value=n) for n in range(5000))
    client.force_login(owner)

    steps = client.get(reverse("jobs:metrics", args=[job.pk]), {"name": "loss"}).json()["x"]["values"]

    assert (len(steps), steps[0], steps[1], steps[-1]) == (1668, 0, 3, 4999)


def test_artefact_is_downloaded_by_its_owner_and_nobody_else(client, owner, job):
    sha256 = artefacts.put_bytes(b"the file")
    kept = JobArtefact.objects.create(job=job, name='odd "name".txt', sha256=sha256, size_bytes=8)
    address = reverse("jobs:artefact", args=[job.pk, kept.pk])
    client.force_login(owner)

    own = client.get(address)
    client.force_login(make_user("researcher"))
    others = client.get(address)

    assert own.getvalue() == b"the file"
    assert own["Content-Disposition"] == 'attachment; filename="odd \\"name\\".txt"'
    assert others.status_code == 404


def test_artefact_of_another_job_is_not_found_under_ones_own(client, owner, job):
    others = Job.objects.create(kind="k", title="t", created_by=make_user("researcher"))
    kept = JobArtefact.objects.create(job=others, name="x", sha256=artefacts.put_bytes(b"x"), size_bytes=1)
    client.force_login(owner)

    assert client.get(reverse("jobs:artefact", args=[job.pk, kept.pk])).status_code == 404
