"""Write the demo's dialogues as a manifest folder: `python -m earshot.demo.content OUT [--only ID …]`.

Deterministic: the same recordings and the same code give the same samples. Resumable: a scenario that is complete in
OUT, made from the same recordings by the same code, is kept. Without Django, so that a job can run it in a child.
"""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earshot.acoustics import vocoder
from earshot.demo import arcs, bank, variants
from earshot.demo.bank import BANK_RATE, FloatArray, Recording, Script
from earshot.demo.variants import DialoguePlan, TurnPlan
from earshot.formats.dialogues import Check, Dialogue, DialogueTurn, Scenario, ScenarioTurn
from earshot.formats.manifest import write_manifest

LEAD_SECONDS = 0.3  # silence at both ends of a dialogue
HIGHEST_PEAK = 0.98
LICENCES = {
    "dailytalk": "CC BY-SA 4.0 (DailyTalk, Lee, Park and Kim 2023), changed: trimmed, levelled, Opus, new gaps",
    "emodb": "CC0 1.0 (EmoDB, Burkhardt et al. 2005), rearranged",
    "english": "CC BY 4.0 (Earshot's authors; synthetic voices of Kokoro-82M, Apache-2.0)",
}

Report = Callable[[float, str], None]


def quick_scenario_ids() -> list[str]:
    """Scenarios that need no vocoder: all of them are written in a few seconds."""
    return [script.scenario_id for script in bank.load_scripts() if not script.is_rendered]


def rendered_scenario_ids() -> list[str]:
    """Scenarios whose variants the vocoder makes: some seconds each."""
    return [script.scenario_id for script in bank.load_scripts() if script.is_rendered]


def build_manifest(out: Path, *, only: Collection[str] | None = None, report: Report | None = None) -> Path:
    """Write the scenarios named in `only` (all if left out), with their dialogues, as a manifest folder.

    Args:
        report: is called after each scenario with the share that is done (0…1) and a sentence.
    Returns:
        `out`, holding scenarios.jsonl and dialogues.jsonl of exactly the scenarios asked for, and audio/.
    Raises:
        ValueError: if `only` names a scenario that does not exist.
    """
    scripts = _chosen(only)
    scenarios: list[Scenario] = []
    dialogues: list[Dialogue] = []
    for done, script in enumerate(scripts, 1):
        scenario, spoken = build_scenario(script, out)
        scenarios.append(scenario)
        dialogues += spoken
        if report is not None:
            report(done / len(scripts), f"{script.topic}: {len(spoken)} dialogues")
    write_manifest(out, scenarios, dialogues)
    return out


def build_scenario(script: Script, out: Path) -> tuple[Scenario, list[Dialogue]]:
    """Write the audio of one scenario below `out`/audio, unless it stands there already, and describe it."""
    audio = out / "audio" / script.scenario_id
    plans = [variants.plan_dialogue(script, system) for system in variants.systems_of(script)]
    fingerprint = _fingerprint(script)
    sheet = audio / "times.json"  # written last: where it stands with the right fingerprint, the audio is complete
    times = _read_times(sheet, fingerprint)
    if times is None:
        audio.mkdir(parents=True, exist_ok=True)
        sheet.unlink(missing_ok=True)
        times = _write_audio(script, plans, audio)
        partial = sheet.with_suffix(".partial")
        partial.write_text(json.dumps({"fingerprint": fingerprint, "times": times}))
        partial.replace(sheet)
    return _scenario(script), [_dialogue(script, plan, times[plan.system]) for plan in plans]


def _chosen(only: Collection[str] | None) -> list[Script]:
    scripts = bank.load_scripts()
    if only is None:
        return scripts
    unknown = set(only) - {script.scenario_id for script in scripts}
    if unknown:
        known = ", ".join(script.scenario_id for script in scripts)
        raise ValueError(f"There is no demo scenario {', '.join(sorted(unknown))}; choose from: {known}.")
    return [script for script in scripts if script.scenario_id in only]


def _fingerprint(script: Script) -> str:
    """Changes with the recordings and with the code that turns them into dialogues."""
    digest = hashlib.sha256()
    code = [Path(str(module.__file__)) for module in (vocoder, arcs, bank, variants)]
    for path in [Path(__file__), *code, *sorted(script.folder.iterdir())]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


Times = dict[str, list[list[float]]]  # system → [start, end] of each turn, in seconds


def _read_times(sheet: Path, fingerprint: str) -> Times | None:
    if not sheet.exists():
        return None
    content = json.loads(sheet.read_text())
    return content["times"] if content["fingerprint"] == fingerprint else None


def _write_audio(script: Script, plans: Sequence[DialoguePlan], audio: Path) -> Times:
    voices = Voices(script)
    times: Times = {}
    for plan in plans:
        spoken = [voices.speak(turn) for turn in plan.turns]
        samples, times[plan.system] = join_turns(spoken, [turn.gap_seconds for turn in plan.turns])
        _write_flac(audio / f"{plan.system}.flac", samples)
    for index, turn in enumerate(plans[0].turns):
        if script.turns[index].role == "user":
            _write_flac(audio / f"user-{index // 2 + 1}.flac", voices.speak(turn))
    return times


