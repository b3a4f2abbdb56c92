"""A study of real size, one of people with checks, an empty one and a huge one, for tests.screenshots_research.

All dialogues are the demo's, all people and votes are made up; what becomes of them is the product's own doing.
"""

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import huge_study
from tests.screenshots_camera import now
from tests.screenshots_world import INSTRUCTIONS, heard

PEOPLE, CROWD, DRAFT, HUGE = "Comforting voices", "Seven voices", "Pauses and breath", "Read stories, 20 systems"
FOUR = ["expressive", "flat", "broken-turn", "ill-timed"]  # spoken in every scenario
HUGE_SYSTEMS, HUGE_JUDGMENTS = 20, 57_000  # all its pairs, three times
SPREAD = 2.2  # logits that a difference of 1 in constructed utility is worth
RESEARCHER, NEWCOMER = "rosa@lab.example", "theo@lab.example"


@dataclass(frozen=True)
class Character:
    """How somebody made up judges."""

    name: str
    group: str = ""
    lapse: float = 0.02  # share of answers at random
    left: float = 0.0  # logits in favour of the left side
    speed: float = 1.6  # time over the length of the sound
    is_careful: bool = True  # hears what a check is about
    is_alike: bool = False  # one answer for all questions
    taste: float = 0.3  # logits, the standard deviation of the liking of a system
    sharpness: float = SPREAD


CHARACTERS = (
    Character("Mika Aalto", "native"),
    Character("Noor Haddad", "native", speed=1.9),
    Character("Sam Okafor", "native", taste=0.6),
    Character("Yuki Tanaka", "fluent"),
    Character("Lena Vogt", "fluent", speed=1.4),
    Character("Omar Diaz", "native", sharpness=1.6),
    Character("Ines Roux", "fluent", is_alike=True),
    Character("Tom Berg", "fluent", lapse=1.0, speed=0.5, is_careful=False),
    Character("Pia Lund", "native", left=5.0, is_careful=False),
    Character("Jon Salo", "", sharpness=1.2, taste=0.5),
)
CROWD_CHARACTERS = (
    *(Character("", ("native", "fluent")[number % 2], taste=0.2 + 0.04 * number) for number in range(9)),
    Character("", "fluent", lapse=1.0, speed=0.6, is_careful=False),
    Character("", "native", left=5.0, is_careful=False),
    Character("", "fluent", is_alike=True, taste=0.5),
)
GOOD_WORDS = ("warm, as if she meant it", "lets me finish", "")
BAD_WORDS = ("flat where he should be sorry", "answers too fast", "the voice changes", "", "")


@dataclass
class ResearchWorld:
    people: Any
    crowd: Any
    draft: Any
    huge: Any
    researcher: Any
    newcomer: Any  # a researcher without studies


def make_world() -> ResearchWorld:
    from annotation.models import Study
    from earshot.accounts.models import User

    if not Study.objects.exists():
        _fill()
    people, crowd, draft, huge = (
        Study.objects.get(title=title, is_pilot=False) for title in (PEOPLE, CROWD, DRAFT, HUGE)
    )
    researcher, newcomer = (User.objects.get(email=email) for email in (RESEARCHER, NEWCOMER))
    return ResearchWorld(people, crowd, draft, huge, researcher, newcomer)


def _fill() -> None:
    from annotation.models import Membership, Study
    from earshot.accounts.models import Role
    from earshot.demo import content
    from earshot.demo.seeding import import_scenarios
    from tests.factories import join, make_user

    huge = make_huge()  # first: its rows count on the database being empty
    print("the huge study stands", flush=True)
    researcher = make_user(Role.RESEARCHER, name="Rosa Klein", email=RESEARCHER)
    make_user(Role.RESEARCHER, name="Theo Brandt", email=NEWCOMER)
    join(huge, researcher, Membership.Role.RESEARCHER)
    import_scenarios("guide", content.rendered_scenario_ids())
    print("the dialogues are spoken", flush=True)
    make_draft(researcher)
    make_crowd_study(researcher)
    print("the simulated raters have judged", flush=True)
    make_people_study(researcher)
    for title in (CROWD, PEOPLE):
        update_statistics(Study.objects.get(title=title, is_pilot=False))


