"""python -m tests.benchmarks.closed_loop --loop FOLDER: what a closed loop's figures are worth. See docs/loop.md.

FOLDER is the scratch folder of a finished `make loop`. Its policies and reward model are taken from there, and then
- the new policy is evaluated on 20 other held-out scenarios: by the model that rewarded it, by one that was trained on
  other pairs (--other FOLDER, another loop), in the hidden truth, and beside best-of-n at equal divergence;
- both policies speak, and their sound is measured by the instruments of policy/learning/instruments.py;
- word error, new against reference, by a recogniser (--transcriber PYTHON SCRIPT: reads sounds, writes JSON lines with
  `file` and `text`);
- the round is run against reward models of shuffled labels (--shuffles), and once more against the real one, all
  without the verifiable reward. One shuffle tilts some way by chance, so their mean is what tells: over the
  reference, and over the reference at the same entropy.
The last line of output is one JSON object. All votes are simulated.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy import stats

from earshot.formats.bundles import unpack_files
from earshot.formats.dialogues import Dialogue
from earshot.formats.manifest import Manifest, read_manifest
from rewardmodel.learning.figures import mean_by_scenario

TRUTH = "earshot.demo.listener:utilities"
OTHER_SEED = 1000  # scenarios that neither steered nor reported the round
SILENCE_SECONDS = 0.4  # between the replies of one dialogue, for the recogniser
KEPT = (
    *("reward_gain_sd", "held_out_gain_sd", "truth_gain_sd", "truth_gains_sd", "kl_nats_per_token", "entropy"),
    *("plan_accuracy", "best_of_n", "sharpened"),
)
MOST_LOST = 0.02  # of the words: what a round may cost in intelligibility


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", type=Path, required=True, help="scratch folder of a finished `make loop`")
    parser.add_argument("--other", type=Path, help="that of another seed, whose reward model judges too")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to work in; what stands there is not made again"
    )
    parser.add_argument("--transcriber", nargs=2, type=Path, metavar=("PYTHON", "SCRIPT"))
    parser.add_argument("--shuffles", type=int, default=0, help="controls, a round each; 2 or more")
    parser.add_argument("--steps", type=int, default=45, help="of the controls' rounds")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = unpack(options.loop, options.out / "loop")
    other = unpack(options.other, options.out / "other")["reward_model"] if options.other else None
    figures: dict[str, Any] = {"loop": options.loop.name}
    figures["round"] = evaluated(found["new"], found, found["reward_model"], other, options.out / "round.json")
    spoken = {name: speak(found[name], name, options.out) for name in ("start", "new")}
    figures["sound"] = compared(spoken, options.out / "sound.json")
    if options.transcriber:
        figures["word_error"] = word_error(spoken, options.transcriber, options.out)
    if options.shuffles:
        figures["controls"] = controls(found, options)
    print(json.dumps(figures))


def unpack(loop: Path, out: Path) -> dict[str, Path]:
    """The loop's first and new policy, its reward model, and the votes it learned from, as folders."""
    wanted = {
        "start": "SELECT archive_sha256 FROM policy_policycheckpoint WHERE parent_id IS NULL ORDER BY id",
        "new": "SELECT archive_sha256 FROM policy_policycheckpoint WHERE parent_id IS NOT NULL ORDER BY id",
        "reward_model": "SELECT archive_sha256 FROM rewardmodel_rewardmodelrun ORDER BY id",
        "snapshot": "SELECT archive_sha256 FROM annotation_snapshot ORDER BY id",
    }
    folders = {}
    with sqlite3.connect(f"file:{next(loop.glob('*.sqlite3'))}?mode=ro", uri=True) as database:
        for name, query in wanted.items():
            (sha256,) = database.execute(query).fetchone()
            archive = next(loop.glob(f"*/{sha256[:2]}/{sha256[2:]}"))
            folders[name] = unpack_files(archive, out / name)
    return folders


