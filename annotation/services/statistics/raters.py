"""What is known of each rater: how much was judged, how fast, on which side, how alike, and what the checks said."""

from typing import Any

import numpy as np

from annotation.services.statistics.checking import repeated_votes
from annotation.services.statistics.material import Material
from annotation.services.statistics.reading import StudyVotes
from earshot.estimation.flags import RaterCard, flag_raters
from earshot.estimation.judged import Judged, code_judged


def raters_payload(material: Material, votes: StudyVotes, judged: StudyVotes) -> dict[str, Any]:
    """Cards of the raters, and what is said of all of them together.

    Args:
        votes: the judgments of the stratum that count; every estimate rests on them.
        judged: those by which the rows are counted: for all judgments also those of excluded raters and failed ones.
    """
    heard = material.heard
    of_stratum = np.isin(heard.judgment, votes.judgment)
    repeats = repeated_votes(heard, material.counts, of_stratum)
    report = flag_raters(judged_of(votes), material.checks, repeats)
    cards = {int(str(card.rater)): card for card in report.cards}
    raters = np.unique(judged.rater).tolist()
    rows = [
        {
            "rater": rater,
            "is_excluded": rater in material.excluded,
            "card": _card(cards[rater]) if rater in cards else None,
            **_own_figures(judged.where(judged.rater == rater)),
        }
        for rater in raters
    ]
    return {
        "raters": sorted(rows, key=lambda row: -row["n"]),
        "halo": {
            "alike": report.halo.alike,
            "correlation": report.halo.correlation,
            "is_too_much": report.halo.advises_one_dimension_per_pass,
        },
        "self_agreement": {
            name: getattr(report.self_agreement, name) for name in ("same_sign", "mean_difference", "correlation")
        },
        "usual_reliability": report.model.usual_reliability,
        "n_checks": sum(len(each) for each in material.checks.values()),
    }


def judged_of(votes: StudyVotes) -> Judged:
    """The judgments as the estimators of raters take them."""
    facts = votes.pairs
    return code_judged(
        votes.rater,
        votes.pair,
        facts.system_a[votes.row],
        facts.system_b[votes.row],
        votes.side,
        np.where(np.abs(votes.value) <= 3, votes.value, np.nan),
        judging_seconds=votes.judging_seconds,
        audio_seconds=votes.audio_seconds,
    )


def _card(card: RaterCard) -> dict[str, Any]:
    """The card without what stands elsewhere."""
    return {
        **vars(card.model),
        "alike": card.halo.alike,
        "halo": card.halo.correlation,
        "same_sign": card.self_agreement.same_sign if card.self_agreement else None,
        "fast": card.fast,
        "checks": {
            "verdict": card.checks.verdict,
            "reason": card.checks.reason,
            "n_passed": card.checks.n_passed,
            "n_failed": card.checks.n_failed,
            "n_unknown": card.checks.n_unknown,
        },
        "copies_with": list(card.copies_with),
        "reasons": [{"code": reason.code, "figure": reason.figure, "limit": reason.limit} for reason in card.reasons],
        "recommends_exclusion": card.recommends_exclusion,
    }


def _own_figures(votes: StudyVotes) -> dict[str, Any]:
    """Plain counts, of excluded raters too."""
    overall = votes.value[:, -1].astype(np.int64) if votes.value.shape[1] else np.zeros(0, dtype=np.int64)
    decided = (np.abs(overall) <= 3) & (overall != 0)
    known = np.isfinite(votes.judging_seconds) & (votes.audio_seconds > 0)
    seconds, audio = votes.judging_seconds[known], votes.audio_seconds[known]
    return {
        "n": len(votes),
        "seconds": float(np.median(seconds)) if len(seconds) else None,
        "speed": float(np.median(seconds / audio)) if len(seconds) else None,  # 1: as long as both sides last
        "n_decided": int(decided.sum()),
        "n_left": int((decided & (overall * votes.side > 0)).sum()),
    }