# --- The huge study ---------------------------------------------------------------------------------------------------
def make_huge() -> Any:
    from annotation.models import Judgment, Scenario, Study
    from earshot.accounts.models import User

    huge_study.fill(HUGE_JUDGMENTS, HUGE_SYSTEMS)
    Scenario.objects.filter(language="en").update(language="de")  # not among the scenarios of the other studies
    Study.objects.update(title=HUGE, language="de", is_simulated=True)
    User.objects.filter(role="annotator").update(is_simulated=True)
    Judgment.objects.update(is_simulated=True)
    huge_study.compute()
    return Study.objects.get()


def update_statistics(study: Any) -> None:
    """What a worker does, pitch included, so that no page waits for one."""
    from annotation.services.statistics import keeping
    from earshot.jobs import services as jobs

    job = keeping.request_update(study, by=None)
    with jobs.running(job.pk, job.fence) as held:
        assert held is not None, "nobody else works here"
        keeping.run_update(held, at=now())


# --- A draft ----------------------------------------------------------------------------------------------------------
def make_draft(researcher: Any) -> Any:
    """With examples and words in two languages; no pairs yet."""
    from annotation.models import Membership
    from annotation.services import studies
    from annotation.services.studies.examples import add_example
    from earshot.demo import recordings

    draft = studies.create_study(
        title=DRAFT,
        by=researcher,
        at=now() - timedelta(hours=2),
        description="Do shorter pauses sound more present, or only more hurried?",
        instructions=INSTRUCTIONS,
        judgments_at_most=600,
    )
    for character in CHARACTERS[:3]:
        person = _person(character)
        studies.add_member(draft, person, Membership.Role.ANNOTATOR, by=researcher, group=character.group)
    clips = sorted((Path(recordings.__path__[0]) / "english").rglob("*.opus"))[:2]
    for clip, side, words in zip(
        clips,
        ("better", "worse"),
        ("The voice rises with the good news.", "Every word has the same weight."),
        strict=True,
    ):
        add_example(draft, "prosody", clip, side=side, language="en", words=words, by=researcher)
    own = {"de": {"title": "Pausen und Atem"}, "ja": {"title": "間と息"}}
    prosody = {"ja": {"name": "韻律", "question": "どちらの声の調子が場面に合っていますか。"}}
    studies.save_translations(draft, own, {"prosody": prosody}, by=researcher)
    return draft


def _person(character: Character) -> Any:
    from earshot.accounts.models import User
    from tests.factories import make_user

    email = f"{character.name.split()[0].lower()}@lab.example"
    return User.objects.filter(email=email).first() or make_user(name=character.name, email=email)


# --- Votes ------------------------------------------------------------------------------------------------------------
def make_crowd_study(researcher: Any) -> Any:
    """Seven systems and twelve simulated raters, two of whom do not listen; stopped a little before its end."""
    from annotation.models import Membership, System
    from annotation.services import simulation, studies

    study = studies.create_study(
        title=CROWD,
        by=researcher,
        at=now() - timedelta(days=12),
        description="Which of seven ways to answer would one rather talk with?",
        instructions=INSTRUCTIONS,
        is_simulated=True,
        listening_policy="none",
        half_width_enough=0.25,
    )
    systems = System.objects.filter(dialogues__scenario__language="en").distinct()
    _add_pairs(study, systems, researcher)
    raters = [simulation.ensure_rater(study, number) for number in range(len(CROWD_CHARACTERS))]
    for rater, character in zip(raters, CROWD_CHARACTERS, strict=True):
        Membership.objects.filter(study=study, user=rater).update(group=character.group)
    studies.change_state(study, "running", by=researcher)
    votes = list(zip(raters, CROWD_CHARACTERS, strict=True))
    let_judge(study, votes, seed=1, most=0.9, began=now() - timedelta(days=11), days=11)
    return study


