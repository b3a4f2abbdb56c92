"""The pages by which dialogues come in: researchers and admins only; an upload is checked, kept and handed to a job."""

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from annotation.models import Dialogue, DialogueImport
from annotation.services import ingest
from annotation.services.uploads import pack_manifest
from earshot.accounts.models import AuditEntry, Role, User
from earshot.formats.manifest import read_manifest
from earshot.jobs import artefacts
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from tests.annotation.manifests import dialogue, write_folder

pytestmark = [pytest.mark.database, pytest.mark.django_db]


@pytest.fixture
def researcher(client) -> User:
    user = User.objects.create_user("rita@lab.example", role=Role.RESEARCHER)
    client.force_login(user)
    return user


def archive_of(folder) -> bytes:
    path = folder.parent / "sent.zip"
    pack_manifest(read_manifest(folder), path)
    return path.read_bytes()


def upload(client, content: bytes, name: str = "set one.zip", **headers):
    file = SimpleUploadedFile(name, content, content_type="application/zip")
    return client.post(reverse("annotation:new_import"), {"archive": file}, headers=headers)


def run_job(dialogue_import: DialogueImport) -> None:
    job = Job.objects.get(pk=dialogue_import.job_id)
    with jobs.running(job.pk, job.fence) as held:
        ingest.run_import(held)


def make_import(name: str = "set") -> DialogueImport:
    job = Job.objects.create(kind="annotation.import_dialogues", title=name)
    return DialogueImport.objects.create(name=name, archive_sha256="0" * 64, job=job)


def addresses() -> list[str]:
    return [
        reverse("annotation:imports"),
        reverse("annotation:new_import"),
        reverse("annotation:import", args=[make_import().pk]),
    ]


def test_strangers_are_asked_to_sign_in(client):
    for address in addresses():
        for method in (client.get, client.post):
            response = method(address)
            assert response.status_code in (302, 405), address
            assert response.status_code == 405 or response["Location"].startswith(reverse("account_login"))


def test_annotators_are_turned_away_and_their_upload_is_not_kept(client, tmp_path):
    client.force_login(User.objects.create_user("anna@lab.example", role=Role.ANNOTATOR))

    for address in addresses():
        assert client.get(address).status_code == 403
    before = DialogueImport.objects.count()
    assert upload(client, archive_of(write_folder(tmp_path / "m"))).status_code == 403
    assert DialogueImport.objects.count() == before


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.ADMIN])
def test_researchers_and_admins_see_the_pages(client, role):
    client.force_login(User.objects.create_user("someone@lab.example", role=role))

    assert [client.get(address).status_code for address in addresses()] == [200, 200, 200]


def test_upload_is_kept_by_its_hash_and_handed_to_a_job(client, researcher, tmp_path):
    content = archive_of(write_folder(tmp_path / "m"))

    response = upload(client, content)

    dialogue_import = DialogueImport.objects.get()
    assert response["Location"] == reverse("annotation:import", args=[dialogue_import.pk])
    assert (dialogue_import.name, dialogue_import.size_bytes) == ("set one", len(content))
    with artefacts.open_artefact(dialogue_import.archive_sha256) as kept:
        assert kept.read() == content
    job = Job.objects.get()
    assert (job.kind, job.arguments) == ("annotation.import_dialogues", {"import": dialogue_import.pk})
    assert job.created_by == dialogue_import.created_by == researcher
    assert AuditEntry.objects.get(action="dialogues.import_started").user == researcher


def test_upload_becomes_dialogues_and_its_page_lists_them(client, researcher, tmp_path):
    upload(client, archive_of(write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])))
    dialogue_import = DialogueImport.objects.get()

    run_job(dialogue_import)

    page = client.get(reverse("annotation:import", args=[dialogue_import.pk])).content.decode()
    assert Dialogue.objects.count() == 2
    for row in Dialogue.objects.all():
        assert reverse("annotation:dialogue", args=[row.pk]) in page
    assert "hx-trigger" not in page  # it has ended: nothing asks again


def test_problems_stand_on_the_page_with_line_and_remedy(client, researcher, tmp_path):
    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])
    content = archive_of(folder)
    bad = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(bad, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry, data.replace(b'"s1"', b'"s9"', 2) if entry.filename == "dialogues.jsonl" else data)
    upload(client, bad.getvalue())
    dialogue_import = DialogueImport.objects.get()

    run_job(dialogue_import)

    page = client.get(reverse("annotation:import", args=[dialogue_import.pk])).content.decode()
    assert "Nothing was imported." in page
    assert page.count("There is no scenario &#x27;s9&#x27;.") == 2
    assert page.count("Add it to scenarios.jsonl.") == 2
    assert 'data-label="Line" class="num">1<' in page
    assert 'data-label="Line" class="num">2<' in page
    assert Dialogue.objects.count() == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no zip", "It is no complete .zip file"),
        (b"PK\x05\x06" + bytes(18), "neither scenarios.jsonl nor dialogues.jsonl"),
    ],
)
def test_what_is_no_manifest_is_said_on_the_page(client, researcher, content, words):
    upload(client, content)
    dialogue_import = DialogueImport.objects.get()

    run_job(dialogue_import)

    assert words in client.get(reverse("annotation:import", args=[dialogue_import.pk])).content.decode()
    assert dialogue_import.__class__.objects.get().problems[0]["file"] == "set one"


