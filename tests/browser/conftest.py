"""Who looks at a page: people signed in without going through the form, annotators with a pair to judge."""

from collections.abc import Sequence

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Dialogue, Pair, Study
from annotation.services import ingest, studies
from earshot.jobs import services as jobs
from tests.annotation.manifests import dialogue, scenario, turns, write_folder
from tests.factories import join, make_study

SECONDS = 4.0  # of a dialogue of `pair_of`, in four turns


@pytest.fixture
def page_of(open_page, live_server):
    """A page on which this person is signed in: `page = page_of(user, width=360)`."""

    def open_signed_in(user, **options):
        client = Client()
        client.force_login(user)
        page = open_page(**options)
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return open_signed_in


def timed_turns(count: int = 4, *, scenario_turns: Sequence[int] | None = None) -> list[dict]:
    """Turns of 0.8 s, one each 0.95 s."""
    rows = [turn | {"start": 0.1 + 0.95 * n, "end": 0.9 + 0.95 * n} for n, turn in enumerate(turns(count))]
    if scenario_turns:
        rows = [row | {"scenario_turn": number} for row, number in zip(rows, scenario_turns, strict=True)]
    return rows


@pytest.fixture
def pair_of(tmp_path):
    """A pair with real renditions in a running study of its own: `pair_of("enforced")`.

    `turns_a`, `turns_b` and `seconds` are for other dialogues than two of the same four turns.
    """

    def make(policy: str, *, turns_a=None, turns_b=None, seconds: float = SECONDS, **fields) -> Pair:
        rows = [
            dialogue("d1", turns=turns_a or timed_turns()),
            dialogue("d2", turns=turns_b or timed_turns(), system="other"),
        ]
        spoken = [{"scenario_turn": number, "role": "user", "text": "…"} for number in range(10)]
        folder = write_folder(tmp_path, rows, [scenario(turns=spoken)], seconds=seconds)
        checked = ingest.check_folder(folder)
        dialogue_import = ingest.store_folder_import(checked)
        with jobs.running(dialogue_import.job_id, 1) as held:
            ingest.run_import(held)
        study = make_study(running=False, listening_policy=policy, **fields)
        pairs = studies.add_pairs(study, [tuple(Dialogue.objects.order_by("pk"))])
        studies.change_state(study, Study.State.RUNNING, by=None)
        return pairs[0]

    return make


@pytest.fixture
def enter(page_of):
    """Sign in as a new annotator of the pair's study: `page, _annotator = enter(pair)`, at the work page."""

    def enter_as(pair: Pair, *, annotator=None, **options):
        annotator = annotator or join(pair.study)
        page = page_of(annotator, **options)
        page.goto(reverse("annotation:work"))
        return page, annotator

    return enter_as
