"""What the dataset card says of a snapshot beyond its tables: protocol, agreement, licence, limits."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from annotation.models import Study
from annotation.services.snapshots.rows import Selection, licences_of
from earshot.estimation import Agreement, krippendorff_alpha
from earshot.formats.snapshot import CardFacts


def card_of(selection: Selection, tables: Mapping[str, pa.Table]) -> CardFacts:
    study = selection.study
    licences = licences_of(selection)
    return CardFacts(
        title=f"Preferences between spoken dialogues: {study}",
        **({"licence": "The dialogues' manifests say: " + "; ".join(licences) + "."} if licences else {}),
        protocol=_protocol(study),
        agreement=_agreement(selection, tables),
        limits=_limits(study, selection),
    )


def _protocol(study: Study) -> str:
    return (
        f"Each pair was wanted from {study.overlap} raters. Which dialogue stood left and which was heard first was "
        f"balanced by rater and by pair. Listening: {study.get_listening_policy_display()}. "
        f"Transcript: {study.get_transcript_policy_display()}."
    )


def _limits(study: Study, selection: Selection) -> str:
    notes = []
    if selection.filter.include_simulated and study.is_simulated:
        notes.append(
            "Judgments with `is_simulated` come from simulated raters, who heard nothing: they are for trials only."
        )
    if study.listening_policy == Study.ListeningPolicy.NONE:
        notes.append("The study recorded no listening, so nothing shows that the dialogues were heard.")
    return " ".join(notes)


def _agreement(selection: Selection, tables: Mapping[str, pa.Table]) -> str:
    """Krippendorff's α per dimension, from the rows of this snapshot alone."""
    judgments, pairs, scores = tables["judgments"], tables["pairs"], tables["scores"]
    pair_of = dict(zip(judgments["judgment_id"].to_pylist(), judgments["pair_id"].to_pylist(), strict=True))
    scenario_of = dict(zip(pairs["pair_id"].to_pylist(), pairs["scenario_id"].to_pylist(), strict=True))
    lines = ["Krippendorff's α, ordinal, each pair in both signs; 95 % interval by jackknife over scenarios.", ""]
    for key in selection.filter.dimensions:
        asked = scores.filter(pc.equal(scores["dimension"], key)).drop_null()
        unit = [pair_of[judgment] for judgment in asked["judgment_id"].to_pylist()]
        found = krippendorff_alpha(unit, asked["value"].to_pylist(), [scenario_of[pair] for pair in unit])
        lines.append(f"- {key}: {_alpha_text(found)}")
    return "\n".join(lines)


def _alpha_text(found: Agreement) -> str:
    where = f"{found.n_votes} votes on {found.n_units} pairs"
    if found.alpha is None:
        return f"{found.reason} ({where})"
    if found.low is None or found.high is None:
        return f"{found.alpha:.2f} ({where}; no interval: {found.reason})"
    return f"{found.alpha:.2f}, from {found.low:.2f} to {found.high:.2f} ({where})"
