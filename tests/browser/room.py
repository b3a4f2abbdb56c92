"""What tests of the listening room do again and again."""

import time

from annotation.models import Lease

PLAYING = "[...document.querySelectorAll('audio')].filter((audio) => !audio.paused).length"
AUDIBLE = "[...document.querySelectorAll('audio')].filter((audio) => !audio.paused && !audio.muted).length"
SAVED = "document.getElementById('saved').textContent === 'Saved'"
ACTIVE_SIDE = "document.querySelector('[data-active]').dataset.side"


def until(page, claim: str, *, seconds: float = 15) -> None:
    """Wait until a JavaScript expression holds. Our CSP bans playwright's wait_for_function, which evaluates text."""
    end = time.monotonic() + seconds
    while not page.evaluate(claim):
        assert time.monotonic() < end, f"not within {seconds} s: {claim}"
        page.wait_for_timeout(30)


def until_drawn(page) -> None:
    until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
    until(page, "[...document.querySelectorAll('audio')].every((audio) => audio.readyState > 0)")


def into_the_room(page) -> Lease:
    """From the work page, by key."""
    page.keyboard.press("n")
    page.wait_for_url("**/listen/*/")
    until_drawn(page)
    return Lease.objects.get()


def saved(page) -> None:
    until(page, SAVED)


def audio_of(side: str) -> str:
    return f"document.querySelector('#side-{side} audio')"


def now_of(page, side: str) -> float:
    """Where the side's sound stands, in seconds."""
    return page.evaluate(f"{audio_of(side)}.currentTime")


def watch_seeks(page) -> None:
    """Remember where each side was last sent, at once: the event `seeking` comes a moment later."""
    page.evaluate(
        """() => {
            window.sought = {};
            const time = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'currentTime');
            for (const side of ['left', 'right']) {
                Object.defineProperty(document.querySelector(`#side-${side} audio`), 'currentTime', {
                    get() { return time.get.call(this); },
                    set(seconds) {
                        time.set.call(this, seconds);
                        window.sought[side] = seconds;
                    },
                });
            }
        }"""
    )


def sought(page, side: str) -> float:
    """Where the side was last sent, in seconds."""
    return page.evaluate(f"window.sought.{side}")


def other_of(side: str) -> str:
    return "right" if side == "left" else "left"
