"""How replies are heard, by several processes: by the surrogate, or rendered."""

import multiprocessing
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch

from policy.learning.bank import load_bank
from policy.learning.codes import neutral_codes
from policy.learning.measures import Spoken, measure_dialogue, together
from policy.learning.renderer import Renderer
from policy.learning.reward import Reply
from policy.learning.scenarios import Scenario
from policy.learning.surrogate import Surrogate
from rewardmodel.learning.features import DialogueFeatures, TurnInput, frames_of, turn_features

KEPT = 2048  # features of replies, about 16 KB each: several reward models ask for the same ones
Result = TypeVar("Result")


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


@dataclass(frozen=True, eq=False)
class Heard:
    """A rendered reply: what a reward model hears, how it was said, and the guards' values if they were asked for."""

    features: DialogueFeatures
    delivery: dict[str, Any]
    measures: dict[str, float]


class Workers:
    """Processes of one thread each that hear replies of one bank; use it as a context manager.

    Args:
        bank_folder, cache_dir: the bank, and where its analyses are kept for all processes.
        count: how many; one works inside this process.
    """

    def __init__(self, bank_folder: Path, cache_dir: Path | None, count: int = 2) -> None:
        self._setting = (bank_folder, cache_dir)
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[..., Result], tasks: Sequence[tuple[Any, ...]]) -> list[Result]:
        """`work` of each task, in order.

        Raises:
            ValueError: if a process was lost.
        """
        if self._count < 2:
            _open_bank(*self._setting)
            return [work(*task) for task in tasks]
        if self._pool is None:  # started when it is first needed: a process takes seconds to import torch
            spawned = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, spawned, _begin_worker, (*self._setting, os.getpid()))
        at_once = max(1, min(8, len(tasks) // (2 * self._count)))
        try:
            return list(self._pool.map(work, *zip(*tasks, strict=True), chunksize=at_once))
        except BrokenProcessPool as error:
            raise ValueError(
                f"A process that renders was killed while {self._count} were at work, often because memory ran out. "
                "Give fewer by --workers 1, then start the same command again: it goes on."
            ) from error


class SurrogateSound:
    """Features without synthesis."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._memory = _Memory()

    def features(self, replies: Sequence[Reply]) -> list[DialogueFeatures]:
        """What a reward model would hear, nearly."""
        return self._memory.features(replies, self._guess)

    def _guess(self, replies: list[Reply]) -> list[DialogueFeatures]:
        return [heard.features for heard in self._workers.map(_guess, [(reply,) for reply in replies])]


class RenderedSound:
    """Renders replies and listens to them."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._memory = _Memory()

    def hear(self, replies: Sequence[Reply], *, measured: bool = False) -> list[Heard]:
        """Render each reply, in order."""
        return self._workers.map(_render, [(reply, measured) for reply in replies])

    def features(self, replies: Sequence[Reply]) -> list[DialogueFeatures]:
        """What a reward model hears."""
        return self._memory.features(replies, lambda new: [heard.features for heard in self.hear(new)])

    def listen(self, replies: Sequence[Reply]) -> dict[str, float]:
        """The guards' values of these replies."""
        return together([heard.measures for heard in self.hear(replies, measured=True)])


def _begin_worker(bank_folder: Path, cache_dir: Path | None, parent: int) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _open_bank(bank_folder, cache_dir)


def _die_with(parent: int) -> None:
    # A parent that was killed cannot end its children: each looks whether it still has the same one.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


_opened: dict[tuple[Path, Path | None], tuple[Renderer, Surrogate]] = {}
_ears: list[tuple[Renderer, Surrogate]] = []  # those of this process's bank


def _open_bank(bank_folder: Path, cache_dir: Path | None) -> None:
    key = (bank_folder, cache_dir)
    if key not in _opened:
        bank = load_bank(bank_folder)
        _opened[key] = (Renderer(bank, cache_dir), Surrogate(bank, cache_dir))
    _ears[:] = [_opened[key]]


def _guess(reply: Reply) -> Heard:
    return Heard(_ears[0][1].features(reply.scenario, reply.codes), {}, {})


def _render(reply: Reply, measured: bool) -> Heard:
    rendered = _ears[0][0].render(reply.scenario, reply.codes, refuse_clipping=False)
    frames = frames_of(rendered.samples)
    features = turn_features(frames, [TurnInput(*turn) for turn in rendered.turns])
    measures = {}
    if measured:
        said = Spoken(frames, rendered.turns, rendered.delivery)
        measures = measure_dialogue(rendered.samples, said, _neutral(reply.scenario))
    return Heard(features, rendered.delivery, measures)


@lru_cache(maxsize=64)
def _neutral(scenario: Scenario) -> Spoken:
    rendered = _ears[0][0].render(scenario, neutral_codes(len(scenario.arc)), refuse_clipping=False)
    return Spoken(frames_of(rendered.samples), rendered.turns, rendered.delivery)
