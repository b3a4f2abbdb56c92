"""Rollouts to a manifest folder, as any outside system's dialogues come.

Audio is named by the hash of all that it is made from. So a dialogue that stands is complete and right, and a speaking
that was cut off goes on with the first one that is missing.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import soundfile

from earshot.formats.dialogues import Dialogue, DialogueTurn
from earshot.formats.manifest import write_manifest
from policy.learning.analysis import ANALYSIS_VERSION
from policy.learning.bank import RATE, Bank, load_bank
from policy.learning.codes import Codes
from policy.learning.delivery import Planner
from policy.learning.dying import die_with_parent
from policy.learning.renderer import RENDERER_VERSION, Renderer
from policy.learning.scenarios import LANGUAGE, PREFIX, Scenario, scenario_of

REASONING = {
    "calm": "The user is calm.",
    "joy": "The user is happy about it.",
    "sadness": "The user is sad about it.",
    "worry": "The user is worried about it.",
    "anger": "The user is angry about it.",
}

Report = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class Rollout:
    """One sampled reply to a whole scenario."""

    scenario: Scenario
    codes: Codes  # (T, 2, 5)
    plan: tuple[str, ...]  # the emotion that the policy believes the user feels, per exchange
    sample: int  # which of this scenario's rollouts

    def __post_init__(self) -> None:
        if len(self.plan) != len(self.scenario.arc) or not set(self.plan) <= set(REASONING):
            raise ValueError(
                f"The plan of {self.scenario.scenario_id!r} is {self.plan}; give each of "
                f"{len(self.scenario.arc)} exchanges one of {', '.join(REASONING)}."
            )


def write_rollouts(
    out: Path,
    rollouts: Sequence[Rollout],
    *,
    bank: Bank,
    system: str,
    meta: Mapping[str, Any],
    cache_dir: Path | None = None,
    workers: int = 1,
    report: Report | None = None,
) -> Path:
    """Speak the rollouts into a manifest folder.

    Args:
        system: the name that the dialogues carry; it stands in their ids, too.
        meta: what every dialogue's meta is to hold beside its own, such as seed and checkpoint; the seed is part of
            the dialogues' ids.
        workers: processes that render.
        report: is called with the share that is done (0…1) and a sentence.
    Returns:
        `out`.
    Raises:
        ValueError: if two rollouts have the same scenario and sample, or codes do not fit.
    """
    planner = Planner(bank, cache_dir)
    scenarios = {rollout.scenario.scenario_id: rollout.scenario for rollout in rollouts}
    dialogues: dict[str, Dialogue] = {}
    known: set[tuple[str, int]] = set()
    for rollout in rollouts:
        which = (rollout.scenario.scenario_id, rollout.sample)
        if which in known:
            raise ValueError(f"Two rollouts are sample {which[1]} of {which[0]!r}; give each its own sample number.")
        known.add(which)
        dialogue = _dialogue(rollout, planner, bank, system, meta)
        dialogues[dialogue.dialogue_id] = dialogue
    (out / "audio").mkdir(parents=True, exist_ok=True)
    wanted = {out / audio_name(bank, rollout): rollout for rollout in rollouts}
    missing = {path: rollout for path, rollout in wanted.items() if not path.exists()}
    done = len(wanted) - len(missing)
    for _ in _speak(missing, bank, cache_dir, workers):
        done += 1
        if report is not None:
            report(done / len(wanted), f"Spoke {done} of {len(wanted)} dialogues")
    write_manifest(out, [scenario.to_manifest() for scenario in scenarios.values()], dialogues.values())
    return out


def audio_name(bank: Bank, rollout: Rollout) -> str:
    """Below the manifest's folder: the hash of everything that decides the samples."""
    made_from = [bank.content_hash, RENDERER_VERSION, ANALYSIS_VERSION, rollout.scenario.scenario_id]
    return f"audio/{_hash([*made_from, rollout.codes.tolist()])[:32]}.flac"


def _hash(made_from: object) -> str:
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _dialogue(rollout: Rollout, planner: Planner, bank: Bank, system: str, meta: Mapping[str, Any]) -> Dialogue:
    scenario = rollout.scenario
    plan = planner.plan(scenario, rollout.codes)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", system)
    # What is sampled depends on the scenarios that were asked for beside this one: another reply needs another id.
    said = _hash([audio_name(bank, rollout), rollout.plan, dict(meta)])[:8]
    return Dialogue(
        dialogue_id=f"{scenario.scenario_id}-{name}-{meta.get('seed', 0)}-{rollout.sample}-{said}",
        scenario_id=scenario.scenario_id,
        system=system,
        audio=audio_name(bank, rollout),
        turns=tuple(
            DialogueTurn(
                scenario_turn=index // 2 + 1,
                role=turn.role,
                speaker=turn.role,
                text=turn.text,
                start=round(turn.start, 4),
                end=round(turn.end, 4),
                reasoning=REASONING[rollout.plan[index // 2]] if turn.role == "assistant" else None,
            )
            for index, turn in enumerate(plan.turns)
        ),
        meta={
            "language": LANGUAGE,
            "tags": [PREFIX, scenario.text.part],
            **meta,
            "bank": bank.content_hash,
            "plan": list(rollout.plan),
            "codes": rollout.codes.tolist(),
            "delivery": plan.delivery,
        },
    )


def _speak(wanted: Mapping[Path, Rollout], bank: Bank, cache_dir: Path | None, workers: int) -> Iterator[None]:
    """Write each file, and yield after each."""
    if workers < 2 or len(wanted) < 2:
        renderer = Renderer(bank, cache_dir)
        for path, rollout in wanted.items():
            write_flac(path, renderer, rollout.scenario, rollout.codes)
            yield
        return
    # Neighbours have the same user turns: whole scenarios go to one process.
    groups: dict[str, list[tuple[Path, Codes]]] = {}
    for path, rollout in wanted.items():
        groups.setdefault(rollout.scenario.scenario_id, []).append((path, rollout.codes))
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (bank.folder, cache_dir)) as pool:
        spoken = [pool.submit(_speak_scenario, scenario_id, files) for scenario_id, files in groups.items()]
        try:
            for future in as_completed(spoken):
                for _ in range(future.result()):
                    yield
        finally:
            pool.shutdown(cancel_futures=True)


def write_flac(path: Path, renderer: Renderer, scenario: Scenario, codes: Codes) -> None:
    """The dialogue's sound, 16 bit; the file takes its place when it is whole."""
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as stream:
        soundfile.write(stream, renderer.render(scenario, codes).samples, RATE, format="FLAC", subtype="PCM_16")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


_worker: dict[str, Any] = {}  # of a rendering process: its bank and its renderer


def _start_worker(folder: Path, cache_dir: Path | None) -> None:
    die_with_parent()
    bank = load_bank(folder)
    _worker.update(bank=bank, renderer=Renderer(bank, cache_dir))


def _speak_scenario(scenario_id: str, files: Collection[tuple[Path, Codes]]) -> int:
    scenario = scenario_of(scenario_id, _worker["bank"])
    for path, codes in files:
        write_flac(path, _worker["renderer"], scenario, codes)
    return len(files)
