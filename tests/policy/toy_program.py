"""A small supervised start or round as a program of its own, to be killed or spread over processes.

python -m tests.policy.toy_program supervised OUT STEPS
python -m tests.policy.toy_program round OUT STEPS START
"""

import sys
from pathlib import Path

import torch

from policy.learning import distributed
from policy.learning.checkpoint import load_checkpoint
from policy.learning.rounds import RoundConfig
from policy.learning.stream import PromptEncoder
from policy.learning.supervised import SupervisedConfig, train_supervised
from tests.policy.small_world import delivery_of, draw
from tests.policy.toy import SMALL, HighVoice, run


def main() -> None:
    kind, out, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    with distributed.process_group():
        if kind == "supervised":
            config = SupervisedConfig(seed=1, steps=steps, batch=8, save_every=5, model=SMALL)
            train_supervised(config, out, draw(), PromptEncoder(delivery_of), "bank")
        else:
            settings = RoundConfig(
                seed=1, steps=steps, groups=4, group_size=4, references=4, measure_every=3, kl_target=0.3
            )
            run(settings, out, load_checkpoint(Path(sys.argv[4])), held_out_scorer=HighVoice(2.0))


if __name__ == "__main__":
    main()