class Voices:
    """Says planned turns; remembers each recording's analysis and each speaker's mean pitch."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tracks = script.f0_tracks() if script.is_rendered else {}
        self._analyses: dict[Path, vocoder.Analysis] = {}
        self._spoken: dict[tuple[Path, vocoder.Prosody], FloatArray] = {}

    def speak(self, turn: TurnPlan) -> FloatArray:
        """The turn's samples at BANK_RATE, (N,)."""
        if turn.prosody is None:
            return turn.recording.read()
        key = (turn.recording.path, turn.prosody)
        if key not in self._spoken:
            mean = self.mean_log_f0(turn.recording.voice)
            self._spoken[key] = vocoder.render(self.analysis(turn.recording), turn.prosody, mean_log_f0=mean)
        return self._spoken[key]

    def analysis(self, recording: Recording) -> vocoder.Analysis:
        if recording.path not in self._analyses:
            track = self._tracks[recording.path.stem]
            self._analyses[recording.path] = vocoder.analyse(recording.read(), BANK_RATE, f0=track)
        return self._analyses[recording.path]

    def mean_log_f0(self, voice: str) -> float:
        stems = [r.path.stem for turn in self._script.turns for r in turn.recordings if r.voice == voice]
        voiced = np.concatenate([self._tracks[stem] for stem in stems])
        return float(np.log(voiced[voiced > 0]).mean())


def join_turns(spoken: Sequence[FloatArray], gaps: Sequence[float]) -> tuple[FloatArray, list[list[float]]]:
    """One signal with `gaps` (seconds) before the turns, the first gap being LEAD_SECONDS, and each turn's times."""
    pieces: list[FloatArray] = []
    times: list[list[float]] = []
    place = 0
    for index, samples in enumerate(spoken):
        silence = np.zeros(round((gaps[index] if index else LEAD_SECONDS) * BANK_RATE))
        start, end = place + len(silence), place + len(silence) + len(samples)
        pieces += [silence, samples]
        times.append([round(start / BANK_RATE, 4), round(end / BANK_RATE, 4)])
        place = end
    return np.concatenate([*pieces, np.zeros(round(LEAD_SECONDS * BANK_RATE))]), times


def _write_flac(path: Path, samples: FloatArray) -> None:
    peak = float(np.abs(samples).max())
    if peak > HIGHEST_PEAK:  # never by cutting: one constant gain for the whole dialogue
        samples = samples * (HIGHEST_PEAK / peak)
    soundfile.write(path, samples, BANK_RATE, subtype="PCM_16")


def _scenario(script: Script) -> Scenario:
    users = [(index // 2 + 1, turn) for index, turn in enumerate(script.turns) if turn.role == "user"]
    return Scenario(
        scenario_id=script.scenario_id,
        topic=script.topic,
        language=script.language,
        turns=tuple(
            ScenarioTurn(number, turn.text, audio=f"audio/{script.scenario_id}/user-{number}.flac")
            for number, turn in users
        ),
        roles=script.roles,
        check=Check(**script.check) if script.check else None,
        arc=tuple(turn.emotion for turn in script.turns),
        tags=(script.source, *script.tags),
    )


def _dialogue(script: Script, plan: DialoguePlan, times: Sequence[Sequence[float]]) -> Dialogue:
    return Dialogue(
        dialogue_id=f"{script.scenario_id}-{plan.system}",
        scenario_id=script.scenario_id,
        system=plan.system,
        audio=f"audio/{script.scenario_id}/{plan.system}.flac",
        turns=tuple(
            DialogueTurn(
                scenario_turn=index // 2 + 1,
                role=turn.role,
                speaker=turn.role,
                text=turn.text,
                start=start,
                end=end,
            )
            for index, (turn, (start, end)) in enumerate(zip(script.turns, times, strict=True))
        ),
        meta={
            "language": script.language,
            "source": script.source,
            "licence": LICENCES[script.source],
            "tags": ["demo", "rendered" if script.is_rendered else "clips"],
            "construction": plan.utilities,
            "broken_turn": plan.broken_turn,
            "turns": [_turn_meta(turn, script.turns[index]) for index, turn in enumerate(plan.turns)],
        },
    )


def _turn_meta(turn: TurnPlan, written: bank.ScriptTurn) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "emotion": written.emotion,
        "said_with": turn.recording.emotion,
        "intensity": written.intensity,
        "voice": turn.recording.voice,
        "gap_seconds": turn.gap_seconds,
    }
    if turn.prosody is not None:
        meta |= {name: round(value, 4) for name, value in dataclasses.asdict(turn.prosody).items()}
    if turn.fit is not None:
        meta["fits"] = dict(turn.fit.fits)
    return meta


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the demo's dialogues as a manifest folder.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", metavar="SCENARIO", help="ids of scenarios; all if left out")
    parser.add_argument("--part", choices=["quick", "rendered"], help="without or with the vocoder; both if left out")
    chosen = parser.parse_args(arguments)
    parts = {"quick": quick_scenario_ids, "rendered": rendered_scenario_ids}
    only = chosen.only or (parts[chosen.part]() if chosen.part else None)
    build_manifest(chosen.out, only=only, report=lambda share, message: print(f"{share:4.0%} {message}", flush=True))


if __name__ == "__main__":
    main()