def make_people_study(researcher: Any) -> Any:
    """Four systems and ten people, with checks, flags, an exclusion, adjudications, a pilot and a snapshot."""
    from annotation.models import Membership, System
    from annotation.services import checks, studies

    study = studies.create_study(
        title=PEOPLE,
        by=researcher,
        at=now() - timedelta(days=9),
        description="Who comforts best when the day went wrong?",
        instructions=INSTRUCTIONS,
        content_warning="In some dialogues somebody is angry or sad.",
        group_quotas={"native": 240},
    )
    _add_pairs(study, System.objects.filter(name__in=FOUR), researcher)
    study.refresh_from_db()
    people = [_person(character) for character in CHARACTERS]
    for person, character in zip(people, CHARACTERS, strict=True):
        studies.add_member(study, person, Membership.Role.ANNOTATOR, by=researcher, group=character.group)
    pilot = studies.pilot_study(
        study, n_pairs=6, overlap=1, annotators=False, myself=True, by=researcher, at=now() - timedelta(days=8), seed=1
    )
    studies.change_state(pilot, "finished", by=researcher)
    checks.make_checks(study, n_gold=8, n_identical=4, n_spoken=4, seed=1, by=researcher)
    studies.change_state(study, "running", by=researcher)
    votes = list(zip(people, CHARACTERS, strict=True))
    let_judge(study, votes, seed=2, most=0.85, began=now() - timedelta(days=7), days=7)
    _look_after(study, researcher, dict(zip([each.name for each in CHARACTERS], people, strict=True)))
    return study


def _add_pairs(study: Any, systems: Any, researcher: Any) -> None:
    from annotation.services import studies

    design = studies.Design(studies.Kind.ALL, tuple(sorted(system.pk for system in systems)))
    studies.make_design(study, studies.plan_design(study, design), by=researcher, at=study.created_at)


def let_judge(
    study: Any, raters: list[tuple[Any, Character]], *, seed: int, most: float, began: datetime, days: float
) -> None:
    """Raters take turns until the share `most` of the votes that the pairs want is there, evenly over the days."""
    from annotation.services.simulation import _seeded_chance

    n_votes = round(most * study.pairs.filter(kind="regular").count() * study.overlap)
    step = timedelta(days=days) / (1.25 * n_votes)  # checks come on top
    rng, at, done, turn = np.random.default_rng(seed), began, 0, 0
    with _seeded_chance(seed):
        while done < n_votes and at < now():
            rater, character = raters[turn % len(raters)]
            kind = vote(study, rater, character, rng, at=at)
            done += kind == "regular"
            turn, at = turn + 1, at + step


def vote(study: Any, rater: Any, character: Character, rng: Any, *, at: datetime) -> str:
    """Take the next pair, hear it, mark it, answer, submit. Returns the pair's kind; "" if none was open."""
    from annotation.services import judgments, leases

    lease = leases.next_lease(rater, study, at=at)
    if lease is None:
        return ""
    leases.open_lease(lease, at=at)
    if not rater.is_simulated:
        heard(lease, left=None, right=None)
    values = _values(lease, character, rng)
    shown = {key: judgments.ShownScore(value=lease.shown_value(value)) for key, value in values.items()}
    confidence = int(np.clip(2 + abs(values["overall"]), 1, 5))
    marks = _marks(lease, values, rng)
    judgments.save_draft(lease, scores=shown, confidence=confidence, marks=marks, at=at)
    seconds = character.speed * rng.lognormal(0, 0.15) * (lease.pair.dialogue_a.seconds + lease.pair.dialogue_b.seconds)
    judgments.submit(lease, at=at + timedelta(seconds=float(seconds)))
    return str(lease.pair.kind)


def _values(lease: Any, character: Character, rng: Any) -> dict[str, int]:
    """By dimension, as stored: positive favours a."""
    from annotation.services.simulation import RaterModel, felt_advantage, value_probabilities

    pair = lease.pair
    keys = list(pair.study.dimensions.values_list("key", flat=True))
    if pair.expected_value is not None and character.is_careful and rng.random() < 0.95:
        return dict.fromkeys(keys, pair.expected_value)
    model = RaterModel(
        taste_sd=character.taste / character.sharpness,
        taste_seed=lease.annotator_id,
        side_bias=character.left,
        discrimination=character.sharpness,
        lapse_rate=character.lapse,
    )
    mood = rng.normal(0, 0.8)  # one impression colours every answer
    values = {}
    for key in keys:
        advantage = felt_advantage(pair.dialogue_a, pair.dialogue_b, key, model) + mood
        chances = value_probabilities(advantage, model, a_is_left=lease.side_left == "a")
        values[key] = int(rng.choice(7, p=chances)) - 3
    return dict.fromkeys(keys, values["overall"]) if character.is_alike else values


