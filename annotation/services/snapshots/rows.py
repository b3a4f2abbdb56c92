"""Reading a study's judgments as the rows of a snapshot: streamed, and all from one state of the database."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Literal

from django.db import connection, transaction
from django.db.models import Subquery

from annotation.models import Dialogue, Judgment, Lease, Pair, Score, Study, Turn, TurnMark
from annotation.models.judgments import JudgmentQuerySet
from annotation.services.qualification.standing import headphones_checked, withdrawn_from
from annotation.services.quality import english_of
from annotation.services.renditions import LEVEL_TOLERANCE_LU, rounded_level
from annotation.services.snapshots.filters import WITHDRAWN, SnapshotFilter
from annotation.services.snapshots.identity import Names
from earshot.formats.snapshot import JudgmentRow, MarkRow, PairRow, Row, ScoreRow, TurnRow
from earshot.formats.snapshot_rows import Side
from earshot.jobs import artefacts

CHUNK_ROWS = 2_000
SAME_NAMES = (  # a judgment and its row call these alike
    "is_simulated",
    "is_late",
    "confidence",
    "reason",
    "coverage_a",
    "coverage_b",
    "seconds_a",
    "seconds_b",
    "judging_seconds",
    "stalls",
    "transcript_condition",
)
JUDGMENT_FIELDS = (
    "pk",
    "lease__pair_id",
    "lease__pair__kind",
    "lease__annotator_id",
    "lease__side_left",
    "lease__heard_first",
    "lease__selection_probability",
    "quality__verdict",
    "quality__checks",
    "submitted_at",
    "headphones",
    *SAME_NAMES,
)
HEADPHONES: dict[bool | None, Literal["passed", "failed", "unknown"]] = {
    True: "passed",
    False: "failed",
    None: "unknown",
}


@dataclass(frozen=True)
class Selection:
    """The judgments that a filter keeps, as their ids by primary key, and how many stayed out by reason."""

    study: Study
    filter: SnapshotFilter
    names: Names
    kept: dict[int, str]
    pairs: frozenset[int]
    out: dict[str, int]

    @property
    def counts(self) -> dict[str, Any]:
        return {"in": len(self.kept), "out": dict(sorted(self.out.items()))}


@contextmanager
def one_state() -> Iterator[None]:
    """All reads inside see the database as it was at the first; nobody who writes has to wait."""
    if connection.in_atomic_block:  # the caller's transaction decides
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # Django's own atomic() would take the write lock at once
            try:
                yield
            finally:
                cursor.execute("COMMIT")
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield


def select(study: Study, filter: SnapshotFilter, names: Names, *, as_of: datetime) -> Selection:
    """Hold every judgment submitted by `as_of` against the filter; those of people who withdrew stay out of any."""
    kept: dict[int, str] = {}
    pairs: set[int] = set()
    out: Counter[str] = Counter()
    fields = (
        "pk",
        "lease__pair_id",
        "is_late",
        "is_simulated",
        "lease__annotator_id",
        "submitted_at",
        "quality__verdict",
    )
    submitted = _of_study(study).filter(submitted_at__lte=as_of).order_by("pk")
    withdrawn = withdrawn_from(study)
    for pk, pair, is_late, is_simulated, rater, submitted_at, verdict in submitted.values_list(*fields).iterator(
        CHUNK_ROWS
    ):
        reason = WITHDRAWN if rater in withdrawn else None
        reason = reason or filter.reason_out(
            is_late=is_late,
            is_simulated=is_simulated,
            rater=names.rater(rater),
            submitted_at=submitted_at,
            verdict=verdict or "unknown",
        )
        if reason is None:
            kept[pk] = names.judgment(pk)
            pairs.add(pair)
        else:
            out[reason] += 1
    return Selection(study, filter, names, kept, frozenset(pairs), dict(out))


def tables_of(selection: Selection) -> dict[str, Iterator[Row]]:
    """The rows of the five tables."""
    return {
        "judgments": judgment_rows(selection),
        "scores": score_rows(selection),
        "marks": mark_rows(selection),
        "pairs": pair_rows(selection),
        "turns": turn_rows(selection),
    }


def judgment_rows(selection: Selection) -> Iterator[JudgmentRow]:
    names, study = selection.names, selection.study
    study_id = names.study(study.pk)
    checked = _of_study(study).annotate(headphones=Subquery(headphones_checked("lease")))
    for values in checked.values_list(*JUDGMENT_FIELDS).iterator(CHUNK_ROWS):
        field = dict(zip(JUDGMENT_FIELDS, values, strict=True))
        if field["pk"] not in selection.kept:
            continue
        left: Side = field["lease__side_left"]
        right: Side = "b" if left == "a" else "a"
        yield JudgmentRow(
            judgment_id=selection.kept[field["pk"]],
            study_id=study_id,
            rubric_version=study.version,
            pair_id=names.pair(field["lease__pair_id"]),
            pair_kind=field["lease__pair__kind"],
            rater=names.rater(field["lease__annotator_id"]),
            side_left=left,
            heard_first=left if field["lease__heard_first"] == "left" else right,
            headphones=HEADPHONES[field["headphones"]],
            quality=field["quality__verdict"] or "unknown",
            quality_reasons=quality_reasons(field["quality__checks"]),
            selection_probability=field["lease__selection_probability"],
            created_at=field["submitted_at"],
            **{name: field[name] for name in SAME_NAMES},
        )


def quality_reasons(checks: dict[str, Any] | None) -> tuple[str, ...]:
    """What kept a judgment from passing, one text per check."""
    found = sorted((checks or {}).items())
    return tuple(f"{check}: {english_of(reason)}" for check, (verdict, reason) in found if verdict != "pass")


def score_rows(selection: Selection) -> Iterator[ScoreRow]:
    scores = Score.objects.filter(
        judgment__in=_of_study(selection.study), dimension__key__in=selection.filter.dimensions
    ).order_by()
    fields = ("judgment_id", "dimension__key", "value", "kind")
    for judgment, dimension, value, kind in scores.values_list(*fields).iterator(CHUNK_ROWS):
        if judgment in selection.kept:
            yield ScoreRow(judgment_id=selection.kept[judgment], dimension=dimension, value=value, kind=kind)


def mark_rows(selection: Selection) -> Iterator[MarkRow]:
    """Marks on a dimension that the filter leaves out stay out; marks on none stay in."""
    marks = TurnMark.objects.filter(judgment__in=_of_study(selection.study)).order_by()
    fields = (
        "judgment_id",
        "turn__dialogue__dialogue_id",
        "turn__position",
        "seconds",
        "dimension__key",
        "polarity",
        "note",
    )
    for judgment, dialogue, turn, seconds, dimension, polarity, note in marks.values_list(*fields).iterator(CHUNK_ROWS):
        if judgment in selection.kept and dimension in (None, *selection.filter.dimensions):
            yield MarkRow(
                judgment_id=selection.kept[judgment],
                dialogue_id=dialogue,
                turn=turn,
                seconds=seconds,
                dimension=dimension,
                polarity=polarity,
                note=note,
            )


def pair_rows(selection: Selection) -> Iterator[PairRow]:
    related = ("scenario", "dialogue_a__system", "dialogue_b__system")
    pairs = Pair.objects.filter(study=selection.study).select_related(*related).order_by()
    for pair in pairs.iterator(CHUNK_ROWS):
        if pair.pk in selection.pairs:
            a, b = pair.dialogue_a, pair.dialogue_b
            yield PairRow(
                pair_id=selection.names.pair(pair.pk),
                scenario_id=pair.scenario.scenario_id,
                system_a=a.system.name,
                system_b=b.system.name,
                dialogue_a=a.dialogue_id,
                dialogue_b=b.dialogue_id,
                audio_sha256_a=a.master_sha256,
                audio_sha256_b=b.master_sha256,
                seconds_a=a.seconds,
                seconds_b=b.seconds,
                lufs_a=a.level_lufs,
                lufs_b=b.level_lufs,
                gain_db_a=playback_gain_db(a, pair.level_lufs),
                gain_db_b=playback_gain_db(b, pair.level_lufs),
            )


def playback_gain_db(dialogue: Dialogue, pair_level_lufs: float) -> float:
    """What was added to the FLAC when it was played: below 0 only where the pair's other side could not be as loud."""
    if abs(dialogue.level_lufs - pair_level_lufs) <= LEVEL_TOLERANCE_LU:
        return 0.0
    return rounded_level(pair_level_lufs) - dialogue.level_lufs


