"""The rows of an import, all in one transaction: a dialogue is in the catalogue whole, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from annotation.models import Dialogue, DialogueImport, Rendition, Scenario, System, Turn
from annotation.services.ingest.catalogue import (
    batched,
    content_conflict,
    known_dialogues,
    known_scenarios,
    scenario_hash,
    scenario_problems,
)
from annotation.services.ingest.sounds import PreparedSound
from annotation.services.renditions import rounded_level
from earshot.acoustics.decoding import AudioError
from earshot.acoustics.speech import estimate_turn_times, silence_share
from earshot.formats import manifest as manifests
from earshot.formats.manifest import Manifest, ManifestError
from earshot.jobs.services import RunningJob

BATCH = 500
END_TOLERANCE_SECONDS = 0.1  # encoders pad and trim a little: a last turn may end this far behind the sound
SHORTEST_TURN_SECONDS = 0.001


@dataclass(frozen=True)
class TurnTimes:
    times: list[tuple[float, float]]
    are_estimated: bool


@dataclass(frozen=True)
class PreparedDialogue:
    """A dialogue whose sound lies in the store, ready to become rows."""

    dialogue: manifests.Dialogue
    line: int
    originals: list[dict[str, str]]  # [{name, sha256}]
    content_hash: str
    sound: PreparedSound
    turns: TurnTimes


def place_turns(dialogue: manifests.Dialogue, sound: PreparedSound) -> TurnTimes:
    """When each turn is: as its own sound lies in the whole, as the manifest says, or estimated from speech activity.

    Raises:
        AudioError: if the manifest's times reach beyond the sound.
    """
    if sound.turn_times is not None:
        return TurnTimes([(start, end) for start, end in sound.turn_times], are_estimated=False)
    given = [(turn.start, turn.end) for turn in dialogue.turns if turn.start is not None and turn.end is not None]
    if not given:
        speech = [(start, end) for start, end in sound.speech]
        return TurnTimes(estimate_turn_times(speech, len(dialogue.turns), sound.seconds), are_estimated=True)
    times = []
    for number, (start, end) in enumerate(given, start=1):
        if end > sound.seconds + END_TOLERANCE_SECONDS or start > sound.seconds - SHORTEST_TURN_SECONDS:
            raise AudioError(
                f"Turn {number} lasts from {start:.2f} to {end:.2f} s, but the sound ends at {sound.seconds:.2f} s. "
                "Correct its times, or leave all times out: then they are estimated."
            )
        times.append((start, min(end, sound.seconds)))
    return TurnTimes(times, are_estimated=False)


def store_dialogues(
    held: RunningJob, dialogue_import: DialogueImport, manifest: Manifest, prepared: Sequence[PreparedDialogue]
) -> None:
    """Make the rows of everything that is new. Running it again, or beside another import, makes nothing twice.

    Raises:
        ManifestError: if another import has taken an id for another content meanwhile.
        Superseded: if another worker has the job by now.
    """
    try:
        _store(held, dialogue_import, manifest, prepared)
    except IntegrityError:
        # Another import of the same rows committed while we wrote ours: now they are seen, and count as known.
        _store(held, dialogue_import, manifest, prepared)


@transaction.atomic
def _store(
    held: RunningJob, dialogue_import: DialogueImport, manifest: Manifest, prepared: Sequence[PreparedDialogue]
) -> None:
    held.lock()
    _refuse_conflicts(manifest, prepared)
    scenarios = _make_scenarios(manifest)
    systems = _make_systems(manifest)
    known = known_dialogues(entry.dialogue.dialogue_id for entry in prepared)
    # In the order of their ids, as scenarios and systems: two imports at once can then wait, but never in a circle.
    new = sorted((e for e in prepared if e.dialogue.dialogue_id not in known), key=lambda e: e.dialogue.dialogue_id)
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        rows = Dialogue.objects.bulk_create(
            _dialogue_row(entry, scenarios[entry.dialogue.scenario_id], systems[entry.dialogue.system], dialogue_import)
            for entry in batch
        )
        together = list(zip(batch, rows, strict=True))
        Turn.objects.bulk_create((turn for entry, row in together for turn in _turn_rows(entry, row)), BATCH)
        Rendition.objects.bulk_create(_rendition_row(entry, row) for entry, row in together)
    # Counted on rows, not on this run: a job that was killed after its commit says the same when it runs again.
    dialogue_import.dialogues_new = dialogue_import.dialogues.count()
    dialogue_import.dialogues_known = len(manifest.dialogues) - dialogue_import.dialogues_new
    dialogue_import.problems = []
    dialogue_import.save(update_fields=["dialogues_new", "dialogues_known", "problems"])


def _refuse_conflicts(manifest: Manifest, prepared: Sequence[PreparedDialogue]) -> None:
    known = known_dialogues(entry.dialogue.dialogue_id for entry in prepared)
    problems = [
        content_conflict(entry.dialogue.dialogue_id, entry.line)
        for entry in prepared
        if known.get(entry.dialogue.dialogue_id, entry.content_hash) != entry.content_hash
    ]
    problems += scenario_problems(manifest)
    if problems:
        raise ManifestError(problems)


def _make_scenarios(manifest: Manifest) -> dict[str, Scenario]:
    known = known_scenarios(scenario.scenario_id for scenario in manifest.scenarios)
    new = (scenario for scenario in manifest.scenarios if scenario.scenario_id not in known)
    in_order = sorted(new, key=lambda scenario: scenario.scenario_id)
    Scenario.objects.bulk_create((_scenario_row(scenario) for scenario in in_order), BATCH)
    wanted = {dialogue.scenario_id for dialogue in manifest.dialogues}
    found = (Scenario.objects.filter(scenario_id__in=batch) for batch in batched(wanted))
    return {row.scenario_id: row for rows in found for row in rows}


def _make_systems(manifest: Manifest) -> dict[str, System]:
    names = {dialogue.system for dialogue in manifest.dialogues}
    System.objects.bulk_create((System(name=name) for name in sorted(names)), BATCH, ignore_conflicts=True)
    found = (System.objects.filter(name__in=batch) for batch in batched(names))
    return {row.name: row for rows in found for row in rows}


def _scenario_row(scenario: manifests.Scenario) -> Scenario:
    check = scenario.check
    return Scenario(
        scenario_id=scenario.scenario_id,
        topic=scenario.topic,
        language=scenario.language,
        roles=dict(scenario.roles),
        turns=[{"scenario_turn": turn.scenario_turn, "role": turn.role, "text": turn.text} for turn in scenario.turns],
        check_question={"question": check.question, "answer": check.answer} if check else None,
        arc=list(scenario.arc) or None,
        tags=list(scenario.tags),
        content_hash=scenario_hash(scenario),
    )


def _dialogue_row(
    entry: PreparedDialogue, scenario: Scenario, system: System, dialogue_import: DialogueImport
) -> Dialogue:
    sound = entry.sound
    return Dialogue(
        dialogue_id=entry.dialogue.dialogue_id,
        scenario=scenario,
        system=system,
        source=dialogue_import,
        content_hash=entry.content_hash,
        originals=entry.originals,
        master_sha256=sound.master_sha256,
        peaks_sha256=sound.peaks_sha256,
        seconds=sound.seconds,
        sample_rate=sound.sample_rate,
        lufs=sound.lufs,
        true_peak_dbtp=sound.true_peak_dbtp,
        gain_db=sound.gain_db,
        clipped_runs=sound.clipped_runs,
        speech=sound.speech,
        silence_share=silence_share([(start, end) for start, end in sound.speech], sound.seconds),
        meta=dict(entry.dialogue.meta),
    )


def _turn_rows(entry: PreparedDialogue, row: Dialogue) -> list[Turn]:
    return [
        Turn(
            dialogue=row,
            position=position,
            scenario_turn=turn.scenario_turn,
            role=turn.role,
            speaker=turn.speaker,
            start=start,
            end=end,
            text=turn.text,
            reasoning=turn.reasoning or "",
            times_estimated=entry.turns.are_estimated,
        )
        for position, (turn, (start, end)) in enumerate(zip(entry.dialogue.turns, entry.turns.times, strict=True))
    ]


def _rendition_row(entry: PreparedDialogue, row: Dialogue) -> Rendition:
    sound = entry.sound
    return Rendition(
        dialogue=row,
        level_lufs=rounded_level(row.level_lufs),
        sha256=sound.rendition_sha256,
        size_bytes=sound.rendition_bytes,
        sample_rate=sound.rendition_rate,
    )