def _marks(lease: Any, values: dict[str, int], rng: Any) -> list[Any]:
    """On about every second regular pair: a moment of the side that was preferred, or of the other."""
    from annotation.services.judgments import ShownMark

    if lease.pair.kind != "regular" or not values["overall"] or rng.random() < 0.4:
        return []
    better = "a" if values["overall"] > 0 else "b"
    is_good = bool(rng.random() < 0.45)
    letter = better if is_good else "ab".replace(better, "")
    turns = list(lease.pair.dialogue(letter).turns.filter(role="assistant"))
    weights = np.arange(1.0, len(turns) + 1)  # what comes late is marked more
    turn = turns[int(rng.choice(len(turns), p=weights / weights.sum()))]
    words = GOOD_WORDS if is_good else BAD_WORDS
    return [
        ShownMark(
            side="left" if lease.side_left == letter else "right",
            turn=turn.position,
            seconds=round(float(turn.start + 0.7 * (turn.end - turn.start)), 1),
            polarity="good" if is_good else "bad",
            dimension=str(rng.choice([key for key in values if key != "overall"])),
            note=str(rng.choice(words)),
        )
    ]


# --- What a researcher does about it ----------------------------------------------------------------------------------
def _look_after(study: Any, researcher: Any, people: dict[str, Any]) -> None:
    from django.core.management import call_command

    from annotation.models import Lease, Membership, Study
    from annotation.services import exclusions, flags, studies
    from earshot.accounts.models import Role
    from tests.annotation.entering import passed
    from tests.factories import make_user

    judged = Lease.objects.filter(study=study, state="submitted", pair__kind="regular").order_by("-submitted_at")
    first = flags.flag_pair(judged[3], kind="sound", note="a crack near the end of B", at=now() - timedelta(hours=7))
    flags.resolve(first, resolution="Heard: a breath, no fault.", by=researcher, at=now() - timedelta(hours=5))
    flags.flag_pair(judged[9], kind="question", note="both are the same words", at=now() - timedelta(hours=2))
    early = exclusions.exclude(
        study, people["Jon Salo"], reason="Said that his headphones were broken.", by=researcher,
        at=now() - timedelta(days=3),
    )  # fmt: skip
    exclusions.lift(early, by=researcher, at=now() - timedelta(days=2))
    exclusions.exclude(
        study, people["Tom Berg"], reason="Failed most checks, and answered before the sound had ended.", by=researcher,
        at=now() - timedelta(hours=20),
    )  # fmt: skip
    iris = make_user(Role.RESEARCHER, name="Iris Moor", email="iris@lab.example")
    studies.add_member(study, iris, Membership.Role.RESEARCHER, by=researcher)
    _adjudicate(study, researcher, iris)
    for character in CHARACTERS:
        _qualify(study, people[character.name], passed, all_steps=character.name != "Jon Salo")
    Study.objects.filter(pk=study.pk).update(entry="full")
    Membership.objects.filter(study=study).update(joined_at=study.created_at)
    call_command("make_snapshot", study.pk, name="First look", here=True, stdout=io.StringIO())


def _adjudicate(study: Any, researcher: Any, adjudicator: Any) -> None:
    """Three are asked for; one of them is decided, with the larger half of the votes."""
    from annotation.queries.disputes import most_disputed
    from annotation.services import adjudication, judgments, leases
    from tests.factories import answer

    asked = [
        adjudication.request(
            row.pair, reason="The votes go both ways.", by=researcher, at=now() - timedelta(hours=30 - number)
        )
        for number, row in enumerate(most_disputed(study)[:3])
    ]
    at = now() - timedelta(hours=4)
    lease = adjudication.begin(asked[0], adjudicator, at=at)
    heard(leases.open_lease(lease, at=at), left=None, right=None)
    answer(lease, 1, at=at, overall=2, immersion=2)
    judgments.submit(lease, at=at + timedelta(minutes=3))


def _qualify(study: Any, person: Any, passed: Any, *, all_steps: bool) -> None:
    """As if they had come through the steps today: headphones and volume hold for a session."""
    from annotation.models import Step
    from annotation.services.qualification.consent import give_consent

    at = now() - timedelta(hours=2)
    give_consent(person, study, at=at)
    for number, step in enumerate(Step):
        if all_steps or number < 2:
            passed(person, study, step, at=at + timedelta(minutes=2 * number))