def test_page_of_a_waiting_import_asks_again(client, researcher):
    page = client.get(reverse("annotation:import", args=[make_import().pk])).content.decode()

    assert 'hx-trigger="every 2s"' in page


def test_progress_of_ones_own_job_is_live_and_of_anothers_only_shown(client, researcher):
    mine, anothers = make_import("mine"), make_import("another's")
    Job.objects.filter(pk=mine.job_id).update(created_by=researcher)

    pages = [client.get(reverse("annotation:import", args=[row.pk])).content.decode() for row in (mine, anothers)]

    assert reverse("jobs:progress", args=[mine.job_id]) in pages[0]
    assert reverse("jobs:progress", args=[anothers.job_id]) not in pages[1]
    assert "0 of 100 %" in pages[1]


def test_asking_again_gives_the_outcome_alone(client, researcher):
    response = client.get(reverse("annotation:import", args=[make_import().pk]), headers={"HX-Request": "true"})

    assert response.content.decode().lstrip().startswith('<section id="outcome"')


@pytest.mark.parametrize("data", [{}, {"archive": "text, no file"}])
def test_form_without_a_file_says_what_is_missing(client, researcher, data):
    response = client.post(reverse("annotation:new_import"), data)

    assert response.status_code == 422
    assert "Choose the .zip file of a manifest folder." in response.content.decode()
    assert DialogueImport.objects.count() == 0


def test_empty_file_is_refused(client, researcher):
    response = upload(client, b"")

    assert response.status_code == 422
    assert DialogueImport.objects.count() == 0


def test_upload_over_the_limit_is_refused_without_being_kept(client, researcher, settings, monkeypatch):
    settings.MAX_UPLOAD_BYTES = 1000
    opened = []
    monkeypatch.setattr(
        "django.core.files.uploadhandler.TemporaryUploadedFile", lambda *args, **kwargs: opened.append(args)
    )

    response = upload(client, bytes(200_000))

    assert response.status_code == 422
    page = response.content.decode()
    assert "The file has" in page
    assert "1000\xa0bytes are allowed" in page
    assert opened == []
    assert DialogueImport.objects.count() == 0


def test_upload_a_little_over_the_limit_is_refused_too(client, researcher, settings):
    settings.MAX_UPLOAD_BYTES = 1000

    response = upload(client, bytes(1001))

    assert response.status_code == 422
    assert "1001\xa0bytes" in response.content.decode().replace("1,001", "1001")
    assert DialogueImport.objects.count() == 0


def test_upload_from_another_site_is_refused(researcher, tmp_path):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(researcher)

    response = upload(strict, archive_of(write_folder(tmp_path / "m")))

    assert response.status_code == 403
    assert DialogueImport.objects.count() == 0


def test_upload_by_script_is_told_where_to_go(client, researcher, tmp_path):
    response = upload(client, archive_of(write_folder(tmp_path / "m")), **{"HX-Request": "true"})

    assert response.status_code == 204
    assert response["HX-Redirect"] == reverse("annotation:import", args=[DialogueImport.objects.get().pk])


def test_refused_upload_by_script_gets_the_form_alone(client, researcher):
    response = upload(client, b"", **{"HX-Request": "true"})

    assert response.status_code == 422
    assert "<html" not in response.content.decode()


def test_name_of_an_upload_is_only_a_name(client, researcher, tmp_path):
    upload(client, archive_of(write_folder(tmp_path / "m")), name="../../etc/<b>passwd</b>.zip")

    page = client.get(reverse("annotation:imports")).content.decode()
    assert "<b>" not in page
    assert "/etc" not in DialogueImport.objects.get().name


def test_list_pages_by_cursor(client, researcher):
    for number in range(35):
        make_import(f"set {number:02}")

    first = client.get(reverse("annotation:imports"))
    second = client.get(reverse("annotation:imports") + first.context["page"].next_url)
    back = client.get(reverse("annotation:imports") + second.context["page"].previous_url)

    names = [row.name for row in first.context["page"].rows]
    assert names == [f"set {number:02}" for number in range(34, 4, -1)]
    assert [row.name for row in second.context["page"].rows] == [f"set {number:02}" for number in range(4, -1, -1)]
    assert second.context["page"].next_url == ""
    assert [row.name for row in back.context["page"].rows] == names
    assert first.context["page"].previous_url == ""


@pytest.mark.parametrize("cursor", ["?before=x", "?after=-1", "?before=" + "9" * 40, "?before=&after=", "?before=٣"])
def test_cursor_that_is_no_number_shows_the_newest(client, researcher, cursor):
    newest = make_import()

    response = client.get(reverse("annotation:imports") + cursor)

    assert response.context["page"].rows == [newest]


def test_list_costs_the_same_for_1_and_3_rows(client, researcher, django_assert_num_queries):
    make_import()
    with django_assert_num_queries(3):  # session, user, rows
        client.get(reverse("annotation:imports"))
    make_import()
    make_import()
    with django_assert_num_queries(3):
        client.get(reverse("annotation:imports"))
