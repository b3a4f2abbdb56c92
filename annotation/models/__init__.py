"""What annotation keeps. One module per subject; import the names from here."""

from annotation.models.dialogues import Dialogue, DialogueImport, Rendition, Scenario, System, Turn
from annotation.models.judgments import Flag, Judgment, QualityVerdict, Score, TurnMark
from annotation.models.pairs import Heartbeat, Lease, ListeningClock, ListeningLog, Pair
from annotation.models.qualification import Attempt, Consent, Enrolment, Invitation, Step, TrialAnswer
from annotation.models.quality import Adjudication, Exclusion, StudyStatistics
from annotation.models.snapshots import Snapshot, SnapshotFamily
from annotation.models.studies import Dimension, Membership, Study

__all__ = [
    "Adjudication",
    "Attempt",
    "Consent",
    "Dialogue",
    "DialogueImport",
    "Dimension",
    "Enrolment",
    "Exclusion",
    "Flag",
    "Heartbeat",
    "Invitation",
    "Judgment",
    "Lease",
    "ListeningClock",
    "ListeningLog",
    "Membership",
    "Pair",
    "QualityVerdict",
    "Rendition",
    "Scenario",
    "Score",
    "Snapshot",
    "SnapshotFamily",
    "Step",
    "Study",
    "StudyStatistics",
    "System",
    "TrialAnswer",
    "Turn",
    "TurnMark",
]
