"""A draft as the listening room shows it: what the page compares with the answers that its browser has kept."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from annotation.models import Judgment, Lease
from annotation.services.judgments import shown_marks


def draft_of(lease: Lease, judgment: Judgment | None, *, at: datetime) -> dict[str, Any]:
    """The answers that the server has, as shown; when it last changed them; and what its clock says now.

    Args:
        judgment: with its scores and their dimensions prefetched: where the page shows them too, both must come of one
            look, or an answer that arrives between two looks is in one and not in the other.
    """
    draft: dict[str, Any] = {"state": lease.state, "now": at, "saved_at": None}
    if judgment is None:
        return draft | {"scores": {}, "confidence": None, "reason": "", "marks": []}
    scores = {
        score.dimension.key: {
            "kind": score.kind,
            "value": None if score.value is None else lease.shown_value(score.value),
        }
        for score in judgment.scores.all()
    }
    return draft | {
        "saved_at": judgment.updated_at,
        "scores": scores,
        "confidence": judgment.confidence,
        "reason": judgment.reason,
        "marks": [asdict(mark) for mark in shown_marks(lease, judgment)],
    }


def draft_data(lease: Lease, judgment: Judgment | None, *, at: datetime) -> dict[str, Any]:
    """What static/js/room_draft.js needs: whose draft of which lease, where to send it, what is saved, its words."""
    return {
        "person": lease.annotator_id,
        "lease": lease.key,
        "urls": {
            "draft": reverse("annotation:draft", args=[lease.key]),
            "submit": reverse("annotation:submit", args=[lease.key]),
            "ahead": reverse("annotation:reserve_ahead", args=[lease.key]),
        },
        "saved": draft_of(lease, judgment, at=at),
        "words": {
            "saving": _("Saving…"),
            "saved": _("Saved"),
            "kept": _("Kept in this browser, not on the server yet."),
            "refused": _("Not saved. {problem}"),
        },
    }
