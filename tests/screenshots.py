"""python -m tests.screenshots OUT: pictures of every state that an annotator meets, at 1440, 768 and 360 px.

Two scenarios of the demo are spoken and imported as any others are, gunicorn serves them as `make run` does, and a
headless Chromium goes from the invitation to the completion code. The sounds of the steps are the shipped ones.
`--guide` keeps only the pictures that docs/annotators-guide.md names.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.screenshots_camera import Studio, now, run
from tests.screenshots_world import (
    begun,
    consenting,
    heard,
    judged,
    lent,
    make_world,
    no_seat,
    somebody,
)
from tests.servers import ROOT

WARNING = "In one dialogue somebody is angry and raises their voice."
GUIDE = ROOT / "docs" / "annotators-guide.md"


def main() -> None:
    run(__doc__, guide=GUIDE, make_world=lambda folder: make_world(), studio=Rooms, states=STATES)


class Rooms(Studio):
    def room(self, lease: Any, *, at_turn: int = 0) -> Any:
        page = self.page(lease.annotator, f"/listen/{lease.key}/")
        until(page, "document.querySelectorAll('canvas[data-drawn]').length === 2")
        if at_turn:
            page.locator("#side-left .turn-go").nth(at_turn - 1).click()
            pause(page)
        return page


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
def invitations(studio: Rooms) -> None:
    from annotation.services import invitations as services

    world = studio.world
    link = services.make_invitation(
        world.full, by=world.researcher, note="students", max_uses=9, expires_at=now() + timedelta(days=14)
    )
    studio.take(studio.page(None, link.get_absolute_url()), "invitation", whole=True, dark=True)
    studio.take(studio.page(None, f"{link.get_absolute_url()}?participant=P-204"), "invitation-participant", whole=True)
    services.withdraw_invitation(link, by=world.researcher, at=now())
    studio.take(studio.page(None, link.get_absolute_url()), "invitation-closed", whole=True)


def consent(studio: Rooms) -> None:
    full = studio.world.full
    newcomer = somebody(studio.world, full)
    studio.take(studio.page(newcomer, f"/enter/{full.pk}/consent"), "consent", whole=True)
    studio.take(studio.page(newcomer, f"/enter/{full.pk}/"), "steps-new", whole=True)
    agreed = consenting(studio.world, passed_before="digits")
    studio.take(studio.page(agreed, f"/enter/{full.pk}/"), "steps", whole=True)
    studio.take(studio.page(agreed, f"/enter/{full.pk}/withdraw"), "consent-withdraw", whole=True)


def checks(studio: Rooms) -> None:
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


def training(studio: Rooms) -> None:
    from annotation.services.qualification import attempts
    from tests.annotation.entering import right_answer, wrong_answer

    for name, answer_to in (("right", right_answer), ("wrong", wrong_answer)):
        user = consenting(studio.world, passed_before="training")
        attempt = begun(studio.world, user, "training")
        attempts.answer(attempt, 0, answer_to(attempt, 0), at=now())
        page = studio.page(user, f"/enter/attempts/{attempt.key}/?told=0")
        studio.take(page, f"training-told-{name}", whole=True)


def home(studio: Rooms) -> None:
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


def first_listen(studio: Rooms) -> None:
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


def not_counted(studio: Rooms) -> None:
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


def marks(studio: Rooms) -> None:
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


def dialogs(studio: Rooms) -> None:
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


def questions(studio: Rooms) -> None:
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


def after_submit(studio: Rooms) -> None:
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


def failures(studio: Rooms) -> None:
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


def time_ran_out(studio: Rooms) -> None:
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


def completion(studio: Rooms) -> None:
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


STATES: tuple[Callable[[Rooms], None], ...] = (
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


if __name__ == "__main__":
    main()