def turn_rows(selection: Selection) -> Iterator[TurnRow]:
    dialogues = _dialogues(selection)
    turns = Turn.objects.filter(dialogue__in=_all_dialogues(selection.study)).order_by()
    fields = ("dialogue_id", "position", "scenario_turn", "role", "speaker", "start", "end", "text", "times_estimated")
    for dialogue, position, *rest in turns.values_list(*fields).iterator(CHUNK_ROWS):
        if dialogue in dialogues:
            named = dict(zip(fields[2:], rest, strict=True))
            yield TurnRow(dialogue_id=dialogues[dialogue], turn=position, **named)


def sounds_of(selection: Selection) -> dict[str, Callable[[], BinaryIO]]:
    """How to open the FLAC of every dialogue that is in a kept pair, by hash."""
    dialogues = _dialogues(selection)
    masters = _all_dialogues(selection.study).values_list("pk", "master_sha256")
    return {sha256: _opener(sha256) for pk, sha256 in masters if pk in dialogues}


def licences_of(selection: Selection) -> list[str]:
    """Licences that the manifests gave for the dialogues in kept pairs."""
    dialogues = _dialogues(selection)
    metas = _all_dialogues(selection.study).values_list("pk", "meta")
    return sorted({str(meta["licence"]) for pk, meta in metas if pk in dialogues and meta.get("licence")})


def _opener(sha256: str) -> Callable[[], BinaryIO]:
    return lambda: artefacts.open_artefact(sha256)


def _of_study(study: Study) -> JudgmentQuerySet:
    """Submitted, late ones too; those made to adjudicate are no votes."""
    judging = Judgment.objects.submitted().filter(lease__purpose=Lease.Purpose.JUDGING)
    return judging.filter(lease__study=study).order_by()


def _all_dialogues(study: Study) -> Any:
    pairs = Pair.objects.filter(study=study)
    sides = Dialogue.objects.filter(pk__in=pairs.values("dialogue_a")) | Dialogue.objects.filter(
        pk__in=pairs.values("dialogue_b")
    )
    return sides.order_by()


def _dialogues(selection: Selection) -> dict[int, str]:
    """dialogue_id by primary key, of both sides of every kept pair."""
    sides = Pair.objects.filter(study=selection.study).values_list(
        "pk", "dialogue_a", "dialogue_a__dialogue_id", "dialogue_b", "dialogue_b__dialogue_id"
    )
    named: dict[int, str] = {}
    for pair, a, a_id, b, b_id in sides.iterator(CHUNK_ROWS):
        if pair in selection.pairs:
            named |= {a: a_id, b: b_id}
    return named
