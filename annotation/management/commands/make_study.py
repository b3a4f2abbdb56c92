"""manage.py make_study TITLE: a study with pairs and people, for the demo and for scripts. Safe to repeat."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from annotation.models import Membership, Study, System
from annotation.services import studies
from annotation.services.studies import Design, Kind
from earshot.accounts.models import User


class Command(BaseCommand):
    help = (
        "Make a study, or bring one of the same title up to date: new pairs and people are added, nothing is removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("title")
        parser.add_argument("--description", default="")
        parser.add_argument("--instructions", default="")
        parser.add_argument("--language", default="en", help="of the dialogues (en)")
        parser.add_argument("--overlap", type=int, default=3, help="judgments per pair (3)")
        parser.add_argument("--listening", choices=Study.ListeningPolicy.values, default=Study.ListeningPolicy.ENFORCED)
        parser.add_argument("--entry", choices=Study.Entry.values, default=Study.Entry.NONE, help="asked beforehand")
        parser.add_argument("--simulated", action="store_true", help="simulated raters judge here")
        parser.add_argument("--systems", nargs="*", help="names; all systems of the language if left out")
        parser.add_argument("--design", choices=Kind.values, default=Kind.ALL, help="which systems meet (all)")
        parser.add_argument("--reference", metavar="SYSTEM", help="that each other system meets")
        parser.add_argument("--systems-per-scenario", type=int, help="of --design blocks")
        parser.add_argument("--pairs-per-scenario", type=int, help="of --design blocks, instead")
        parser.add_argument("--seed", type=int, default=1, help="of --design blocks (1)")
        parser.add_argument("--researcher", action="append", default=[], metavar="E-MAIL")
        parser.add_argument("--annotator", action="append", default=[], metavar="E-MAIL")
        parser.add_argument("--start", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            study = self._find_or_create(options)
            self._add_people(study, options)
            design = self._design(options)
            made = studies.make_design(study, studies.plan_design(study, design), by=None, at=timezone.now())
            if options["start"] and study.state != Study.State.RUNNING:
                studies.change_state(study, Study.State.RUNNING, by=None)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"{study.pk} {study}: {len(made)} new pairs, {study.pairs.count()} in all.")

    def _find_or_create(self, options: dict[str, Any]) -> Study:
        study = Study.objects.filter(title=options["title"], is_pilot=False).order_by("-version").first()
        if study is not None:
            return study
        return studies.create_study(
            title=options["title"],
            by=None,
            at=timezone.now(),
            description=options["description"],
            instructions=options["instructions"],
            language=options["language"],
            overlap=options["overlap"],
            listening_policy=options["listening"],
            entry=options["entry"],
            is_simulated=options["simulated"],
        )

    def _add_people(self, study: Study, options: dict[str, Any]) -> None:
        for role in Membership.Role.values:
            for email in options[role]:
                user = User.objects.filter(email__iexact=email).first()
                if user is None:
                    raise CommandError(f"Nobody signs in as {email}. Add them first.")
                studies.add_member(study, user, role, by=None)

    def _design(self, options: dict[str, Any]) -> Design:
        kind, sizes = options["design"], (options["systems_per_scenario"], options["pairs_per_scenario"])
        if (kind == Kind.REFERENCE) != bool(options["reference"]):
            raise CommandError("--design reference and --reference SYSTEM belong together. Give both, or neither.")
        if sum(map(bool, sizes)) != (kind == Kind.BLOCKS):
            raise CommandError(
                "--design blocks needs --systems-per-scenario or --pairs-per-scenario, and no other design takes one."
            )
        systems = self._find_systems(options["systems"], options["language"])
        reference = self._find_systems([options["reference"]], options["language"])[0] if options["reference"] else None
        return Design(
            kind=kind,
            systems=tuple(system.pk for system in systems),
            reference=reference.pk if reference else None,
            systems_per_scenario=sizes[0],
            pairs_per_scenario=sizes[1],
            seed=options["seed"],
        )

    def _find_systems(self, names: list[str] | None, language: str) -> list[System]:
        if names is None:
            return list(System.objects.filter(dialogues__scenario__language=language).distinct())
        found = {system.name: system for system in System.objects.filter(name__in=names)}
        if missing := [name for name in names if name not in found]:
            raise CommandError(f"There is no system {', '.join(missing)}. Import its dialogues first.")
        return list(found.values())
