"""manage.py speak_policy POLICY: a policy speaks practice scenarios, and its dialogues come in. See docs/rounds.md."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from earshot.jobs import following
from policy.models import PolicyCheckpoint
from policy.services import speeches
from policy.services.plans import HELD_OUT, TRAIN, SpeechPlan


class Command(BaseCommand):
    help = "Have a policy speak, import what it said, and open a study of it, by a worker or in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("policy", type=int, help="the policy's number, as in its address")
        parser.add_argument("--part", choices=(TRAIN, HELD_OUT), default=TRAIN, help="of the practice texts (train)")
        parser.add_argument("--per-text", type=int, default=4, help="scenarios of each text (4)")
        parser.add_argument("--samples", type=int, default=4, help="dialogues of each scenario (4)")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--study", default="", metavar="TITLE", help="a study of all their pairs")
        parser.add_argument("--overlap", type=int, default=1, help="judgments per pair of that study (1)")
        parser.add_argument("--simulated", action="store_true", help="simulated raters judge there")
        parser.add_argument("--start", action="store_true", help="start the study at once")
        following.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        policy = PolicyCheckpoint.objects.filter(pk=options["policy"]).first()
        if policy is None:
            raise CommandError(f"There is no policy {options['policy']}. Its number is in its address, /policies/…/.")
        plan = SpeechPlan(**{name: options[name] for name in ("part", "per_text", "samples", "seed")})
        study = {
            "title": options["study"],
            "overlap": options["overlap"],
            "is_simulated": options["simulated"],
            "start": options["start"],
        }
        try:
            speech = speeches.request_speech(
                policy,
                plan,
                by=following.find_person(options["by"], admin=True),
                study=study if options["study"] else None,
                tell_worker=not options["here"],
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        assert speech.job is not None
        if not following.carry_out(self, speech.job, speeches.run_speech, options, f"Speech {speech.pk}"):
            return
        speech.refresh_from_db()
        self.stdout.write(self.style.SUCCESS(f"Speech {speech.pk}: {len(speech.dialogue_ids)} dialogues"))
        if speech.study is not None:
            self.stdout.write(f"  study  {speech.study.pk} '{speech.study}', {speech.study.pairs.count()} pairs")
