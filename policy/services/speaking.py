"""A policy speaks: its dialogues are made by the learning side and come in as any outside system's do."""

import time
from pathlib import Path

from django.utils import timezone

from annotation.models import Dialogue, DialogueImport
from annotation.services import ingest
from earshot.formats.manifest import DIALOGUES_FILE
from earshot.jobs import services as jobs
from earshot.jobs.children import run_child
from earshot.jobs.models import Job
from earshot.jobs.services import RunningJob
from policy.models import Speech
from policy.services import commands
from policy.services.plans import SpeechPlan

LOOK_SECONDS = 0.5


def speak(
    held: RunningJob, speech: Speech, policy_folder: Path, folder: Path, *, scenarios: Path | None = None
) -> Path:
    """Have the child write the dialogues as a manifest folder; what stands there already is not said again."""
    out = speech_folder(speech, folder)
    plan = SpeechPlan.from_json(speech.parameters)
    run_child(
        held, commands.speak(policy_folder, out, system=speech.policy.system.name, plan=plan, scenarios=scenarios)
    )
    return out


def speech_folder(speech: Speech, folder: Path) -> Path:
    """Its last part is the name of the import."""
    return folder / f"speech-{speech.pk}-of-{speech.policy_id}"


def is_spoken(speech: Speech, folder: Path) -> bool:
    """Whether `speak` wrote the manifest here: it comes last, when every sound stands."""
    return (speech_folder(speech, folder) / DIALOGUES_FILE).is_file()


def import_speech(held: RunningJob, speech: Speech, folder: Path) -> None:
    """Import the manifest folder that `speak` made, by the ingest that everybody's dialogues go through.

    Raises:
        ValueError: if the import failed; its own page names every problem.
    """
    if speech.dialogue_import is None:
        manifest = ingest.check_folder(speech_folder(speech, folder))

        def claim(dialogue_import: DialogueImport) -> None:
            held.lock()
            speech.dialogue_import = dialogue_import
            speech.dialogue_ids = [dialogue.dialogue_id for dialogue in manifest.dialogues]
            speech.save(update_fields=["dialogue_import", "dialogue_ids"])

        ingest.store_folder_import(manifest, created_by=speech.created_by, claim=claim)
    assert speech.dialogue_import is not None
    run_import(held, speech.dialogue_import)


def run_import(held: RunningJob, dialogue_import: DialogueImport) -> None:
    """Run the import's own job inside this one. If a worker has it, wait; if that worker died, take it over.

    Raises:
        ValueError: if it failed. Cancelled: if this job was, and the import with it.
    """
    job = dialogue_import.job
    if job is None:
        raise ValueError(f"The job of import {dialogue_import.pk} was removed. Start anew.")
    if job.may_be_started_again:  # it failed in an earlier start of this job, and a person started that again
        jobs.retry(job, by=held.job.created_by, at=timezone.now())
    while not _has_ended(job):
        held.report(0.0, f"Importing: {job.get_state_display()}")
        if job.state == Job.State.QUEUED:
            with jobs.running(job.pk, job.fence, within=held) as importing:
                if importing is not None:
                    ingest.run_import(importing)
            held.check()  # if this job was cancelled, so was the import
        else:
            held.check()
            time.sleep(LOOK_SECONDS)  # its worker is at it, or silent: then our heartbeat puts it back in the queue
    if job.state != Job.State.SUCCEEDED:
        raise ValueError(f"The dialogues were not imported. {job.error or job.message} (import {dialogue_import.pk})")


def _has_ended(job: Job) -> bool:
    job.refresh_from_db()
    return job.is_finished


def pairs_of(one: Speech, other: Speech) -> list[tuple[Dialogue, Dialogue]]:
    """Scenario by scenario the first dialogue of one with the first of the other, the second with the second, …

    Which one is called a alternates, so that no policy is always a.
    """
    pairs: list[tuple[Dialogue, Dialogue]] = []
    others = _by_scenario(other)
    for scenario, dialogues in _by_scenario(one).items():
        for mine, theirs in zip(dialogues, others.get(scenario, []), strict=False):
            pairs.append((mine, theirs) if len(pairs) % 2 == 0 else (theirs, mine))
    return pairs


def pairs_within(speech: Speech) -> list[tuple[Dialogue, Dialogue]]:
    """All pairs of the policy's dialogues of one scenario; which is called a alternates."""
    pairs: list[tuple[Dialogue, Dialogue]] = []
    for dialogues in _by_scenario(speech).values():
        for place, one in enumerate(dialogues):
            for other in dialogues[place + 1 :]:
                pairs.append((one, other) if len(pairs) % 2 == 0 else (other, one))
    return pairs


def _by_scenario(speech: Speech) -> dict[int, list[Dialogue]]:
    found: dict[int, list[Dialogue]] = {}
    for dialogue in speech.dialogues.select_related("scenario", "system").order_by("scenario", "dialogue_id"):
        found.setdefault(dialogue.scenario_id, []).append(dialogue)
    return found
