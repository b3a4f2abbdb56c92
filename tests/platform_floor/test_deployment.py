"""What deploy/ and compose.yaml promise, as far as it can be tried without a Docker engine: nginx runs for real."""

import http.client
import os
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from annotation.views.sound import STORE_RANGE_HEADER
from earshot.embedded.processes import die_with_parent, end
from tests.servers import ROOT, free_port, wait_until

DEPLOY = ROOT / "deploy"
SOUND = bytes(range(256)) * 40  # what the store keeps under SOUND_PATH
SOUND_PATH = "/earshot/ab/" + "c" * 62


class Web(BaseHTTPRequestHandler):
    """Stands for gunicorn: /audio is allowed, at most 1,000 bytes of a range; /refused is not; the rest is echoed."""

    def do_GET(self):
        if self.path == "/audio":
            self.send_response(200)
            self.send_header("X-Accel-Redirect", SOUND_PATH.replace("/earshot", "/store"))
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Cache-Control", "private, no-store")
            if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                first, last = int(asked[1]), int(asked[2] or len(SOUND) - 1)
                self.send_header(STORE_RANGE_HEADER, f"bytes={first}-{min(last, first + 999)}")
            body = b""
        else:
            self.send_response(403 if self.path == "/refused" else 200)
            body = (
                f"{self.headers['Host']} {self.headers['X-Forwarded-Proto']} {self.headers['X-Forwarded-For']}".encode()
            )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Store(BaseHTTPRequestHandler):
    """Stands for the object store: it has validators, ranges, and types and headers of its own."""

    seen: list[dict[str, str]] = []

    def do_GET(self):
        self.seen.append(dict(self.headers))
        if self.path != SOUND_PATH:
            self.send_error(404)
            return
        if self.headers.get("If-None-Match") == '"validator"' or self.headers.get("If-Modified-Since"):
            self.send_response(304)
            self.end_headers()
            return
        body = SOUND
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(asked[1]), int(asked[2])
            body = SOUND[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(SOUND)}")
        else:
            self.send_response(200)
        for name, value in {
            "ETag": '"validator"',
            "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT",
            "Content-Type": "application/octet-stream",
            "Cache-Control": "public, max-age=31536000",
            "Accept-Ranges": "bytes",
            "x-amz-request-id": "1",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def nginx_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real nginx between a stand-in for gunicorn and one for the store."""
    web, store = (ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Web, Store))
    for server in (web, store):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with running_nginx(tmp_path_factory.mktemp("nginx"), web.server_port, store.server_port) as port:
        yield port
    web.shutdown()
    store.shutdown()


@contextmanager
def running_nginx(folder: Path, web_port: int, store_port: int) -> Iterator[int]:
    """deploy/nginx.conf between a web server and a store of this machine; gives the port it listens on."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no nginx: install nginx")
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text()
    for promised, here in {
        "server web:8000": f"server 127.0.0.1:{web_port}",
        "http://store:8333": f"http://127.0.0.1:{store_port}",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "/tmp/": f"{folder}/",
    }.items():
        assert promised in text
        text = text.replace(promised, here)
    (folder / "nginx.conf").write_text(("user root;\n" if os.geteuid() == 0 else "") + text)
    process = subprocess.Popen(
        [program, "-c", folder / "nginx.conf", "-p", folder, "-g", "daemon off;"],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    try:
        wait_until(lambda: _answers(port), "an answer from nginx", seconds=10)
        yield port
    finally:
        end(process)


def _answers(port: int) -> bool:
    try:
        return get(port, "/")[0] < 500
    except OSError:
        return False


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    names = [name.lower() for name, _ in response.getheaders()]
    assert len(names) == len(set(names)), f"nginx sent a header twice: {response.getheaders()}"
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def test_nginx_sends_a_range_from_the_store_under_djangos_headers(nginx_port):
    status, headers, body = get(nginx_port, "/audio", Range="bytes=1000-1999")

    assert (status, body) == (206, SOUND[1000:2000])
    assert headers["content-range"] == f"bytes 1000-1999/{len(SOUND)}"
    assert headers["content-type"] == "audio/wav"
    assert headers["cache-control"] == "private, no-store"
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert STORE_RANGE_HEADER.lower() not in headers


def test_nginx_sends_no_more_than_the_range_that_django_allowed(nginx_port):
    status, headers, body = get(nginx_port, "/audio", Range="bytes=500-")

    assert (status, body) == (206, SOUND[500:1500])
    assert headers["content-range"] == f"bytes 500-1499/{len(SOUND)}"
    assert headers["content-length"] == "1000"


def test_nginx_takes_no_range_for_the_store_from_outside(nginx_port):
    Store.seen.clear()

    _, _, body = get(nginx_port, "/audio", Range="bytes=0-9", X_Store_Range="bytes=0-9999")

    assert body == SOUND[:10]
    assert [seen["Range"] for seen in Store.seen] == ["bytes=0-9"]


def test_nginx_sends_audio_without_validators_and_never_304(nginx_port):
    asked = {"If_None_Match": '"validator"', "If_Modified_Since": "Mon, 23 Nov 2026 10:00:00 GMT"}
    status, headers, body = get(nginx_port, "/audio", **asked)

    assert (status, body) == (200, SOUND)
    assert not {"etag", "last-modified", "x-amz-request-id"} & set(headers)


def test_nginx_gives_the_store_neither_cookies_nor_authorization(nginx_port):
    Store.seen.clear()

    get(nginx_port, "/audio", Cookie="sessionid=secret", Authorization="Basic c2VjcmV0")

    assert [name for seen in Store.seen for name in seen if name.lower() in ("cookie", "authorization")] == []
    assert len(Store.seen) == 1


def test_nginx_keeps_the_store_closed_from_outside(nginx_port):
    status, _, body = get(nginx_port, SOUND_PATH.replace("/earshot", "/store"))

    assert status == 404
    assert SOUND[:64] not in body


def test_nginx_passes_django_refusals_and_the_outer_scheme_on(nginx_port):
    status, _, _ = get(nginx_port, "/refused")
    _, _, echoed = get(nginx_port, "/", Host="lab.example", X_Forwarded_Proto="https")
    _, _, plain = get(nginx_port, "/", Host="lab.example:8321")

    assert status == 403
    assert echoed == b"lab.example https 127.0.0.1"
    assert plain == b"lab.example:8321 http 127.0.0.1"


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_compose_describes_the_whole_production(compose):
    assert set(compose["services"]) == {
        *("nginx", "web", "worker-cpu", "worker-gpu", "scheduler", "prepare", "postgres", "redis", "store")
    }
    assert compose["services"]["postgres"]["image"].startswith("postgres:16")
    assert compose["services"]["redis"]["image"].startswith("redis:7")


def test_compose_publishes_nginx_alone(compose):
    published = {name for name, service in compose["services"].items() if service.get("ports")}
    reach_out = {name for name, service in compose["services"].items() if "outside" in service["networks"]}

    assert published == {"nginx"}
    assert reach_out & {"postgres", "redis", "store", "prepare"} == set()


def test_compose_counts_wrong_passwords_by_the_address_behind_its_nginx(compose):
    # Else everybody shares nginx's address, and one person's typos keep the whole lab from signing in.
    assert compose["x-environment"]["EARSHOT_TRUSTED_PROXIES"] == "${EARSHOT_TRUSTED_PROXIES:-1}"


def test_compose_keeps_no_secret(compose):
    text = (ROOT / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "env.example").read_text(), re.MULTILINE))

    assert required == {
        *("POSTGRES_PASSWORD", "EARSHOT_SECRET_KEY", "EARSHOT_HOSTS", "STORE_ACCESS_KEY", "STORE_SECRET_KEY")
    }
    assert required <= set(example)
    assert [example[name] for name in ("POSTGRES_PASSWORD", "EARSHOT_SECRET_KEY", "STORE_SECRET_KEY")] == ["", "", ""]


