"""Where in the dialogues the marks fall: over relative time, on whose turns, by dimension, polarity and system."""

from typing import Any

import numpy as np

from annotation.models import Study, TurnMark
from annotation.services.statistics.reading import CHUNK_ROWS, StudyVotes

BINS = 20  # of a dialogue's length


def read_marks(study: Study) -> Any:
    """All marks of the study's submitted judgments as an array with named columns."""
    marks = TurnMark.objects.filter(judgment__lease__study=study, judgment__submitted_at__isnull=False).order_by()
    fields = ("judgment_id", "turn__dialogue__system_id", "turn__role", "dimension_id", "polarity")
    rows = marks.values_list(*fields, "seconds", "turn__dialogue__seconds").iterator(CHUNK_ROWS)
    columns = [("judgment", "i8"), ("system", "i8"), ("role", "U10"), ("dimension", "i8"), ("polarity", "U4")]
    whole = ((*row[:3], row[3] or 0, *row[4:]) for row in rows)
    return np.fromiter(whole, dtype=np.dtype([*columns, ("at", "f8"), ("length", "f8")]))


def marks_payload(marks: Any, votes: StudyVotes) -> dict[str, Any]:
    """Counts of the marks on these judgments, in `BINS` parts of the dialogue that they stand in.

    Returns:
        rows: one per dimension (key, or "" for none), polarity, system and role that has a mark.
        listenings: by system, how often its dialogues were judged: what the counts are out of.
    """
    marks = marks[np.isin(marks["judgment"], votes.judgment)]
    keys = {dimension.pk: dimension.key for dimension in votes.dimensions} | {0: ""}
    systems = np.concatenate([votes.pairs.system_a[votes.row], votes.pairs.system_b[votes.row]])
    known, n_listened = np.unique(systems, return_counts=True)
    names = ["dimension", "polarity", "system", "role"]
    kinds, of_kind = np.unique(marks[names], return_inverse=True)
    place = np.clip(marks["at"] / np.maximum(marks["length"], 1e-9) * BINS, 0, BINS - 1).astype(np.int64)
    counts = np.bincount(of_kind * BINS + place, minlength=len(kinds) * BINS).reshape(len(kinds), BINS)
    return {
        "n": len(marks),
        "n_judgments": len(np.unique(marks["judgment"])),
        "bins": BINS,
        "rows": [
            {
                "dimension": keys.get(int(kind["dimension"]), ""),
                "polarity": str(kind["polarity"]),
                "system": int(kind["system"]),
                "role": str(kind["role"]),
                "counts": row.tolist(),
            }
            for kind, row in zip(kinds, counts, strict=True)
        ],
        "listenings": {str(system): int(n) for system, n in zip(known, n_listened, strict=True)},
    }
