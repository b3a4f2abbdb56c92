"""The first policy: the supervised start of the embedded policy, as a job."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.jobs import programs
from earshot.jobs import services as jobs
from earshot.jobs.children import run_child
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob
from policy.models import PolicyCheckpoint
from policy.services import commands, names, registry
from policy.services.plans import MOST_SEED

KIND = names.FIRST_POLICY


@transaction.atomic
def request_policy(
    *, name: str, seed: int = 1, steps: int | None = None, by: User | None, tell_worker: bool = True
) -> Job:
    """Hand the making of a first policy to a worker; the job's result names it: {"policy": primary key, "is_new": …}.

    Args:
        tell_worker: False where the caller runs the job itself.
    Raises:
        ValidationError: for a name that is in use or asked for, or a seed or number of steps that cannot be.
    """
    name = name.strip()[:200]
    names.refuse_taken(name)
    if not 0 <= seed <= MOST_SEED:
        raise ValidationError(
            _("The seed %(seed)s is out of range. Use a whole number from 0 to %(most)s.")
            % {"seed": seed, "most": MOST_SEED}
        )
    if steps is not None and steps < 1:
        raise ValidationError(_("%(steps)s steps train nothing. Use at least 1, or leave it empty.") % {"steps": steps})
    job = jobs.enqueue(
        KIND,
        {"name": name, "seed": seed, "steps": steps},
        title=f"First policy: {name}",
        queue=Job.Queue.GPU,
        created_by=by,
        tell_worker=tell_worker,
    )
    record_action(by, "policy.started", name, job=str(job.pk))
    return job


def run_policy(held: RunningJob) -> PolicyCheckpoint:
    """Train the supervised start and register it. Safe to kill and to run again."""
    programs.require_learning_side()
    folder = programs.run_folder(held.id) / "policy"
    arguments = held.arguments
    if not PolicyCheckpoint.objects.filter(job=held.id).exists():
        names.refuse_taken_meanwhile(arguments["name"], held.job)
    with held.stretch(0.0, 0.95):
        run_child(held, commands.train(folder, seed=arguments["seed"], steps=arguments["steps"]))
    held.report(0.96, "Registering")
    policy = registry.register_first(held, folder, name=arguments["name"])
    is_new = policy.job_id == held.id
    held.result |= {"policy": policy.pk, "content_hash": policy.content_hash, "is_new": is_new}
    if not is_new:
        held.write_log(f"The same seed and steps gave policy '{policy}' before.")
    programs.remove_run_folder(held.id)
    return policy
