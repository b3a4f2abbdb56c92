"""What a training will cost, before it is started."""

import math
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Snapshot
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun
from rewardmodel.services.contents import contents_of
from rewardmodel.services.runs import why_not_measured

LAST_RUNS = 5  # that tell how long the next one takes
# Without runs before: a rule for two cores, rounded up from what `make loop` took (docs/loop.md).
SECONDS_AT_LEAST = 15.0
SECONDS_PER_AUDIO_HOUR = 45.0  # also of the snapshot that it is measured on
SECONDS_PER_1000_JUDGMENTS = 15.0  # in DEFAULT_EPOCHS epochs
SECONDS_PER_PROBED_SECOND = 0.032  # of sound: some of it goes through the vocoder
DEFAULT_EPOCHS = 25  # what the program takes by itself
MOST_PROBED = 48  # dialogues


@dataclass(frozen=True)
class Size:
    """How much there is to learn from."""

    n_judgments: int
    n_pairs: int
    n_dialogues: int
    audio_hours: float

    @property
    def audio_words(self) -> str:
        return time_words(self.audio_hours * 3600)


@dataclass(frozen=True)
class Estimate:
    size: Size
    seconds: float
    basis: str  # where the time comes from, for people
    not_measured: str  # why nothing can be measured when it is trained; empty if it can

    @property
    def time_words(self) -> str:
        return time_words(self.seconds)


def time_words(seconds: float) -> str:
    """1 minute, 12 minutes, 11.4 hours: rounded up below an hour."""
    if seconds >= 3600:
        return _("%(hours).1f hours") % {"hours": seconds / 3600}
    minutes = max(1, math.ceil(seconds / 60))
    return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}


def size_of(snapshot: Snapshot) -> Size:
    found = contents_of(snapshot)
    return Size(snapshot.counts["in"], found.n_pairs, found.n_dialogues, found.audio_hours)


def estimate_run(
    snapshot: Snapshot, *, epochs: int | None = None, probes: bool = True, evaluate_on: Snapshot | None = None
) -> Estimate:
    """Before anything is started: a stated rule, at the pace of the last trainings here if there are any."""
    stated = stated_seconds(snapshot, epochs=epochs, probes=probes, evaluate_on=evaluate_on)
    size, not_measured = size_of(snapshot), why_not_measured(snapshot, evaluate_on)
    # A job that was started more than once tells the time of its last start alone.
    done = RewardModelRun.objects.registered().filter(job__state=Job.State.SUCCEEDED, job__fence=1)
    paces = []  # of the stated time
    for run in done.select_related("job", "snapshot", "evaluation_snapshot")[:LAST_RUNS]:
        elapsed = run.job.elapsed if run.job is not None else None
        if elapsed is not None:
            paces.append(elapsed.total_seconds() / _stated_for(run))
    if not paces:
        return Estimate(size, stated, _("no training was done here yet: a rule for two cores"), not_measured)
    basis = ngettext("by the last training here", "by the last %(count)d trainings here", len(paces)) % {
        "count": len(paces)
    }
    return Estimate(size, stated * sum(paces) / len(paces), basis, not_measured)


def stated_seconds(snapshot: Snapshot, *, epochs: int | None, probes: bool, evaluate_on: Snapshot | None) -> float:
    """The rule for a machine on which nothing was trained yet: hearing, learning and probing."""
    learned_from = contents_of(snapshot)
    apart = contents_of(evaluate_on) if evaluate_on is not None else None
    audio_hours = learned_from.audio_hours + (apart.audio_hours if apart else 0.0)
    n_judgments = int(snapshot.counts["in"])
    passes = (epochs or DEFAULT_EPOCHS) / DEFAULT_EPOCHS
    measured_on = apart or learned_from
    probed = min(1.0, MOST_PROBED / max(measured_on.n_dialogues, 1)) * measured_on.audio_hours * 3600 if probes else 0.0
    return (
        SECONDS_AT_LEAST
        + audio_hours * SECONDS_PER_AUDIO_HOUR
        + n_judgments / 1000 * SECONDS_PER_1000_JUDGMENTS * passes
        + probed * SECONDS_PER_PROBED_SECOND
    )


def _stated_for(run: RewardModelRun) -> float:
    asked = run.parameters
    return stated_seconds(
        run.snapshot,
        epochs=asked.get("epochs"),
        probes=asked.get("probes", True),
        evaluate_on=run.evaluation_snapshot,
    )
