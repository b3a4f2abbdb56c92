"""manage.py make_policy NAME: a first policy by its supervised start. See docs/rounds.md."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from earshot.jobs import following
from policy.models import PolicyCheckpoint
from policy.services import first


class Command(BaseCommand):
    help = "Train and register a first policy, by a worker or in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the system under which its dialogues will stand")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--steps", type=int, help="of the supervised start")
        following.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        by = following.find_person(options["by"], admin=True)
        asked = {name: options[name] for name in ("name", "seed", "steps")}
        try:
            job = first.request_policy(by=by, tell_worker=not options["here"], **asked)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if not following.carry_out(self, job, first.run_policy, options, "The policy"):
            return
        policy = PolicyCheckpoint.objects.get(pk=job.result["policy"])
        made = "Registered" if job.result["is_new"] else "The same seed and steps gave before"
        self.stdout.write(self.style.SUCCESS(f"{made} policy {policy.pk} '{policy}'"))
        self.stdout.write(f"  content hash  {policy.content_hash}")
