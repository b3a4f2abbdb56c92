import io
import zipfile

import pytest
from django.urls import reverse

from annotation.models import Membership, Snapshot
from annotation.services.snapshots import SnapshotFilter
from annotation.views.sound import LONGEST_ANSWER_BYTES
from earshot.accounts.models import AuditEntry
from earshot.jobs.artefacts import put_bytes
from earshot.jobs.models import Job
from tests.annotation.judged import LONG_AGO, make_judged_study, make_snapshot, run
from tests.factories import NOW, join, make_study, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def study():
    return make_judged_study(at=LONG_AGO, title="Pilot")


@pytest.fixture
def researcher(client, study):
    """Signed in, and a researcher of the study."""
    user = join(study, make_user("researcher"), Membership.Role.RESEARCHER)
    client.force_login(user)
    return user


def ask(client, study, **answers):
    form = {"name": "first", "quality": ["pass", "unknown"], "dimensions": ["prosody", "overall"], **answers}
    return client.post(reverse("annotation:snapshot_new", args=[study.pk]), form)


def test_a_researcher_makes_a_snapshot_follows_its_job_and_finds_it(client, study, researcher):
    answer = ask(client, study)
    job = Job.objects.get()
    making = reverse("annotation:snapshot_job", args=[study.pk, job.pk])
    assert (answer.status_code, answer.url) == (302, making)
    assert b"Waiting for a worker" in client.get(making).content

    run(job)

    snapshot = Snapshot.objects.get()
    assert client.get(making).url == reverse("annotation:snapshot", args=[snapshot.pk])
    polled = client.get(making, headers={"HX-Request": "true"})
    assert (polled.status_code, polled.headers["HX-Redirect"]) == (
        204,
        reverse("annotation:snapshot", args=[snapshot.pk]),
    )
    assert snapshot.created_by == researcher
    assert snapshot.filter["dimensions"] == ["prosody", "overall"]
    page = client.get(reverse("annotation:snapshot", args=[snapshot.pk])).content.decode()
    assert snapshot.content_id in page
    assert "Krippendorff" in page
    assert "judgments.parquet" in page


def test_asked_again_under_another_name_the_same_judgments_lead_to_the_snapshot_there_is(client, study, researcher):
    ask(client, study, name="first")
    run(Job.objects.get())
    ask(client, study, name="second")
    again = run(Job.objects.latest("created_at"))

    page = client.get(reverse("annotation:snapshot_job", args=[study.pk, again.pk]), follow=True).content.decode()

    assert "The same judgments under the same filter are the same snapshot: first, made before." in page
    assert Snapshot.objects.count() == 1


def test_a_failed_job_says_why_and_offers_another_filter(client, study, researcher):
    ask(client, study, quality=["fail"])
    job = run(Job.objects.get())

    page = client.get(reverse("annotation:snapshot_job", args=[study.pk, job.pk])).content.decode()

    assert "The filter keeps no judgment of study &#x27;Pilot&#x27;: 4 quality unknown." in page
    assert "Change the filter" in page


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"quality": []}, "This field is required"),
        ({"dimensions": ["taste"]}, "taste is not one of the available choices"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "The last day comes before the first"),
        ({"name": " \t "}, "This field is required"),
    ],
)
def test_a_wrong_form_comes_back_with_the_reason(client, study, researcher, answers, message):
    answer = ask(client, study, **answers)

    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert Job.objects.count() == 0


def test_a_study_without_judgments_shows_what_to_wait_for(client, study, researcher):
    empty = make_study(researcher=researcher)

    assert b"No judgments yet" in client.get(reverse("annotation:snapshot_new", args=[empty.pk])).content
    refused = ask(client, empty)
    assert (refused.status_code, Job.objects.count()) == (422, 0)
    assert b"No judgments yet" in refused.content


def test_the_form_leaves_raters_out_by_pseudonym(client, study, researcher):
    page = client.get(reverse("annotation:snapshot_new", args=[study.pk]))
    pseudonym, name = page.context["form"].fields["excluded_raters"].choices[0]

    ask(client, study, excluded_raters=[pseudonym])

    assert name not in str(Job.objects.get().arguments)
    assert Job.objects.get().arguments["filter"]["excluded_raters"] == [pseudonym]


