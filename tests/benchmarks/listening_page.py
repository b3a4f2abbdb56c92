"""python -m tests.benchmarks.listening_page: what the listening room costs with two dialogues of 30 minutes.

Two synthetic dialogues are imported as any others are, gunicorn serves them as `make run` does (through a proxy that
counts bytes), and a headless Chromium opens the room, listens, seeks and answers. Every moment of the sound is noise of
its own, so where a seek landed is found in what was really played, not in what the player says. Prints a JSON line.
"""

import argparse
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conftest import CHROMIUM_ARGUMENTS
from tests.servers import ROOT, find_chromium, free_port, wait_until

RATE = 24_000  # Hz, as renditions are: what was played can be compared sample by sample
TURN_SECONDS = 6.0
PAUSE_SECONDS = 0.6
LOADS = 5  # of the page, each with an empty cache
SEEKS = 12
BLOCK = 120  # samples, 5 ms: how exactly the first sample after a seek is found
LIMITS = {
    "form_visible_s": 0.5,
    "js_gzip_kib": 60,
    "bytes_before_play_kib": 400,
    "heap_mib": 30,
    "seek_error_ms": 50,
    "long_tasks": 0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of each dialogue")
    parser.add_argument("--folder", type=Path, help="keep the imported pair here, and use it again the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        os.environ.update(EARSHOT_DATA_DIR=f"{folder}/data", DATABASE_URL="", EARSHOT_LOG_LEVEL="ERROR")
        os.environ.update(OMP_NUM_THREADS="1", DJANGO_ALLOW_ASYNC_UNSAFE="true")
        start_django()
        begin = time.perf_counter()
        room = make_room(folder, seconds=options.minutes * 60)
        print(f"two dialogues of {options.minutes:g} min imported in {time.perf_counter() - begin:.0f} s", flush=True)
        with serve(folder) as proxy:
            figures = measure(room, proxy)
    for name, limit in LIMITS.items():
        print(f"{name}: {figures[name]} (at most {limit}){'' if figures[name] <= limit else '  <-- missed'}")
    print(json.dumps(figures))


def start_django() -> None:
    sys.path.append("platform")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "earshot.settings")
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    (Path(settings.STATIC_ROOT) / "tap.js").write_text(TAP)


# --- A pair whose sound tells its time --------------------------------------------------------------------------------
@dataclass(frozen=True)
class MadeRoom:
    address: str
    session: str  # cookie of the annotator
    sounds: dict[str, NDArray[np.float32]]  # by side, as played


def make_room(folder: Path, *, seconds: float) -> MadeRoom:
    """Import the two dialogues, put them into a study and lend the pair."""
    from django.test import Client
    from django.urls import reverse

    from annotation.models import Lease
    from annotation.queries.listening import sound_for

    lease = Lease.objects.first() or lend_pair(folder, seconds)
    client = Client()
    client.force_login(lease.annotator)
    sounds = {side: read_wav(sound_for(lease, side).sha256) for side in ("left", "right")}
    return MadeRoom(reverse("annotation:room", args=[lease.key]), client.cookies["sessionid"].value, sounds)


def lend_pair(folder: Path, seconds: float) -> Any:
    from django.utils import timezone

    from annotation.models import Dialogue, Study
    from annotation.services import ingest, leases, studies
    from earshot.jobs import services as jobs
    from tests.factories import join, make_study

    manifest = ingest.check_folder(write_manifest(folder / "manifest", seconds))
    started = ingest.store_folder_import(manifest)
    with jobs.running(started.job_id, 1) as held:
        ingest.run_import(held)
    study = make_study(running=False, listening_policy="recorded")
    (pair,) = studies.add_pairs(study, [tuple(Dialogue.objects.order_by("pk"))])
    studies.change_state(study, Study.State.RUNNING, by=None)
    annotator = join(study)
    lease = leases.take(pair, annotator, probability=1.0, at=timezone.now())
    assert lease is not None, "nobody else is there to take the pair"
    lease.heard_first = "left"  # the side that is played here
    lease.save()
    return lease


def write_manifest(folder: Path, seconds: float) -> Path:
    import soundfile

    (folder / "audio").mkdir(parents=True)
    turns = turns_of(seconds)
    asked = [turn["scenario_turn"] for turn in turns[::2]]
    scenario = {
        "scenario_id": "s1",
        "topic": "A long evening",
        "language": "en",
        "turns": [{"scenario_turn": number, "role": "user", "text": f"question {number}"} for number in asked],
    }
    dialogues = [
        {"dialogue_id": name, "scenario_id": "s1", "system": name, "audio": f"audio/{name}.wav", "turns": turns}
        for name in ("one", "other")
    ]
    (folder / "scenarios.jsonl").write_text(json.dumps(scenario) + "\n")
    (folder / "dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in dialogues))
    for seed, name in enumerate(("one", "other")):
        soundfile.write(folder / "audio" / f"{name}.wav", noise_of(turns, seconds, seed), RATE, subtype="PCM_16")
    return folder


def turns_of(seconds: float) -> list[dict[str, Any]]:
    """User and assistant by turns, every 6 s."""
    return [
        {
            "scenario_turn": number // 2,
            "role": ("user", "assistant")[number % 2],
            "speaker": ("Ana", "Agent")[number % 2],
            "text": f"This is what is said in turn {number}, in a sentence of usual length.",
            "start": round(number * TURN_SECONDS, 3),
            "end": round((number + 1) * TURN_SECONDS - PAUSE_SECONDS, 3),
        }
        for number in range(int(seconds / TURN_SECONDS))
    ]


def noise_of(turns: list[dict[str, Any]], seconds: float, seed: int) -> NDArray[np.float32]:
    """Noise in syllables, soft in the pauses, never quite silent: no two moments are alike."""
    n_samples = round(seconds * RATE)
    time_axis = np.arange(n_samples, dtype=np.float32) / RATE
    envelope = np.full(n_samples, 0.02, np.float32)
    for turn in turns:
        envelope[round(turn["start"] * RATE) : round(turn["end"] * RATE)] = 0.1
    envelope *= 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time_axis)
    return envelope * np.random.default_rng(seed).standard_normal(n_samples, np.float32)


def read_wav(sha256: str) -> NDArray[np.float32]:
    import soundfile

    from earshot.jobs import artefacts

    with artefacts.local_copy(sha256) as path:
        return soundfile.read(path, dtype="float32")[0]


# --- The server, and a proxy that counts ------------------------------------------------------------------------------
@dataclass
class CountingProxy:
    """Hands on every byte between browser and server, and writes down when how many went to the browser."""

    target: int
    port: int = field(default_factory=free_port)
    sent: list[tuple[float, int]] = field(default_factory=list)  # (seconds since 1970, bytes)

    def start(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def bytes_between(self, start: float, end: float) -> int:
        return sum(count for at, count in self.sent if start <= at <= end)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            browser, _address = listener.accept()
            threading.Thread(target=self._hand_on, args=(browser,), daemon=True).start()

    def _hand_on(self, browser: socket.socket) -> None:
        with browser, socket.create_connection(("127.0.0.1", self.target)) as server:
            other = {browser: server, server: browser}
            while True:
                for ready in select.select([browser, server], [], [])[0]:
                    try:
                        data = ready.recv(16_384)
                        other[ready].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    if ready is server:
                        self.sent.append((time.time(), len(data)))


@contextmanager
def serve(folder: Path) -> Iterator[CountingProxy]:
    """Gunicorn as `make run` starts it."""
    from earshot.embedded.plan import Plan

    plan = Plan(project=ROOT, data_dir=folder / "data", port=free_port(), with_demo=False)
    environment = plan.environment() | {"PYTHONPATH": str(ROOT / "platform")}
    with (folder / "web.log").open("wb") as log:
        web = subprocess.Popen(plan.web(), cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    proxy = CountingProxy(plan.port)
    proxy.start()
    try:
        wait_until(lambda: _answers(plan.port), "an answer from gunicorn")
        yield proxy
    finally:
        web.terminate()
        web.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- The browser ------------------------------------------------------------------------------------------------------
WATCH = """
window.seen = {tasks: []};
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.seen.tasks.push([task.startTime, task.duration]);
}).observe({type: "longtask", buffered: true});
document.addEventListener("playing", () => (window.seen.playing ??= performance.timeOrigin + performance.now()), true);
const look = () => {
  const form = document.getElementById("questions");
  const canvases = document.querySelectorAll("canvas[data-drawn]").length;
  const isShown = [...(form?.querySelectorAll("input") ?? [])].some((input) => input.getClientRects().length);
  if (isShown && canvases === 2) window.seen.form = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# An audio worklet that hands over what it hears; it lies beside the project's scripts, as the page's CSP demands.
TAP_ADDRESS = "/static/tap.js"
TAP = """
registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[channel]]) {
    this.port.postMessage(channel ? channel.slice() : new Float32Array(128));
    return true;
  }
});
"""
START_TAP = """async ([address, sampleRate]) => {
  const audio = document.querySelector("#side-left audio");
  const context = new AudioContext({sampleRate});
  await context.audioWorklet.addModule(address);
  const tap = new AudioWorkletNode(context, "tap");
  window.heard = [];
  tap.port.onmessage = ({data}) => window.heard.push(data);
  const source = context.createMediaElementSource(audio);
  source.connect(tap).connect(context.destination);
  await context.resume();
}"""
TAKE_HEARD = """() => {
  const blocks = window.heard.splice(0);
  const all = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) { all.set(block, at); at += block.length; }
  const bytes = new Uint8Array(all.buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += 32768)
    text += String.fromCharCode(...bytes.subarray(start, start + 32768));
  return btoa(text);
}"""


def measure(room: MadeRoom, proxy: CountingProxy) -> dict[str, Any]:
    """Open the room several times with an empty cache; listen, seek and answer in the last."""
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    assert executable is not None, "no Chromium: install chromium, or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        loads = []
        for _number in range(LOADS):
            loads.append(open_room(browser, room, proxy))
            loads[-1]["page"].context.close()
        page = open_room(browser, room, proxy)["page"]
        errors = seek_errors(page, room)
        answer_all(page)
        figures = {
            "form_visible_s": round(statistics.median(load["form"] for load in loads), 3),
            "js_gzip_kib": round(loads[0]["js"] / 1024, 1),
            "bytes_before_play_kib": round(max(load["bytes"] for load in loads) / 1024),
            "heap_mib": round(heap_bytes(page) / 2**20, 1),
            "seek_error_ms": round(max(errors), 1),
            "long_tasks": long_tasks(page),
            "form_visible_s_worst": round(max(load["form"] for load in loads), 3),
            "bytes_before_sound_kib": round(max(load["bytes_to_sound"] for load in loads) / 1024),
            "seek_error_ms_median": round(statistics.median(errors), 1),
            "play_to_sound_s": round(statistics.median(load["sound"] for load in loads), 3),
        }
        browser.close()
    return figures


def open_room(browser: Any, room: MadeRoom, proxy: CountingProxy) -> dict[str, Any]:
    """A new browser profile opens the room, looks at it for two seconds, and plays."""
    url = f"http://127.0.0.1:{proxy.port}"
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": room.session, "url": url}])
    context.set_default_timeout(120_000)  # a busy machine gives figures too, if poor ones
    page = context.new_page()
    page.add_init_script(WATCH)
    begin = time.time()
    page.goto(room.address)
    until(page, "window.seen.form")
    page.wait_for_timeout(2000)
    pressed = time.time()
    page.locator("#side-left [data-choose]").click()
    until(page, "window.seen.playing")
    playing = page.evaluate("window.seen.playing") / 1000
    scripts = "performance.getEntriesByType('resource').filter(({name}) => name.endsWith('.js'))"
    return {
        "page": page,
        "form": page.evaluate("window.seen.form") / 1000,
        "bytes": proxy.bytes_between(begin, pressed),
        "bytes_to_sound": proxy.bytes_between(begin, playing),
        "js": page.evaluate(f"{scripts}.reduce((sum, {{encodedBodySize}}) => sum + encodedBodySize, 0)"),
        "sound": max(0.0, playing - pressed),
    }


def until(page: Any, claim: str, *, seconds: float = 60) -> None:
    wait_until(lambda: bool(page.evaluate(claim)), claim, seconds, every=0.02)


def seek_errors(page: Any, room: MadeRoom) -> list[float]:
    """Seek while it plays, by the list of turns; milliseconds between the turn's start and what was heard first."""
    import base64

    page.evaluate(START_TAP, [TAP_ADDRESS, RATE])
    n_turns = page.locator("#side-left .turn-go").count()
    order = np.random.default_rng(7).permutation(np.arange(1, n_turns - 1))[:SEEKS]
    errors = []
    for number in order:
        page.wait_for_timeout(300)
        page.evaluate("void window.heard.splice(0)")
        page.locator("#side-left .turn-go").nth(int(number)).click()
        now = "document.querySelector('#side-left audio').currentTime"
        until(page, f"{now} > {int(number) * TURN_SECONDS + 1} && {now} < {int(number) * TURN_SECONDS + 9}")
        heard = np.frombuffer(base64.b64decode(page.evaluate(TAKE_HEARD)), np.float32)
        target = int(number) * TURN_SECONDS
        errors.append(1000 * abs(first_heard(heard, room.sounds["left"], target) - target))
    return errors


