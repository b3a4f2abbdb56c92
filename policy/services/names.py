"""Names of policies: those of systems, and those that are asked for long before their policy stands."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from annotation.models import System
from earshot.jobs.models import Job
from policy.models import Round

FIRST_POLICY = "policy.make_policy"  # the kind of job that makes one
ON_THE_WAY = (Job.State.QUEUED, Job.State.RUNNING)


def refuse_taken(name: str) -> None:
    """Raises: ValidationError, if a policy cannot have this name, or another one on the way will have it."""
    if not name:
        raise ValidationError(_("Give the policy a name, such as 'policy-1'."))
    if taken := _taken(name, ON_THE_WAY):
        raise ValidationError(_("%(taken)s Choose another name for the policy.") % {"taken": taken})


def refuse_taken_meanwhile(name: str, job: Job) -> None:
    """For a job that starts, perhaps once more: its name may have gone to another since it was asked for.

    Raises:
        ValidationError: if a system has it, or a job that is at work will.
    """
    if taken := _taken(name, [Job.State.RUNNING], besides=job):
        raise ValidationError(_("%(taken)s Start anew under another name.") % {"taken": taken})


def free_name(prefix: str, number: int) -> str:
    """The first of prefix1, prefix2, … from this number on that is neither in use nor asked for."""
    while _taken(f"{prefix}{number}", ON_THE_WAY):
        number += 1
    return f"{prefix}{number}"


def _taken(name: str, states: Sequence[str], besides: Job | None = None) -> str:
    """Who has the name or will have it, in a sentence; empty if nobody."""
    if System.objects.filter(name=name).exists():
        return _("A system is called '%(name)s' already.") % {"name": name}
    jobs = Job.objects.filter(state__in=states)
    if besides is not None:
        jobs = jobs.exclude(pk=besides.pk)
    round = Round.objects.filter(job__in=jobs, checkpoint__isnull=True, parameters__system=name).first()
    if round is not None:
        return _("Round '%(round)s' takes the name '%(name)s'.") % {"round": round, "name": name}
    if jobs.filter(kind=FIRST_POLICY, arguments__name=name).exists():
        return _("A first policy that is being made takes the name '%(name)s'.") % {"name": name}
    return ""
