"""Sounds by link: only from allowed hosts, never from inside our own network, never more than the limit."""

import http.client
import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from annotation.models import Dialogue, DialogueImport
from annotation.services import ingest
from annotation.services.ingest import fetching
from annotation.services.ingest.fetching import FetchError, fetch_sound, public_address
from earshot.formats.manifest import ManifestError
from earshot.jobs import services as jobs
from tests.annotation.manifests import dialogue, write_folder

HOST = "media.example.org"
LINK = f"https://{HOST}/d1.wav"
SOUND = b"sound" * 1000


class Outside(BaseHTTPRequestHandler):
    """A host on the internet: what it answers at which path."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    def do_GET(self) -> None:
        status, headers, body = self.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def outside(monkeypatch):
    """Answers by path; the connection goes to a server of the test instead of port 443 of the host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(
        fetching, "connect", lambda host: http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    )
    monkeypatch.setattr(Outside, "answers", {})
    yield Outside.answers
    server.shutdown()
    server.server_close()


def fetch(link: str, target, *, hosts=(HOST,), most_bytes: int = 100_000) -> bytes:
    fetch_sound(link, target / "sound", allowed_hosts=hosts, most_bytes=most_bytes)
    return (target / "sound").read_bytes()


def test_sound_of_an_allowed_host_is_fetched(outside, tmp_path):
    outside["/d1.wav"] = (200, {}, SOUND)

    assert fetch(LINK, tmp_path) == SOUND


def test_query_of_a_link_is_sent(outside, tmp_path):
    outside["/d1.wav?version=2"] = (200, {}, SOUND)

    assert fetch(f"{LINK}?version=2", tmp_path) == SOUND


@pytest.mark.parametrize("hosts", [(), ("example.org",), ("evil.org",), ("s3://media.example.org",)])
def test_other_hosts_are_refused(outside, tmp_path, hosts):
    with pytest.raises(FetchError, match="not an allowed host"):
        fetch(LINK, tmp_path, hosts=hosts)


def test_redirect_within_the_allowed_hosts_is_followed(outside, tmp_path):
    outside["/d1.wav"] = (302, {"Location": "/real/d1.wav"}, b"")
    outside["/real/d1.wav"] = (200, {}, SOUND)

    assert fetch(LINK, tmp_path) == SOUND


@pytest.mark.parametrize(
    "location",
    ["https://evil.org/d1.wav", "http://media.example.org/d1.wav", "https://127.0.0.1/d1.wav", "file:///etc/passwd",
     "//evil.org/x"],
)  # fmt: skip
def test_redirect_to_elsewhere_is_refused(outside, tmp_path, location):
    outside["/d1.wav"] = (302, {"Location": location}, b"")

    with pytest.raises(FetchError, match="not an allowed host"):
        fetch(LINK, tmp_path)


def test_endless_redirects_are_given_up(outside, tmp_path):
    outside["/d1.wav"] = (302, {"Location": "/d1.wav"}, b"")

    with pytest.raises(FetchError, match="redirected more than 3 times"):
        fetch(LINK, tmp_path)


@pytest.mark.parametrize("status", [204, 401, 403, 404, 500])
def test_any_other_answer_is_named(outside, tmp_path, status):
    outside["/d1.wav"] = (status, {}, b"")

    with pytest.raises(FetchError, match=f"answered {status}"):
        fetch(LINK, tmp_path)


def test_more_than_the_limit_is_refused(outside, tmp_path):
    outside["/d1.wav"] = (200, {}, SOUND)

    with pytest.raises(FetchError, match="more than 4999 bytes"):
        fetch(LINK, tmp_path, most_bytes=4999)


def test_less_than_promised_is_refused(outside, tmp_path):
    outside["/d1.wav"] = (200, {"Content-Length": "9000"}, SOUND)

    with pytest.raises(FetchError, match="promised 9000 bytes but sent 5000"):
        fetch(LINK, tmp_path)