def test_every_service_of_ours_runs_a_role_that_the_entrypoint_knows(compose):
    roles = set(re.findall(r"^    ([a-z-]+)\)$", (DEPLOY / "entrypoint.sh").read_text(), re.MULTILINE))
    asked = {service["command"][0] for service in compose["services"].values() if "earshot" in service["image"]}

    assert asked == {"web", "worker-cpu", "worker-gpu", "scheduler", "prepare"}
    assert asked <= roles


def test_only_the_gpu_worker_has_the_learning_side(compose):
    with_gpu = {name for name, service in compose["services"].items() if "deploy" in service}
    base = (DEPLOY / "Dockerfile.web").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert with_gpu == {"worker-gpu"}
    assert compose["services"]["worker-gpu"]["build"]["dockerfile"] == "deploy/Dockerfile.worker"
    assert "[train]" in (DEPLOY / "Dockerfile.worker").read_text()
    assert "[train]" not in base
    assert [name for name in project["dependencies"] if name.startswith(("torch", "transformers"))] == []


def test_every_variable_that_compose_sets_is_one_that_is_read(compose):
    read = "".join(path.read_text() for path in (ROOT / "platform" / "earshot").glob("*.py"))
    unread = {name for name in compose["x-environment"] if name not in read and not name.startswith("AWS_")}

    assert unread == set()


def test_the_entrypoint_refuses_an_unknown_role():
    result = subprocess.run([DEPLOY / "entrypoint.sh", "webb"], capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert "there is no role 'webb'. Roles: prepare, web," in result.stderr


def test_everything_copied_into_the_web_image_exists():
    copied = re.findall(r"^COPY (.+) \./?$", (DEPLOY / "Dockerfile.web").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]

    assert names == ["pyproject.toml", "README.md", "LICENSE", "."]
    assert all((Path(ROOT) / name).exists() for name in names)
