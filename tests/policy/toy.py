"""A hand-written reward on codes, and a round that trains on it in seconds."""

from pathlib import Path

import numpy as np

from policy.learning.checkpoint import Checkpoint, load_checkpoint
from policy.learning.heldout import HeldOut
from policy.learning.model import PolicyConfig
from policy.learning.reward import PreferenceReward, Reply
from policy.learning.rounds import Practice, RoundConfig, train_round
from policy.learning.stream import PromptEncoder
from policy.learning.supervised import SupervisedConfig, train_supervised
from tests.policy.small_world import delivery_of, draw

SMALL = PolicyConfig(hidden=32, layers=2, feed_forward=64)


class HighVoice:
    """Likes pitch to be high when the user is glad and low otherwise; one point of utility per level."""

    dimensions = ("prosody", "overall")

    def __init__(self, *signs: float) -> None:
        self.signs = signs or (1.0,)

    def scores(self, replies):
        judged = [_fit(reply) for reply in replies]
        return np.stack([np.stack([sign * np.array(judged)] * 2, axis=-1) for sign in self.signs])

    def preference(self, scores_a, scores_b):
        return 1 / (1 + np.exp(scores_b - scores_a))


def _fit(reply: Reply) -> float:
    wanted = np.array([1.0 if emotion == "joy" else -1.0 for emotion in reply.scenario.arc])
    return float((wanted * (reply.codes[:, :, 0].mean(1) - 3)).mean())


def supervised_start(out: Path, steps: int = 60) -> Checkpoint:
    """A small start."""
    config = SupervisedConfig(steps=steps, batch=24, model=SMALL)
    train_supervised(config, out, draw(), PromptEncoder(delivery_of), "bank")
    return load_checkpoint(out)


def practice(scorer=None, held_out_scorer=None, listening=None) -> Practice:
    """Hand-written rewards on the small world."""
    encoder = PromptEncoder(delivery_of)
    reward = PreferenceReward(scorer or HighVoice())
    other = PreferenceReward(held_out_scorer) if held_out_scorer else None
    held_out = HeldOut(draw("held_out")(1), encoder, 1, reward, other, listening)
    return Practice(draw(), encoder, held_out, reward, lineage={"bank": "bank", "reward_models": []})


def run(config: RoundConfig, out: Path, start: Checkpoint, **kinds) -> dict:
    """One round."""
    return train_round(config, out, start, practice(**kinds))
