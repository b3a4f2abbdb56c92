"""Dialogues with real sound, and somebody who listens to them over HTTP without a browser."""

import hashlib
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from django.test import Client
from django.urls import reverse

from annotation.models import Dialogue, Lease, Rendition, Scenario, System
from annotation.queries.listening import sound_for
from annotation.services.ingest.sounds import prepare_sound
from tests.annotation.manifests import speech
from tests.factories import make_dialogue

RATE = 24_000
BEAT_SECONDS = 5.0


def sounding_dialogue(
    scenario: Scenario | None = None,
    system: System | None = None,
    *,
    seconds: float = 10.0,
    samples: np.ndarray | None = None,
    **fields: Any,
) -> Dialogue:
    """As make_dialogue, with a sound that was prepared as an import prepares it."""
    samples = speech(seconds, rate=RATE) if samples is None else samples
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "original.wav"
        soundfile.write(path, samples, RATE)
        sound = prepare_sound([path], [], key=hashlib.sha256(samples.tobytes()).hexdigest())
    dialogue = make_dialogue(
        scenario,
        system,
        **{
            "master_sha256": sound.master_sha256,
            "peaks_sha256": sound.peaks_sha256,
            "seconds": sound.seconds,
            "sample_rate": sound.sample_rate,
            "lufs": sound.lufs,
            "true_peak_dbtp": sound.true_peak_dbtp,
            "gain_db": sound.gain_db,
            "speech": sound.speech,
            **fields,
        },
    )
    Rendition.objects.filter(dialogue=dialogue).update(sha256=sound.rendition_sha256, size_bytes=sound.rendition_bytes)
    return dialogue


class Clock:
    """What the server takes for the time."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Listener:
    """An annotator's page, honest or not: fetches sound, sends heartbeats, says what was answered."""

    def __init__(self, lease: Lease, clock: Clock, client: Client | None = None) -> None:
        self.lease, self.clock = lease, clock
        self.client = client or Client()
        self.client.force_login(lease.annotator)
        self.sequence = 0

    def address(self, name: str, *side: str) -> str:
        return reverse(f"annotation:{name}", args=[self.lease.key, *side])

    def fetch(self, side: str, byte_range: str = "") -> bytes:
        """The sound: one range of it, or all, asking on from where each answer ends, as browsers do."""
        if byte_range:
            response = self.client.get(self.address("lease_sound", side), headers={"Range": byte_range})
            return b"".join(response.streaming_content)
        size, content = sound_for(self.lease, side).size_bytes, b""
        while len(content) < size:
            content += self.fetch(side, f"bytes={len(content)}-")
        return content

    def beat(self, side: str, played: list[list[float]], **fields: Any) -> dict[str, Any]:
        """Send one heartbeat; returns the server's answer."""
        self.sequence = fields.get("sequence", self.sequence + 1)
        body = {"sequence": self.sequence, "side": side, "played": played, "media_time": 0.0, **fields}
        response = self.client.post(self.address("heartbeat"), body, content_type="application/json")
        assert response.status_code == 200, response.content
        return response.json()

    def listen(self, side: str, start: float = 0.0, end: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Play a stretch as a browser does: in its own time, with a heartbeat every five seconds."""
        answer: dict[str, Any] = {}
        while start < end:
            until = min(start + BEAT_SECONDS, end)
            self.clock.wait(until - start)
            answer = self.beat(side, [[start, until]], **fields)
            start = until
        return answer

    @property
    def sides(self) -> list[str]:
        """In the order of the first listen."""
        first = self.lease.heard_first
        return [first, "right" if first == "left" else "left"]

    def hear_both(self) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for side in self.sides:
            self.fetch(side)
            answer = self.listen(side)
        return answer

    def heard(self, side: str) -> list[list[float]]:
        log = self.lease.listening_logs.filter(side=side).first()
        return log.heard if log else []
