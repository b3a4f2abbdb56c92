"""How replies are heard: by the surrogate, or rendered by several processes."""

import multiprocessing
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import torch

from policy.learning.bank import load_bank
from policy.learning.codes import neutral_codes
from policy.learning.measures import measure_dialogue, together
from policy.learning.renderer import Renderer
from policy.learning.reward import Reply
from policy.learning.surrogate import Surrogate
from rewardmodel.learning.features import DialogueFeatures, TurnInput, frames_of, turn_features

KEPT = 2048  # features of replies, about 16 KB each: several reward models ask for the same ones


class _Memory:
    """The features of the last replies, by scenario and codes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bytes], DialogueFeatures] = OrderedDict()

    def features(
        self, replies: Sequence[Reply], hear: Callable[[list[Reply]], list[DialogueFeatures]]
    ) -> list[DialogueFeatures]:
        keys = [(reply.scenario.scenario_id, reply.codes.tobytes()) for reply in replies]
        new = {key: reply for key, reply in zip(keys, replies, strict=True) if key not in self._kept}
        for key, features in zip(new, hear(list(new.values())), strict=True):
            self._kept[key] = features
        found = [self._kept[key] for key in keys]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


class SurrogateSound:
    """Features without synthesis."""

    def __init__(self, surrogate: Surrogate) -> None:
        self._surrogate = surrogate
        self._memory = _Memory()

    def features(self, replies: Sequence[Reply]) -> list[DialogueFeatures]:
        """What a reward model would hear, nearly."""
        return self._memory.features(
            replies, lambda new: [self._surrogate.features(reply.scenario, reply.codes) for reply in new]
        )


@dataclass(frozen=True, eq=False)
class Heard:
    """A rendered reply: what a reward model hears, how it was said, and the guards' values if they were asked for."""

    features: DialogueFeatures
    delivery: dict[str, Any]
    measures: dict[str, float]


class RenderedSound:
    """Renders and listens, in `workers` processes of one thread each; use it as a context manager.

    Args:
        bank_folder, cache_dir: the bank, and where its analyses are kept for all processes.
    """

    def __init__(self, bank_folder: Path, cache_dir: Path | None, workers: int = 2) -> None:
        self._setting = (bank_folder, cache_dir)
        self._workers = workers
        self._pool: Pool | None = None
        self._memory = _Memory()

    def __enter__(self) -> "RenderedSound":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.terminate()
            self._pool.join()

    def hear(self, replies: Sequence[Reply], *, measured: bool = False) -> list[Heard]:
        """Render each reply, in order."""
        if not replies:
            return []
        if self._pool is None:  # started when it is first needed: a process takes seconds to import torch
            spawned = multiprocessing.get_context("spawn")
            self._pool = spawned.Pool(self._workers, _begin_worker, (*self._setting, os.getpid()))
        tasks = [(reply, measured) for reply in replies]
        size = max(1, min(8, len(tasks) // (2 * self._workers)))
        return self._pool.starmap(_hear, tasks, chunksize=size)

    def features(self, replies: Sequence[Reply]) -> list[DialogueFeatures]:
        """What a reward model hears."""
        return self._memory.features(replies, lambda new: [heard.features for heard in self.hear(new)])

    def listen(self, replies: Sequence[Reply]) -> dict[str, float]:
        """The guards' values of these replies."""
        return together([heard.measures for heard in self.hear(replies, measured=True)])


_renderer: Renderer | None = None


def _begin_worker(bank_folder: Path, cache_dir: Path | None, parent: int) -> None:
    global _renderer  # what this process is for
    torch.set_num_threads(1)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _renderer = Renderer(load_bank(bank_folder), cache_dir)


def _die_with(parent: int) -> None:
    # A parent that was killed cannot end its children: each looks whether it still has the same one.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _hear(reply: Reply, measured: bool) -> Heard:
    assert _renderer is not None
    rendered = _renderer.render(reply.scenario, reply.codes)
    frames = frames_of(rendered.samples)
    features = turn_features(frames, [TurnInput(*turn) for turn in rendered.turns])
    measures = {}
    if measured:
        base = _neutral(reply.scenario)
        measures = measure_dialogue(rendered.samples, frames, rendered.turns, rendered.delivery, base)
    return Heard(features, rendered.delivery, measures)


@lru_cache(maxsize=64)
def _neutral(scenario: Any) -> Any:
    assert _renderer is not None
    rendered = _renderer.render(scenario, neutral_codes(len(scenario.arc)))
    return frames_of(rendered.samples), rendered.turns
