"""What annotation keeps. One module per subject; import the names from here."""

from annotation.models.dialogues import Dialogue, DialogueImport, Rendition, Scenario, System, Turn
from annotation.models.judgments import Judgment, QualityVerdict, Score, TurnMark
from annotation.models.pairs import Heartbeat, Lease, ListeningLog, Pair
from annotation.models.snapshots import Snapshot, SnapshotFamily
from annotation.models.studies import Dimension, Membership, Study

__all__ = [
    "Dialogue",
    "DialogueImport",
    "Dimension",
    "Heartbeat",
    "Judgment",
    "Lease",
    "ListeningLog",
    "Membership",
    "Pair",
    "QualityVerdict",
    "Rendition",
    "Scenario",
    "Score",
    "Snapshot",
    "SnapshotFamily",
    "Study",
    "System",
    "Turn",
    "TurnMark",
]
