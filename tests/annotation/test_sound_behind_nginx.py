"""A sound on its whole way in production: Django allows a range, a real nginx gets it from a store, and sends it."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import ListeningLog
from annotation.queries.listening import sound_for
from annotation.views.sound import LONGEST_ANSWER_BYTES
from earshot.jobs import artefacts
from tests.annotation.manifests import speech
from tests.annotation.sounding import RATE, sounding_dialogue
from tests.factories import make_lease, make_pair, make_scenario, make_study
from tests.platform_floor.test_deployment import get, running_nginx

pytestmark = pytest.mark.django_db(transaction=True)


class ArtefactStore(BaseHTTPRequestHandler):
    """Stands for the object store, with the artefacts of this test; it answers closed ranges."""

    def do_GET(self):
        content = artefacts.open_artefact(self.path.removeprefix("/earshot/").replace("/", "")).read()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2])) if asked else (0, len(content) - 1)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *_):
        pass


@pytest.fixture
def nginx_port(live_server, tmp_path, settings):
    settings.ACCEL_REDIRECT_PREFIX = "/store"
    store = ThreadingHTTPServer(("127.0.0.1", 0), ArtefactStore)
    threading.Thread(target=store.serve_forever, daemon=True).start()
    with running_nginx(tmp_path, live_server.thread.port, store.server_port) as port:
        yield port
    store.shutdown()


@pytest.fixture
def lease():
    """Sides of 40 seconds, 1.9 MB: two answers and a bit."""
    scenario = make_scenario()
    sides = {
        letter: sounding_dialogue(scenario, samples=speech(40.0, rate=RATE, hertz=hertz))
        for letter, hertz in (("dialogue_a", 180.0), ("dialogue_b", 210.0))
    }
    pair = make_pair(make_study(listening_policy="enforced"), scenario=scenario, **sides)
    return make_lease(pair, at=timezone.now())


def test_an_open_range_brings_a_piece_and_counts_as_that_piece(nginx_port, lease):
    client = Client()
    client.force_login(lease.annotator)
    address = reverse("annotation:lease_sound", args=[lease.key, "left"])
    session = f"{django_settings.SESSION_COOKIE_NAME}={client.cookies[django_settings.SESSION_COOKIE_NAME].value}"
    sound = sound_for(lease, "left")
    taken = b""

    while len(taken) < sound.size_bytes:
        status, headers, piece = get(nginx_port, address, Range=f"bytes={len(taken)}-", Cookie=session)
        begin, taken = len(taken), taken + piece
        heard_of = ListeningLog.objects.get(side="left").delivered
        assert (status, headers["content-range"]) == (206, f"bytes {begin}-{len(taken) - 1}/{sound.size_bytes}")
        assert 0 < len(piece) <= LONGEST_ANSWER_BYTES
        assert heard_of == [[0.0, pytest.approx((len(taken) - 44) / 48_000)]]
        assert {"etag", "last-modified", "x-store-range"} & set(headers) == set()

    with artefacts.open_artefact(sound.sha256) as file:
        assert taken == file.read()
