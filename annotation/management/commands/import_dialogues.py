"""manage.py import_dialogues FOLDER: check a dialogue manifest, then import it. See docs/importing.md."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.models import DialogueImport
from annotation.services import ingest
from earshot.formats.manifest import ManifestError, Problem
from earshot.jobs import following
from earshot.jobs import services as jobs
from earshot.jobs.models import Job

SHOWN_PROBLEMS = 100


class Command(BaseCommand):
    help = "Check a dialogue manifest (scenarios.jsonl, dialogues.jsonl and their sounds) and import it in a job."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder with scenarios.jsonl and dialogues.jsonl")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--no-wait", action="store_true", help="hand the job to a worker and return at once")
        how.add_argument("--here", action="store_true", help="import in this process: no worker is needed")
        how.add_argument("--check", action="store_true", help="only check the manifest; write nothing")
        parser.add_argument(
            "--if-new", action="store_true", help="do nothing if the catalogue has every dialogue already"
        )
        parser.add_argument("--by", metavar="E-MAIL", help="the researcher or admin who imports")

    def handle(self, *args: Any, **options: Any) -> None:
        importer = following.find_person(options["by"])
        try:
            manifest = ingest.check_folder(options["folder"])
        except ManifestError as error:
            self._show_problems(error.problems)
            raise CommandError(_count(len(error.problems), "problem") + "; nothing was imported.") from None
        counts = f"{_count(len(manifest.scenarios), 'scenario')}, {_count(len(manifest.dialogues), 'dialogue')}"
        self.stdout.write(f"The manifest is well formed: {counts}.")
        if options["check"]:
            return
        if options["if_new"] and ingest.is_known(manifest):
            self.stdout.write("The catalogue has all of them already.")
            return
        if options["here"]:
            dialogue_import = ingest.store_folder_import(manifest, created_by=importer)
            self._run_here(_job_of(dialogue_import))
        else:
            dialogue_import = ingest.start_folder_import(manifest, created_by=importer)
            if options["no_wait"]:
                self.stdout.write(f"Import {dialogue_import.pk} waits for a worker (job {dialogue_import.job_id}).")
                return
            following.watch(self, _job_of(dialogue_import))
        self._tell_result(dialogue_import)

    def _run_here(self, job: Job) -> None:
        with jobs.running(job.pk, job.fence) as held:
            if held is not None:
                ingest.run_import(held)

    def _tell_result(self, dialogue_import: DialogueImport) -> None:
        dialogue_import.refresh_from_db()
        job = _job_of(dialogue_import)
        if job.state == Job.State.SUCCEEDED:
            new, known = dialogue_import.dialogues_new, dialogue_import.dialogues_known
            self.stdout.write(self.style.SUCCESS(f"Imported: {_count(new, 'dialogue')} new, {known} known already."))
            return
        if dialogue_import.problems:
            self._show_problems([Problem(**problem) for problem in dialogue_import.problems])
            raise CommandError(_count(len(dialogue_import.problems), "problem") + "; nothing was imported.")
        raise CommandError(f"The import {job.get_state_display()}: {job.error or job.message} (job {job.pk})")

    def _show_problems(self, problems: tuple[Problem, ...] | list[Problem]) -> None:
        """A table of file, line, what is wrong and what to do."""
        rows = [(f"{p.file}:{p.line}" if p.line else p.file, p.field, p.message, p.remedy) for p in problems]
        shown = rows[:SHOWN_PROBLEMS]
        places = max(len(row[0]) for row in shown)
        fields = max(len(row[1]) for row in shown)
        for place, field, message, remedy in shown:
            self.stderr.write(f"{place:<{places}}  {field:<{fields}}  {message}")
            self.stderr.write(f"{'':<{places}}  {'':<{fields}}  → {remedy}")
        if len(rows) > len(shown):
            self.stderr.write(f"… and {len(rows) - len(shown)} more.")


def _job_of(dialogue_import: DialogueImport) -> Job:
    if dialogue_import.job is None:
        raise CommandError(f"The job of import {dialogue_import.pk} was removed meanwhile. Import the folder again.")
    return dialogue_import.job


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
