"""python -m tests.screenshots OUT: pictures of every state that an annotator meets, at 1440, 768 and 360 px.

Two scenarios of the demo are spoken and imported as any others are, gunicorn serves them as `make run` does, and a
headless Chromium goes from the invitation to the completion code. The sounds of the steps are the shipped ones.
`--guide` keeps only the pictures that docs/annotators-guide.md names.
"""

import argparse
import base64
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.listening_page import serve, start_django
from tests.conftest import CHROMIUM_ARGUMENTS
from tests.screenshots_world import (
    World,
    begun,
    consenting,
    heard,
    judged,
    lent,
    make_world,
    no_seat,
    now,
    somebody,
)
from tests.servers import ROOT, find_chromium

SIZES = {1440: 900, 768: 1024, 360: 740}  # width: height, in pixels
SHORTEST, TALLEST = 320, 2400  # pixels, of a picture that shows a whole page
QUALITY = 82  # of WebP, 0 to 100
SETTLES_MS = 350  # a page after its width changed: lanes are drawn anew
WARNING = "In one dialogue somebody is angry and raises their voice."
GUIDE = ROOT / "docs" / "annotators-guide.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="a regular expression: take the states whose name it finds")
    parser.add_argument("--guide", action="store_true", help="only the pictures that the guide names")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = set(re.findall(r"guide/([\w-]+\.webp)", GUIDE.read_text())) if options.guide else None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ.update(EARSHOT_DATA_DIR=f"{folder}/data", DATABASE_URL="", EARSHOT_LOG_LEVEL="ERROR")
        os.environ.update(OMP_NUM_THREADS="1", DJANGO_ALLOW_ASYNC_UNSAFE="true")
        start_django()
        world = make_world()
        with serve(folder) as proxy:
            take_pictures(world, f"http://127.0.0.1:{proxy.port}", Camera(options.out, wanted), options.only)


# --- Taking a picture -------------------------------------------------------------------------------------------------
@dataclass
class Camera:
    out: Path
    wanted: set[str] | None  # file names; all if None
    protocols: dict[Any, Any] = field(default_factory=dict)  # of Chromium's devtools, by page

    def take(self, page: Any, name: str, *, whole: bool = False, dark: bool = False) -> None:
        """`name`-1440.webp and so on. With `whole` all that can be scrolled to, else what one sees at once."""
        for width, height in SIZES.items():
            for scheme in ("light", "dark") if dark else ("light",):
                file = f"{name}{'-dark' if scheme == 'dark' else ''}-{width}.webp"
                if self.wanted is None or file in self.wanted:
                    self._take_one(page, file, width, height, scheme, whole=whole)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1440, "height": SIZES[1440]})

    def wants(self, name: str) -> bool:
        return self.wanted is None or any(file.startswith(f"{name}-") for file in self.wanted)

    def _take_one(self, page: Any, file: str, width: int, height: int, scheme: str, *, whole: bool) -> None:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(SETTLES_MS)
        if whole:
            page.set_viewport_size({"width": width, "height": SHORTEST})
            tall = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": min(tall, TALLEST)})
            page.wait_for_timeout(SETTLES_MS)
        picture = self._protocol_of(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
        (self.out / file).write_bytes(base64.b64decode(picture["data"]))
        if page.evaluate("document.documentElement.scrollWidth") > width:
            print(f"{file}: wider than {width} px", flush=True)

    def _protocol_of(self, page: Any) -> Any:
        """One per page: ending a session of the protocol would bring an offline page back."""
        if page not in self.protocols:
            self.protocols[page] = page.context.new_cdp_session(page)
        return self.protocols[page]


@dataclass
class Studio:
    world: World
    camera: Camera
    browser: Any
    url: str

    def page(self, user: Any = None, address: str = "/work/") -> Any:
        """A new browser in which this person is signed in, at an address."""
        context = self.browser.new_context(base_url=self.url, reduced_motion="reduce")
        context.set_default_timeout(120_000)  # a busy machine gives pictures, too
        if user is not None:
            context.add_cookies([{"name": "sessionid", "value": session_of(user), "url": self.url}])
        page = context.new_page()
        page.set_viewport_size({"width": 1440, "height": SIZES[1440]})
        page.goto(address)
        page.wait_for_load_state("networkidle")
        return page

    def room(self, lease: Any, *, at_turn: int = 0) -> Any:
        page = self.page(lease.annotator, f"/listen/{lease.key}/")
        until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
        if at_turn:
            page.locator("#side-left .turn-go").nth(at_turn - 1).click()
            pause(page)
        return page

    def take(self, page: Any, name: str, **options: bool) -> None:
        self.camera.take(page, name, **options)
        page.context.close()


def session_of(user: Any) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user)
    type(user).objects.filter(pk=user.pk).update(last_login=now() - timedelta(hours=1))  # this session's checks hold
    return client.cookies["sessionid"].value


