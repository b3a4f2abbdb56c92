"""Dialogues in, by hand: an archive is uploaded, a real worker imports it, its dialogue plays and seeks."""

import pytest
from django.urls import reverse

from annotation.models import Dialogue, DialogueImport
from annotation.services import ingest
from annotation.services.uploads import pack_manifest
from annotation.views.sound import LONGEST_ANSWER_BYTES
from earshot.accounts.models import Role, User
from earshot.formats.manifest import read_manifest
from earshot.jobs import services as jobs
from tests.annotation.manifests import dialogue, write_folder
from tests.browser.axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def signed_in_page(page_of):
    """A page on which a researcher is signed in: `page = signed_in_page(width=360)`."""
    return lambda **options: page_of(User.objects.create_user("rita@lab.example", role=Role.RESEARCHER), **options)


def archive(folder):
    path = folder.parent / "set.zip"
    pack_manifest(read_manifest(folder), path)
    return path


def bring_in(folder) -> Dialogue:
    dialogue_import = ingest.store_folder_import(ingest.check_folder(folder))
    with jobs.running(dialogue_import.job_id, 1) as held:
        ingest.run_import(held)
    return Dialogue.objects.latest("pk")


def test_uploaded_archive_becomes_dialogues_while_the_page_looks_on(signed_in_page, start_worker, tmp_path):
    path = archive(write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")]))
    start_worker()
    page = signed_in_page()

    page.goto(reverse("annotation:new_import"))
    page.set_input_files("input[type=file]", str(path))
    page.get_by_role("button", name="Import").click()

    page.get_by_role("heading", name="New dialogues").wait_for(timeout=30_000)
    assert page.url.endswith(reverse("annotation:import", args=[DialogueImport.objects.get().pk]))
    assert page.get_by_role("link", name="d2").count() == 1
    assert Dialogue.objects.count() == 2


def test_upload_works_without_script(signed_in_page, tmp_path):
    path = archive(write_folder(tmp_path / "m"))
    page = signed_in_page(java_script_enabled=False)

    page.goto(reverse("annotation:new_import"))
    page.set_input_files("input[type=file]", str(path))
    page.get_by_role("button", name="Import").click()

    page.get_by_role("heading", name="set").wait_for()
    assert DialogueImport.objects.get().size_bytes == path.stat().st_size


def test_too_large_a_file_is_refused_before_it_is_sent(signed_in_page, tmp_path, settings):
    settings.MAX_UPLOAD_BYTES = 1000
    path = tmp_path / "large.zip"
    path.write_bytes(bytes(2000))
    page = signed_in_page()

    page.goto(reverse("annotation:new_import"))
    page.set_input_files("input[type=file]", str(path))
    page.get_by_role("button", name="Import").click()

    assert "are allowed" in page.locator("input[type=file]").evaluate("input => input.validationMessage")
    assert page.url.endswith(reverse("annotation:new_import"))
    assert DialogueImport.objects.count() == 0


def test_dialogue_plays_and_seeks_exactly_by_key_and_by_click(signed_in_page, tmp_path):
    row = bring_in(write_folder(tmp_path / "m", seconds=60))
    page = signed_in_page()
    ranges = []
    page.on("response", lambda answer: "sound" in answer.url and ranges.append(answer.status))
    now = "document.querySelector('audio').currentTime"

    page.goto(reverse("annotation:dialogue", args=[row.pk]))
    page.wait_for_function("() => document.querySelector('audio').readyState >= 1")
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(60.0, abs=0.01)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(now) == 5.0
    page.keyboard.press("ArrowDown")
    assert page.evaluate(now) == pytest.approx(row.turns.filter(start__gt=5.0).first().start, abs=0.01)
    canvas = page.locator("canvas.lanes")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
    assert page.evaluate(now) == pytest.approx(60.0, abs=0.5)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.wait_for_function(f"() => {now} > 56")
    page.keyboard.press("Space")

    assert page.evaluate("document.querySelector('audio').paused") is True
    assert set(ranges) == {206}


def test_sound_that_comes_in_pieces_plays_without_a_gap(signed_in_page, tmp_path):
    row = bring_in(write_folder(tmp_path / "m", seconds=60))
    page = signed_in_page()
    answers = []
    page.on("response", lambda answer: "sound" in answer.url and answers.append(answer.headers.get("content-range")))
    page.goto(reverse("annotation:dialogue", args=[row.pk]))
    page.wait_for_function("() => document.querySelector('audio').readyState >= 3")
    first_piece_ends = LONGEST_ANSWER_BYTES / 48_000  # seconds

    page.evaluate(
        """from => {
            const audio = document.querySelector('audio');
            audio.currentTime = from;
            window.gaps = [];
            const note = () => window.gaps.push(audio.currentTime);
            audio.addEventListener('playing', () => audio.addEventListener('waiting', note), { once: true });
            return audio.play();
        }""",
        first_piece_ends - 1.5,
    )
    page.wait_for_function("end => document.querySelector('audio').currentTime > end", arg=first_piece_ends + 1.5)

    assert len(set(answers)) > 1
    assert page.evaluate("() => window.gaps") == []


@pytest.mark.parametrize("width", [1440, 360])
def test_pages_of_the_catalogue_fit_and_pass_axe(signed_in_page, tmp_path, width):
    row = bring_in(write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2", system="a-very-long-system-name" * 4)]))
    page = signed_in_page(width=width)

    for address in (
        reverse("annotation:dialogues"),
        reverse("annotation:dialogue", args=[row.pk]),
        reverse("annotation:imports"),
        reverse("annotation:new_import"),
        reverse("annotation:import", args=[row.source_id]),
        reverse("annotation:systems"),
    ):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        assert violations(page) == [], address
