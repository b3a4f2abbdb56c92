"""Snapshots: an immutable preference dataset from a study's judgments. See docs/snapshots.md."""

from annotation.services.snapshots.archive import open_member, read_manifest
from annotation.services.snapshots.filters import SnapshotFilter, default_filter, reason_for_reader
from annotation.services.snapshots.identity import rater_pseudonyms
from annotation.services.snapshots.making import KIND, request_snapshot, run_snapshot, store_snapshot_job

__all__ = [
    "KIND",
    "SnapshotFilter",
    "default_filter",
    "open_member",
    "rater_pseudonyms",
    "read_manifest",
    "reason_for_reader",
    "request_snapshot",
    "run_snapshot",
    "store_snapshot_job",
]
