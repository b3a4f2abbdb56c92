"""manage.py make_material: makes anew what annotators train on and are checked with. See docs/material.md."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.material import LANGUAGES
from annotation.material.making import make_material
from annotation.material.script import sources_of


class Command(BaseCommand):
    help = "Make the training and checking material from recordings of its script, or list the recordings it needs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--list", action="store_true", help="only say what to record, one JSON object a line")
        parser.add_argument("--sources", type=Path, help="folder of the recordings, <language>/<name>.wav")
        parser.add_argument("--out", type=Path, help="folder for material.json and sound/")
        parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            for language in options["languages"]:
                for source in sources_of(language):
                    self.stdout.write(json.dumps(asdict(source), ensure_ascii=False))
            return
        if options["sources"] is None or options["out"] is None:
            raise CommandError("Give --sources and --out, or --list to see what to record.")
        try:
            make_material(options["sources"], options["out"], tuple(options["languages"]), self.stdout.write)
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(self.style.SUCCESS(f"Made the material in {options['out']}."))
