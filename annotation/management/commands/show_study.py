"""manage.py show_study STUDY: how far a study is and who won, for people or, with --json, for scripts."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.models import Study
from annotation.queries.figures import StudyFigures, figures_of


class Command(BaseCommand):
    help = "Show a study's progress and its overall votes between systems."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", type=int, help="the study's number, as in its address")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}. Its number stands in its address, /studies/…/.")
        figures = figures_of(study)
        self.stdout.write(json.dumps(figures.to_json()) if options["json"] else _table(study, figures))


def _table(study: Study, figures: StudyFigures) -> str:
    simulated = ", by simulated raters" if study.is_simulated else ""
    lines = [
        f"{study} ({study.get_state_display()})",
        f"  judgments  {figures.judgments}{simulated}; {figures.seats_left} seats open on {figures.pairs} pairs",
    ]
    lines += [f"  overall    {system}: preferred {count} times" for system, count in figures.wins.items()]
    lines += [f"  overall    no preference: {figures.ties}"] if figures.wins else []
    lines += [f"  by construction  {system}: {value:+.2f} logits" for system, value in figures.true_utility.items()]
    return "\n".join(lines)
