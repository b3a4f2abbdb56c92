"""Dull, valid objects. What matters to a test stands in the test."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from annotation.models import Dialogue, Lease, Membership, Pair, Rendition, Scenario, Study, System, Turn
from annotation.services import judgments, leases, studies
from annotation.services.judgments import ShownScore
from earshot.accounts.models import Role, User

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
_numbers = count(1)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def make_user(role: str = Role.ANNOTATOR, **fields: Any) -> User:
    number = next(_numbers)
    return User.objects.create_user(
        fields.pop("email", f"{role}{number}@example.org"), fields.pop("password", PASSWORD), role=role, **fields
    )


def make_system(name: str | None = None) -> System:
    return System.objects.get_or_create(name=name or f"system-{next(_numbers)}")[0]


def make_scenario(**fields: Any) -> Scenario:
    number = next(_numbers)
    defaults = {"scenario_id": f"scenario-{number}", "topic": f"Topic {number}", "language": "en"}
    return Scenario.objects.create(**{**defaults, "content_hash": f"{number:064x}", **fields})


def make_dialogue(scenario: Scenario | None = None, system: System | None = None, **fields: Any) -> Dialogue:
    """Ten seconds in two turns of four seconds, with speech in both; its bytes are not stored."""
    number = next(_numbers)
    defaults = {
        "dialogue_id": f"dialogue-{number}",
        "content_hash": f"{number:064x}",
        "master_sha256": f"{number:064x}",
        "peaks_sha256": f"{number:064x}",
        "seconds": 10.0,
        "sample_rate": 24_000,
        "lufs": -23.0,
        "true_peak_dbtp": -6.0,
        "gain_db": 0.0,
        "speech": [[0.5, 4.5], [5.0, 9.0]],
    }
    dialogue = Dialogue.objects.create(
        scenario=scenario or make_scenario(), system=system or make_system(), **{**defaults, **fields}
    )
    for position, (role, start) in enumerate((("user", 0.5), ("assistant", 5.0))):
        Turn.objects.create(
            dialogue=dialogue,
            position=position,
            scenario_turn=position,
            role=role,
            speaker=role,
            start=start,
            end=start + 4.0,
            text=f"Turn {position + 1} of {dialogue.dialogue_id}.",
        )
    Rendition.objects.create(
        dialogue=dialogue,
        level_lufs=round(dialogue.level_lufs, 1),
        sha256=dialogue.master_sha256,
        size_bytes=44 + int(dialogue.seconds * 48_000),
        sample_rate=24_000,
    )
    return dialogue


def make_study(*, running: bool = True, researcher: User | None = None, **fields: Any) -> Study:
    study = studies.create_study(
        title=fields.pop("title", f"Study {next(_numbers)}"),
        by=researcher,
        at=NOW,
        **{"listening_policy": Study.ListeningPolicy.NONE, "check_rate": 0.0, **fields},
    )
    if running:
        Study.objects.filter(pk=study.pk).update(state=Study.State.RUNNING)
        study.refresh_from_db()
    return study


def make_pair(study: Study | None = None, **fields: Any) -> Pair:
    scenario = fields.pop("scenario", None) or make_scenario()
    study = study or make_study()
    defaults = {
        "dialogue_a": fields.pop("dialogue_a", None) or make_dialogue(scenario),
        "dialogue_b": fields.pop("dialogue_b", None) or make_dialogue(scenario),
        "level_lufs": -23.0,
        "seats_left": study.overlap,
    }
    return Pair.objects.create(study=study, scenario=scenario, **{**defaults, **fields})


def join(study: Study, user: User | None = None, role: str = Membership.Role.ANNOTATOR) -> User:
    user = user or make_user(role)
    Membership.objects.get_or_create(study=study, user=user, role=role)
    return user


def make_lease(pair: Pair | None = None, annotator: User | None = None, *, opened: bool = True, at=NOW) -> Lease:
    pair = pair or make_pair()
    annotator = join(pair.study, annotator)
    lease = leases.take(pair, annotator, probability=1.0, at=at)
    assert lease is not None, "the pair has no seat left"
    return leases.open_lease(lease, at=at) if opened else lease


def answer(lease: Lease, value: int = 1, *, at=NOW, **values: int) -> None:
    """A complete draft: `value` (as shown) for every dimension not named."""
    keys = lease.pair.study.dimensions.values_list("key", flat=True)
    scores = {key: ShownScore(value=values.get(key, value)) for key in keys}
    judgments.save_draft(lease, scores=scores, confidence=3, reason="", at=at)
