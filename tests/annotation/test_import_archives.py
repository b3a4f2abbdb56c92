"""An uploaded archive is not trusted: whatever is wrong with it is said, and nothing leaves its folder."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from annotation.services import ingest
from annotation.services.uploads import pack_manifest, unpack_archive
from earshot.formats.manifest import ManifestError, read_manifest
from tests.annotation.manifests import dialogue, turns, write_folder


@pytest.fixture
def target(tmp_path) -> Path:
    folder = tmp_path / "deep" / "inside" / "target"
    folder.mkdir(parents=True)
    return folder


def make_zip(path: Path, entries: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", options.pop("method", zipfile.ZIP_DEFLATED)) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


GOOD = {"scenarios.jsonl": b"{}\n", "dialogues.jsonl": b"", "audio/d1.wav": b"sound"}


def refusal(archive: Path, target: Path) -> str:
    with pytest.raises(ManifestError) as refused:
        unpack_archive(archive, target, name="sent.zip")
    return str(refused.value.problems[0])


def files_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_archive_is_unpacked_as_it_is(tmp_path, target):
    root = unpack_archive(make_zip(tmp_path / "a.zip", GOOD), target)

    assert root == target
    assert {name: (target / name).read_bytes() for name in files_under(target)} == GOOD


def test_one_top_folder_is_entered(tmp_path, target):
    archive = make_zip(tmp_path / "a.zip", {f"set-1/{name}": content for name, content in GOOD.items()})

    assert unpack_archive(archive, target) == target / "set-1"


def test_what_file_managers_add_is_left_out(tmp_path, target):
    extra = {"__MACOSX/._scenarios.jsonl": b"x", ".DS_Store": b"x", "audio/._d1.wav": b"x", "audio/Thumbs.db": b"x"}

    unpack_archive(make_zip(tmp_path / "a.zip", GOOD | extra), target)

    assert files_under(target) == set(GOOD)


@pytest.mark.parametrize(
    "name",
    ["../evil.wav", "audio/../../evil.wav", "/tmp/evil.wav", "..\\evil.wav", "C:/evil.wav", "a/b/../../../evil", "..",
     "x/" * 30 + "deep.wav", "n" * 300 + ".wav"],
)  # fmt: skip
def test_name_that_leads_out_is_refused_and_nothing_is_written(tmp_path, target, name):
    archive = make_zip(tmp_path / "a.zip", GOOD | {name: b"evil"})

    message = refusal(archive, target)

    assert "sent.zip" in message
    assert "leads out" in message or "too long or too deep" in message
    assert files_under(tmp_path) == {"a.zip"}


def test_link_in_an_archive_is_refused(tmp_path, target):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        link = zipfile.ZipInfo("audio/d1.wav")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")

    assert "'audio/d1.wav' is a link or a device" in refusal(archive, target)
    assert files_under(target) == set()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_said_so(tmp_path, target, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)

    assert "no complete .zip" in refusal(archive, target) or "cannot be read" in refusal(archive, target)


def test_truncated_zip_is_refused(tmp_path, target):
    whole = make_zip(tmp_path / "a.zip", GOOD).read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[: len(whole) // 2])

    assert "no complete .zip" in refusal(cut, target)


def test_damaged_entry_is_refused(tmp_path, target):
    archive = make_zip(tmp_path / "a.zip", GOOD | {"audio/d2.wav": b"sound" * 1000}, method=zipfile.ZIP_STORED)
    content = archive.read_bytes().replace(b"soundsound", b"soundSOUND", 1)
    archive.write_bytes(content)

    assert "no complete .zip" in refusal(archive, target)


def test_bomb_is_refused_by_its_table_of_contents(tmp_path, target, settings):
    settings.MAX_UPLOAD_BYTES = 10_000
    archive = make_zip(tmp_path / "a.zip", GOOD | {"bomb": bytes(50_000)})

    assert "Unpacked it has 0 MB or more" in refusal(archive, target)
    assert files_under(target) == set()


def test_bomb_that_lies_about_its_size_is_stopped_while_it_unpacks(tmp_path, target, settings):
    settings.MAX_UPLOAD_BYTES = 10_000
    archive = make_zip(tmp_path / "a.zip", {"bomb": bytes(5_000_000)})
    content = archive.read_bytes()
    archive.write_bytes(content.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 100)))

    assert "sent.zip" in refusal(archive, target)
    assert sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) <= 40_000


def test_too_many_files_are_refused(tmp_path, target, monkeypatch):
    monkeypatch.setattr("annotation.services.uploads.MOST_FILES", 3)
    archive = make_zip(tmp_path / "a.zip", {f"{n}": b"" for n in range(4)})

    assert "It holds 4 files; 3 are allowed." in refusal(archive, target)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_same_name_twice_is_refused(tmp_path, target):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("scenarios.jsonl", "one")
        packed.writestr("./scenarios.jsonl", "two")

    assert "'scenarios.jsonl' 2 times" in refusal(archive, target)


def test_file_where_a_folder_stands_is_refused(tmp_path, target):
    archive = make_zip(tmp_path / "a.zip", {"audio/d1.wav": b"", "audio": b""})

    assert "stands where another entry already is" in refusal(archive, target)


def test_encrypted_archive_is_refused(tmp_path, target):
    content = bytearray(make_zip(tmp_path / "a.zip", {"scenarios.jsonl": b"{}"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption, in the table of contents
    (tmp_path / "a.zip").write_bytes(content)

    assert "is encrypted" in refusal(tmp_path / "a.zip", target)


def test_other_ways_of_packing_are_refused(tmp_path, target):
    archive = make_zip(tmp_path / "a.zip", GOOD, method=zipfile.ZIP_LZMA)

    assert "packed by method 14" in refusal(archive, target)


@pytest.mark.parametrize("entries", [{}, {"readme.txt": b""}, {"a/b/scenarios.jsonl": b""}, {"a/x": b"", "b/y": b""}])
def test_archive_without_a_manifest_is_refused(tmp_path, target, entries):
    assert "neither scenarios.jsonl nor dialogues.jsonl" in refusal(make_zip(tmp_path / "a.zip", entries), target)


def test_full_disk_is_said_before_anything_is_written(tmp_path, target, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 3})())

    assert "only 0 MB are free" in refusal(make_zip(tmp_path / "a.zip", GOOD), target)
    assert files_under(target) == set()


def test_packing_gives_the_same_bytes_on_another_day(tmp_path):
    import os

    folder = write_folder(tmp_path / "m", [dialogue("d1"), dialogue("d2")])
    pack_manifest(read_manifest(folder), tmp_path / "one.zip")
    for path in folder.rglob("*"):
        os.utime(path, (10**9, 10**9))
    pack_manifest(read_manifest(folder), tmp_path / "two.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_packing_takes_only_what_the_manifest_names(tmp_path, target):
    spoken = [turn | {"audio": f"audio/./t{n}.wav"} for n, turn in enumerate(turns(2))]
    by_turn = dialogue("d2", turns=spoken)
    del by_turn["audio"]
    folder = write_folder(tmp_path / "m", [dialogue("d1"), by_turn])
    (folder / "audio" / "private.wav").write_bytes(b"not theirs")
    (folder / "notes.txt").write_text("not theirs")

    pack_manifest(read_manifest(folder), tmp_path / "a.zip")
    root = unpack_archive(tmp_path / "a.zip", target)

    names = {"scenarios.jsonl", "dialogues.jsonl", "audio/d1.wav", "audio/t0.wav", "audio/t1.wav"}
    assert files_under(root) == names
    assert read_manifest(root).dialogues == read_manifest(folder).dialogues


def test_link_out_of_the_folder_is_refused_before_packing(tmp_path):
    folder = write_folder(tmp_path / "m")
    secret = tmp_path / "secret.wav"
    secret.write_bytes((folder / "audio/d1.wav").read_bytes())
    (folder / "audio/d1.wav").unlink()
    (folder / "audio/d1.wav").symlink_to(secret)

    with pytest.raises(ManifestError, match="link out of the manifest's folder"):
        read_manifest(folder)


@pytest.mark.django_db
def test_dots_in_an_audio_path_are_refused(tmp_path):
    folder = write_folder(tmp_path / "m", [dialogue("d1", audio="../d1.wav")])

    with pytest.raises(ManifestError, match=r"dialogues.jsonl, line 1, audio: '../d1.wav' leads out"):
        ingest.check_folder(folder)


def test_every_shortened_archive_is_refused_in_words(tmp_path, target):
    buffer = io.BytesIO(make_zip(tmp_path / "a.zip", GOOD).read_bytes()).getvalue()
    cut = tmp_path / "cut.zip"
    for length in range(0, len(buffer), 7):
        cut.write_bytes(buffer[:length])
        assert refusal(cut, target).startswith("sent.zip: It")
