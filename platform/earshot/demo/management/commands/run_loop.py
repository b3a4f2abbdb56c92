"""manage.py run_loop: the whole loop once, with simulated raters, on an empty database. `make loop` calls it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from earshot.demo.loop import Loop, LoopPlan, StepFailed, report_of
from earshot.demo.seeding import accounts_file
from earshot.jobs.models import Job


class Command(BaseCommand):
    help = "Close the loop once: dialogues, votes, reward model, update, new dialogues. A worker must run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=LoopPlan.seed, help="of dialogues, votes and training (1)")
        parser.add_argument("--steps", type=int, default=LoopPlan.steps, help="of the policy's update")

    def handle(self, *args: Any, **options: Any) -> None:
        if Job.objects.exists():
            raise CommandError("This database is in use. The loop needs an empty one; `make loop` makes it.")
        if not accounts_file().exists():
            raise CommandError(f"{accounts_file()} is missing. `make loop` writes it.")
        try:
            figures = Loop(LoopPlan(seed=options["seed"], steps=options["steps"]), self._tell).close()
        except StepFailed as error:
            raise CommandError(str(error)) from None
        self.stdout.write(report_of(figures))
        self.stdout.write(json.dumps(figures))

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
