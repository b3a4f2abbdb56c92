"""Studies whose dialogues were really spoken, so that checks can be made of them."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from annotation.models import Pair, Study, Turn
from annotation.models.studies import OVERALL
from annotation.services import judgments
from earshot.accounts.models import User
from tests.annotation.sounding import RATE, sounding_dialogue
from tests.factories import NOW, answer, make_lease, make_pair, make_scenario, make_study

RECORDINGS = Path("platform/earshot/demo/recordings/dailytalk")
GAP_SECONDS = 0.6


@cache
def conversation(
    name: str = "at-the-till", n_lines: int = 6
) -> tuple[np.ndarray, tuple[tuple[str, float, float], ...]]:
    """Recorded lines with pauses of soft noise between them, at 24 kHz, and the turns (role, start, end)."""
    noise = np.random.default_rng(1)
    pieces, turns, place = [], [], 0
    for path in sorted((RECORDINGS / name).glob("*.opus"))[:n_lines]:
        gap = np.zeros(round(GAP_SECONDS * RATE))
        line, rate = soundfile.read(path)
        line = line if rate == RATE else soxr.resample(line, rate, RATE)
        start = place + len(gap)
        pieces += [gap, line]
        place = start + len(line)
        turns.append((path.stem.split("-")[1], start / RATE, place / RATE))
    whole = np.concatenate([*pieces, np.zeros(RATE // 2)])
    return (whole + 1e-4 * noise.standard_normal(len(whole))).astype(np.float32), tuple(turns)


def spoken_dialogue(scenario, name: str = "at-the-till", n_lines: int = 6):
    samples, turns = conversation(name, n_lines)
    dialogue = sounding_dialogue(scenario, samples=samples)
    dialogue.turns.all().delete()
    for position, (role, start, end) in enumerate(turns):
        Turn.objects.create(
            dialogue=dialogue, position=position, scenario_turn=position, role=role, speaker=role,
            start=start, end=end, text=f"Line {position + 1}.",
        )  # fmt: skip
    return dialogue


def spoken_study(*, n_lines: int = 6, **fields) -> tuple[Study, Pair]:
    """A running study with one regular pair of two recorded conversations."""
    study = make_study(**{"listening_policy": "enforced", "transcript_policy": "always", "overlap": 4, **fields})
    scenario = make_scenario()
    pair = make_pair(
        study, scenario=scenario,
        dialogue_a=spoken_dialogue(scenario, "at-the-till", n_lines),
        dialogue_b=spoken_dialogue(scenario, "shopping-budget", n_lines),
    )  # fmt: skip
    return study, pair


def plain_check(study: Study, kind: str = "gold", expected: int | None = 3, **fields) -> Pair:
    """A check whose sounds nobody will ask for."""
    scenario = fields.pop("scenario", None) or make_scenario()
    if "letter" in fields.get("treatment", {}):
        sound = {"sha256": "0" * 64, "size_bytes": 1, "sample_rate": 24_000, "peaks_sha256": "0" * 64}
        fields["treatment"] = {"sound": sound, **fields["treatment"]}
    if kind == "identical":
        fields.setdefault("dialogue_a", make_pair(study, scenario=scenario).dialogue_a)
        fields.setdefault("dialogue_b", fields["dialogue_a"])
    return make_pair(
        study, scenario=scenario, kind=kind, **{"expected_value": expected, "seats_left": 1_000_000, **fields}
    )


def judged(pair: Pair, annotator: User | None = None, value: int = 1, *, at=NOW, **values: int):
    """A submitted judgment; values as stored: positive favours dialogue_a."""
    lease = make_lease(pair, annotator, at=at)
    told = {OVERALL: value, **values}
    answer(lease, lease.shown_value(value), at=at, **{key: lease.shown_value(each) for key, each in told.items()})
    return judgments.submit(lease, at=at)