def learn(module: str, *arguments: object) -> None:
    """Run `python -m module arguments` on one thread; what it says goes to standard error."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    print("$", " ".join(command[1:]), file=sys.stderr, flush=True)
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def evaluated(
    policy: Path,
    found: dict[str, Path],
    model: Path,
    apart: Path | None,
    out: Path,
    *more: object,
    seed: int = OTHER_SEED,
) -> dict[str, Any]:
    """The figures of one evaluation, each with its interval."""
    if not out.exists():
        judges = ["--reward-model", model, *(["--held-out-reward-model", apart] if apart else [])]
        scenarios = ("--part", "held_out", "--per-text", 2, "--seed", seed)
        learn("policy", "evaluate", policy, "--reference", found["start"], *judges, *scenarios, "--truth", TRUTH,
              "--out", out, *more)  # fmt: skip
    report = json.loads(out.read_text())
    return {name: report[name] for name in KEPT if name in report}


def speak(policy: Path, name: str, out: Path) -> Path:
    """A manifest folder of 20 dialogues, the same scenarios for both."""
    folder = out / f"spoken-{name}"
    if not (folder / "dialogues.jsonl").exists():
        learn("policy", "speak", policy, "--part", "held_out", "--per-text", 2, "--seed", OTHER_SEED, "--out", folder,
              "--system", name)  # fmt: skip
    return folder


def compared(spoken: dict[str, Path], out: Path) -> dict[str, Any]:
    learn("policy", "compare", spoken["start"], spoken["new"], "--out", out)
    found: dict[str, Any] = json.loads(out.read_text())["instruments"]
    return found


def word_error(spoken: dict[str, Path], transcriber: Sequence[Path], out: Path) -> dict[str, Any]:
    """Of the replies, which alone differ: pooled over all words, and the change by dialogue, clustered by topic."""
    wrong: dict[str, list[int]] = {}
    for name, folder in spoken.items():
        manifest = read_manifest(folder)
        sounds = [write_replies(manifest, dialogue, out / f"replies-{name}") for dialogue in manifest.dialogues]
        heard = transcribe(sounds, transcriber, out / f"heard-{name}.jsonl")
        wrong[name] = [
            word_errors(replies_of(dialogue), heard[str(sound)])
            for dialogue, sound in zip(manifest.dialogues, sounds, strict=True)
        ]
    words = np.array([len(words_of(replies_of(dialogue))) for dialogue in manifest.dialogues])
    topics = np.array([manifest.scenario(dialogue.scenario_id).topic for dialogue in manifest.dialogues])
    before, after = (np.array(wrong[name]) for name in ("start", "new"))
    change = mean_by_scenario((after - before) / words, topics).as_json()
    pooled = {name: round(float(sum(wrong[name]) / words.sum()), 4) for name in wrong}
    return {
        **{"words": int(words.sum()), "before": pooled["start"], "after": pooled["new"]},
        **{"change": {key: change[key] for key in ("value", "low", "high", "n")}},
        **{"wanted": f"rises by at most {MOST_LOST}", "holds": pooled["new"] - pooled["start"] <= MOST_LOST},
    }


def replies_of(dialogue: Dialogue) -> str:
    return " ".join(turn.text for turn in dialogue.turns if turn.role == "assistant")


def write_replies(manifest: Manifest, dialogue: Dialogue, folder: Path) -> Path:
    """The dialogue's replies alone, one after the other."""
    assert dialogue.audio is not None
    samples, rate = soundfile.read(manifest.local_path(dialogue.audio), dtype="float32")
    silence = np.zeros(round(SILENCE_SECONDS * rate), np.float32)
    pieces = [silence]
    for turn in dialogue.turns:
        if turn.role == "assistant":
            assert turn.start is not None
            assert turn.end is not None
            pieces += [samples[round(turn.start * rate) : round(turn.end * rate)], silence]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dialogue.dialogue_id}.flac"
    soundfile.write(path, np.concatenate(pieces), rate)
    return path


def transcribe(sounds: Sequence[Path], transcriber: Sequence[Path], out: Path) -> dict[str, str]:
    if not out.exists():
        python, script = transcriber
        command = [str(python), str(script), "--language", "en", *map(str, sounds)]
        out.write_text(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return {row["file"]: row["text"] for row in rows}


def words_of(text: str) -> list[str]:
    kept = "".join(letter if letter.isalnum() or letter in "' " else " " for letter in text.lower())
    return kept.split()


def word_errors(said: str, heard: str) -> int:
    """The least number of words put in, left out or replaced."""
    wanted, found = words_of(said), words_of(heard)
    row = list(range(len(found) + 1))
    for place, word in enumerate(wanted, 1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(found, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1]


def controls(found: dict[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """Truth over the reference, and over the reference at the same entropy: of each shuffle, and their mean.

    Without the verifiable reward, which teaches by itself: a plan that is right makes fitting codes likelier.
    """
    each = [control(seed, found, options) for seed in range(1, options.shuffles + 1)]
    over_reference = [told["truth_gain_sd"]["value"] for told in each]
    over_sharpened = [told["truth_gain_sd"]["value"] - told["sharpened"]["truth_gain_sd"]["value"] for told in each]
    real = one_round("real", found["reward_model"], found, options, seed=1)
    return {
        **{"each": each, "real": real},
        **{"truth_over_reference": mean_of(over_reference), "truth_over_sharpened": mean_of(over_sharpened)},
    }


def control(seed: int, found: dict[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """The round against a reward model whose votes were dealt to other pairs; the real one judges, too."""
    model = options.out / f"control-{seed}" / "model"
    if not (model / "config.json").exists():
        learn("rewardmodel", "train", found["snapshot"], "--split", "all", "--shuffle-labels", seed, "--seed", seed,
              "--out", model, "--cache", options.out / "cache")  # fmt: skip
    return one_round(f"control-{seed}", model, found, options, seed=seed)


def one_round(
    name: str, model: Path, found: dict[str, Path], options: argparse.Namespace, *, seed: int
) -> dict[str, Any]:
    """Each on scenarios and with reference replies of its own, so that chance there does not tilt all of them alike."""
    folder = options.out / name
    if not (folder / "new" / "lineage.json").exists():
        learn("policy", "round", "--policy", found["start"], "--reward-model", model, "--seed", seed,
              "--steps", options.steps, "--plan-weight", 0, "--out", folder / "new")  # fmt: skip
    apart = found["reward_model"] if model != found["reward_model"] else None
    rivals = ("--no-best-of", "--rival-scenarios", 20)
    return evaluated(folder / "new", found, model, apart, folder / "report.json", *rivals, seed=OTHER_SEED + seed)


def mean_of(values: Sequence[float]) -> dict[str, float]:
    """With its 95 % interval over the shuffles, by Student's t."""
    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    half = stats.t.ppf(0.975, len(values) - 1) * error
    return {
        name: round(float(value), 3) for name, value in (("value", mean), ("low", mean - half), ("high", mean + half))
    }


if __name__ == "__main__":
    main()
