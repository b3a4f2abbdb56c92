"""The whole loop once, on an empty database, with simulated raters: `make loop` runs it. See docs/loop.md.

Every step is a management command that people can type, and every long one a job that a Celery worker runs. A step
that did not really do its work ends the loop with a sentence.
"""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from earshot.demo import seeding
from earshot.jobs import following
from earshot.jobs.models import Job

RATERS = 24
REFERENCE, UPDATED = "reference", "round-1"  # the two policies, as systems
CHANCE = 0.5


class StepFailed(Exception):
    """A step did not do its work; the message says which and what is missing."""


@dataclass(frozen=True)
class LoopPlan:
    """How large the loop is. The defaults fit six minutes on two cores."""

    seed: int = 1
    scenarios_per_text: int = 2  # of each of the training texts
    held_out_per_text: int = 2  # of the texts held apart
    samples: int = 6  # dialogues of a scenario to learn from, all compared with each other
    held_out_samples: int = 4
    overlap: int = 1  # votes on each of their pairs: for learning, another pair tells more than another vote
    held_out_overlap: int = 3  # votes on each held-out pair: without several, no ceiling can be told
    steps: int = 45  # of the policy's update
    round_overlap: int = 3  # votes on each pair of new against reference


@dataclass
class Loop:
    """One run and its figures so far."""

    plan: LoopPlan
    tell: Callable[[str], object]  # a line for the person who waits
    began: float = field(default_factory=time.monotonic)
    figures: dict[str, Any] = field(default_factory=dict)

    def close(self) -> dict[str, Any]:
        """Run every step. Returns the figures of the report.

        Raises:
            StepFailed, CommandError: at the first step that did not do its work.
        """
        self.by = seeding.seed_people()["admin"]
        policy = self.start_policy()
        plan = self.plan
        speech = self.ask_to_speak(policy, "train", plan.scenarios_per_text, plan.samples, plan.overlap)
        learning = self.study_of(speech)
        # The worker goes on to the next words while raters judge the first.
        speech = self.ask_to_speak(
            policy, "held_out", plan.held_out_per_text, plan.held_out_samples, plan.held_out_overlap
        )
        judged = [self.judge(learning)]
        held_out = self.study_of(speech)
        judged.append(self.judge(held_out))
        model = self.train_reward_model(*(self.make_snapshot(study) for study in (learning, held_out)))
        new_study = self.update(policy, model)
        self.judge(new_study)
        self.compare(new_study)
        self.figures |= {
            "judgments": sum(n_judgments for n_judgments, _ in judged),
            "pairs": sum(n_pairs for _, n_pairs in judged),
            "seconds": round(time.monotonic() - self.began),
        }
        return self.figures

    def start_policy(self) -> int:
        """The supervised start. Returns the policy's number."""
        self.say("A first policy learns to speak")
        job = self.wait_for("make_policy", REFERENCE, seed=self.plan.seed)
        return self.number(job, "policy")

    def ask_to_speak(self, policy: int, part: str, per_text: int, samples: int, overlap: int) -> Job:
        """Have the worker let the policy speak scenarios of one part of the texts, and open a study of all pairs."""
        words = {"train": "the scenarios to learn from", "held_out": "scenarios of texts held apart"}[part]
        self.say(f"The policy speaks {words}; they are imported and paired")
        return self.ask_for(
            "speak_policy",
            policy,
            part=part,
            per_text=per_text,
            samples=samples,
            seed=self.plan.seed,
            study=f"Practice, {words}",
            overlap=overlap,
            simulated=True,
            start=True,
        )

    def study_of(self, speech: Job) -> int:
        """Wait until all is spoken, imported and paired. Returns the study's number."""
        job = self.finish(speech)
        self.require(job.result.get("dialogues", 0) > 0, "The policy spoke no dialogue.")
        return self.number(job, "study")

    def judge(self, study: int) -> tuple[int, int]:
        """Simulated raters judge until no seat is left. Returns how many judgments on how many pairs count."""
        self.say("Simulated raters judge them")
        call_command("simulate_judgments", study, raters=RATERS, seed=self.plan.seed, stdout=io.StringIO())
        told = self.read_study(study)
        self.require(told["judgments"] > 0, f"Nobody judged in study {study}.")
        self.require(told["seats_left"] == 0, f"{told['seats_left']} seats of study {study} are still open.")
        return told["judgments"], told["pairs"]

    def make_snapshot(self, study: int) -> int:
        """The preference dataset. Returns its number."""
        self.say("The votes become a preference dataset")
        job = self.wait_for("make_snapshot", study, name=f"Votes of study {study}")
        return self.number(job, "snapshot")

    def train_reward_model(self, snapshot: int, held_out: int) -> int:
        """Train on one dataset, evaluate on the other. Returns the model's number."""
        self.say("A reward model learns from the votes")
        job = self.wait_for(
            "train_reward_model", snapshot, evaluate_on=held_out, seed=self.plan.seed, no_probes=True, name="Practice"
        )
        overall = job.result.get("overall") or {}
        self.figures["rm_accuracy"] = overall.get("accuracy")
        self.figures["rm_ceiling"] = overall.get("ceiling")
        low = overall.get("accuracy_low")
        self.require(
            low is not None and low > CHANCE,
            f"On held-out texts the reward model is not surely above chance (lower end of its accuracy: {low}).",
        )
        return self.number(job, "run")

    def update(self, policy: int, model: int) -> int:
        """One round: a new policy, its dialogues, the study of new against reference. Returns the study's number."""
        self.say("The policy is updated against the reward model, and speaks anew")
        job = self.wait_for(
            "start_round",
            policy,
            system=UPDATED,
            reward_model=[model],
            steps=self.plan.steps,
            seed=self.plan.seed,
            overlap=self.plan.round_overlap,
            start_study=True,
        )
        self.require(self.number(job, "policy") != policy, "The round registered no new policy.")
        for figure in ("reward_before", "reward_after", "reward_gain_sd", "kl_nats_per_token"):
            self.figures[figure] = job.result.get(figure)
            self.require(self.figures[figure] is not None, f"The round does not tell its {figure}.")
        stopped = job.result.get("stopped")
        self.require(not stopped, f"A guard ended the update early. {stopped}")
        for figure in ("held_out_gain_sd", "truth_gain_sd"):
            if figure in job.result:
                self.figures[figure] = job.result[figure]
        self.require(self.figures["kl_nats_per_token"] > 0, "The policy did not move away from its reference.")
        self.require(
            self.figures["reward_after"] > self.figures["reward_before"], "The reward did not rise on held-out texts."
        )
        return self.number(job, "study")

    def compare(self, study: int) -> None:
        """What the simulated raters say of new against reference."""
        told = self.read_study(study)
        self.figures["new_pairs"] = told["pairs"]
        self.require(told["pairs"] > 0, "No new dialogue went back to the raters.")
        self.figures["new_wins"] = told["wins"].get(UPDATED, 0)
        self.figures["reference_wins"] = told["wins"].get(REFERENCE, 0)
        self.figures["true_utility"] = told["true_utility"]

    def wait_for(self, command: str, *arguments: Any, **options: Any) -> Job:
        """Run a command that hands a job to the worker, with its progress; the job when it has succeeded."""
        return self.finish(self.ask_for(command, *arguments, **options))

    def ask_for(self, command: str, *arguments: Any, **options: Any) -> Job:
        """Run a command that hands a job to the worker; the job, which may still wait."""
        known = set(Job.objects.values_list("pk", flat=True))
        call_command(command, *arguments, by=self.by, stdout=io.StringIO(), **options)
        job = Job.objects.exclude(pk__in=known).order_by("created_at").first()
        if job is None:
            raise StepFailed(f"{command} left no job.")
        return job

    def finish(self, job: Job) -> Job:
        """Show the job's progress to its end. Raises CommandError, unless it succeeded."""
        following.follow(BaseCommand(), job)
        return job

    def number(self, job: Job, name: str) -> int:
        """A primary key from the job's result."""
        found = job.result.get(name)
        self.require(isinstance(found, int), f"{job.title} made no {name}.")
        return int(found)

    def read_study(self, study: int) -> dict[str, Any]:
        """What `show_study` says, as JSON."""
        told = io.StringIO()
        call_command("show_study", study, json=True, stdout=told)
        return dict(json.loads(told.getvalue()))

    def require(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            raise StepFailed(otherwise)

    def say(self, words: str) -> None:
        self.tell(f"{time.monotonic() - self.began:4.0f} s  {words}")


def report_of(figures: dict[str, Any]) -> str:
    """The loop's figures for people."""
    accuracy, ceiling = figures["rm_accuracy"], figures["rm_ceiling"]
    known = f" of a ceiling of {ceiling:.3f}" if ceiling is not None else ""
    utility, truth = figures["true_utility"], figures.get("truth_gain_sd")
    gained = f", {truth:+.2f} sd" if truth is not None else ""
    return "\n".join(
        [
            "",
            "The loop is closed. All votes are simulated: raters that know how a dialogue was made, plus noise.",
            f"  votes          {figures['judgments']} on {figures['pairs']} pairs",
            f"  reward model   predicts {accuracy:.3f} of the decided votes on texts held apart{known}",
            f"  policy         reward {figures['reward_before']:.3f} → {figures['reward_after']:.3f}, "
            f"{figures['reward_gain_sd']:+.2f} sd at {figures['kl_nats_per_token']:.3f} nats per token",
            f"  hidden truth   {utility[REFERENCE]:+.2f} → {utility[UPDATED]:+.2f} logits{gained}; "
            f"{figures['new_wins']} votes for the new policy, {figures['reference_wins']} for the reference, "
            f"on {figures['new_pairs']} pairs",
            f"  time           {figures['seconds']} s",
            "",
        ]
    )
