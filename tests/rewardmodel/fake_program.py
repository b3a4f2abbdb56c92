"""Stands in for the learning side: python fake_program.py rewardmodel|policy COMMAND …, with the same command line.

It takes steps that a test can count and interrupt, goes on after a kill, and writes files of the same names.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from earshot.jobs.child import emit, fence, still_mine

STEPS = 6
SECONDS = float(os.environ.get("FAKE_STEP_SECONDS", "0"))  # of each step
BANK_TEXTS = {"train": 3, "held_out": 2}


def fake_command(module: str, *arguments: object, spread: bool = False) -> list[str]:
    """Takes the place of `earshot.jobs.programs.command`."""
    return [sys.executable, __file__, module, *map(str, arguments)]


def take_steps(out: Path, curves, steps: int = STEPS) -> None:
    """One file per step, named after the start that took it: a resumed run takes none twice."""
    done = out / "run"
    done.mkdir(parents=True, exist_ok=True)
    for step in range(1, steps + 1):
        if not list(done.glob(f"{step}.*")):
            time.sleep(SECONDS)
            if not still_mine():
                sys.exit("The job was given to another worker.")
            (done / f"{step}.{fence()}").touch()
        emit(progress=step / steps, message=f"step {step} of {steps}", metrics={"step": step, **curves(step)})


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1, sort_keys=True))


def content_hash(folder: Path) -> str:
    from earshot.formats.bundles import hash_files

    return hash_files(folder, ["config.json", "lineage.json", "model.safetensors"])


def head(accuracy: float) -> dict:
    interval = {"low": accuracy - 0.05, "high": accuracy + 0.05}
    ceiling = {"value": 0.85, "low": 0.82, "high": 0.88, "reason": ""}
    table = [
        {"said": 0.55, "was": 0.5, "n": 9},
        {"said": 0.75, "was": 0.8, "n": 12},
        {"said": 0.93, "was": 0.9, "n": 7},
    ]
    return {"accuracy": {"value": accuracy, **interval, "n": 120}, "ceiling": ceiling, "reliability": table}


def train_reward_model(chosen) -> None:
    take_steps(chosen.out, lambda step: {"loss": 1 / step, "accuracy": 1 - 0.5 / step})
    snapshot = json.loads((chosen.snapshot / "manifest.json").read_text())
    write(chosen.out / "model.safetensors", f"weights of seed {chosen.seed}, epochs {chosen.epochs}")
    write(chosen.out / "config.json", {"training": {"snapshot": snapshot["id"], "seed": chosen.seed}})


def evaluate_reward_model(chosen) -> None:
    baselines = {"louder": {"value": 0.51, "low": 0.45, "high": 0.57}}
    report = {
        "heads": {"prosody": head(0.72), "overall": head(0.79)},
        "scenarios": 12,
        "baselines": {"overall": baselines},
    }
    write(chosen.model / "report.json", report)


def probe_reward_model(chosen) -> None:
    shift = {"overall": {"mean": -0.01, "largest": 0.2, "n": 48}}
    write(chosen.out, {"shifts": {"louder_by_6_db": shift}, "size_of_change": {"overall": 0.03}})


def train_policy(chosen) -> None:
    take_steps(chosen.out, lambda step: {"loss": 2 / step})
    save_policy(chosen.out, {"kind": "supervised", "parent": None, "seed": chosen.seed}, f"start {chosen.seed}")


def save_policy(out: Path, lineage: dict, weights: str) -> None:
    write(out / "model.safetensors", weights)
    write(out / "config.json", {"format": "fake"})
    files = {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in ("config.json", "model.safetensors")
    }
    write(out / "lineage.json", {**lineage, "code": {"package": "0"}, "bank": "b" * 64, "files": files})


def run_round(chosen) -> None:
    if os.environ.get("FAKE_ROUND_FAILS"):
        sys.exit("Guard entropy: the entropy in nats per token is 0.1, below 0.35.")
    take_steps(chosen.out, lambda step: {"reward": 0.5 + step / 20, "kl_nats_per_token": step / 80, "entropy": 1.0})
    apart = chosen.held_out_reward_model
    lineage = {
        "kind": "grpo",
        "parent": content_hash(chosen.policy),
        "seed": chosen.seed,
        "reward_models": [origin(folder) for folder in chosen.reward_model],
        "held_out_reward_model": origin(apart) if apart else None,
        "figures": {"step": chosen.steps},
        "stopped": os.environ.get("FAKE_ROUND_STOPPED", ""),
    }
    save_policy(chosen.out, lineage, f"round {chosen.seed}, {chosen.steps} steps")
    emit(result={"checkpoint": content_hash(chosen.out), "stopped": lineage["stopped"], "step": chosen.steps})


def origin(folder: Path) -> dict:
    from earshot.formats.bundles import hash_files

    return {"hash": hash_files(folder, ["config.json", "model.safetensors"]), "snapshot": None}


def evaluate_policy(chosen) -> None:
    gain = {"value": 1.21, "low": 0.95, "high": 1.47}
    heads = {"prosody": {"value": 0.6, "low": 0.2, "high": 1.0}, "overall": gain}
    report = {"reward_gain_sd": gain, "reward_gains_sd": heads, "kl_nats_per_token": 0.083, "n_scenarios": 20}
    rival = {"n": 9, "kl_nats_per_token": 0.08, "reward_gain_sd": {"value": 0.9, "low": 0.6, "high": 1.2}}
    report |= {"reward_before": 0.4, "reward_after": 1.6}
    report |= {"kl": {"plan": 0.01, "codes": 0.09}, "plan_accuracy": {"policy": 0.9, "reference": 0.85}}
    if chosen.truth:
        report |= {"truth_gain_sd": gain, "truth_gains_sd": {"overall": gain}}
        rival |= {"truth_gain_sd": {"value": 0.3, "low": 0.1, "high": 0.5}}
    less = rival | {"temperature": 0.7, "kl_nats_per_token": 0.02}
    write(chosen.out, report | {"best_of_n": rival, "sharpened": less})
    emit(progress=1.0, result={"reward_gain_sd": 1.21, "kl_nats_per_token": 0.083, "n_scenarios": 20})


def compare(chosen) -> None:
    """Reads both folders, as the true one does."""
    before, after = (read_folder(folder) for folder in (chosen.before, chosen.after))
    told = {"unit": "LUFS", "wanted": "changes by at most 1 LU", "before": -23.1, "after": -22.9}
    told |= {"change": {"value": 0.2, "low": 0.1, "high": 0.3, "n": len(before)}, "holds": True, "kind": "instrument"}
    write(chosen.out, {"n_dialogues": min(len(before), len(after)), "instruments": {"loudness": told}})


def read_folder(folder: Path) -> list:
    return (folder / "dialogues.jsonl").read_text().splitlines()


def speak(chosen) -> None:
    from tests.annotation.manifests import dialogue, scenario, turns, write_folder

    if chosen.scenarios:
        rows = [json.loads(line) for line in (chosen.scenarios / "scenarios.jsonl").read_text().splitlines()]
    else:
        count = BANK_TEXTS[chosen.part] * chosen.per_text
        rows = [scenario(f"practice-{chosen.part}-{n}", tags=["practice", chosen.part]) for n in range(count)]
    time.sleep(SECONDS)
    said = [
        dialogue(
            f"{chosen.system}-{chosen.seed}-{row['scenario_id']}-{sample}",
            scenario_id=row["scenario_id"],
            system=chosen.system,
            turns=turns(),
        )
        for row in rows
        for sample in range(chosen.samples)
    ]
    write_folder(chosen.out, said, rows, seconds=2.0)
    emit(
        progress=1.0,
        message="spoken",
        result={"dialogues": len(said), "checkpoint": content_hash(chosen.policy_folder)},
    )


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    programs = top.add_subparsers(required=True)

    def add(program, name: str, run, *places: str):
        command = program.add_parser(name)
        command.set_defaults(run=run)
        for place in places:
            command.add_argument(place, type=Path)
        for option in (
            "--out",
            "--cache",
            "--policy",
            "--reference",
            "--scenarios",
            "--held-out-reward-model",
            "--watch",
        ):
            command.add_argument(option, type=Path)
        command.add_argument("--reward-model", type=Path, action="append")
        for option in ("--seed", "--epochs", "--steps", "--samples", "--per-text"):
            command.add_argument(option, type=int)
        for option in ("--part", "--system", "--split", "--truth"):
            command.add_argument(option)
        command.add_argument("--kl-target", type=float)

    model = programs.add_parser("rewardmodel").add_subparsers(required=True)
    add(model, "train", train_reward_model, "snapshot")
    add(model, "evaluate", evaluate_reward_model, "model", "snapshot")
    add(model, "probe", probe_reward_model, "model", "snapshot")
    policy = programs.add_parser("policy").add_subparsers(required=True)
    add(policy, "train", train_policy)
    add(policy, "round", run_round)
    add(policy, "speak", speak, "policy_folder")
    add(policy, "evaluate", evaluate_policy, "policy_folder")
    add(policy, "compare", compare, "before", "after")
    return top


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    chosen = parser().parse_args()
    chosen.run(chosen)
