"""manage.py seed_demo: people, real dialogues and studies to try Earshot with. Safe to repeat."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from earshot.demo import seeding


class Command(BaseCommand):
    help = "Fill an empty installation with the demo: what needs no vocoder at once, the rest by a job."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quick", action="store_true", help="accepted for the supervisor; the default")

    def handle(self, *args: Any, **options: Any) -> None:
        if not seeding.accounts_file().exists():
            raise CommandError(
                f"{seeding.accounts_file()} is missing. `make run` writes it; or write it yourself: "
                '{"annotator": {"email": …, "password": …}, "researcher": {…}, "admin": {…}}.'
            )
        if seeding.seed_quick():
            self.stdout.write("The demo's recordings are in; a job speaks the rest.")
        else:
            self.stdout.write("The demo is here already.")