def until(page: Any, claim: str) -> None:
    from tests.browser.room import until as until_true

    until_true(page, claim, seconds=120)


def pause(page: Any) -> None:
    page.wait_for_timeout(300)
    page.evaluate("document.querySelectorAll('audio').forEach((audio) => audio.pause())")
    page.wait_for_timeout(300)


def play_all(page: Any) -> None:
    """Hear each sound of a trial to its end, after which it can be answered."""
    for sound in page.locator("[data-sound]").all():
        sound.click()
        until(page, "[...document.querySelectorAll('[data-sound]')].every((each) => each.ariaPressed === 'false')")
    until(page, "!document.querySelector('[data-answers]').disabled")


# --- The states -------------------------------------------------------------------------------------------------------
def invitations(studio: Studio) -> None:
    from annotation.services import invitations as services

    world = studio.world
    link = services.make_invitation(
        world.full, by=world.researcher, note="students", max_uses=9, expires_at=now() + timedelta(days=14)
    )
    studio.take(studio.page(None, link.get_absolute_url()), "invitation", whole=True, dark=True)
    studio.take(studio.page(None, f"{link.get_absolute_url()}?participant=P-204"), "invitation-participant", whole=True)
    services.withdraw_invitation(link, by=world.researcher, at=now())
    studio.take(studio.page(None, link.get_absolute_url()), "invitation-closed", whole=True)


def consent(studio: Studio) -> None:
    full = studio.world.full
    newcomer = somebody(studio.world, full)
    studio.take(studio.page(newcomer, f"/enter/{full.pk}/consent"), "consent", whole=True)
    studio.take(studio.page(newcomer, f"/enter/{full.pk}/"), "steps-new", whole=True)
    agreed = consenting(studio.world, passed_before="digits")
    studio.take(studio.page(agreed, f"/enter/{full.pk}/"), "steps", whole=True)
    studio.take(studio.page(agreed, f"/enter/{full.pk}/withdraw"), "consent-withdraw", whole=True)


def checks(studio: Studio) -> None:
    """Each step before it begins, at its first trial, not passed, and passed."""
    from annotation.models import Step
    from annotation.services.qualification.rules import RULES
    from tests.annotation.entering import take

    world = studio.world
    for step in Step:
        if studio.camera.wants(f"step-{step}-before"):
            user = consenting(world, passed_before=step)
            studio.take(studio.page(user, f"/enter/{world.full.pk}/steps/{step}/"), f"step-{step}-before", whole=True)
        if studio.camera.wants(f"step-{step}-trial"):
            user = consenting(world, passed_before=step)
            page = studio.page(user, f"/enter/attempts/{begun(world, user, step).key}/")
            play_all(page)
            studio.take(page, f"step-{step}-trial", whole=True)
        for verdict, n_right in (("failed", 0), ("passed", RULES[step].n_trials)):
            name = f"step-{step}-{verdict}"
            if name == "step-training-failed" or not studio.camera.wants(name):  # nobody fails the training
                continue
            user = consenting(world, passed_before=step)
            ended = take(begun(world, user, step), n_right=n_right, at=now())
            studio.take(studio.page(user, f"/enter/attempts/{ended.key}/"), name, whole=True)


def training(studio: Studio) -> None:
    from annotation.services.qualification import attempts
    from tests.annotation.entering import right_answer, wrong_answer

    for name, answer_to in (("right", right_answer), ("wrong", wrong_answer)):
        user = consenting(studio.world, passed_before="training")
        attempt = begun(studio.world, user, "training")
        attempts.answer(attempt, 0, answer_to(attempt, 0), at=now())
        page = studio.page(user, f"/enter/attempts/{attempt.key}/?told=0")
        studio.take(page, f"training-told-{name}", whole=True)


def home(studio: Studio) -> None:
    from annotation.services.qualification.consent import withdraw_consent

    world = studio.world
    studio.take(studio.page(somebody(world)), "home-empty", whole=True)
    studio.take(studio.page(somebody(world, world.together, world.full)), "home-waiting", whole=True, dark=True)
    busy = consenting(world)
    judged(world.full, busy, at=now() - timedelta(minutes=14))
    lent(world.full, busy, number=1)
    studio.take(studio.page(busy), "home-progress", whole=True)
    judged_before = somebody(world, world.together)
    judged(world.together, judged_before)
    studio.take(studio.page(judged_before), "home-undo", whole=True)
    gone = consenting(world)
    withdraw_consent(gone, world.full, at=now())
    studio.take(studio.page(gone), "home-withdrawn", whole=True)


