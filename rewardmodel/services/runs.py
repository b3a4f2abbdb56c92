"""Asking for a reward model: whether it can be trained and measured, then a row and a job."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from annotation.models import Snapshot
from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from rewardmodel.models import RewardModelRun
from rewardmodel.services.contents import contents_of

KIND = "rewardmodel.train"
MOST_SEED = 2**31 - 1


def why_not_measured(snapshot: Snapshot, evaluate_on: Snapshot | None) -> str:
    """Why the model, though it can be trained, cannot be measured; empty if it can."""
    if evaluate_on is not None or contents_of(snapshot).judged_apart:
        return ""
    return _(
        "Nothing can be measured: no judgment that counts falls on a held-out scenario "
        "of this snapshot. Choose another snapshot to measure on, or judge more "
        "scenarios: one in five is held out."
    )


def refuse_unfit(snapshot: Snapshot, evaluate_on: Snapshot | None) -> None:
    """Raises: ValidationError, for what would fail only when the training is over, or as soon as it begins."""
    learned_from = contents_of(snapshot)
    if evaluate_on is None:
        if not learned_from.judged_to_train:
            raise ValidationError(
                _(
                    "Snapshot '%(snapshot)s' has no judgment that counts on a scenario to train "
                    "on. Judge more scenarios, or choose another snapshot to measure on: then "
                    "every scenario is trained on."
                )
                % {"snapshot": snapshot}
            )
        return
    apart = contents_of(evaluate_on)
    if not learned_from.judged:
        raise ValidationError(
            _("Snapshot '%(snapshot)s' has no judgment that counts to train on. Judge more.") % {"snapshot": snapshot}
        )
    if missing := [key.replace("_", " ") for key in learned_from.dimensions if key not in apart.dimensions]:
        raise ValidationError(
            _(
                "Snapshot '%(evaluate_on)s' does not ask about %(missing)s, which the model "
                "learns. Choose one of the same rubric, or none."
            )
            % {"evaluate_on": evaluate_on, "missing": ", ".join(missing)}
        )
    if not apart.judged - learned_from.judged:
        raise ValidationError(
            _(
                "Every scenario of snapshot '%(evaluate_on)s' is one that the model learns "
                "from, so nothing of it can be measured. Choose a snapshot of other scenarios, "
                "or none: then held-out scenarios of '%(snapshot)s' are kept apart."
            )
            % {"evaluate_on": evaluate_on, "snapshot": snapshot}
        )


@transaction.atomic
def request_run(
    snapshot: Snapshot,
    *,
    by: User | None,
    name: str = "",
    seed: int = 1,
    epochs: int | None = None,
    probes: bool = True,
    evaluate_on: Snapshot | None = None,
    tell_worker: bool = True,
) -> RewardModelRun:
    """Hand a training on the snapshot to a worker.

    Args:
        probes: whether the finished model is probed, too: loudness, silence, sides, vocoder.
        evaluate_on: another snapshot to measure on; then every scenario of the first one is trained on.
        tell_worker: False where the caller runs the job itself.
    Raises:
        ValidationError: for a seed or a number of epochs that cannot be, a snapshot that is to measure itself, or one
            that the model could not learn from or be measured on.
    """
    if not 0 <= seed <= MOST_SEED:
        raise ValidationError(
            _("The seed %(seed)s is out of range. Use a whole number from 0 to %(most)s.")
            % {"seed": seed, "most": MOST_SEED}
        )
    if epochs is not None and epochs < 1:
        raise ValidationError(
            _("%(epochs)s epochs train nothing. Use at least 1, or leave it empty.") % {"epochs": epochs}
        )
    if evaluate_on == snapshot:
        raise ValidationError(_("A model is not measured on what it was trained on. Choose another snapshot, or none."))
    refuse_unfit(snapshot, evaluate_on)
    parameters: dict[str, Any] = {"seed": seed} | ({} if epochs is None else {"epochs": epochs})
    if not probes:
        parameters["probes"] = False
    name = name.strip() or f"{snapshot.name}, seed {seed}"
    run = RewardModelRun.objects.create(
        name=name[:200], snapshot=snapshot, evaluation_snapshot=evaluate_on, parameters=parameters, created_by=by
    )
    run.job = jobs.enqueue(
        KIND,
        {"run": run.pk},
        title=f"Reward model: {run.name}",
        queue=Job.Queue.GPU,
        created_by=by,
        tell_worker=tell_worker,
    )
    run.save(update_fields=["job"])
    record_action(by, "reward_model.started", run, snapshot=str(snapshot), **parameters)
    return run
