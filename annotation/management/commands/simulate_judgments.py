"""manage.py simulate_judgments STUDY: judgments by simulated raters, in a study marked simulated."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Sum

from annotation.models import Pair, Study
from annotation.services.simulation import simulate_judgments

PROGRESS_EVERY = 10


class Command(BaseCommand):
    help = "Let simulated raters judge the pairs of a study that is marked simulated. They hear nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", type=int, help="the study's number, as in its address")
        parser.add_argument("--raters", type=int, default=12, help="how many simulated raters take turns (12)")
        parser.add_argument("--judgments", type=int, help="how many to add, at most; left out: until no seat is left")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same judgments (1)")
        parser.add_argument("--noise", type=float, default=1.0, help="scale of one vote's noise, in logits (1.0)")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}. Its number stands in its address, /studies/…/.")
        wanted = options["judgments"]
        if wanted is None:
            wanted = study.pairs.filter(kind=Pair.Kind.REGULAR).aggregate(left=Sum("seats_left"))["left"] or 0
        try:
            done = simulate_judgments(
                study,
                n_raters=options["raters"],
                n_judgments=wanted,
                seed=options["seed"],
                noise=options["noise"],
                report=self._report,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stderr.write("")
        self.stdout.write(self.style.SUCCESS(f"{done} simulated judgments in study '{study}'."))
        if done < wanted:
            self.stdout.write(
                f"No pair is open to any of the {options['raters']} raters now. Add pairs, overlap or raters."
            )

    def _report(self, done: int, wanted: int) -> None:
        if done % PROGRESS_EVERY == 0 or done == wanted:
            self.stderr.write(f"\r{done} of {wanted} judgments", ending="")
            self.stderr.flush()