def first_listen(studio: Studio) -> None:
    world = studio.world
    type(world.full).objects.filter(pk=world.full.pk).update(content_warning=WARNING)
    studio.take(studio.room(lent(world.full, consenting(world))), "room-warning")
    type(world.full).objects.filter(pk=world.full.pk).update(content_warning="")

    studio.take(studio.room(lent(world.full, consenting(world))), "room-before")
    page = studio.room(heard(lent(world.full, consenting(world)), left=[[0.0, 14.0]]))
    page.keyboard.press("a")
    until(page, "!document.querySelector('#side-left audio').paused")
    page.wait_for_timeout(2500)
    studio.take(page, "room-first-listen", dark=True)
    page = studio.room(heard(lent(world.full, consenting(world)), left=[[0.0, 9.0], [16.0, 400.0]], right=[[0.0, 6.0]]))
    studio.take(page, "room-missing", whole=True)


def not_counted(studio: Studio) -> None:
    world = studio.world
    page = studio.room(heard(lent(world.full, consenting(world)), left=[[0.0, 12.0]]))
    page.keyboard.press("a")
    until(page, "!document.querySelector('#side-left audio').paused")
    page.evaluate("document.querySelector('#side-left audio').muted = true")
    page.wait_for_timeout(700)
    studio.take(page, "room-muted")

    page = studio.room(heard(lent(world.full, consenting(world)), left=[[0.0, 6.0]]))
    page.keyboard.press("a")
    until(page, "!document.querySelector('#side-left audio').paused")
    page.evaluate("document.querySelector('#side-left audio').currentTime = 25")
    page.wait_for_timeout(1500)
    page.keyboard.press("Space")
    until(page, "document.querySelector('[data-not-counted]').textContent !== ''")
    studio.take(page, "room-out-of-order")


def marks(studio: Studio) -> None:
    world = studio.world
    page = studio.room(heard(lent(world.full, consenting(world)), left=None, right=None), at_turn=2)
    page.keyboard.press("-")
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    page.locator("#side-left .turn-go").nth(3).click()
    pause(page)
    page.keyboard.press("+")
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("w")
    page.keyboard.type("warm, as if she meant it")
    studio.take(page, "room-marks", dark=True)


def dialogs(studio: Studio) -> None:
    world = studio.world
    page = studio.room(heard(lent(world.full, consenting(world)), left=None, right=None))
    page.keyboard.press("!")
    page.locator("#flag-dialog").get_by_label("the sound is broken").check()
    studio.camera.take(page, "room-flag")
    page.locator("#flag-dialog").get_by_role("button", name="Flag the pair").click()
    page.wait_for_selector("#flag-kept")
    studio.camera.take(page, "room-flagged")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Skip this pair").click()
    studio.camera.take(page, "room-skip")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    studio.take(page, "room-keys", dark=True)


def questions(studio: Studio) -> None:
    world = studio.world
    page = studio.room(heard(lent(world.full, consenting(world)), left=None, right=None))
    page.keyboard.press("6")
    studio.camera.take(page, "room-question", whole=True, dark=True)
    page.locator("[data-question]:visible summary", has_text="Hear an example").click()
    page.locator("[data-question]:visible [data-example]").first.click()
    studio.camera.take(page, "room-example", whole=True)
    page.keyboard.press("s")
    page.wait_for_timeout(300)
    studio.camera.take(page, "room-submit-missing", whole=True)
    page.locator("[data-step]").last.click()
    page.keyboard.press("4")
    page.keyboard.press("r")
    page.keyboard.type("B sounds as if it had listened, most of all in turn 4.")
    studio.take(page, "room-confidence", whole=True)

    page = studio.room(heard(lent(world.together, somebody(world)), left=None, right=None))
    for key in ("6", "3", "x"):
        page.keyboard.press(key)
    studio.take(page, "room-together", whole=True, dark=True)


def after_submit(studio: Studio) -> None:
    from annotation.models import Heartbeat
    from annotation.services import leases

    world = studio.world
    user = consenting(world)
    lease = judged(world.full, user).lease
    studio.take(studio.room(lent(world.full, user, number=1)), "room-undo")
    studio.take(studio.page(user, f"/listen/{lease.key}/"), "closed-submitted", whole=True)
    skipped = lent(world.together, user)
    leases.skip(skipped, reason="the sound is broken", at=now())
    studio.take(studio.page(user, f"/listen/{skipped.key}/"), "closed-skipped", whole=True)
    studio.take(studio.page(user, "/history/"), "history", whole=True)
    studio.take(studio.page(somebody(world), "/history/"), "history-empty", whole=True)

    tired = consenting(world)
    last = judged(world.full, tired, at=now() - timedelta(minutes=1)).lease
    for minutes in range(1, 49, 5):
        received = now() - timedelta(minutes=minutes)
        Heartbeat.objects.create(lease=last, sequence=minutes, side="left", media_time=0.0, received_at=received)
    studio.take(studio.page(tired, f"/work/{world.full.pk}/break"), "break", whole=True)


