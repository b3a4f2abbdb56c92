"""Two studies of the demo's spoken dialogues, and annotators in every state, for tests.screenshots."""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.screenshots_camera import now

SCENARIOS = ("english-burnt-dinner", "english-late-parcel")
SYSTEMS = ["expressive", "flat"]
INSTRUCTIONS = (
    "You hear two dialogues of the same scenario. Listen to both to the end, then say which one you would rather be in."
)


@dataclass
class World:
    full: Any  # a study that asks for every step, questions one after another
    together: Any  # all questions on one page, no entry
    researcher: Any
    names: Any = field(default_factory=lambda: itertools.cycle(["Mika", "Noor", "Sam", "Yuki", "Lena", "Omar"]))


def make_world() -> World:
    """Two studies of the demo's spoken dialogues."""
    from django.core.management import call_command

    from annotation.models import Membership, Study
    from earshot.accounts.models import Role
    from earshot.demo.seeding import import_scenarios
    from tests.factories import join, make_user

    import_scenarios("guide", list(SCENARIOS))
    researcher = make_user(Role.RESEARCHER, name="Rosa", email="rosa@lab.example")
    studies = []
    for title, fields in (
        ("English conversations", {"entry": "full", "shows_agreement": True}),
        ("Everyday conversations", {"question_layout": "together"}),
    ):
        call_command("make_study", title, systems=SYSTEMS, instructions=INSTRUCTIONS, start=True, stdout=io.StringIO())
        Study.objects.filter(title=title).update(**fields)
        studies.append(Study.objects.get(title=title))
        join(studies[-1], researcher, Membership.Role.RESEARCHER)
    for study in studies:
        study.pairs.update(seats_left=1000)
    return World(*studies, researcher)


def somebody(world: World, *studies: Any) -> Any:
    from tests.factories import join, make_user

    user = make_user(name=next(world.names))
    for study in studies:
        join(study, user)
    return user


def consenting(world: World, *, passed_before: str = "") -> Any:
    """Somebody who agreed, and has passed the steps before this one."""
    from annotation.services.qualification.rules import steps_of
    from tests.annotation.entering import make_consenting, passed

    user = make_consenting(world.full, at=now() - timedelta(minutes=20), user=somebody(world))
    steps = list(steps_of(world.full))
    for step in steps[: steps.index(passed_before)] if passed_before else steps:
        passed(user, world.full, step, at=now() - timedelta(minutes=10))
    return user


def begun(world: World, user: Any, step: str, *, seed: int = 1) -> Any:
    from annotation.models import Attempt
    from annotation.services.qualification.rules import RULES

    n_trials = RULES[step].n_trials
    return Attempt.objects.create(
        user=user, study=world.full, step=step, language="en", seed=seed, started_at=now(), n_trials=n_trials
    )


def lent(study: Any, user: Any, *, number: int = 0, at: datetime | None = None) -> Any:
    """One of the study's pairs, open to this person; A is heard first."""
    from annotation.models import Lease
    from tests.factories import make_lease

    # Opened a while ago: more cannot have been heard since than time has passed.
    lease = make_lease(study.pairs.order_by("pk")[number], user, at=at or now() - timedelta(minutes=3))
    Lease.objects.filter(pk=lease.pk).update(side_left="a", heard_first="left")
    lease.refresh_from_db()
    return lease


def heard(lease: Any, **sides: list[list[float]] | None) -> Any:
    """As if these stretches (seconds) had been credited; `left=None` is a whole side."""
    from annotation.models import Heartbeat, ListeningLog
    from annotation.queries.listening import side_of
    from annotation.services.listening import coverage

    for side, stretches in sides.items():
        played = side_of(lease, side)
        stretches = [[0.0, played.seconds]] if stretches is None else stretches
        seconds = sum(end - start for start, end in stretches)
        ListeningLog.objects.create(
            lease=lease,
            side=side,
            heard=stretches,
            delivered=[[0.0, played.seconds]],
            seconds_played=seconds,
            coverage=coverage(stretches, played.speech),
        )
        Heartbeat.objects.create(
            lease=lease,
            sequence=1000 + len(side),  # beyond those that the page sends
            side=side,
            media_time=seconds,
            credited_seconds=seconds,
            received_at=lease.opened_at,
        )
    return lease


def judged(study: Any, user: Any, *, number: int = 0, at: datetime | None = None) -> Any:
    from annotation.services import judgments
    from tests.factories import answer

    at = at or now()
    lease = heard(lent(study, user, number=number, at=at), left=None, right=None)
    answer(lease, 1, at=at, prosody=2, immersion=-1, overall=1)
    return judgments.submit(lease, at=at)


@contextmanager
def no_seat(pairs: Any, pk: int) -> Iterator[None]:
    """For as long as it lasts, others have the last seat of this pair."""
    seats = pairs.objects.values_list("seats_left", flat=True).get(pk=pk)
    pairs.objects.filter(pk=pk).update(seats_left=0)
    yield
    pairs.objects.filter(pk=pk).update(seats_left=seats)