def first_heard(heard: NDArray[np.float32], sound: NDArray[np.float32], target: float) -> float:
    """The moment of `sound`, in seconds, with which `heard` goes on after the jump to about `target`.

    The end of what was heard is found in the sound within 10 s of the target; from there, back to the jump.
    """
    from scipy.signal import correlate

    first = max(0, round((target - 10) * RATE))
    near = sound[first : round((target + 10) * RATE)]
    tail = heard[-RATE // 4 :]
    place = int(np.argmax(correlate(near, tail, mode="valid", method="fft")))
    shift = first + place - (len(heard) - len(tail))  # heard[i] is sound[i + shift]
    at = len(heard)
    while at >= BLOCK and at + shift >= BLOCK:
        block = slice(at - BLOCK, at)
        if not _is_same(heard[block], sound[block.start + shift : block.stop + shift]):
            break
        at -= BLOCK
    assert at < len(heard) - RATE // 8, "what was heard is nowhere near the target"
    return (at + shift) / RATE


def _is_same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return scale > 0 and float(one @ other) / scale > 0.9


def answer_all(page: Any) -> None:
    page.locator("#side-left [data-choose]").focus()
    for key in ("4", "4", "4", "4", "3"):
        page.keyboard.press(key)
        page.wait_for_timeout(200)
    until(page, "document.getElementById('saved').textContent === 'Saved'")


def heap_bytes(page: Any) -> int:
    """Objects of the scripts and the buffers behind them, without forcing a collection. The DOM is not among them."""
    usage = page.context.new_cdp_session(page).send("Runtime.getHeapUsage")
    return int(usage["usedSize"] + usage.get("backingStorageSize", 0))


def long_tasks(page: Any) -> int:
    """Tasks over 100 ms that began after the page had loaded."""
    loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    return int(page.evaluate(f"window.seen.tasks.filter(([start, took]) => start > {loaded} && took > 100).length"))


if __name__ == "__main__":
    main()
