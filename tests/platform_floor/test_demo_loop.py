"""The driver of `make loop`: what it refuses, what it calls a failure, and what it reports."""

import pytest
from django.core.management import CommandError, call_command

from earshot.demo.loop import Loop, LoopPlan, StepFailed, report_of
from earshot.jobs.models import Job

FIGURES = {
    "judgments": 1296,
    "pairs": 936,
    "rm_accuracy": 0.8163,
    "rm_ceiling": 0.8777,
    "reward_before": 0.0936,
    "reward_after": 2.222,
    "reward_gain_sd": 1.4111,
    "kl_nats_per_token": 0.08035,
    "new_pairs": 20,
    "new_wins": 54,
    "reference_wins": 1,
    "true_utility": {"reference": -11.5679, "round-1": -8.1622},
    "seconds": 457,
}


@pytest.fixture
def loop():
    return Loop(LoopPlan(), print)


@pytest.mark.django_db
def test_the_loop_refuses_a_database_that_is_in_use():
    Job.objects.create(kind="tests.sleep", title="Somebody's work")

    with pytest.raises(CommandError, match=r"This database is in use\. The loop needs an empty one"):
        call_command("run_loop")


@pytest.mark.django_db
def test_the_loop_refuses_to_begin_without_people(settings, tmp_path):
    settings.DATA_DIR = tmp_path

    with pytest.raises(CommandError, match=r"demo_accounts.json is missing. `make loop` writes it"):
        call_command("run_loop")


@pytest.mark.parametrize("found", [None, "3", {}])
def test_a_job_that_made_nothing_is_a_failure(loop, found):
    job = Job(title="Reward model: Practice", result={"run": found} if found is not None else {})

    with pytest.raises(StepFailed, match=r"Reward model: Practice made no run\."):
        loop.number(job, "run")


def test_the_number_of_what_a_job_made_is_read_from_its_result(loop):
    assert loop.number(Job(title="Reward model", result={"run": 7}), "run") == 7


def test_the_report_says_that_the_votes_are_simulated_and_gives_the_figures():
    report = report_of(FIGURES)

    assert "All votes are simulated" in report
    assert "1296 on 936 pairs" in report
    assert "predicts 0.816 of the decided votes on texts held apart of a ceiling of 0.878" in report
    assert "reward 0.094 → 2.222, +1.41 sd at 0.080 nats per token" in report
    assert "-11.57 → -8.16 logits; 54 votes for the new policy, 1 for the reference, on 20 pairs" in report


def test_a_ceiling_that_cannot_be_told_is_left_out_of_the_report():
    assert "ceiling" not in report_of(FIGURES | {"rm_ceiling": None})


def test_the_report_tells_the_gain_in_the_hidden_truth():
    assert "-11.57 → -8.16 logits, +1.62 sd; 54 votes" in report_of(FIGURES | {"truth_gain_sd": 1.6224})


def test_a_round_that_a_guard_stopped_is_a_failure(loop, monkeypatch):
    figures = {"reward_before": 0.0, "reward_after": 1.0, "reward_gain_sd": 1.0, "kl_nats_per_token": 0.05}
    stopped = {"policy": 2, "study": 3, "stopped": "Stopped at step 10. Guard entropy: …", **figures}
    monkeypatch.setattr(loop, "wait_for", lambda *arguments, **options: Job(title="Round", result=stopped))

    with pytest.raises(StepFailed, match=r"A guard ended the update early\. Stopped at step 10\. Guard entropy"):
        loop.update(policy=1, model=1)


def test_the_loop_keeps_the_gains_that_the_round_tells(loop, monkeypatch):
    figures = {"reward_before": 0.0, "reward_after": 1.0, "reward_gain_sd": 1.2, "kl_nats_per_token": 0.05}
    result = {"policy": 2, "study": 3, "stopped": "", "truth_gain_sd": 1.5, **figures}
    monkeypatch.setattr(loop, "wait_for", lambda *arguments, **options: Job(title="Round", result=result))

    assert loop.update(policy=1, model=1) == 3

    assert loop.figures == {**figures, "truth_gain_sd": 1.5}
