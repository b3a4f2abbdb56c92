"""Hearing: processes that render, what they measure, and what happens when one of them is lost."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch

from policy.learning.codes import neutral_codes, random_codes
from policy.learning.guards import found
from policy.learning.hearing import RenderedSound, Workers
from policy.learning.measures import Spoken, measure_dialogue
from policy.learning.renderer import Renderer
from policy.learning.reward import Reply
from rewardmodel.learning.features import frames_of
from tests.policy.practice import scenario, small_bank

torch.set_num_threads(1)
RANGE = 1  # its place among a phrase's codes


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def slowly(number):
    time.sleep(0.1)
    return number


def kill_a_child():
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)


def reply(codes):
    return Reply(scenario("calm", "joy"), np.array([0, 1]), codes)


def listen(cache, codes):
    with Workers(small_bank().folder, cache, 1) as workers:
        return RenderedSound(workers).listen([reply(codes)])


@pytest.mark.timeout(90)
def test_a_process_that_is_killed_ends_the_work_with_a_sentence(cache):
    with Workers(small_bank().folder, cache, 2) as workers:
        assert workers.map(slowly, [(number,) for number in range(9)]) == list(range(9))  # in order

        threading.Timer(0.5, kill_a_child).start()
        with pytest.raises(ValueError, match=r"A process that renders was killed.*--workers 1.*start the same command"):
            workers.map(slowly, [(number,) for number in range(100)])


def test_two_processes_hear_what_one_hears(cache):
    replies = [reply(random_codes(2, np.random.default_rng(seed))) for seed in range(3)]

    heard = []
    for count in (1, 2):
        with Workers(small_bank().folder, cache, count) as workers:
            heard.append(RenderedSound(workers).hear(replies, measured=True))

    assert [one.measures for one in heard[0]] == [two.measures for two in heard[1]]
    assert [one.delivery for one in heard[0]] == [two.delivery for two in heard[1]]


def test_neutral_and_random_codes_break_no_guard(cache):
    neutral, drawn = listen(cache, neutral_codes(2)), listen(cache, random_codes(2, np.random.default_rng(3)))

    assert (found(neutral), found(drawn)) == ("", "")
    assert neutral["log_f0_spread_ratio"] == 1.0
    assert neutral["spectral_distance_db"] == 0.0


def test_a_reply_that_says_everything_flat_breaks_the_guard_of_the_melody(cache):
    codes = random_codes(2, np.random.default_rng(3))
    codes[:, :, RANGE] = 0

    measured = listen(cache, codes)

    assert measured["log_f0_spread_ratio"] == pytest.approx(np.exp(-0.4), abs=0.01)
    assert found(measured).startswith(
        "Guard log_f0_spread_ratio: the spread of log F0 within phrases, in that of neutral codes is 0.67, below 0.75."
    )


@pytest.mark.parametrize(("noise_db", "is_broken"), [(20, True), (35, False)])
def test_noise_inside_the_turns_breaks_its_guard(cache, noise_db, is_broken):
    one = scenario("calm", "joy")
    rendered = Renderer(small_bank(), cache).render(one, neutral_codes(2))
    power = np.mean(np.square(rendered.samples[np.abs(rendered.samples) > 1e-3]))
    noise = np.random.default_rng(0).normal(0, np.sqrt(power / 10 ** (noise_db / 10)), len(rendered.samples))
    noisy = (rendered.samples + noise).astype(np.float32)
    neutral = Spoken(frames_of(rendered.samples), rendered.turns, rendered.delivery)

    measured = measure_dialogue(noisy, Spoken(frames_of(noisy), rendered.turns, rendered.delivery), neutral)

    names = ("level_above_noise_db",)
    assert (found({name: measured[name] for name in names}) != "") is is_broken


def test_what_clips_is_heard_clipped_and_breaks_its_guard_instead_of_the_run(cache, monkeypatch):
    say = Renderer._say
    monkeypatch.setattr(Renderer, "_say", lambda self, spoken: 10 * say(self, spoken))

    measured = listen(cache, neutral_codes(2))

    assert measured["clipped_share"] > 0
    assert found({"clipped_share": measured["clipped_share"]}).startswith("Guard clipped_share: the share of clipped")


def test_what_clips_is_never_written_for_people(cache, monkeypatch):
    say = Renderer._say
    monkeypatch.setattr(Renderer, "_say", lambda self, spoken: 10 * say(self, spoken))

    with pytest.raises(ValueError, match=r"clips at these codes; lower the level of its recordings"):
        Renderer(small_bank(), cache).render(scenario("calm"), neutral_codes(1))
