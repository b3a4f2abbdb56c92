"""The command line: python -m rewardmodel train | evaluate | score | probe."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earshot.jobs.child import emit


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 2 where something was asked that cannot be done; the reason stands on standard error."""
    options = _parser().parse_args(arguments)
    try:
        result = options.run(options)
    except (ValueError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    emit(progress=1.0, message="done", result=result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rewardmodel", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_score(commands)
    _add_probe(commands)
    return parser


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="train a reward model on a snapshot; the same command again goes on")
    train.add_argument("snapshot", type=Path, help="a snapshot's folder")
    train.add_argument("--out", type=Path, required=True, help="folder of the reward model")
    train.add_argument("--validation", type=Path, help="another snapshot to evaluate on at the end")
    train.add_argument("--watch", type=Path, help="snapshot whose accuracy is a live curve; --validation if left out")
    train.add_argument("--cache", type=Path, help="folder for the frames of sounds, shared between runs")
    train.add_argument("--split", default="train", choices=("train", "all"), help="scenarios to train on")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=int, default=None, help="how often every judgment is seen")
    train.add_argument("--batch", type=int, default=None, help="judgments a step, over all processes")
    train.add_argument("--checkpoint-steps", type=int, default=None, help="steps between two checkpoints")
    train.add_argument("--shuffle-labels", type=int, metavar="SEED", help="the control: votes go to other pairs")
    train.set_defaults(run=_train)


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="accuracy beside the ceiling, calibration, baselines")
    evaluate.add_argument("model", type=Path, help="a reward model's folder")
    evaluate.add_argument("snapshot", type=Path, help="a snapshot's folder")
    evaluate.add_argument(
        "--split",
        default="held-out",
        choices=("held-out", "train", "validation", "test", "all"),
        help="held-out: every scenario that the model was not trained on",
    )
    evaluate.add_argument("--include-trained", action="store_true", help="allow scenarios that it was trained on")
    evaluate.add_argument("--out", type=Path, help="file for the report; the model's report.json if left out")
    evaluate.add_argument("--cache", type=Path, help="folder for the frames of sounds")
    evaluate.set_defaults(run=_evaluate)


def _add_score(commands: Any) -> None:
    score = commands.add_parser("score", help="score the dialogues of a manifest")
    score.add_argument("model", type=Path, help="a reward model's folder")
    score.add_argument("manifest", type=Path, help="a folder with scenarios.jsonl and dialogues.jsonl")
    score.add_argument("--out", type=Path, help="file of JSON lines; standard output if left out")
    score.add_argument("--cache", type=Path, help="folder for the frames of sounds")
    score.set_defaults(run=_score)


def _add_probe(commands: Any) -> None:
    probe = commands.add_parser("probe", help="what must not move a score: loudness, silence, sides, the vocoder")
    probe.add_argument("model", type=Path, help="a reward model's folder")
    probe.add_argument("snapshot", type=Path, help="a snapshot's folder")
    probe.add_argument("--dialogues", type=int, default=48, help="how many to change, of held-out scenarios first")
    probe.add_argument("--vocoder-dialogues", type=int, default=12, help="how many of them to synthesise again (slow)")
    probe.add_argument("--out", type=Path, help="file for the report")
    probe.add_argument("--cache", type=Path, help="folder for the frames of sounds")
    probe.set_defaults(run=_probe)


# torch and transformers are imported by the command that needs them: --help and a misspelt path answer at once.


def _train(options: argparse.Namespace) -> dict[str, Any]:
    watch = options.watch or options.validation
    _need_folders(options.snapshot, *(folder for folder in (options.validation, watch) if folder))
    from rewardmodel.learning.distributed import end_processes, is_first_process
    from rewardmodel.learning.training import TrainingConfig, train

    _set_threads()
    given = {key: getattr(options, key) for key in ("epochs", "batch", "checkpoint_steps")}
    config = TrainingConfig(
        seed=options.seed,
        split=options.split,
        shuffle_labels=options.shuffle_labels,
        **{key: value for key, value in given.items() if value is not None},
    )
    try:
        training = train(options.snapshot, options.out, config, cache=options.cache, watch=watch)
        result: dict[str, Any] = {"model": str(options.out), **training["figures"]}
        if options.validation and is_first_process():
            from rewardmodel.learning.evaluation import evaluate

            report = evaluate(options.out, options.validation, cache=options.cache)
            _write_report(options.out / "report.json", report)
            result["validation"] = report["heads"]
    finally:
        end_processes()
    return result


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    _need_folders(options.model, options.snapshot)
    from rewardmodel.learning.evaluation import evaluate

    _set_threads()
    report = evaluate(
        options.model,
        options.snapshot,
        split=options.split,
        include_trained=options.include_trained,
        cache=options.cache,
    )
    _write_report(options.out or options.model / "report.json", report)
    return report


def _score(options: argparse.Namespace) -> dict[str, Any]:
    _need_folders(options.model, options.manifest)
    from rewardmodel.learning.scoring import load_reward_model

    _set_threads()
    model = load_reward_model(options.model)
    scores = model.score_manifest(options.manifest, cache=options.cache)
    lines = [
        json.dumps({"dialogue_id": dialogue, "scores": dict(zip(model.dimensions, row.round(6).tolist(), strict=True))})
        for dialogue, row in scores.items()
    ]
    if options.out is None:
        print("\n".join(lines))
    else:
        _write_text(options.out, "\n".join(lines) + "\n")
    return {"dialogues": len(scores)}


def _probe(options: argparse.Namespace) -> dict[str, Any]:
    _need_folders(options.model, options.snapshot)
    from rewardmodel.learning.probes import probe

    _set_threads()
    report: dict[str, Any] = probe(
        options.model,
        options.snapshot,
        dialogues=options.dialogues,
        vocoder_dialogues=options.vocoder_dialogues,
        cache=options.cache,
    )
    if options.out is not None:
        _write_report(options.out, report)
    return report


def _need_folders(*folders: Path) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"There is no folder {folder}. Give the folder that holds it.")


def _set_threads() -> None:
    """As many threads as OMP_NUM_THREADS asks for; without it at most two, since more only get in each other's way."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(2, torch.get_num_threads()))


def _write_report(path: Path, report: dict[str, Any]) -> None:
    _write_text(path, json.dumps(report, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