def test_host_that_does_not_answer_is_named(monkeypatch, tmp_path):
    def refuse(host: str):
        raise ConnectionRefusedError("Connection refused")

    monkeypatch.setattr(fetching, "connect", refuse)

    with pytest.raises(FetchError, match=rf"{LINK} could not be fetched \(Connection refused\). Try again later."):
        fetch(LINK, tmp_path)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
     "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1"],
)  # fmt: skip
def test_host_that_stands_for_a_private_address_is_refused(monkeypatch, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443)), (family, 1, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    with pytest.raises(FetchError, match="inside a private network"):
        public_address(HOST)


def test_public_host_is_reached_at_the_address_that_was_checked(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise OSError("no route")

    monkeypatch.setattr(socket, "create_connection", refuse)

    with pytest.raises(OSError, match="no route"):
        fetching.connect(HOST)

    assert tried == [("93.184.216.34", 443)]


def test_s3_link_without_an_object_store_says_what_to_set(settings, tmp_path):
    settings.STORAGE_URL = ""

    with pytest.raises(FetchError, match="EARSHOT_STORAGE_URL"):
        fetch("s3://lab/d1.wav", tmp_path, hosts=("s3://lab",))


def test_s3_link_to_another_bucket_is_refused(tmp_path):
    with pytest.raises(FetchError, match="a bucket that is not allowed"):
        fetch("s3://other/d1.wav", tmp_path, hosts=("s3://lab",))


def test_s3_link_is_read_through_the_storage_that_is_set_up(settings, tmp_path, monkeypatch):
    asked = []

    class Store:
        class connection:  # as django-storages names it
            class meta:
                class client:
                    @staticmethod
                    def get_object(**what):
                        asked.append(what)
                        return {"Body": io.BytesIO(SOUND), "ContentLength": len(SOUND)}

    settings.STORAGE_URL = "s3://ours"
    monkeypatch.setattr(fetching, "storages", {"artefacts": Store})

    assert fetch("s3://lab/set/d1.wav", tmp_path, hosts=("s3://lab",)) == SOUND
    assert asked == [{"Bucket": "lab", "Key": "set/d1.wav"}]


@pytest.mark.django_db
def test_dialogue_by_link_is_imported_and_keeps_where_it_came_from(outside, settings, tmp_path):
    settings.ALLOWED_AUDIO_HOSTS = [HOST]
    sound = write_folder(tmp_path / "other") / "audio" / "d1.wav"
    outside["/d1.wav"] = (200, {}, sound.read_bytes())
    folder = write_folder(tmp_path / "m", [dialogue("d1", audio=LINK)])

    for _ in range(2):
        run(ingest.store_folder_import(ingest.check_folder(folder)))

    row = Dialogue.objects.get()
    assert row.originals[0]["name"] == LINK
    assert row.seconds == 3.0
    assert [entry.dialogues_known for entry in DialogueImport.objects.order_by("pk")] == [0, 1]


@pytest.mark.django_db
def test_link_that_gives_another_sound_later_is_a_conflict(outside, settings, tmp_path):
    settings.ALLOWED_AUDIO_HOSTS = [HOST]
    other = write_folder(tmp_path / "other", [dialogue("d1"), dialogue("d2")]) / "audio"
    folder = write_folder(tmp_path / "m", [dialogue("d1", audio=LINK)])
    outside["/d1.wav"] = (200, {}, (other / "d1.wav").read_bytes())
    run(ingest.store_folder_import(ingest.check_folder(folder)))

    outside["/d1.wav"] = (200, {}, (other / "d2.wav").read_bytes())
    second = ingest.store_folder_import(ingest.check_folder(folder))
    run(second)

    second.refresh_from_db()
    assert second.problems[0]["message"] == "The catalogue has a dialogue 'd1' with another content."
    assert Dialogue.objects.count() == 1


@pytest.mark.django_db
def test_link_that_cannot_be_fetched_is_reported_by_line(outside, settings, tmp_path):
    settings.ALLOWED_AUDIO_HOSTS = [HOST]
    dialogue_import = ingest.store_folder_import(
        ingest.check_folder(write_folder(tmp_path / "m", [dialogue("d0"), dialogue("d1", audio=LINK)]))
    )

    run(dialogue_import)

    dialogue_import.refresh_from_db()
    [problem] = dialogue_import.problems
    assert (problem["line"], problem["message"]) == (2, f"d1: {LINK} answered 404 Not Found.")
    assert Dialogue.objects.count() == 0


@pytest.mark.django_db
def test_link_to_a_host_that_nobody_allowed_is_refused_at_once(settings, tmp_path):
    settings.ALLOWED_AUDIO_HOSTS = []

    with pytest.raises(ManifestError, match="not among the allowed hosts"):
        ingest.check_folder(write_folder(tmp_path / "m", [dialogue("d1", audio=LINK)]))


def run(dialogue_import: DialogueImport) -> None:
    with jobs.running(dialogue_import.job_id, 1) as held:
        ingest.run_import(held)
