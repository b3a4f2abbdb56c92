"""Having a policy speak by itself: its dialogues come in, and a study of them can open, so that the loop can begin."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from earshot.accounts.models import User
from earshot.accounts.services import record_action
from earshot.jobs import programs
from earshot.jobs import services as jobs
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob
from policy.models import PolicyCheckpoint, Speech
from policy.services import judging, registry, speaking
from policy.services.plans import SpeechPlan

KIND = "policy.speak"
SPEAKING, IMPORTING = (0.0, 0.5), (0.5, 0.95)  # shares of the progress bar


@transaction.atomic
def request_speech(
    policy: PolicyCheckpoint,
    plan: SpeechPlan,
    *,
    by: User | None,
    study: dict[str, Any] | None = None,
    tell_worker: bool = True,
) -> Speech:
    """Hand to a worker that the policy speaks and its dialogues come in.

    Args:
        study: `title`, `overlap`, `is_simulated` and `start` of a study of all pairs of its dialogues of one scenario;
            None opens none.
        tell_worker: False where the caller runs the job itself.
    Raises:
        ValidationError: for numbers that cannot be, or a study with one dialogue per scenario.
    """
    plan.checked()
    if study is not None and plan.samples < 2:
        raise ValidationError(
            _("A pair needs two dialogues of a scenario. Ask for 2 or more of each, or for no study.")
        )
    parameters = plan.to_json() | ({"study": study} if study else {})
    speech = Speech.objects.create(policy=policy, parameters=parameters, created_by=by)
    speech.job = jobs.enqueue(
        KIND,
        {"speech": speech.pk},
        title=f"Speech of {policy}",
        queue=Job.Queue.GPU,
        created_by=by,
        tell_worker=tell_worker,
    )
    speech.save(update_fields=["job"])
    record_action(by, "policy.spoke", policy, **plan.to_json())
    return speech


def run_speech(held: RunningJob) -> None:
    """Speak, import, open the study if one was wanted. Safe to kill and to run again."""
    whole = Speech.objects.select_related("policy__system", "dialogue_import__job", "study")
    speech = whole.get(pk=held.arguments["speech"])
    folder = programs.run_folder(held.id)
    if speech.dialogue_import is None:
        programs.require_learning_side()
        with held.stretch(*SPEAKING):
            speaking.speak(held, speech, registry.unpack_policy(speech.policy, folder), folder)
    with held.stretch(*IMPORTING):
        speaking.import_speech(held, speech, folder)
    if "study" in speech.parameters:
        held.report(IMPORTING[1], "Opening the study")
        judging.open_speech_study(held, speech, speaking.pairs_within(speech))
    held.result |= {"speech": speech.pk, "dialogues": len(speech.dialogue_ids), "study": speech.study_id}
    programs.remove_run_folder(held.id)
