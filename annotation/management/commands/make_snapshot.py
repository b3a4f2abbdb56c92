"""manage.py make_snapshot STUDY: an immutable preference dataset from the study's judgments. See docs/snapshots.md."""

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotation.models import QualityVerdict, Snapshot, Study
from annotation.services import snapshots
from annotation.services.snapshots import SnapshotFilter
from earshot.jobs import following
from earshot.jobs.models import Job


class Command(BaseCommand):
    help = "Make a snapshot of a study's judgments, by a worker or in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", type=int, help="the study's number, as in its address")
        parser.add_argument("--name", required=True, help="what people call the snapshot")
        parser.add_argument(
            "--quality", nargs="+", choices=QualityVerdict.Verdict.values, help="verdicts taken in (pass unknown)"
        )
        parser.add_argument("--dimensions", nargs="+", metavar="KEY", help="only these dimensions (all)")
        parser.add_argument("--late", action="store_true", help="take in judgments submitted after their lease")
        following.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(pk=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}. Its number stands in its address, /studies/…/.")
        ask = snapshots.store_snapshot_job if options["here"] else snapshots.request_snapshot
        by = following.find_person(options["by"])
        try:
            job = ask(study, name=options["name"], filter=_filter(study, options), by=by)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if not following.carry_out(self, job, snapshots.run_snapshot, options, "The snapshot"):
            return
        self._tell_result(job)

    def _tell_result(self, job: Job) -> None:
        snapshot = Snapshot.objects.get(pk=job.result["snapshot"])
        made = "Made" if job.result["is_new"] else "The same rows were kept before, as"
        self.stdout.write(self.style.SUCCESS(f"{made} snapshot {snapshot.pk} '{snapshot}'"))
        left_out = ", ".join(f"{count} {reason}" for reason, count in snapshot.counts["out"].items()) or "none"
        self.stdout.write(
            f"  content id  {snapshot.content_id}\n  judgments   {snapshot.counts['in']} in; out: {left_out}"
        )
        self.stdout.write(f"  archive     {snapshot.archive_sha256} ({snapshot.size_bytes:,} bytes)")


def _filter(study: Study, options: dict[str, Any]) -> SnapshotFilter:
    plain = snapshots.default_filter(study)
    return replace(
        plain,
        quality=tuple(options["quality"] or plain.quality),
        include_late=options["late"],
        dimensions=tuple(options["dimensions"] or ()),
    )
