"""What the listening room may know of a pair: nothing that tells which system spoke."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404
from django.urls import reverse
from django.utils import timezone

from annotation.models import Dimension, Judgment, Lease, Study
from annotation.models.studies import OVERALL
from annotation.queries.lending import lease_with_study, rubric_of
from annotation.queries.wording import for_reader
from annotation.services import leases, listening
from annotation.services.judgments import missing_answers
from annotation.services.listening import SideHeard
from annotation.services.renditions import PlayedSound, ensure_sounds, side_of
from earshot.accounts.models import User

CLOSED = (Lease.State.SUBMITTED, Lease.State.LATE, Lease.State.SKIPPED)
LONGEST_ROLE_NAME = 24
UNHEARD_SECONDS = 0.25  # less of a turn than this is not worth naming
Listening, Transcript = Study.ListeningPolicy, Study.TranscriptPolicy


def lease_of(annotator: User, key: str) -> Lease:
    """The annotator's own lease with this key; another's is not there at all (404), and neither is a guessed one."""
    if len(key) > 32 or "\0" in key:  # PostgreSQL takes no null character, not even to look for
        raise Http404
    lease = lease_with_study(annotator, key)
    if lease is None:
        raise Http404  # without a word: every refusal is the same to the letter
    return lease


def open_lease_of(annotator: User, key: str) -> Lease:
    """Likewise, while it lasts: what was submitted or skipped, or ran out, gives no sound any more."""
    lease = lease_of(annotator, key)
    is_held = lease.state in (Lease.State.RESERVED, Lease.State.LIVE)
    if not is_held or lease.expires_at <= timezone.now():
        raise Http404
    if not lease.has_seat and not _takes_of(lease):  # of annotators who left, what they held has ended
        raise Http404
    return lease


def questions_for(annotator: User, study: Study) -> list[Dimension]:
    """The study's questions in an order fixed for this rater and random between raters; overall is always last."""

    def place(dimension: Dimension) -> tuple[bool, bytes]:
        seed = f"{study.pk}:{annotator.pk}:{dimension.key}"
        return dimension.key == OVERALL, hashlib.sha256(seed.encode()).digest()

    return sorted(rubric_of(study), key=place)


def lease_data(lease: Lease) -> dict[str, Any]:
    """A pair to be judged, for programs: where its sound is, what is asked, and where the answers go."""
    study = lease.pair.study
    return {
        "lease": lease.key,
        "state": lease.state,
        "expires_at": lease.expires_at,
        "first": lease.heard_first,
        "sides": {side: _side_addresses(lease, side) for side in listening.SIDES},
        "questions": [
            {name: for_reader(each, name) for name in ("name", "question", "help_text")} | {"key": each.key}
            for each in questions_for(lease.annotator, study)
        ],
        **{name: reverse(f"annotation:{name}", args=[lease.key]) for name in ("room", "draft", "submit", "heartbeat")},
    }


def _side_addresses(lease: Lease, side: str) -> dict[str, Any]:
    addresses = {name: reverse(f"annotation:lease_{name}", args=[lease.key, side]) for name in ("sound", "turns")}
    return {"seconds": round(side_of(lease, side).seconds, 3), **addresses}


def can_submit_late(lease: Lease, judgment: Judgment | None) -> bool:
    """Whether a draft whose time ran out may still come in, as an extra: complete, heard, by one of its annotators."""
    if lease.state != Lease.State.EXPIRED or judgment is None or judgment.confidence is None:
        return False
    if missing_answers(judgment) or not listening.gate_is_open(lease):
        return False
    return _takes_of(lease)


def _takes_of(lease: Lease) -> bool:
    """Whether the study still takes a judgment of the lease's holder."""
    try:
        leases.check_takes_of(lease)
    except ValidationError:
        return False
    return True


def sound_for(lease: Lease, side: str) -> PlayedSound:
    """The bytes to play on this side."""
    return ensure_sounds(lease.pair)[lease.letter(side)]


