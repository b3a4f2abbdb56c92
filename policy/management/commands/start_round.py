"""manage.py start_round POLICY --reward-model N: update a policy and open the study of it. See docs/rounds.md."""

from argparse import ArgumentParser
from dataclasses import fields
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from earshot.jobs import following
from policy.models import PolicyCheckpoint
from policy.queries.figures import RoundReport, read_report
from policy.queries.instruments import read_sound
from policy.services import rounds
from policy.services.plans import RoundPlan
from rewardmodel.models import RewardModelRun


class Command(BaseCommand):
    help = "Run a round, from the update of a policy to the study of it, by a worker or in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("policy", type=int, help="the policy's number, as in its address")
        parser.add_argument("--system", required=True, metavar="NAME", help="of the new policy")
        parser.add_argument("--reward-model", type=int, action="append", required=True, help="may be given repeatedly")
        parser.add_argument("--held-out-reward-model", type=int, help="one that gives no reward")
        parser.add_argument("--name", default="", help="what people call the round")
        parser.add_argument("--steps", type=int, default=RoundPlan.steps)
        parser.add_argument("--seed", type=int, default=RoundPlan.seed)
        parser.add_argument("--kl-target", type=float, default=RoundPlan.kl_target, help="nats per token")
        parser.add_argument(
            "--catalogue", action="store_true", help="scenarios: those tagged practice in the catalogue"
        )
        parser.add_argument("--tag", default="", help="of those in the catalogue only these")
        parser.add_argument("--per-text", type=int, default=RoundPlan.per_text, help="held-out scenarios of each text")
        parser.add_argument("--samples", type=int, default=RoundPlan.samples, help="dialogues of each of them")
        parser.add_argument("--overlap", type=int, default=RoundPlan.overlap, help="judgments per pair of the study")
        parser.add_argument("--start-study", action="store_true", help="start the study at once")
        following.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        policy = PolicyCheckpoint.objects.filter(pk=options["policy"]).first()
        if policy is None:
            raise CommandError(f"There is no policy {options['policy']}. Its number is in its address, /policies/…/.")
        held_out = options["held_out_reward_model"]
        try:
            round = rounds.request_round(
                policy,
                [_reward_model(number) for number in options["reward_model"]],
                RoundPlan(**{field.name: options[field.name] for field in fields(RoundPlan)}),
                by=following.find_person(options["by"], admin=True),
                name=options["name"],
                held_out_reward_model=_reward_model(held_out) if held_out else None,
                tell_worker=not options["here"],
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        assert round.job is not None
        if not following.carry_out(self, round.job, rounds.run_round, options, f"Round {round.pk}"):
            return
        round.refresh_from_db()
        self.stdout.write(self.style.SUCCESS(f"Round {round.pk} '{round}' is done"))
        self._tell(PolicyCheckpoint.objects.get(round=round))

    def _tell(self, policy: PolicyCheckpoint) -> None:
        round = policy.round
        assert round is not None
        self.stdout.write(f"  policy  {policy.pk} '{policy}', {policy.content_hash}")
        if round.study is not None:
            self.stdout.write(f"  study   {round.study.pk} '{round.study}', {round.study.pairs.count()} pairs")
        report, sound = read_report(round), read_sound(round)
        if report is not None:
            self._tell_figures(report)
        if sound is not None:
            self.stdout.write(f"  sound   {sound.sentence}")

    def _tell_figures(self, report: RoundReport) -> None:
        if report.gain is not None:
            self.stdout.write(f"  reward  {report.gain.words} sd")
        if report.held_out_gain is not None:
            self.stdout.write(f"  held-out reward model  {report.held_out_gain.words} sd")
        if report.truth_gain is not None:
            self.stdout.write(f"  truth   {report.truth_gain.words} sd, simulated")
        if report.kl is not None:
            self.stdout.write(f"  KL      {report.kl.precise} nats per token")
        for rival in report.rivals:
            gain, truth, kl = rival.gains["reward"], rival.gains["truth"], rival.kl
            if gain is not None and kl is not None:
                told = f", truth {truth.words} sd" if truth else ""
                said = f"reward {gain.words} sd{told}, KL {kl.precise} nats per token"
                self.stdout.write(f"  {rival.short}  {said}")


def _reward_model(number: int) -> RewardModelRun:
    found = RewardModelRun.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(f"There is no reward model {number}. Its number stands in its address, /reward-models/…/.")
    return found
