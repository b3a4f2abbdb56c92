"""manage.py import_dialogues: checks at once, follows the job, says what came of it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Dialogue, DialogueImport
from earshot.accounts.models import Role, User
from earshot.jobs.models import Job
from tests.annotation.manifests import dialogue, scenario, write_folder

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def call(*arguments) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("import_dialogues", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refused(*arguments) -> tuple[str, str]:
    err = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("import_dialogues", *map(str, arguments), stdout=StringIO(), stderr=err)
    return str(refusal.value), err.getvalue()


def test_import_here_needs_no_worker(tmp_path):
    out, _ = call(write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")]), "--here")

    assert out.splitlines() == [
        "The manifest is well formed: 1 scenario, 2 dialogues.",
        "Imported: 2 dialogues new, 0 known already.",
    ]
    assert Job.objects.get().state == Job.State.SUCCEEDED


def test_same_folder_again_is_known_already(tmp_path):
    folder = write_folder(tmp_path / "m")
    call(folder, "--here")

    out, _ = call(folder, "--here")

    assert out.splitlines()[1] == "Imported: 0 dialogues new, 1 known already."
    assert DialogueImport.objects.values_list("archive_sha256").distinct().count() == 1


def test_bad_lines_are_listed_with_remedies_and_nothing_is_written(tmp_path):
    bad = [dialogue("d1", scenario_id="s9"), dialogue("d2", audio="../x.wav"), dialogue("d3", system="")]

    message, listed = refused(write_folder(tmp_path / "m", bad))

    assert message == "3 problems; nothing was imported."
    lines = listed.splitlines()
    assert [line.split()[0] for line in lines[::2]] == [f"dialogues.jsonl:{n}" for n in (1, 2, 3)]
    assert "There is no scenario 's9'." in lines[0]
    assert lines[1].strip() == "→ Add it to scenarios.jsonl."
    assert (DialogueImport.objects.count(), Job.objects.count()) == (0, 0)


def test_folder_that_is_not_there_is_said_so(tmp_path):
    message, listed = refused(tmp_path / "nowhere", "--here")

    assert message.endswith("nothing was imported.")
    assert "scenarios.jsonl" in listed


def test_many_problems_are_listed_up_to_a_hundred(tmp_path):
    message, listed = refused(write_folder(tmp_path / "m", [dialogue(f"d{n}", scenario_id="s9") for n in range(150)]))

    assert message == "150 problems; nothing was imported."
    assert listed.splitlines()[-1] == "… and 50 more."


def test_bad_sound_ends_with_its_line(tmp_path):
    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])
    (folder / "audio/d2.wav").write_text("text")

    message, listed = refused(folder, "--here")

    assert message == "1 problem; nothing was imported."
    assert listed.startswith("dialogues.jsonl:2  audio  d2: The file is no sound file")
    assert Dialogue.objects.count() == 0


def test_check_writes_nothing(tmp_path):
    out, _ = call(write_folder(tmp_path / "m"), "--check")

    assert out.strip() == "The manifest is well formed: 1 scenario, 1 dialogue."
    assert DialogueImport.objects.count() == 0


def test_no_wait_leaves_a_job_for_a_worker(tmp_path):
    out, _ = call(write_folder(tmp_path / "m"), "--no-wait")

    job = Job.objects.get()
    assert (job.kind, job.state, job.arguments) == (
        "annotation.import_dialogues",
        Job.State.QUEUED,
        {"import": DialogueImport.objects.get().pk},
    )
    assert f"waits for a worker (job {job.pk})" in out


def test_job_carries_a_hash_and_no_path(tmp_path):
    call(write_folder(tmp_path / "m"), "--no-wait")

    assert str(tmp_path) not in str(Job.objects.get().arguments)
    assert len(DialogueImport.objects.get().archive_sha256) == 64


def test_importer_is_named(tmp_path):
    researcher = User.objects.create_user("rita@lab.example", role=Role.RESEARCHER)

    call(write_folder(tmp_path / "m"), "--here", "--by", "Rita@lab.example")

    assert DialogueImport.objects.get().created_by == researcher
    assert Job.objects.get().created_by == researcher


@pytest.mark.parametrize("address", ["nobody@lab.example", "anna@lab.example"])
def test_annotator_or_stranger_cannot_be_the_importer(tmp_path, address):
    User.objects.create_user("anna@lab.example", role=Role.ANNOTATOR)

    message, _ = refused(write_folder(tmp_path / "m"), "--here", "--by", address)

    assert message.startswith(f"No researcher or admin has the address {address!r}.")
    assert DialogueImport.objects.count() == 0


def test_manifest_of_scenarios_alone_is_imported(tmp_path):
    out, _ = call(write_folder(tmp_path / "m", [], [scenario("s1"), scenario("s2")]), "--here")

    assert out.splitlines()[1] == "Imported: 0 dialogues new, 0 known already."


def test_if_new_leaves_a_known_folder_without_another_import(tmp_path):
    call(write_folder(tmp_path / "one", [dialogue("d1")]), "--here", "--if-new")

    out, _ = call(tmp_path / "one", "--here", "--if-new")
    assert out.splitlines()[1] == "The catalogue has all of them already."
    assert (DialogueImport.objects.count(), Job.objects.count()) == (1, 1)

    call(write_folder(tmp_path / "two", [dialogue("d1"), dialogue("d2")]), "--here", "--if-new")
    assert (DialogueImport.objects.count(), Dialogue.objects.count()) == (2, 2)