def failures(studio: Studio) -> None:
    from django.contrib.sessions.models import Session

    world = studio.world
    page = studio.room(heard(lent(world.full, consenting(world)), left=None, right=None))
    page.keyboard.press("6")
    until(page, "document.getElementById('saved').textContent === 'Saved'")
    page.context.set_offline(True)
    page.keyboard.press("2")
    page.wait_for_timeout(1500)
    studio.camera.take(page, "room-offline", dark=True)
    for key in ("4", "4", "3", "s"):
        page.keyboard.press(key)
    page.wait_for_timeout(800)
    page.evaluate("scrollTo(0, 0)")
    studio.take(page, "room-submit-kept")

    page = studio.room(heard(lent(world.full, consenting(world)), left=None, right=None))
    page.route("**/listen/**", lambda route: route.abort("connectionrefused"))
    page.keyboard.press("6")
    page.wait_for_selector("#server-silent:not([hidden])")
    studio.take(page, "room-server-silent")

    page = studio.room(heard(lent(world.full, consenting(world)), left=None, right=None))
    Session.objects.all().delete()
    page.keyboard.press("6")
    page.wait_for_selector("#signed-out:not([hidden])")
    studio.take(page, "room-signed-out")

    lease = lent(world.full, consenting(world))
    page = studio.page(lease.annotator)
    page.route("**/left/sound", lambda route: route.abort("connectionrefused"))
    page.goto(f"/listen/{lease.key}/")
    page.keyboard.press("a")
    page.wait_for_selector("#side-left [data-sound-problem]:not([hidden])")
    studio.take(page, "room-no-sound")


def time_ran_out(studio: Studio) -> None:
    from annotation.models import Lease, Pair
    from annotation.services import judgments
    from tests.factories import answer

    world = studio.world
    for name, is_complete in (("expired-draft", False), ("expired-late", True)):
        user = consenting(world)
        early = now() - timedelta(hours=2)
        lease = lent(world.full, user, at=early)
        answer(lease, 1, at=early)
        if is_complete:
            heard(lease, left=None, right=None)
        Lease.objects.filter(pk=lease.pk).update(state="expired", expires_at=early + timedelta(minutes=10))
        with no_seat(Pair, lease.pair_id):
            studio.take(studio.page(user, f"/listen/{lease.key}/"), name, whole=True)
            if is_complete:
                judgments.submit(Lease.objects.get(pk=lease.pk), at=now())
                studio.take(studio.page(user, f"/listen/{lease.key}/"), "closed-late", whole=True)

    lease = heard(lent(world.full, consenting(world)), left=None, right=None)
    page = studio.room(lease)
    page.keyboard.press("6")
    until(page, "document.getElementById('saved').textContent === 'Saved'")
    Lease.objects.filter(pk=lease.pk).update(state="expired", expires_at=now())
    page.keyboard.press("a")
    page.wait_for_timeout(600)
    page.keyboard.press("Space")
    page.wait_for_selector("#expired:not([hidden])")
    page.evaluate("scrollTo(0, 0)")
    studio.take(page, "room-expired")


def completion(studio: Studio) -> None:
    from annotation.services import invitations as services

    world = studio.world
    type(world.together).objects.filter(pk=world.together.pk).update(
        completion_code="EAR-7Q4K", completion_url="https://crowd.example/back", pairs_per_participant=1
    )
    link = services.make_invitation(
        world.together, by=world.researcher, note="crowd", max_uses=9, expires_at=now() + timedelta(days=14)
    )
    worker = services.join_as_participant(link, "P-204", at=now())
    studio.take(studio.page(worker, f"/enter/{world.together.pk}/done"), "completion-not-yet", whole=True)
    judged(world.together, worker)
    studio.take(studio.page(worker), "home-completion", whole=True)
    studio.take(studio.page(worker, f"/enter/{world.together.pk}/done"), "completion", whole=True)


STATES: tuple[Callable[[Studio], None], ...] = (
    invitations,
    consent,
    checks,
    training,
    home,
    first_listen,
    not_counted,
    marks,
    dialogs,
    questions,
    after_submit,
    failures,
    time_ran_out,
    completion,
)


def take_pictures(world: World, url: str, camera: Camera, only: str) -> None:
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    assert executable is not None, "no Chromium: install chromium, or set CHROMIUM to its path"
    world.full.pairs.update(seats_left=1000)
    world.together.pairs.update(seats_left=1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        for state in STATES:
            if re.search(only, state.__name__):
                state(Studio(world, camera, browser, url))
                print(state.__name__, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
