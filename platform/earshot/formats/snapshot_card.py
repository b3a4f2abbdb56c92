"""README.md of a snapshot: a dataset card, with the front matter that Hugging Face reads."""

import json
from dataclasses import dataclass

from earshot.formats.snapshot_manifest import SnapshotManifest

TABLES = ("judgments", "scores", "marks", "pairs", "turns", "aggregates")


@dataclass(frozen=True)
class CardFacts:
    """What only the study's people know, as Markdown."""

    title: str = "Preferences between spoken dialogues"
    licence: str = "Not stated. Ask the owner of the study before you pass this on."
    protocol: str = ""
    agreement: str = "Not computed."
    limits: str = ""


def dataset_card(manifest: SnapshotManifest, facts: CardFacts) -> str:
    """The whole card. `manifest` may still lack its file hashes."""
    sections = [
        _front_matter(),
        f"# {facts.title}",
        f"Snapshot `{manifest.id}`, made {manifest.created_at} by code version `{manifest.code_version}`"
        + (f", after `{manifest.parent}`." if manifest.parent else "."),
        "## Licence\n" + facts.licence,
        "## What is in it\n" + _contents(manifest),
        "## How it was judged\n" + _protocol(manifest, facts),
        "## Agreement\n" + facts.agreement,
        "## Known limits\n" + _limits(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter() -> str:
    configs = "\n".join(f"- config_name: {name}\n  data_files: {name}.parquet" for name in TABLES)
    return f"---\nlicense: other\ntask_categories:\n- audio-classification\nconfigs:\n{configs}\n---"


def _contents(manifest: SnapshotManifest) -> str:
    rows = [f"| {name} | {count} |" for name, count in sorted(manifest.tables.items())]
    outs = manifest.counts.get("out") or {}
    left_out = "; ".join(f"{reason}: {count}" for reason, count in sorted(outs.items())) or "nothing"
    split = ", ".join(f"{len(manifest.splits[name])} {name}" for name in ("train", "validation", "test"))
    filter_text = json.dumps(manifest.filter, indent=2, sort_keys=True, ensure_ascii=False)
    paragraphs = [
        "\n".join(["| table | rows |", "|---|---|", *rows]),
        f"Judgments taken in: {manifest.counts.get('in', 'not counted')}. Left out: {left_out}.",
        f"Scenarios by split: {split}. The split is by scenario, so none is on two sides.",
        f"Filter:\n```json\n{filter_text}\n```",
    ]
    return "\n\n".join(paragraphs)


def _protocol(manifest: SnapshotManifest, facts: CardFacts) -> str:
    scale = (
        "Each pair is two dialogues of one scenario. Scores run from −3 to +3, positive favours dialogue_a; "
        "'both_bad' and 'cannot_tell' are facts of their own and have no value. "
        f"Dimensions: {', '.join(manifest.dimensions)}."
    )
    return f"{scale}\n\n{facts.protocol}".rstrip()


def _limits(facts: CardFacts) -> str:
    known = (
        "Raters are pseudonyms, stable inside this family of snapshots only. Aggregates take raters as independent; "
        "for intervals between systems cluster by rater and by scenario. With few scenarios a split may be empty."
    )
    return f"{known}\n\n{facts.limits}".rstrip()