def test_download_is_the_whole_archive_and_any_part_of_it(client, study, researcher):
    snapshot = make_snapshot(study, name="Pilot: week 1")
    address = reverse("annotation:snapshot_download", args=[snapshot.pk])

    whole = client.get(address)
    content = whole.getvalue()
    part = client.get(address, headers={"Range": "bytes=10-19"})

    assert (whole.status_code, len(content)) == (200, snapshot.size_bytes)
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert whole.headers["Content-Disposition"] == (
        f'attachment; filename="pilot-week-1-{snapshot.content_id[:12]}.zip"'
    )
    assert (part.status_code, part.getvalue()) == (206, content[10:20])
    assert list(AuditEntry.objects.filter(action="snapshot.downloaded").values_list("user", flat=True)) == [
        researcher.pk,  # the whole
        researcher.pk,  # a part may be all but one byte: no range is a way around the audit log
    ]


def test_a_download_that_goes_on_after_a_break_gets_all_the_rest(client, study, researcher):
    content = bytes(LONGEST_ANSWER_BYTES + 1000)
    snapshot = Snapshot.objects.create(
        study=study, name="big", content_id="0" * 64, archive_sha256=put_bytes(content), size_bytes=len(content)
    )
    address = reverse("annotation:snapshot_download", args=[snapshot.pk])

    rest = client.get(address, headers={"Range": "bytes=10-"})

    assert (rest.status_code, len(rest.getvalue())) == (206, len(content) - 10)


def test_the_list_shows_only_snapshots_of_ones_own_studies(client, study, researcher):
    mine = make_snapshot(study, name="mine")
    make_snapshot(make_judged_study(), name="of others")

    page = client.get(reverse("annotation:snapshots"))

    assert page.context["page"].rows == [mine]
    assert b"of others" not in page.content


def test_the_list_costs_the_same_queries_for_1_and_3_snapshots(client, study, researcher, django_assert_num_queries):
    make_snapshot(study, name="one")
    client.get(reverse("annotation:snapshots"))
    with django_assert_num_queries(3) as one:
        client.get(reverse("annotation:snapshots"))
    for key in ("prosody", "immersion"):
        make_snapshot(study, name=key, filter=SnapshotFilter(dimensions=(key, "overall")))
    with django_assert_num_queries(len(one)):
        client.get(reverse("annotation:snapshots"))


def addresses(study, snapshot, job):
    return [
        reverse("annotation:snapshot_new", args=[study.pk]),
        reverse("annotation:snapshot_job", args=[study.pk, job.pk]),
        reverse("annotation:snapshot", args=[snapshot.pk]),
        reverse("annotation:snapshot_download", args=[snapshot.pk]),
    ]


def test_strangers_get_in_nowhere(client, study):
    snapshot = make_snapshot(study)
    job = Job.objects.get()
    pages = addresses(study, snapshot, job)

    assert {client.get(page).status_code for page in pages} == {302}  # to the sign-in
    client.force_login(join(study, make_user("researcher"), Membership.Role.ANNOTATOR))
    assert [client.get(page).status_code for page in pages] == [404] * 4  # a researcher, but not of this study
    assert ask(client, study).status_code == 404
    client.force_login(join(study))
    assert [client.get(page).status_code for page in pages] == [403] * 4  # one of its annotators
    assert client.get(reverse("annotation:snapshots")).status_code == 403
    assert Job.objects.count() == 1


def test_a_job_of_another_study_is_not_shown_under_ones_own(client, study, researcher):
    other = make_judged_study(at=LONG_AGO)
    make_snapshot(other)
    job = Job.objects.get()

    assert client.get(reverse("annotation:snapshot_job", args=[study.pk, job.pk])).status_code == 404


def test_an_admin_sees_every_snapshot(client, study):
    snapshot = make_snapshot(study, at=NOW)
    client.force_login(make_user("admin"))

    assert [client.get(page).status_code for page in addresses(study, snapshot, Job.objects.get())] == [
        200,
        302,
        200,
        200,
    ]


def test_the_list_of_one_study_shows_only_its_snapshots_and_nothing_of_a_stranger_s(client, study, researcher):
    ask(client, study)
    run(Job.objects.get())
    empty_study = make_judged_study(at=LONG_AGO, title="Other")
    join(empty_study, researcher, Membership.Role.RESEARCHER)
    mine = client.get(reverse("annotation:snapshots"), {"study": study.pk}).content.decode()

    assert f"Snapshots of {study}" in mine
    assert ">first<" in mine
    assert ">first<" not in client.get(reverse("annotation:snapshots"), {"study": empty_study.pk}).content.decode()
    client.force_login(make_user("researcher"))
    assert client.get(reverse("annotation:snapshots"), {"study": study.pk}).status_code == 404


def test_the_archive_is_not_among_the_files_of_its_job(client, study, researcher):
    ask(client, study)

    job = run(Job.objects.get())

    assert not job.artefacts.exists()
