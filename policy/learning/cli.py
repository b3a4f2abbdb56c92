"""python -m policy train | round | speak | evaluate | compare. See docs/policy.md.

What is wrong is told in one sentence on standard error, with status 2; a round that ends without anything good, stopped
by a guard or not, ends with status 3.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from earshot.jobs.child import JobTakenOver

WRONG, STOPPED = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its status."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # They import torch: --help need not wait for it, nor `compare`, which needs none.
    module = import_module(f"policy.learning.{'instruments' if options.command == 'compare' else 'commands'}")
    try:
        return int(getattr(module, f"run_{options.command}")(options))
    except (ValueError, JobTakenOver) as error:
        print(error, file=sys.stderr)
        return WRONG


def default_cache() -> Path:
    """Where analyses of the bank are kept when --cache is left out."""
    data = os.environ.get("EARSHOT_DATA_DIR")
    return Path(data) / "cache-learning" if data else Path.home() / ".cache" / "earshot"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m policy", description="The embedded prosody-token policy.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands)
    _add_round(commands)
    _add_speak(commands)
    _add_evaluate(commands)
    _add_compare(commands)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--bank", type=Path, help="folder of a practice bank; the shipped one if left out")
    command.add_argument("--cache", type=Path, default=default_cache(), help="where analyses of the bank are kept")


def _add_scenarios(command: argparse.ArgumentParser, part: str) -> None:
    command.add_argument("--scenarios", type=Path, help="manifest folder whose scenarios are taken")
    command.add_argument("--part", choices=("train", "held_out"), default=part, help="else: drawn from these texts")
    command.add_argument("--per-text", type=int, default=2, help="how many scenarios are drawn from each text")
    command.add_argument("--workers", type=int, default=2, help="processes that render")


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="the supervised start; the same command again goes on")
    train.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    train.add_argument("--steps", type=int, default=100)
    _add_common(train)


def _add_round(commands: Any) -> None:
    update = commands.add_parser("round", help="update a policy by a reward model; the same command again goes on")
    update.add_argument("--policy", type=Path, required=True, help="checkpoint to start from: the frozen reference")
    update.add_argument("--reward-model", type=Path, required=True, action="append", help="may be given several times")
    update.add_argument("--held-out-reward-model", type=Path, help="one that gives no reward and must not fall")
    update.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    update.add_argument("--steps", type=int, default=40)
    update.add_argument("--kl-target", type=float, default=0.1, help="nats per token, on held-out scenarios")
    update.add_argument("--rendered-steps", type=int, default=2, help="the last ones, on rendered sound")
    update.add_argument("--algorithm", choices=("grpo", "rloo"), default="grpo")
    update.add_argument("--plan-weight", type=float, default=0.3, help="of the verifiable reward; overall has 1")
    _add_scenarios(update, "train")
    _add_common(update)


def _add_speak(commands: Any) -> None:
    speak = commands.add_parser("speak", help="speak scenarios into a manifest folder")
    speak.add_argument("policy", type=Path, help="checkpoint")
    speak.add_argument("--samples", type=int, default=1, help="dialogues of each scenario")
    speak.add_argument("--out", type=Path, required=True, help="manifest folder")
    speak.add_argument("--system", required=True, help="the name that the dialogues carry")
    _add_scenarios(speak, "held_out")
    _add_common(speak)


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="new against reference on held-out scenarios")
    evaluate.add_argument("policy", type=Path, help="checkpoint")
    evaluate.add_argument("--reference", type=Path, required=True, help="checkpoint it is compared with")
    evaluate.add_argument(
        "--reward-model", type=Path, required=True, action="append", help="may be given several times"
    )
    evaluate.add_argument("--held-out-reward-model", type=Path, help="one that gave no reward")
    evaluate.add_argument("--rollouts", type=int, default=4, help="of each scenario by the new policy")
    evaluate.add_argument("--references", type=int, default=8, help="of each scenario by the reference, at least 8")
    evaluate.add_argument("--no-best-of", action="store_true", help="leave best-of-n at equal divergence out")
    evaluate.add_argument("--rival-scenarios", type=int, default=10, help="spoken by the untrained rivals")
    evaluate.add_argument("--truth", help="module:function of (delivery, arc), where raters are simulated")
    evaluate.add_argument("--out", type=Path, required=True, help="file for the report")
    evaluate.add_argument(
        "--include-trained", action="store_true", help="take scenarios too that a reward model was trained on"
    )
    _add_scenarios(evaluate, "held_out")
    _add_common(evaluate)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser("compare", help="measure the sound of rollouts before and after a round")
    compare.add_argument("before", type=Path, help="manifest folder of the reference")
    compare.add_argument("after", type=Path, help="manifest folder of the new policy, of the same scenarios")
    compare.add_argument("--out", type=Path, required=True, help="file for the report")


def settings_of(options: argparse.Namespace, kind: type) -> dict[str, Any]:
    """The options that are fields of a configuration."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in vars(options).items() if name in names}


def write_report(path: Path, report: dict[str, Any]) -> None:
    """In one step, readable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(report, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)