def transcript_is_shown(lease: Lease, side: str, *, says_heard: bool = False) -> bool:
    """Whether this side's words may be read now.

    Args:
        says_heard: the page's word that the side was played to its end; taken only where no listening is recorded.
    """
    study = lease.pair.study
    if study.transcript_policy == Transcript.AFTER_FIRST_LISTEN:
        if study.listening_policy == Listening.NONE:
            return says_heard
        return listening.heard_so_far(lease)[side].coverage >= study.coverage_wanted
    return study.transcript_policy == Transcript.ALWAYS


def scene_of(lease: Lease, side: str, *, with_text: bool) -> dict[str, Any]:
    """What one side's drawing and turn list need. Speakers go by role: a voice's own name could tell the system.

    Times to 10 ms: in a check they moved, and finer ones than a manifest's own would tell it.
    """
    played = side_of(lease, side)
    rows = list(played.dialogue.turns.defer("reasoning").all())
    names = _names_of_speakers(rows, lease.pair.scenario.roles or {})
    turns = [
        {
            "speaker": names[row.role, row.speaker],
            "role": row.role,
            "start": round(played.at(row.start), 2),
            "end": round(played.at(row.end), 2),
            "scenario_turn": row.scenario_turn,
            **({"text": row.text} if with_text else {}),
        }
        for row in rows
    ]
    return {"duration": round(played.seconds, 2), "turns": turns, "has_text": with_text}


def _names_of_speakers(rows: Iterable[Any], roles: dict[str, str]) -> dict[tuple[str, str], str]:
    by_role: dict[str, list[str]] = {}
    for row in rows:
        speakers = by_role.setdefault(row.role, [])
        if row.speaker not in speakers:
            speakers.append(row.speaker)
    names = {}
    for role, speakers in by_role.items():
        given = str(roles.get(role, "")).strip()
        name = given if 0 < len(given) <= LONGEST_ROLE_NAME else role
        name = name[:1].upper() + name[1:]
        for number, speaker in enumerate(speakers, start=1):
            names[role, speaker] = f"{name} {number}" if len(speakers) > 1 else name
    return names


def listening_state(lease: Lease, *, at: datetime) -> dict[str, Any]:
    """What the page is told with every heartbeat: the lease, the gate, and per side what was heard and is missing."""
    study = lease.pair.study
    is_recorded = study.listening_policy != Listening.NONE
    heard = listening.heard_so_far(lease) if is_recorded else {}
    return {
        "state": lease.state,
        "seconds_left": max(0, round((lease.expires_at - at).total_seconds())),
        "last_sequence": lease.last_sequence,
        "gate_open": listening.gate_is_open(lease),
        "sides": {side: _side_state(lease, heard[side]) for side in heard},
    }


def _side_state(lease: Lease, side: SideHeard) -> dict[str, Any]:
    played = side_of(lease, side.side)
    turns = played.dialogue.turns.values_list("position", "start", "end")
    missing_turns = [
        position + 1
        for position, start, end in turns
        if seconds_missing(side.missing, played.at(start), played.at(end)) > UNHEARD_SECONDS
    ]
    return {
        "coverage": round(side.coverage, 4),
        "is_enough": side.coverage >= lease.pair.study.coverage_wanted,
        "heard": _rounded(side.heard),
        "missing": _rounded(side.missing),
        "missing_turns": missing_turns,
    }


def seconds_missing(missing: list[list[float]], start: float, end: float) -> float:
    """Of a turn. Only what is missing near it is looked at: half an hour has hundreds of turns and of such stretches.

    Args:
        missing: ascending and disjoint.
    """
    first = bisect_right(missing, start, key=itemgetter(1))
    last = bisect_left(missing, end, key=itemgetter(0))
    return sum(min(end, to) - max(start, since) for since, to in missing[first:last])


def _rounded(stretches: list[list[float]]) -> list[list[float]]:
    return [[round(start, 2), round(end, 2)] for start, end in stretches]
