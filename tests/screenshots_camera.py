"""What the two scripts of pictures share: a served world, a camera, and pages of signed-in people."""

import argparse
import base64
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.listening_page import serve, start_django
from tests.conftest import CHROMIUM_ARGUMENTS
from tests.servers import find_chromium

SIZES = {1440: 900, 768: 1024, 360: 740}  # width: height, in pixels
SHORTEST, TALLEST = 320, 2400  # pixels, of a picture that shows a whole page
QUALITY = 82  # of WebP, 0 to 100
SETTLES_MS = 350  # a page after its width changed: lanes are drawn anew


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
            for _again in range(2):  # some parts are higher in a higher window
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
    world: Any
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

    def take(self, page: Any, name: str, **options: bool) -> None:
        self.camera.take(page, name, **options)
        page.context.close()


def now() -> datetime:
    from django.utils import timezone

    return timezone.now()


def session_of(user: Any) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user)
    type(user).objects.filter(pk=user.pk).update(last_login=now() - timedelta(hours=1))  # this session's checks hold
    return client.cookies["sessionid"].value


def run(
    description: str | None,
    *,
    guide: Path,
    make_world: Callable[[Path], Any],
    studio: type[Studio],
    states: Sequence[Any],
) -> None:
    """Read the command line, make the world, serve it, and let each state (a function) take its pictures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="a regular expression: take the states whose name it finds")
    parser.add_argument("--guide", action="store_true", help="only the pictures that the guide names")
    parser.add_argument("--world", type=Path, help="keep the world in this folder, and use it again the next time")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = set(re.findall(r"guide/([\w-]+\.webp)", guide.read_text())) if options.guide else None
    with _folder(options.world) as folder:
        os.environ.update(EARSHOT_DATA_DIR=f"{folder}/data", DATABASE_URL="", EARSHOT_LOG_LEVEL="ERROR")
        os.environ.update(OMP_NUM_THREADS="1", DJANGO_ALLOW_ASYNC_UNSAFE="true")
        start_django()
        world = make_world(folder)
        with serve(folder) as proxy, _browser() as browser:
            place = studio(world, Camera(options.out, wanted), browser, f"http://127.0.0.1:{proxy.port}")
            for state in states:
                if re.search(options.only, state.__name__):
                    state(place)
                    print(state.__name__, flush=True)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    assert executable is not None, "no Chromium: install chromium, or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
